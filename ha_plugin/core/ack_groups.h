// SPDX-License-Identifier: Apache-2.0
// How far n copies reach where not every replica counts: in a set that changes, n copies are n of
// the nodes that were and n of those that will be (members.h).
//
// Without groups every replica counts, as in an AckTracker, and so does the master.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "ha_plugin/core/ack_tracker.h"

namespace ha::core {

class AckGroups {
 public:
  // The nodes of a group.
  struct Counted {
    std::vector<std::string> ids;
    bool master = true;  // whether the master is one of them
  };

 private:
  struct Group {
    Counted counted;
    AckTracker tracker;
    bool has(const std::string& id) const {
      return std::find(counted.ids.begin(), counted.ids.end(), id) != counted.ids.end();
    }
    // A tracker takes the master for a copy.
    std::int32_t replicas() const { return tracker.replicas() - (counted.master ? 0 : 1); }
    Offset held_by(std::int32_t copies) const {
      return tracker.held_by(copies + (counted.master ? 0 : 1));
    }
  };

  template <class Of>
  auto least(Of&& of) const {
    if (groups_.empty()) return of(everybody_);
    auto found = of(groups_.front());
    for (const Group& group : groups_) found = std::min(found, of(group));
    return found;
  }

 public:
  using ConnectionId = AckTracker::ConnectionId;
  using Changed = AckTracker::Changed;

  // Whose copies count from now on; none = everybody's.
  void set_groups(std::vector<Counted> groups);

  // As AckTracker's.
  void join(ConnectionId connection, const std::string& replica, Offset ack);
  Changed ack(ConnectionId connection, Offset ack);
  void leave(ConnectionId connection);
  bool tracks(ConnectionId connection) const { return everybody_.tracks(connection); }
  Offset ack_of(ConnectionId connection) const { return everybody_.ack_of(connection); }
  Offset ack_of(const std::string& replica) const { return everybody_.ack_of(replica); }

  // Those that count, in each group.
  std::int32_t replicas() const {
    return least([](const auto& one) { return one.replicas(); });
  }
  // n copies, in each group.
  Offset held_by(std::int32_t copies) const {
    return least([&](const auto& one) { return one.held_by(copies); });
  }
  template <class Each>
  void for_each_first(std::int32_t count, Each&& each) const {
    (groups_.empty() ? everybody_ : groups_.front().tracker).for_each_first(count, each);
  }

 private:
  AckTracker everybody_;
  std::vector<Group> groups_;
};

}  // namespace ha::core
