// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/ack_tracker.h"

#include <algorithm>

#include "ha_plugin/core/assert.h"

namespace ha::core {

void AckTracker::join(ConnectionId connection, const std::string& replica_id, Offset ack) {
  HA_ASSERT(!tracks(connection));
  Replica& replica = by_id_[replica_id];
  if (replica.connections.empty()) {
    replica.id = replica_id;
    replica.ack = kNoOffset;
    order_.push_back(&replica);
  }
  replica.connections.push_back(connection);
  connections_[connection] = {&replica, ack};
  settle(replica);
}

void AckTracker::ack(ConnectionId connection, Offset ack) {
  Connection& entry = connections_.at(connection);
  // A copy does not shrink while its connection lasts: waits below were answered.
  HA_ASSERT(ack >= entry.ack);
  entry.ack = ack;
  settle(*entry.replica);
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
  std::erase(order_, &replica);
  by_id_.erase(std::string(replica.id));
}

// Gives the replica the best ack of its connections and its place in the order.
void AckTracker::settle(Replica& replica) {
  Offset best = kNoOffset;
  for (const ConnectionId c : replica.connections) best = std::max(best, connections_.at(c).ack);
  replica.ack = best;
  auto at = std::find(order_.begin(), order_.end(), &replica);
  while (at != order_.begin() && (*std::prev(at))->ack < replica.ack) {
    std::iter_swap(at, std::prev(at));
    --at;
  }
  while (std::next(at) != order_.end() && (*std::next(at))->ack > replica.ack) {
    std::iter_swap(at, std::next(at));
    ++at;
  }
  HA_ASSERT_SLOW(
      std::is_sorted(order_.begin(), order_.end(),
                     [](const Replica* a, const Replica* b) { return a->ack > b->ack; }));
}

Offset AckTracker::held_by(std::int32_t copies) const {
  const auto place = static_cast<std::size_t>(copies - 2);
  return place < order_.size() ? order_[place]->ack : kNoOffset;
}

}  // namespace ha::core
