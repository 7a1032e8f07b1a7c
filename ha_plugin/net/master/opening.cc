// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/opening.h"

#include <fmt/format.h>

#include "ha_plugin/wire/native.h"

namespace ha::net {

using core::Reason;
using core::Refusal;

namespace {

// A peer that says at once what it speaks needs a round trip or two, with TLS some more.
constexpr core::Time kTime = std::chrono::seconds(2);
constexpr core::Time kTlsTime = std::chrono::seconds(5);

}  // namespace

Opening::Heard Opening::take(std::span<const std::byte>& bytes) {
  while (first_.take(bytes)) {
    const bool native = wire::native::is_opening(first_.bytes());
    // Without the native wire they are what a RocketMQ master takes them for: no report yet.
    if (native && !settings_.accept.native) continue;
    over_ = true;
    return judge();
  }
  return Nothing{};
}

core::Time Opening::due() const {
  const bool set = !settings_.replicas.nodes.empty();
  if (over_ || (!set && (inside_tls_ || settings_.tls != TlsMode::kRequire))) return core::kNever;
  return opened_ + (inside_tls_ ? kTlsTime : kTime);
}

Refusal Opening::check_silence(core::Time now) const {
  if (now < due()) return {};
  return {Reason::kFirstReportTimeout, inside_tls_
                                           ? "the slave's TLS handshake did not come to an end"
                                           : "the slave did not say what it speaks"};
}

Opening::Heard Opening::judge() const {
  const auto first = first_.bytes();
  if (first[0] == std::byte{0x16} && first[1] == std::byte{0x03}) {
    if (inside_tls_) return Refusal{Reason::kProtocol, "the slave speaks TLS inside TLS"};
    if (settings_.tls != TlsMode::kOff) return Tls{first};
    return Refusal{Reason::kTls, "the slave speaks TLS, and the master's option 'tls' is 'off'"};
  }
  if (!inside_tls_ && settings_.tls == TlsMode::kRequire) {
    return Refusal{Reason::kTls,
                   "the slave speaks without TLS, and the master's option 'tls' is 'require'"};
  }
  if (wire::native::is_opening(first)) return Native{};
  return judge_rocketmq();
}

Opening::Heard Opening::judge_rocketmq() const {
  if (!settings_.accept.rocketmq) {
    return Refusal{Reason::kNotAllowed,
                   fmt::format("the slave speaks the RocketMQ wire (option 'accept': '{}')",
                               settings_.accept.text())};
  }
  if (!settings_.replicas.nodes.empty()) {
    return Refusal{Reason::kUnknownReplica,
                   "the slave speaks the RocketMQ wire, which has no names, so it cannot be one of "
                   "option 'replicas'"};
  }
  return Rocketmq{first_.bytes()};
}

}  // namespace ha::net
