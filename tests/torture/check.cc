#include "tests/torture/check.h"

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
    }
    all.push_back(*std::move(status));
  }
  if (masters.empty()) return "nobody is master";
  if (masters.find(',') != std::string::npos) return "there are several masters: " + masters;
  end_ = system::number_at(all.front(), "bounds/end");
  for (int i = 0; i < kNodes; ++i) {
    const std::string lack = what_lacks(all[static_cast<std::size_t>(i)], all.front());
    if (!lack.empty()) return "'" + world_.node(i).id() + "' " + lack + "; master: " + masters;
  }
  return "";
}

std::int64_t Check::look(int node, std::int64_t from, Ledger::Found& found, std::string& wrong) {
  Client client(world_.node(node).endpoint());
  for (;;) {
    world_.pump();
    const Answer answer = client.get(
        "/v1/topics/T/messages?from=" + std::to_string(from) + "&max=" + kMost, kReadWithin);
    if (answer.status != 200) {
      wrong = "'" + world_.node(node).id() + "' does not show its messages: " + answer.body;
      return from;
    }
    const json::value document = system::parse_json(answer.body);
    const auto& messages = system::at(document, "messages").as_array();
    if (messages.empty()) return from;
    for (const json::value& message : messages) {
      if (system::number_at(message, "number") != from++) wrong = "numbers with gaps";
      const std::string stranger = ledger_.find(found, system::text_at(message, "body"));
      if (wrong.empty()) wrong = stranger;
    }
  }
}

std::string Check::judge(const Ledger::Found& found, const std::string& where) {
  const Ledger::Verdict verdict = ledger_.judge(found);
  // The worst of all looks is the run's.
  if (verdict_.good()) verdict_ = verdict;
  if (verdict.good()) return "";
  return "on " + where + ": " + std::to_string(verdict.lost) + " lost, " +
         std::to_string(verdict.duplicated) + " duplicated, " + std::to_string(verdict.ghosts) +
         " refused but there: " + verdict.examples;
}

std::string Check::compare(std::int64_t from) {
  for (int i = 1; i < kNodes; ++i) {
    const std::string differs = system::compare_logs(world_.node(0).store(), world_.node(i).store(),
                                                     from, end_, kSegmentSize);
    if (differs.empty()) continue;
    identical_ = false;
    return "the logs of '" + world_.node(0).id() + "' and '" + world_.node(i).id() +
           "' differ: " + differs;
  }
  compared_ = end_;
  return "";
}

std::string Check::round() {
  std::string wrong;
  const int master = world_.master();
  if (master < 0) return "no master";
  looked_up_to_ = look(master, looked_up_to_, found_, wrong);
  if (wrong.empty()) wrong = judge(found_, "the master '" + world_.node(master).id() + "'");
  return wrong.empty() ? compare(compared_) : wrong;
}

std::string Check::all() {
  std::string wrong;
  for (int i = 0; i < kNodes && wrong.empty(); ++i) {
    Ledger::Found found;
    look(i, 0, found, wrong);
    if (wrong.empty()) wrong = judge(found, "'" + world_.node(i).id() + "'");
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
