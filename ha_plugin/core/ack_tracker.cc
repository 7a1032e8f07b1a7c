// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/ack_tracker.h"

#include <algorithm>
#include <utility>

#include "ha_plugin/core/assert.h"

namespace ha::core {

void AckTracker::join(ConnectionId connection, const std::string& replica_id, Offset ack) {
  HA_ASSERT(!tracks(connection));
  Replica& replica = by_id_[replica_id];
  if (replica.connections.empty()) {
    replica.id = replica_id;
    replica.ack = kNoOffset;
    replica.place = order_.size();
    order_.push_back(&replica);
  }
  replica.connections.push_back(connection);
  connections_[connection] = {&replica, ack};
  settle(replica);
}

AckTracker::Changed AckTracker::ack(ConnectionId connection, Offset ack) {
  Connection& entry = connections_.at(connection);
  // A copy does not shrink while its connection lasts: waits below were answered.
  HA_ASSERT(ack >= entry.ack);
  entry.ack = ack;
  return settle(*entry.replica);
}

void AckTracker::leave(ConnectionId connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  Replica& replica = *found->second.replica;
  connections_.erase(found);
  std::erase(replica.connections, connection);
  if (!replica.connections.empty()) {
    settle(replica);
    return;
  }
  for (std::size_t at = replica.place; at + 1 < order_.size(); ++at) put(at, order_[at + 1]);
  order_.pop_back();
  by_id_.erase(std::string(replica.id));
}

void AckTracker::put(std::size_t place, Replica* replica) {
  order_[place] = replica;
  replica->place = place;
}

// Gives the replica the best ack of its connections and its place in the order.
AckTracker::Changed AckTracker::settle(Replica& replica) {
  Offset best = kNoOffset;
  for (const ConnectionId c : replica.connections) best = std::max(best, connections_.at(c).ack);
  const Offset before = std::exchange(replica.ack, best);
  const std::size_t from = replica.place;
  std::size_t to = from;
  if (best >= before) {
    const auto old_place = order_.begin() + static_cast<std::ptrdiff_t>(from);
    to = static_cast<std::size_t>(
        std::partition_point(order_.begin(), old_place,
                             [&](const Replica* other) { return other->ack >= best; }) -
        order_.begin());
    if (order_[to]->ack == before) {  // and so have all in between
      put(from, order_[to]);
      put(to, &replica);
      return {static_cast<std::int32_t>(to) + 2, static_cast<std::int32_t>(to) + 2};
    }
    for (std::size_t at = from; at > to; --at) put(at, order_[at - 1]);
  } else {
    for (; to + 1 < order_.size() && order_[to + 1]->ack > best; ++to) put(to, order_[to + 1]);
  }
  put(to, &replica);
  HA_ASSERT_SLOW(
      std::is_sorted(order_.begin(), order_.end(),
                     [](const Replica* a, const Replica* b) { return a->ack > b->ack; }));
  return {static_cast<std::int32_t>(std::min(from, to)) + 2,
          static_cast<std::int32_t>(std::max(from, to)) + 2};
}

Offset AckTracker::held_by(std::int32_t copies) const {
  const auto place = static_cast<std::size_t>(copies - 2);
  return place < order_.size() ? order_[place]->ack : kNoOffset;
}

}  // namespace ha::core
