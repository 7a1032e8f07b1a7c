// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/check.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/system/command.h"
#include "tests/system/lines.h"

namespace ha::torture {
namespace {

constexpr Milliseconds kReadWithin{30'000};
constexpr const char* kMost = "10000";

std::string number_text(const json::value& status, const char* path) {
  return std::to_string(system::number_at(status, path));
}

// Of a node whose set has a coordinator.
std::string what_the_key_lacks(const json::value& status, const std::string& master) {
  if (!system::flag_at(status, "ha/coordinator/answers")) return "does not hear its coordinator";
  if (system::flag_at(status, "ha/coordinator/set/changing")) {
    return "is in a set that changes: " + system::text_at(status, "ha/coordinator/set/waits_for");
  }
  const std::string holder = system::text_at(status, "ha/coordinator/holder");
  return holder == master ? "" : "says that '" + holder + "' holds the master's key";
}

// Of a node beside the others, of which one is given.
std::string what_lacks(const json::value& status, const json::value& other) {
  for (const char* same : {"bounds/end", "ha/epoch"}) {
    if (system::number_at(status, same) == system::number_at(other, same)) continue;
    return std::string("is at ") + same + " " + number_text(status, same) + ", another at " +
           number_text(other, same);
  }
  if (number_text(status, "bounds/confirm") != number_text(status, "bounds/end")) {
    return "shows its readers " + number_text(status, "bounds/confirm") + " of " +
           number_text(status, "bounds/end") + " only";
  }
  const std::string role = system::text_at(status, "role");
  if (role != "master") {
    const std::string state = system::text_at(status, "ha/client/state");
    if (role == "slave" && state == "transfer") return "";
    return "is " + role + ", its link to a master is in state " + state + " (" +
           system::text_at(status, "ha/client/last_reason") + ")";
  }
  int connected = 0;
  for (const json::value& replica : system::at(status, "ha/replicas").as_array()) {
    if (system::flag_at(replica, "connected")) ++connected;
  }
  return connected == kNodes - 1 ? "" : "has " + std::to_string(connected) + " slaves";
}

}  // namespace

std::string Check::at_rest() {
  std::vector<json::value> all;
  std::string masters;
  for (int i = 0; i < kNodes; ++i) {
    auto status = world_.node(i).status();
    if (!status) return "'" + world_.node(i).id() + "' does not answer";
    if (system::text_at(*status, "role") == "master") {
      masters += std::string(masters.empty() ? "" : ", ") + "'" + world_.node(i).id() +
                 "' of epoch " + number_text(*status, "ha/epoch");
      master_ = i;
    }
    all.push_back(*std::move(status));
  }
  if (masters.empty()) return "nobody is master";
  if (masters.find(',') != std::string::npos) return "there are several masters: " + masters;
  end_ = system::number_at(all.front(), "bounds/end");
  epoch_ = system::number_at(all.front(), "ha/epoch");
  for (int i = 0; i < kNodes; ++i) {
    const json::value& status = all[static_cast<std::size_t>(i)];
    std::string lack = what_lacks(status, all.front());
    if (lack.empty() && world_.etcd() != nullptr) {
      lack = what_the_key_lacks(status, world_.node(master_).id());
    }
    if (!lack.empty()) return "'" + world_.node(i).id() + "' " + lack + "; master: " + masters;
  }
  return "";
}

std::string Check::look(int node, Look& look) {
  Client client(world_.node(node).endpoint());
  for (;;) {
    world_.pump();
    const Answer answer = client.get(
        "/v1/topics/T/messages?from=" + std::to_string(look.cursor) + "&max=" + kMost, kReadWithin);
    if (answer.status != 200)
      return "'" + world_.node(node).id() + "' does not show its messages: " + answer.body;
    const json::value document = system::parse_json(answer.body);
    if (const auto* skipped = document.as_object().if_contains("skipped")) {
      const Range range{system::number_at(*skipped, "from"), system::number_at(*skipped, "to")};
      if (range.begin != look.cursor || range.end != system::number_at(document, "first"))
        return "'" + world_.node(node).id() + "' says wrongly what was skipped: " + answer.body;
      look.skipped.push_back(range);
    }
    const auto& messages = system::at(document, "messages").as_array();
    for (const json::value& message : messages) {
      if (system::number_at(message, "offset") < look.cursor) return "a message below the cursor";
      if (auto stranger = ledger_.find(look.found, system::text_at(message, "body"));
          !stranger.empty())
        return stranger;
    }
    look.cursor = system::number_at(document, "next");
    if (messages.empty()) return "";
  }
}

std::string Check::judge(const Look& look, const std::string& where) {
  const Ledger::Verdict verdict = ledger_.judge(look.found, look.skipped);
  // The worst of all looks is the run's.
  if (verdict_.good()) verdict_ = verdict;
  if (verdict.good()) return "";
  return "on " + where + ": " + std::to_string(verdict.lost) + " lost, " +
         std::to_string(verdict.duplicated) + " duplicated, " + std::to_string(verdict.ghosts) +
         " refused but there: " + verdict.examples;
}

std::int64_t Check::begin_of_both(int node) {
  std::int64_t begin = 0;
  for (const int i : {0, node}) {
    const auto status = world_.node(i).status(kReadWithin);
    if (!status) throw Failure("'" + world_.node(i).id() + "' does not answer");
    begin = std::max(begin, system::number_at(*status, "bounds/min"));
  }
  return begin;
}

std::string Check::compare_with_first(int node, std::int64_t from) {
  for (;;) {
    const std::int64_t begin = begin_of_both(node);
    std::string differs = system::compare_logs(world_.node(0).store(), world_.node(node).store(),
                                               std::max(from, begin), end_, kSegmentSize);
    // Retention may take a file that is being read.
    if (differs.empty() || begin_of_both(node) == begin) return differs;
  }
}

std::string Check::compare(std::int64_t from) {
  for (int i = 1; i < kNodes; ++i) {
    const std::string differs = compare_with_first(i, from);
    if (differs.empty()) continue;
    identical_ = false;
    return "the logs of '" + world_.node(0).id() + "' and '" + world_.node(i).id() +
           "' differ: " + differs;
  }
  compared_ = end_;
  return "";
}

std::string Check::round() {
  std::string wrong = look(master_, masters_);
  if (wrong.empty()) wrong = judge(masters_, "the master '" + world_.node(master_).id() + "'");
  return wrong.empty() ? compare(compared_) : wrong;
}

std::string Check::all() {
  std::string wrong;
  for (int i = 0; i < kNodes && wrong.empty(); ++i) {
    Look from_the_first;
    wrong = look(i, from_the_first);
    if (wrong.empty()) wrong = judge(from_the_first, "'" + world_.node(i).id() + "'");
  }
  if (wrong.empty()) wrong = compare(0);
  for (int i = 0; i < kNodes && wrong.empty(); ++i) {
    const std::string name = "'" + world_.node(i).id() + "'";
    if (const int code = world_.node(i).terminate(); code != 0) {
      wrong = name + " ended with " + std::to_string(code) + " after SIGTERM";
    } else if (const std::string fault = system::verify(world_.node(i).store()); !fault.empty()) {
      wrong = "the store of " + name + ": " + fault;
    }
  }
  return wrong;
}

}  // namespace ha::torture
