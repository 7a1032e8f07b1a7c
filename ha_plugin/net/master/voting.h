// SPDX-License-Identifier: Apache-2.0
// What this node says to nodes of its own kind that ask to follow it, or to become master: the
// rules of core (handshake.h, term.h) put to what this node is and holds.
//
// Threads: the I/O thread.
#pragma once

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/net/master/parts.h"

namespace ha::net {

class Voting {
 public:
  explicit Voting(const MasterParts& parts) : parts_(parts) {}

  core::Greeting greeting() const;
  // todo: a slave may say that this master's time is over.
  core::Answer judge_hello(const core::Hello& hello, Todo& todo) const;
  // todo: what was promised binds this node too. The promise is durable when this returns.
  core::Promise judge_prepare(const core::Prepare& prepare, Todo& todo) const;

 private:
  core::Voter voter() const;
  bool hears_master() const;
  void on_foreign_promise(const core::Hello& hello, Todo& todo) const;

  const MasterParts parts_;
};

}  // namespace ha::net
