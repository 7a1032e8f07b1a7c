// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/side_channel.h"

#include <fmt/format.h>

#include <utility>

namespace ha::net {
namespace {

// Marks it as sent first: sending may close the connection, and sent goes with it. A connection
// that is still busy with the message before has it again the next time.
template <class Mark>
bool send_once(HaConnection& connection, Mark& sent, const Mark& current,
               std::shared_ptr<const wire::native::Bytes> message) {
  const Mark before = std::exchange(sent, current);
  if (connection.send_message(std::move(message))) return true;
  if (connection.open()) sent = before;
  return false;
}

std::shared_ptr<const wire::native::Bytes> shared(wire::native::Bytes bytes) {
  return std::make_shared<const wire::native::Bytes>(std::move(bytes));
}

}  // namespace

bool SideChannel::set_upstream(const core::Upstream& upstream) {
  if (upstream_ == upstream) return false;
  upstream_ = upstream;
  return true;
}

void SideChannel::read_metadata() {
  const Host& host = parts_.host;
  if (!host.metadata().present()) return;
  const std::uint64_t version = host.metadata().version();
  if (version == version_) return;
  std::string state;
  if (const HostResult r = host.metadata().read(state); !r.ok()) {
    parts_.metrics.metadata_failed.set(1);
    if (!std::exchange(failed_, true)) {
      host.log(HA_LOG_ERROR,
               fmt::format("the metadata is not replicated: {}; trying again", r.text));
    }
    return;
  }
  failed_ = false;
  parts_.metrics.metadata_failed.set(0);
  version_ = version;
  metadata_ = shared(wire::native::encode_metadata(state));
  ++serial_;
}

// The slaves of a configured set follow a master only, so there is no chain to tell of.
wire::native::Bytes SideChannel::after_greeting(Sent& sent) const {
  if (parts_.terms.keeps_epochs()) return {};
  sent.upstream = upstream_;
  return wire::native::encode_upstream(upstream_);
}

// So that a slave that outlives this node can tell of each byte whether it was acknowledged below
// policy.
wire::native::Bytes SideChannel::after_answer(Sent& sent) const {
  if (parts_.terms.own_epoch() == 0) return {};
  sent.degraded = parts_.degraded.serial();
  return wire::native::encode_degraded(parts_.degraded.to_tell());
}

void SideChannel::send(HaConnection& connection, Sent& sent) const {
  send_upstream(connection, sent);
  if (connection.open() && send_metadata(connection, sent)) send_degraded(connection, sent);
}

void SideChannel::send_upstream(HaConnection& connection, Sent& sent) const {
  if (parts_.terms.keeps_epochs() || sent.upstream == upstream_) return;
  send_once(connection, sent.upstream, upstream_, shared(wire::native::encode_upstream(upstream_)));
}

// Returns true if there was nothing to send: the connection has room for another message.
bool SideChannel::send_metadata(HaConnection& connection, Sent& sent) const {
  if (sent.metadata == serial_) return true;
  send_once(connection, sent.metadata, serial_, metadata_);
  return false;
}

void SideChannel::send_degraded(HaConnection& connection, Sent& sent) const {
  const std::uint64_t serial = parts_.degraded.serial();
  if (parts_.terms.own_epoch() == 0 || sent.degraded == serial) return;
  send_once(connection, sent.degraded, serial,
            shared(wire::native::encode_degraded(parts_.degraded.to_tell())));
}

// Answers below policy raise it too. A slave with a range of its own would take that for what
// enough copies hold, unless it has heard of the range before.
core::Offset SideChannel::confirmed(const Sent& sent) const {
  return sent.degraded == parts_.degraded.serial() ? parts_.transfer.confirmed() : core::kNoOffset;
}

void SideChannel::merge(const std::string& replica, const wire::native::Bytes& pending) const {
  if (!parts_.host.metadata().hands_up()) return;
  if (const HostResult r = parts_.host.metadata().merge(pending); !r.ok()) {
    parts_.log.log(HA_LOG_WARN, "states handed up that were not taken",
                   fmt::format("what replica {} handed up was not taken: {}", replica, r.text));
  }
}

}  // namespace ha::net
