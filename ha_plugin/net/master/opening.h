// SPDX-License-Identifier: Apache-2.0
// The first 8 bytes of a connection, which tell what its peer speaks.
//
// A RocketMQ slave's are its first report. A node of our own kind sends 0xFF eight times and waits
// to be greeted. TLS begins with a handshake record; inside it the same is asked once more.
// Whatever else a port scanner or a browser sends is taken for a report, and refused as one later
// on.
//
// It only looks and decides, and sends nothing. Threads: the I/O thread.
#pragma once

#include <span>
#include <variant>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/wire/rocketmq.h"

namespace ha::net {

class Opening {
 public:
  struct Nothing {};  // too few bytes yet
  struct Native {};
  struct Tls {
    std::span<const std::byte> first;  // valid until the next take
  };
  struct Rocketmq {
    std::span<const std::byte> report;  // valid until the next take
  };
  // A Refusal says why the connection must close.
  using Heard = std::variant<Nothing, Native, Tls, Rocketmq, core::Refusal>;

  // now: of the connection's first moment.
  Opening(const Settings& settings, core::Time now) : settings_(settings), opened_(now) {}

  // It has been heard what the peer speaks.
  bool over() const { return over_; }
  // Takes bytes off the front until that is so. REQUIRES: it is not over.
  Heard take(std::span<const std::byte>& bytes);
  // When it must be over, so that strangers who say nothing, or a byte a second, are gone soon.
  // kNever where a RocketMQ slave may come: it is silent for its first 5 s.
  core::Time due() const;
  // Not ok: it is not over by then.
  core::Refusal check_silence(core::Time now) const;
  // What comes from now on is what was inside TLS.
  void begin_inside_tls() {
    inside_tls_ = true;
    over_ = false;
    first_ = {};
  }

 private:
  Heard judge() const;
  Heard judge_rocketmq() const;

  const Settings& settings_;
  const core::Time opened_;
  wire::ReportGather first_;
  bool inside_tls_ = false;
  bool over_ = false;
};

}  // namespace ha::net
