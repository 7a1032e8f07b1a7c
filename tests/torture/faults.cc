// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/faults.h"

#include <array>
#include <cstdint>
#include <optional>
#include <thread>

namespace ha::torture {
namespace {

// A promotion takes some milliseconds when all answer.
constexpr int kMidPromotionMs = 40;

// What it did; nothing when it cannot be had at this moment.
using Done = std::optional<std::string>;

std::string quoted(World& world, int node) { return "'" + world.node(node).id() + "'"; }

Milliseconds random_ms(World& world, int low, int high) {
  return Milliseconds(world.between(low, high));
}

void cut_cable(World& world, int left, int right) {
  world.mesh()->cut(left, right);
  world.mesh()->cut(right, left);
}

// Half of those that died come back while others are still in trouble.
void maybe_back(World& world, int node) {
  if (world.between(0, 1) == 0) return;
  const std::string role = world.any_role();
  world.later(random_ms(world, 200, 4000), [&world, node, role] {
    if (world.node(node).running()) return;
    world.say("  '" + world.node(node).id() + "' is back as " + role);
    world.node(node).start(role);
  });
}

Done kill_one(World& world, int node) {
  if (node < 0 || !world.node(node).running()) return std::nullopt;
  world.node(node).kill();
  maybe_back(world, node);
  return "kill -9 of " + quoted(world, node);
}

Done kill_master(World& world, Tally&) { return kill_one(world, world.master()); }

Done kill_slave(World& world, Tally&) { return kill_one(world, world.other_than(world.master())); }

Done kill_all(World& world, Tally&) {
  for (const int node : world.shuffled()) {
    world.node(node).kill();
    maybe_back(world, node);
  }
  return "kill -9 of all";
}

Done stop_one(World& world, int node) {
  if (node < 0 || !world.working(node)) return std::nullopt;
  const Milliseconds time = random_ms(world, 500, 8000);
  world.node(node).stop();
  world.later(time, [&world, node] { world.node(node).go_on(); });
  return "SIGSTOP of " + quoted(world, node) + " for " + std::to_string(time.count()) + " ms";
}

Done stop_master(World& world, Tally&) { return stop_one(world, world.master()); }

Done stop_slave(World& world, Tally&) { return stop_one(world, world.other_than(world.master())); }

Done restart(World& world, Tally&) {
  const int node = world.any_node();
  if (!world.working(node)) return std::nullopt;
  const std::string role = world.any_role();
  if (const int code = world.node(node).terminate(); code != 0) {
    throw Failure(quoted(world, node) + " ended with " + std::to_string(code) + " after SIGTERM");
  }
  world.node(node).start(role);
  return "SIGTERM of " + quoted(world, node) + ", started again as " + role;
}

Done cut_both(World& world, Tally&) {
  if (world.mesh() == nullptr) return std::nullopt;
  const int left = world.any_node();
  const int right = world.other_than(left);
  cut_cable(world, left, right);
  return "cut " + quoted(world, left) + " <-> " + quoted(world, right);
}

Done cut_one_way(World& world, Tally&) {
  if (world.mesh() == nullptr) return std::nullopt;
  const int from = world.any_node();
  const int to = world.other_than(from);
  world.mesh()->cut(from, to);
  return "cut " + quoted(world, from) + " -> " + quoted(world, to);
}

Done isolate(World& world, Tally&) {
  if (world.mesh() == nullptr) return std::nullopt;
  const int alone = world.between(0, 1) == 0 ? world.master() : world.any_node();
  if (alone < 0) return std::nullopt;
  // In and out, only in, or only out.
  const int how = world.between(0, 2);
  for (int node = 0; node < kNodes; ++node) {
    if (node == alone) continue;
    if (how != 1) world.mesh()->cut(alone, node);
    if (how != 2) world.mesh()->cut(node, alone);
  }
  // The coordinator stays in reach of half of them.
  const bool no_etcd = world.etcd() != nullptr && world.between(0, 1) == 0;
  for (int i = 0; no_etcd && i < kEtcdMembers; ++i) cut_cable(world, alone, World::host_of(i));
  return "isolated " + quoted(world, alone) +
         (how == 0   ? ""
          : how == 1 ? ", inwards"
                     : ", outwards") +
         (no_etcd ? ", and from etcd" : "");
}

Done lossy(World& world, Tally&) {
  if (world.mesh() == nullptr) return std::nullopt;
  const int from = world.any_node();
  const int to = world.other_than(from);
  const int percent = world.between(5, 60);
  if (const std::string wrong = world.mesh()->lose(from, to, percent); !wrong.empty()) {
    world.say("  no lossy links: " + wrong);
    return std::nullopt;
  }
  return std::to_string(percent) + " % of " + quoted(world, from) + " -> " + quoted(world, to) +
         " are lost";
}

Done slow(World& world, Tally&) {
  if (world.mesh() == nullptr) return std::nullopt;
  const int from = world.any_node();
  const int to = world.other_than(from);
  const int kbit = world.between(32, 1000);
  if (const std::string wrong = world.mesh()->slow_down(from, to, kbit); !wrong.empty()) {
    world.say("  no slow links: " + wrong);
    return std::nullopt;
  }
  return quoted(world, from) + " -> " + quoted(world, to) + " has " + std::to_string(kbit) +
         " kbit/s";
}

Done silent_name(World& world, Tally&) {
  NameService* names = world.name_service();
  if (names == nullptr) return std::nullopt;
  const int node = world.any_node();
  const Milliseconds time = random_ms(world, 1000, 15'000);
  names->silence(node);
  world.later(time, [names, node] { names->speak(node); });
  return "the name of " + quoted(world, node) + " is silent for " + std::to_string(time.count()) +
         " ms";
}

Done full_disk(World& world, Tally&) {
  if (!world.has_small_disk()) return std::nullopt;
  world.fill_disk(random_ms(world, 3000, 12'000));
  return "no space for " + quoted(world, kNodes - 1);
}

// Who is asleep or cut off reads its file later: for some seconds it knows other keys than the
// rest.
Done rotate(World& world, Tally&) {
  std::string done = world.rotate_keys();
  for (const int node : world.shuffled()) {
    if (world.working(node)) set_option(world.node(node).endpoint(), "tls_reload", "now");
  }
  return done;
}

void count(Tally& tally, const Promotion& promotion) {
  ++(promotion.accepted ? tally.accepted : tally.refused);
}

Done duel(World& world, Tally& tally) {
  const int one = world.any_node();
  const int two = world.other_than(one);
  if (!world.working(one) || !world.working(two)) return std::nullopt;
  Promotion of_one;
  std::thread rival([&, at = world.node(one).endpoint()] { of_one = promote(at); });
  const Promotion of_two = promote(world.node(two).endpoint());
  rival.join();
  count(tally, of_one);
  count(tally, of_two);
  return "promoted " + quoted(world, one) + " (" + (of_one.accepted ? "done" : of_one.text) +
         ") and " + quoted(world, two) + " (" + (of_two.accepted ? "done" : of_two.text) +
         ") at once";
}

// The candidate dies between two of a promotion's steps, or soon after.
Done kill_candidate(World& world, Tally& tally) {
  const int node = world.any_node();
  if (!world.working(node)) return std::nullopt;
  Promotion promotion;
  std::thread asking([&, at = world.node(node).endpoint()] { promotion = promote(at); });
  std::this_thread::sleep_for(random_ms(world, 0, kMidPromotionMs));
  world.node(node).kill();
  asking.join();
  count(tally, promotion);
  maybe_back(world, node);
  return "kill -9 of " + quoted(world, node) + " while it was promoted (" +
         (promotion.accepted ? "done" : promotion.text) + ")";
}

// The candidate sleeps between two of a promotion's steps, and another one is promoted meanwhile.
Done stop_candidate(World& world, Tally& tally) {
  const int node = world.any_node();
  const int rival = world.other_than(node);
  if (!world.working(node) || !world.working(rival)) return std::nullopt;
  Promotion promotion;
  std::thread asking([&, at = world.node(node).endpoint()] { promotion = promote(at); });
  std::this_thread::sleep_for(random_ms(world, 0, kMidPromotionMs));
  world.node(node).stop();
  const Promotion other = promote(world.node(rival).endpoint());
  world.node(node).go_on();
  asking.join();
  count(tally, promotion);
  count(tally, other);
  return "SIGSTOP of " + quoted(world, node) + " while it was promoted (" +
         (promotion.accepted ? "done" : promotion.text) + "); meanwhile " + quoted(world, rival) +
         " was promoted (" + (other.accepted ? "done" : other.text) + ")";
}

Done promote_any(World& world, Tally& tally) {
  const int node = world.any_node();
  if (!world.working(node)) return std::nullopt;
  const Promotion done = promote(world.node(node).endpoint());
  count(tally, done);
  return "promoted " + quoted(world, node) + " (" + (done.accepted ? "done" : done.text) + ")";
}

Done demote_master(World& world, Tally&) {
  const int node = world.master();
  if (node < 0) return std::nullopt;
  const std::string wrong = demote(world.node(node).endpoint());
  return "demoted " + quoted(world, node) + (wrong.empty() ? "" : " (" + wrong + ")");
}

// Half of the time the member that leads the others.
int any_etcd_member(World& world) {
  const int leader = world.between(0, 1) == 0 ? world.etcd()->leader() : -1;
  return leader >= 0 ? leader : world.between(0, kEtcdMembers - 1);
}

std::string etcd_name(World& world, int index) {
  return "etcd's '" + world.etcd()->member(index).id() + "'" +
         (world.etcd()->member(index).leads() ? ", the leader" : "");
}

void kill_member(World& world, int index) {
  world.etcd()->member(index).kill();
  if (world.between(0, 1) == 0) return;
  world.later(random_ms(world, 200, 4000), [&world, index] {
    if (!world.etcd()->member(index).running()) world.etcd()->member(index).start();
  });
}

Done kill_etcd(World& world, Tally&) {
  const int index = any_etcd_member(world);
  if (!world.etcd()->member(index).running()) return std::nullopt;
  const std::string name = etcd_name(world, index);
  kill_member(world, index);
  return "kill -9 of " + name;
}

Done kill_all_etcd(World& world, Tally&) {
  for (int i = 0; i < kEtcdMembers; ++i) kill_member(world, i);
  return "kill -9 of all of etcd";
}

void stop_member(World& world, int index, Milliseconds time) {
  world.etcd()->member(index).stop();
  world.later(time, [&world, index] { world.etcd()->member(index).go_on(); });
}

Done stop_etcd(World& world, Tally&) {
  const int index = any_etcd_member(world);
  const EtcdMember& member = world.etcd()->member(index);
  if (!member.running() || member.stopped()) return std::nullopt;
  const std::string name = etcd_name(world, index);
  const Milliseconds time = random_ms(world, 500, 8000);
  stop_member(world, index, time);
  return "SIGSTOP of " + name + " for " + std::to_string(time.count()) + " ms";
}

Done stop_all_etcd(World& world, Tally&) {
  const Milliseconds time = random_ms(world, 500, 8000);
  for (int i = 0; i < kEtcdMembers; ++i) stop_member(world, i, time);
  return "SIGSTOP of all of etcd for " + std::to_string(time.count()) + " ms";
}

Done cut_etcd(World& world, Tally&) {
  if (world.mesh() == nullptr) return std::nullopt;
  const int index = any_etcd_member(world);
  const std::string name = etcd_name(world, index);
  for (int i = 0; i < kNodes; ++i) cut_cable(world, i, World::host_of(index));
  return "cut all nodes <-> " + name;
}

Done cut_from_etcd(World& world, Tally&) {
  if (world.mesh() == nullptr) return std::nullopt;
  const int node = world.between(0, 1) == 0 ? world.master() : world.any_node();
  if (node < 0) return std::nullopt;
  for (int i = 0; i < kEtcdMembers; ++i) cut_cable(world, node, World::host_of(i));
  return "cut " + quoted(world, node) + " <-> all of etcd";
}

Done switch_over(World& world, Tally&) {
  const int node = world.any_node();
  const int to = world.other_than(world.master());
  if (!world.working(node)) return std::nullopt;
  const std::string wrong =
      set_option(world.node(node).endpoint(), "switchover", world.node(to).id());
  return "asked " + quoted(world, node) + " for a switchover to " + quoted(world, to) +
         (wrong.empty() ? "" : " (" + wrong + ")");
}

// A node leaves the set, or comes back. The master decides which can be had.
Done change_set(World& world, Tally&) {
  const int master = world.master();
  if (master < 0 || !world.working(master)) return std::nullopt;
  const int back = world.left_out(master);
  const int node = back >= 0 ? back : world.other_than(master);
  const std::string wrong =
      back >= 0
          ? set_option(world.node(master).endpoint(), "add_member", world.node(node).replica())
          : set_option(world.node(master).endpoint(), "remove_member", world.node(node).id());
  return "asked " + quoted(world, master) + " to " + (back >= 0 ? "add " : "remove ") +
         quoted(world, node) + (wrong.empty() ? "" : " (" + wrong + ")");
}

// Sets whose masters an operator makes, or their coordinator.
enum class For : std::uint8_t { kAll, kOperator, kCoordinator };

struct Fault {
  const char* kind;
  int weight;
  Done (*inject)(World&, Tally&);
  For sets = For::kAll;
};
constexpr std::array<Fault, 27> kFaults = {
    {{"kill the master", 4, kill_master},
     {"kill a slave", 2, kill_slave},
     {"kill all", 1, kill_all},
     {"stop the master", 4, stop_master},
     {"stop a slave", 2, stop_slave},
     {"restart", 2, restart},
     {"cut both ways", 2, cut_both},
     {"cut one way", 3, cut_one_way},
     {"isolate", 3, isolate},
     {"lose packets", 2, lossy},
     {"slow link", 2, slow},
     {"full disk", 2, full_disk},
     {"silent name", 3, silent_name},
     {"rotate keys", 3, rotate},
     {"duel", 2, duel, For::kOperator},
     {"kill the candidate", 3, kill_candidate, For::kOperator},
     {"stop the candidate", 3, stop_candidate, For::kOperator},
     {"promote any", 2, promote_any, For::kOperator},
     {"demote the master", 1, demote_master, For::kOperator},
     {"kill an etcd member", 3, kill_etcd, For::kCoordinator},
     {"kill all of etcd", 1, kill_all_etcd, For::kCoordinator},
     {"stop an etcd member", 3, stop_etcd, For::kCoordinator},
     {"stop all of etcd", 2, stop_all_etcd, For::kCoordinator},
     {"cut an etcd member", 2, cut_etcd, For::kCoordinator},
     {"cut from etcd", 2, cut_from_etcd, For::kCoordinator},
     {"switchover", 4, switch_over, For::kCoordinator},
     {"change the set", 6, change_set, For::kCoordinator}}};

const Fault& choose(World& world) {
  const For other = world.etcd() == nullptr ? For::kCoordinator : For::kOperator;
  const auto weight = [&](const Fault& fault) { return fault.sets == other ? 0 : fault.weight; };
  int all = 0;
  for (const Fault& fault : kFaults) all += weight(fault);
  int at = world.between(0, all - 1);
  std::size_t chosen = 0;
  while (at >= weight(kFaults[chosen])) at -= weight(kFaults[chosen++]);
  return kFaults[chosen];
}

}  // namespace

Injected inject(World& world, Tally& tally) {
  for (;;) {
    world.pump();
    const Fault& fault = choose(world);
    if (const Done done = fault.inject(world, tally)) {
      ++tally.faults[fault.kind];
      return {fault.kind, *done};
    }
  }
}

}  // namespace ha::torture
