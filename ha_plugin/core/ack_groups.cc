// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/ack_groups.h"

#include <utility>

namespace ha::core {

void AckGroups::set_groups(std::vector<Counted> groups) {
  groups_.clear();
  for (Counted& counted : groups) {
    Group& group = groups_.emplace_back();
    group.counted = std::move(counted);
    everybody_.for_each_connection(
        [&](ConnectionId connection, const std::string& replica, Offset ack) {
          if (group.has(replica)) group.tracker.join(connection, replica, ack);
        });
  }
}

void AckGroups::join(ConnectionId connection, const std::string& replica, Offset ack) {
  everybody_.join(connection, replica, ack);
  for (Group& group : groups_) {
    if (group.has(replica)) group.tracker.join(connection, replica, ack);
  }
}

AckGroups::Changed AckGroups::ack(ConnectionId connection, Offset ack) {
  Changed changed = everybody_.ack(connection, ack);
  for (Group& group : groups_) {
    if (!group.tracker.tracks(connection)) continue;
    const Changed here = group.tracker.ack(connection, ack);
    const std::int32_t fewer = group.counted.master ? 0 : 1;
    changed = {std::min(changed.first, std::max(2, here.first - fewer)),
               std::max(changed.last, here.last)};
  }
  return changed;
}

void AckGroups::leave(ConnectionId connection) {
  everybody_.leave(connection);
  for (Group& group : groups_) group.tracker.leave(connection);
}

}  // namespace ha::core
