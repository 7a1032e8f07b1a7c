// SPDX-License-Identifier: Apache-2.0
// How a node of a configured set becomes master of a new epoch.
//
// One try has four steps: ask the others whether they would promise, promise the epoch to oneself,
// have enough others promise it, enter it. The first step promises nothing, so a candidate that
// must fail has no side effects. The rules of judging are core's (core/term.h).
//
// Threads: the control thread; ask_whether_gone also ha-coord. What belongs to the I/O thread is
// read and set there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ha_plugin/base/outcome.h"
#include "ha_plugin/core/supervisor.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/service/node_parts.h"
#include "ha_plugin/service/role_change.h"
#include "ha_plugin/service/role_changes.h"

namespace ha {

class Promotion {
 public:
  struct Won {
    std::int64_t epoch = 0;
    std::string set;   // by which the promises were counted
    std::string note;  // who promised, for the host
  };
  struct Follow {
    net::Address master;  // another node is it
  };
  struct Lost {
    core::Reason reason = core::Reason::kNone;
    Outcome why;
  };
  using Result = std::variant<Won, Follow, Lost>;

  // given_up: asked while it waits for answers; empty = only until the instance stops.
  Promotion(const NodeParts& parts, RoleChanges& changes, const RoleChange& change,
            std::function<bool()> given_up = {});

  // Blocks: one try, or with change.keep_trying as many as it takes until it has won, another node
  // is master, or another change is waiting.
  Result run();

  // The newest epoch that another node knows of; 0 if none answers.
  std::int64_t newest_epoch_elsewhere();
  // Would it win, and does nobody else hear the master? Promises nothing. why: if not.
  core::AskedRound ask_whether_gone(std::string& why);
  // Those that answered last, by id.
  std::vector<std::string> answered() const;

 private:
  Result try_to_win();
  void look_at_this_node();
  std::optional<Result> ask();
  std::optional<Lost> promise_to_self();
  std::optional<Lost> collect_promises();
  Result enter();

  std::vector<core::Heard> send(core::Prepare::Mode mode, std::size_t enough);
  std::size_t enough() const;
  std::optional<Lost> judge(const std::vector<core::Heard>& heard);
  std::optional<Lost> save(const core::Term& next);

  const NodeParts& parts_;
  RoleChanges& changes_;
  const RoleChange& change_;
  const std::function<bool()> given_up_;
  std::vector<std::string> ids_;           // of the set
  std::vector<ReplicaList::Node> others_;  // the same without this node
  std::vector<ReplicaList::Node> voters_;  // who is asked
  std::int64_t least_epoch_ = 0;
  bool counts_ = true;  // this node, in its set
  core::Term term_;     // this node's, as this try knows it
  core::Candidacy candidacy_;
  core::Prepare prepare_;
  std::chrono::milliseconds timeout_{};
  std::string promised_by_;  // in words
};

// REQUIRES: the node is one of the configured set.
const net::Address& address_of(const std::vector<ReplicaList::Node>& nodes, const std::string& id);

}  // namespace ha
