// SPDX-License-Identifier: Apache-2.0
// What slaves are told beside the log: the host's metadata, and which range was acknowledged below
// policy.

#include <utility>

#include "ha_plugin/net/master/accept_service.h"

namespace ha::net {

// Kept until the tick: a peer that sends it all the time must not keep this thread busy.
void AcceptService::on_pending(HaConnection& connection, std::span<const std::byte> pending) {
  connections_.at(connection.id()).pending.assign(pending.begin(), pending.end());
}

void AcceptService::merge_pending() {
  for (auto& [id, entry] : connections_) {
    if (entry.pending.empty()) continue;
    const wire::native::Bytes pending = std::exchange(entry.pending, {});
    if (!host_.hands_up()) continue;
    if (const HostResult r = host_.merge_metadata(pending); !r.ok()) {
      log_of_stranger(HA_LOG_WARN, "states handed up that were not taken",
                      "what replica " + entry.replica_id + " handed up was not taken: " + r.text);
    }
  }
}

// Reads the host's state beside the log if it is another than before.
void AcceptService::look_at_metadata() {
  if (!host_.has_metadata()) return;
  const std::uint64_t version = host_.metadata_version();
  if (version == metadata_version_) return;
  std::string state;
  if (const HostResult r = host_.read_metadata(state); !r.ok()) {
    metrics_.metadata_failed.set(1);
    if (!std::exchange(metadata_failed_, true)) {
      host_.log(HA_LOG_ERROR, "the metadata is not replicated: " + r.text + "; trying again");
    }
    return;
  }
  metadata_failed_ = false;
  metrics_.metadata_failed.set(0);
  metadata_version_ = version;
  metadata_ = std::make_shared<const wire::native::Bytes>(wire::native::encode_metadata(state));
  ++metadata_serial_;
}

// So that a slave that outlives this node can tell of each byte whether it was acknowledged below
// policy.
wire::native::Bytes AcceptService::after_answer(HaConnection& connection) {
  if (terms_.mastered() == 0) return {};
  connections_.at(connection.id()).degraded_sent = degraded_.serial();
  return wire::native::encode_degraded(degraded_.to_tell());
}

void AcceptService::send_beside_the_log() {
  merge_pending();
  look_at_metadata();
  // A connection that closes takes itself off the map.
  for (auto at = connections_.begin(); at != connections_.end();) {
    Entry& entry = (at++)->second;
    const std::shared_ptr<HaConnection> connection = entry.connection;
    if (entry.replica_id.empty() || !connection->native()) continue;
    send_upstream(entry);
    if (connection->open() && send_metadata(entry)) send_degraded(entry);
  }
}

// False = the connection has enough to send, or is closed.
bool AcceptService::send_metadata(Entry& entry) {
  if (entry.metadata_sent == metadata_serial_) return true;
  const std::uint64_t before = std::exchange(entry.metadata_sent, metadata_serial_);
  const std::shared_ptr<HaConnection> connection = entry.connection;
  if (!connection->send_message(metadata_) && connection->open()) entry.metadata_sent = before;
  return false;
}

void AcceptService::send_degraded(Entry& entry) {
  if (terms_.mastered() == 0 || entry.degraded_sent == degraded_.serial()) return;
  const std::uint64_t before = std::exchange(entry.degraded_sent, degraded_.serial());
  const std::shared_ptr<HaConnection> connection = entry.connection;
  const bool sent = connection->send_message(std::make_shared<const wire::native::Bytes>(
      wire::native::encode_degraded(degraded_.to_tell())));
  if (!sent && connection->open()) entry.degraded_sent = before;
}

void AcceptService::set_upstream(const core::Upstream& upstream) {
  if (upstream_ == upstream) return;
  upstream_ = upstream;
  send_beside_the_log();
}

wire::native::Bytes AcceptService::upstream(HaConnection& connection) {
  if (terms_.keeps_epochs()) return {};  // its slaves follow a master only
  connections_.at(connection.id()).upstream_sent = upstream_;
  return wire::native::encode_upstream(upstream_);
}

void AcceptService::send_upstream(Entry& entry) {
  if (terms_.keeps_epochs() || entry.upstream_sent == upstream_) return;
  const core::Upstream before = std::exchange(entry.upstream_sent, upstream_);
  const std::shared_ptr<HaConnection> connection = entry.connection;
  const bool sent = connection->send_message(
      std::make_shared<const wire::native::Bytes>(wire::native::encode_upstream(upstream_)));
  if (!sent && connection->open()) entry.upstream_sent = before;
}

// Answers below policy raise it too. A slave with a range of its own would take that for what
// enough copies hold, unless it has heard of the range before.
core::Offset AcceptService::confirmed(const HaConnection& connection) const {
  const auto at = connections_.find(connection.id());
  const bool told = at != connections_.end() && at->second.degraded_sent == degraded_.serial();
  return told ? transfer_.confirmed() : core::kNoOffset;
}

}  // namespace ha::net
