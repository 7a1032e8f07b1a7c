// SPDX-License-Identifier: Apache-2.0
// Which replica holds what, and so how far n copies reach.
//
// What it is for: a replica is an identity; it may have several connections open, and its copy
// counts as far as the best of them has acknowledged, for as long as that connection is open. From
// the acks follows how far n copies reach, which is all that ack_policy.h needs to tell who is in
// sync.
//
// The essence: replicas stand in one vector sorted by ack, highest first, so that the n-th copy is
// an element, not a search (the master is copy 1, element 0 is copy 2). Of those that hold as much
// as each other any may stand first, so an ack mostly changes two elements, however many there are.
//
// Nothing is remembered of a replica that has left: a past maximum is not a copy.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "ha_plugin/core/types.h"

namespace ha::core {

class AckTracker {
 public:
  using ConnectionId = std::uint64_t;  // the caller's, unique among open connections

  // A connection's first report came: from now on it counts. REQUIRES: connection is not tracked.
  void join(ConnectionId connection, const std::string& replica, Offset ack);
  // The numbers of copies for which held_by may have changed.
  struct Changed {
    std::int32_t first = 2;
    std::int32_t last = INT32_MAX;
  };
  // A later report. REQUIRES: connection is tracked, ack is not below its last.
  Changed ack(ConnectionId connection, Offset ack);
  // The connection ended. Unknown connections are ignored: they never reported.
  void leave(ConnectionId connection);

  bool tracks(ConnectionId connection) const { return connections_.contains(connection); }
  // Distinct identities.
  std::int32_t replicas() const { return static_cast<std::int32_t>(order_.size()); }

  // The replicas that are in first place, the first `count` of them, by name.
  template <class Each>
  void for_each_first(std::int32_t count, Each&& each) const {
    for (std::int32_t i = 0; i < count && i < replicas(); ++i) {
      each(order_[static_cast<std::size_t>(i)]->id);
    }
  }
  // each(connection, replica, ack)
  template <class Each>
  void for_each_connection(Each&& each) const {
    for (const auto& [id, one] : connections_) each(id, one.replica->id, one.ack);
  }
  // That connection's last report. REQUIRES: it is tracked.
  Offset ack_of(ConnectionId connection) const { return connections_.at(connection).ack; }
  // What that replica has acknowledged; kNoOffset = it is not there.
  Offset ack_of(const std::string& replica) const {
    const auto found = by_id_.find(replica);
    return found == by_id_.end() ? kNoOffset : found->second.ack;
  }

  // The largest offset that `copies` copies hold, the master's included. copies >= 2; kNoOffset
  // when fewer exist.
  Offset held_by(std::int32_t copies) const;

 private:
  struct Replica {
    std::string id;
    Offset ack;
    std::size_t place = 0;  // in order_
    std::vector<ConnectionId> connections;
  };
  struct Connection {
    Replica* replica = nullptr;
    Offset ack;
  };

  Changed settle(Replica& replica);
  void put(std::size_t place, Replica* replica);

  std::unordered_map<std::string, Replica> by_id_;  // node based: Replica* stay valid
  std::unordered_map<ConnectionId, Connection> connections_;
  std::vector<Replica*> order_;  // by ack, highest first
};

}  // namespace ha::core
