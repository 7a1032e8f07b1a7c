// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/transfer/copies.h"

#include <algorithm>

namespace ha {

using core::Offset;

void Copies::set_members(const core::Members& set, const std::string& self) {
  std::vector<core::AckGroups::Counted> groups;
  // Until the set is changed, every node that may follow counts.
  if (set.version > 0) {
    for (const core::MemberGroup& group : set.groups()) {
      groups.push_back({group.ids, group.has(self)});
    }
  }
  all_.set_groups(groups);
  in_sync_acks_.set_groups(groups);
  for (auto& group : groups) {
    if (group.master) group.ids.emplace_back();  // its own durable copy is tracked, as ""
    group.master = true;
  }
  durable_.set_groups(std::move(groups));
}

void Copies::join(ConnectionId connection, const std::string& replica, Offset ack, Offset durable,
                  bool in_sync) {
  all_.join(connection, replica, ack);
  if (in_sync) in_sync_acks_.join(connection, replica, ack);
  if (durable != core::kNoOffset) durable_.join(connection, replica, durable);
}

core::AckTracker::Changed Copies::ack(ConnectionId connection, Offset ack, Offset durable) {
  core::AckTracker::Changed changed = all_.ack(connection, ack);
  if (in_sync_acks_.tracks(connection)) {
    const auto more = in_sync_acks_.ack(connection, ack);
    changed = {std::min(changed.first, more.first), std::max(changed.last, more.last)};
  }
  if (durable != core::kNoOffset) durable_.ack(connection, durable);
  return changed;
}

void Copies::set_in_sync(ConnectionId connection, const std::string& replica, bool in_sync) {
  if (in_sync) {
    in_sync_acks_.join(connection, replica, all_.ack_of(connection));
  } else {
    in_sync_acks_.leave(connection);
  }
}

void Copies::leave(ConnectionId connection) {
  all_.leave(connection);
  in_sync_acks_.leave(connection);
  durable_.leave(connection);
}

// A log that was cut or emptied is durable up to less than before. Below the start of its own epoch
// a master's copy is as good as none: a loss of power would take the epoch with it.
void Copies::set_local_durable(Offset durable, Offset epoch_start) {
  if (durable < epoch_start) durable = Offset(0);
  if (durable < local_durable_) {
    durable_.leave(kSelf);
    durable_.join(kSelf, "", durable);
  } else if (durable > local_durable_) {
    durable_.ack(kSelf, durable);
  }
  local_durable_ = durable;
}

Offset Copies::reached_by(core::Level level, const core::AckPolicy& policy, Offset end) const {
  const core::Level copies = core::copies_of(level);
  if (!core::is_durable(level)) {
    if (copies == core::kAllInSync) return core::held_by_in_sync(policy, view(), end);
    return copies == 1 ? end : all_.held_by(copies);
  }
  // The tracker adds a copy for the master, whose own is in here already.
  if (copies != core::kAllInSync) return durable_.held_by(copies + 1);
  const std::int32_t in_sync = core::in_sync_count(policy, view(), end);
  if (in_sync < core::all_in_sync_copies(policy, in_sync)) return core::kNoOffset;
  Offset reached = local_durable_;
  in_sync_acks_.for_each_first(in_sync - 1, [&](const std::string& replica) {
    reached = std::min(reached, durable_.ack_of(replica));
  });
  // In a joint set those are of one group; as many must be in the other one.
  return std::min(reached, durable_.held_by(core::all_in_sync_copies(policy, in_sync) + 1));
}

}  // namespace ha
