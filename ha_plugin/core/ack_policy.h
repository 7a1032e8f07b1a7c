// SPDX-License-Identifier: Apache-2.0
// What a wait is told at once, and what it waits for.
//
// One order for every caller: arguments, role, the in-sync minimum, "nobody is there", "it is there
// already", wait. check_acks stops before the last two. The rules are RocketMQ's 5.x
// (CommitLog.asyncPutMessage), with two differences: a slave counts from its first report, not from
// its TCP connection (a port scan is no copy), and an explicit number of copies is never lowered by
// auto_in_sync_replicas, which speaks of the configured default only.
//
// Held is anything with
//   bool master();  std::int32_t replicas();
//   Offset held_by(std::int32_t copies);          of all replicas
//   Offset in_sync_held_by(std::int32_t copies);  of those that keep up (in_sync_member.h)
// so that the I/O thread judges by the AckTracker and host threads by its published copy.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ha_plugin/core/types.h"
#include "ha_plugin/core/wait_queue.h"

namespace ha::core {

struct AckPolicy {
  std::int32_t in_sync_replicas = 1;
  std::int32_t min_in_sync_replicas = 1;
  std::int64_t max_gap_not_in_sync_bytes = std::int64_t{256} << 20;
  bool auto_in_sync_replicas = false;
  std::int32_t max_copies = 1;     // the master and one per connection that may be open
  std::int32_t policy_copies = 1;  // no wait for all in sync ends with fewer copies
  std::int32_t quorum = 0;         // a majority of the configured set; 0 = there is none
  bool wait_for_slaves = false;    // where none is there, instead of refusing
};

// What the caller asks for; the ABI's numbers.
inline constexpr std::int32_t kAcksDefault = 0;
inline constexpr std::int32_t kAcksQuorum = -1;
inline constexpr std::int32_t kAcksAllInSync = -2;

struct AckDecision {
  Status status = Status::kOk;  // kOk = wait at `level`; kDone = nothing to wait for
  Level level = 2;
};

// The in-sync set at `end`: 1 (the master) + replicas that keep up, with end - ack < the gap. It is
// asked for at each ack, and more copies never reach further than fewer: a binary search.
template <class Held>
std::int32_t in_sync_count(const AckPolicy& policy, Held&& held, Offset end) {
  std::int32_t count = 1;
  std::int32_t most = held.replicas() + 1;
  while (count < most) {
    const std::int32_t middle = count + (most - count + 1) / 2;
    const Offset ack = held.in_sync_held_by(middle);
    if (ack == kNoOffset || end - ack >= policy.max_gap_not_in_sync_bytes)
      most = middle - 1;
    else
      count = middle;
  }
  return count;
}

// The copies that "all in sync" stands for when so many are.
inline std::int32_t all_in_sync_copies(const AckPolicy& policy, std::int32_t in_sync) {
  return std::max({policy.min_in_sync_replicas, policy.policy_copies, in_sync});
}

// How far the in-sync set reaches together, and at least min_in_sync_replicas copies. With nobody
// to wait for (the master is alone in sync and the minimum is 1) that is end.
template <class Held>
Offset held_by_in_sync(const AckPolicy& policy, Held&& held, Offset end) {
  const std::int32_t in_sync = in_sync_count(policy, held, end);
  const std::int32_t need = all_in_sync_copies(policy, in_sync);
  if (need <= 1) return end;
  // One that is ahead, but not in the set yet, does not stand in for a member.
  const Offset all = in_sync > 1 ? held.in_sync_held_by(in_sync) : end;
  return std::min(all, held.held_by(need));
}

// The copies that default acks stand for at `end`.
template <class Held>
std::int32_t default_copies(const AckPolicy& policy, Held&& held, Offset end) {
  if (!policy.auto_in_sync_replicas) return policy.in_sync_replicas;
  return std::max(std::min(policy.in_sync_replicas, in_sync_count(policy, held, end)),
                  policy.min_in_sync_replicas);
}

// Everything but "it is there already".
template <class Held>
AckDecision judge_acks(const AckPolicy& policy, Held&& held, std::int32_t acks, Offset end) {
  if (acks == kAcksQuorum) {
    if (policy.quorum == 0) return {Status::kUnsupported};
    acks = policy.quorum;
  }
  if (acks < kAcksAllInSync || acks > policy.max_copies) return {Status::kInvalid};
  if (!held.master()) return {Status::kNotMaster};

  const std::int32_t in_sync = in_sync_count(policy, held, end);
  if (in_sync < policy.min_in_sync_replicas) return {Status::kInSyncReplicasNotEnough};
  if (acks == kAcksAllInSync) {
    if (all_in_sync_copies(policy, in_sync) <= 1) return {Status::kDone};
    return {Status::kOk, kAllInSync};
  }
  const std::int32_t copies = acks == kAcksDefault ? default_copies(policy, held, end) : acks;
  if (copies <= 1) return {Status::kDone};
  if (held.replicas() == 0 && !policy.wait_for_slaves) return {Status::kSlaveNotAvailable};
  return {Status::kOk, copies};
}

// The whole judgement of a wait for [0, end).
template <class Held>
AckDecision judge_wait(const AckPolicy& policy, Held&& held, std::int32_t acks, Offset end) {
  const AckDecision decision = judge_acks(policy, held, acks, end);
  if (decision.status != Status::kOk || decision.level == kAllInSync) return decision;
  if (held.held_by(decision.level) >= end) return {Status::kDone};
  return decision;
}

}  // namespace ha::core
