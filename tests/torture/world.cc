// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iostream>
#include <thread>

#include "tests/system/descriptor.h"
#include "tests/system/privilege.h"

namespace ha::torture {
namespace {

constexpr int kHaPort = 7101;
constexpr int kHttpPort = 8101;
constexpr int kEtcdPort = 2379;
constexpr int kEtcdPeerPort = 2380;

volatile sig_atomic_t interrupted = 0;

// Ports that were free a moment ago, for nodes that share this machine's loopback.
std::vector<int> free_ports(std::size_t count) {
  std::vector<system::Descriptor> held;
  std::vector<int> ports;
  while (ports.size() < count) {
    held.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    if (::bind(held.back().get(), reinterpret_cast<sockaddr*>(&at), size) != 0 ||
        ::getsockname(held.back().get(), reinterpret_cast<sockaddr*>(&at), &size) != 0) {
      throw Failure("no free port");
    }
    ports.push_back(ntohs(at.sin_port));
  }
  return ports;
}

std::string time_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms = now.time_since_epoch() / Milliseconds(1) % 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32];
  std::snprintf(text, sizeof(text), "%02d:%02d:%02d.%03d", local.tm_hour, local.tm_min,
                local.tm_sec, static_cast<int>(ms));
  return text;
}

// A line of a key file.
std::string key(int number) { return std::string(64, "0123456789abcdef"[number % 16]) + "\n"; }

}  // namespace

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

World::World(const WorldOptions& options) : folder_(options.folder), random_(options.seed) {
  // Before any thread is made: the step into a mount namespace is this thread's alone.
  const std::string no_mounts =
      options.small_disk_bytes > 0 ? system::why_no_mounts() : std::string("not asked for");
  if (const std::string lack = system::why_no_networks(); lack.empty()) {
    mesh_ = std::make_unique<Mesh>(kNodes + (options.coordinator ? kEtcdMembers : 0));
  } else if (system::required("HA_REQUIRE_NETNS")) {
    throw Failure(lack);
  } else {
    say("no network faults: " + lack);
  }
  if (mesh_ && system::why_no_mounts().empty()) {
    name_service_ = std::make_unique<NameService>(folder_, *mesh_, kNodes);
  } else {
    say("no names: " + (mesh_ ? system::why_no_mounts() : std::string("no networks")));
  }
  const std::vector<int> ports =
      mesh_ ? std::vector<int>{} : free_ports(2 * (kNodes + kEtcdMembers));
  if (options.coordinator) start_etcd(ports);
  std::vector<MemberPlan> plans;
  std::string replicas;
  for (int i = 0; i < kNodes; ++i) {
    MemberPlan plan;
    plan.id = std::string(1, static_cast<char>('a' + i));
    plan.ip = mesh_ ? Mesh::ip(i) : "127.0.0.1";
    plan.host = name_service_ ? NameService::name(i) : plan.ip;
    plan.network = mesh_ ? mesh_->network(i) : -1;
    const auto at = static_cast<std::size_t>(i);
    plan.ha_port = mesh_ ? kHaPort : ports[2 * at];
    plan.http_port = mesh_ ? kHttpPort : ports[2 * at + 1];
    plan.folder = folder_;
    plan.store = folder_ / plan.id;
    plan.coordinator = etcd_ ? etcd_->option() : "";
    replicas += (i == 0 ? "" : ",") + plan.replica();
    plans.push_back(plan);
  }
  if (no_mounts.empty()) {
    const auto disk = folder_ / (plans.back().id + ".disk");
    std::filesystem::create_directories(disk);
    disk_ = std::make_unique<system::SmallDisk>(disk, options.small_disk_bytes);
    plans.back().store = disk / "store";
  } else {
    say("no full disk: " + no_mounts);
  }
  for (MemberPlan& plan : plans) {
    members_.push_back(std::make_unique<Member>(std::move(plan), replicas));
    members_.back()->write_keys(key(0));
  }
}

void World::start_etcd(const std::vector<int>& ports) {
  std::vector<Endpoint> clients;
  std::vector<system::Address> peers;
  for (int i = 0; i < kEtcdMembers; ++i) {
    const auto at = static_cast<std::size_t>(2 * host_of(i));
    const std::string ip = mesh_ ? Mesh::ip(host_of(i)) : "127.0.0.1";
    const int network = mesh_ ? mesh_->network(host_of(i)) : -1;
    clients.push_back({{ip, mesh_ ? kEtcdPort : ports[at]}, network});
    peers.push_back({ip, mesh_ ? kEtcdPeerPort : ports[at + 1]});
  }
  etcd_ = std::make_unique<Etcd>(folder_, clients, peers);
}

std::vector<Endpoint> World::endpoints() const {
  std::vector<Endpoint> all;
  for (const auto& member : members_) all.push_back(member->endpoint());
  return all;
}

std::vector<std::string> World::names() const {
  std::vector<std::string> all;
  for (const auto& member : members_) all.push_back(member->id());
  return all;
}

int World::between(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random_);
}

std::vector<int> World::shuffled() {
  std::vector<int> all;
  for (int i = 0; i < kNodes; ++i) all.push_back(i);
  std::shuffle(all.begin(), all.end(), random_);
  return all;
}

int World::master() {
  int found = -1;
  std::int64_t newest = -1;
  for (int i = 0; i < kNodes; ++i) {
    const auto status = node(i).status();
    if (!status || system::text_at(*status, "role") != "master") continue;
    const std::int64_t epoch = system::number_at(*status, "ha/epoch");
    if (epoch > newest) found = i;
    newest = std::max(newest, epoch);
  }
  return found;
}

int World::left_out(int master) {
  const auto status = master < 0 ? std::nullopt : node(master).status();
  if (!status || system::flag_at(*status, "ha/coordinator/set/changing")) return -1;
  const auto& nodes = system::at(*status, "ha/coordinator/set/nodes").as_array();
  for (int i = 0; i < kNodes; ++i) {
    const json::value id(node(i).id());
    if (std::find(nodes.begin(), nodes.end(), id) == nodes.end()) return i;
  }
  return -1;
}

int World::other_than(int index) {
  const std::vector<int> order = shuffled();
  return *std::find_if(order.begin(), order.end(), [&](int i) { return i != index; });
}

void World::later(Milliseconds delay, std::function<void()> what) {
  due_.push_back({system::Clock::now() + delay, std::move(what)});
}

void World::pump() {
  if (interrupted != 0) throw Interrupted();
  for (std::size_t i = 0; i < due_.size();) {
    if (due_[i].at > system::Clock::now()) {
      ++i;
      continue;
    }
    const auto what = std::move(due_[i].what);
    due_.erase(due_.begin() + static_cast<std::ptrdiff_t>(i));
    what();
  }
  for (int i = 0; etcd_ && i < kEtcdMembers; ++i) {
    if (const auto code = etcd_->member(i).ended_by_itself()) {
      throw Failure("etcd's '" + etcd_->member(i).id() + "' ended by itself with " +
                    std::to_string(*code));
    }
  }
  for (const auto& member : members_) {
    const auto code = member->ended_by_itself();
    if (!code) continue;
    const std::string what = "'" + member->id() + "' ended by itself with " + std::to_string(*code);
    // Without space it may refuse to start, and says so.
    if (*code != 1 || !disk_was_full_ || member != members_.back()) throw Failure(what);
    say("  " + what + " on a full disk");
  }
}

void World::fill_disk(Milliseconds time) {
  disk_was_full_ = true;
  disk_->fill();
  later(time, [this] { disk_->free(); });
}

void World::wait(Milliseconds time) {
  wait_until([] { return false; }, time);
}

bool World::wait_until(const std::function<bool()>& holds, Milliseconds deadline) {
  constexpr Milliseconds kPoll{20};
  const auto end = system::Clock::now() + deadline;
  for (;;) {
    pump();
    if (holds()) return true;
    if (system::Clock::now() >= end) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

void World::heal() {
  due_.clear();
  if (mesh_) mesh_->heal();
  if (name_service_) name_service_->heal();
  if (etcd_) etcd_->heal();
  if (disk_) disk_->free();
  disk_was_full_ = false;
  for (const int i : shuffled()) {
    if (node(i).stopped()) node(i).go_on();
    if (node(i).running()) {
      // A log that could not be written stays closed until its host is started again.
      const auto status = node(i).status();
      if (!status || system::at(*status, "failed").is_null()) continue;
      say("  '" + node(i).id() + "' had failed: " + system::text_at(*status, "failed"));
      node(i).terminate();
    }
    const std::string role = any_role();
    say("  '" + node(i).id() + "' is started as " + role);
    node(i).start(role);
  }
}

void World::say(const std::string& line) const {
  const std::string whole = time_text() + " " + line + "\n";
  std::cerr << whole;
  std::ofstream(folder_ / "operator.log", std::ios::app) << whole;
}

std::string World::rotate_keys() {
  const int number = rotation_ / 3;
  const std::string now = key(number);
  const std::string next = key(number + 1);
  const int step = rotation_++ % 3;
  const std::string lines = step == 0 ? now + next : step == 1 ? next + now : next;
  for (const auto& member : members_) member->write_keys(lines);
  return "the cluster's next key " + std::string(step == 0   ? "is appended"
                                                 : step == 1 ? "is put first"
                                                             : "is the only one");
}

std::string World::portrait() {
  std::string out;
  for (const auto& member : members_) {
    const auto status = member->status();
    out += "---- '" + member->id() +
           "' says: " + (status ? boost::json::serialize(*status) : std::string("nothing")) + "\n";
  }
  for (const auto& member : members_) {
    out += "---- the log of '" + member->id() + "' ends:\n" + member->log_text(4000) + "\n";
  }
  return out;
}

}  // namespace ha::torture
