// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/opening.h"

#include <fmt/format.h>

#include "ha_plugin/wire/native.h"

namespace ha::net {

using core::Reason;
using core::Refusal;

Opening::Heard Opening::take(std::span<const std::byte>& bytes) {
  while (first_.take(bytes)) {
    const bool native = wire::native::is_opening(first_.bytes());
    // Without the native wire they are what a RocketMQ master takes them for: no report yet.
    if (native && !settings_.accept.native) continue;
    over_ = true;
    return native ? Native{} : judge_rocketmq();
  }
  return Nothing{};
}

Opening::Heard Opening::judge_rocketmq() const {
  const auto first = first_.bytes();
  if (first[0] == std::byte{0x16} && first[1] == std::byte{0x03}) {
    return Refusal{Reason::kProtocol, "the slave speaks TLS, which this version does not support"};
  }
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
  return Rocketmq{first};
}

}  // namespace ha::net
