// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/transfer/published_acks.h"

#include <algorithm>
#include <utility>

#include "ha/plugin.h"

namespace ha {

using core::Offset;
using core::Status;

PublishedAcks::PublishedAcks(const core::AckPolicy& policy, std::int32_t room)
    : room_(std::max(room, policy.max_copies)), held_(make_held()), in_sync_held_(make_held()) {
  set_policy(policy);
}

PublishedAcks::Held PublishedAcks::make_held() const {
  const auto size = static_cast<std::size_t>(room_);
  Held held = std::make_unique<std::atomic<std::int64_t>[]>(size);
  for (std::size_t i = 0; i < size; ++i) held[i] = core::kNoOffset.bytes();
  return held;
}

// Host threads may still read the one before, so it stays until the service goes: there is one for
// each time that an operator changed an option.
void PublishedAcks::set_policy(const core::AckPolicy& policy) {
  auto next = std::make_unique<core::AckPolicy>(policy);
  next->max_copies = std::min(policy.max_copies, room_);
  policies_.push_back(std::move(next));
  policy_.store(policies_.back().get(), std::memory_order_release);
}

void PublishedAcks::set_master(bool master, std::int64_t epoch) {
  epoch_.store(epoch, std::memory_order_seq_cst);
  master_.store(master, std::memory_order_seq_cst);
}

Offset PublishedAcks::at(const Held& held, std::int32_t copies) const {
  const std::int32_t place = copies - 2;
  if (place >= room_) return core::kNoOffset;
  return Offset(held[static_cast<std::size_t>(place)].load(std::memory_order_seq_cst));
}

void PublishedAcks::publish(const Copies& copies, core::AckTracker::Changed changed) {
  const std::int32_t replicas = copies.all().replicas();
  const std::int32_t before = replicas_.load(std::memory_order_relaxed);
  const auto renew = [](std::atomic<std::int64_t>& slot, Offset held) {
    if (slot.load(std::memory_order_relaxed) == held.bytes()) return;
    slot.store(held.bytes(), std::memory_order_seq_cst);
  };
  const std::int32_t last = std::min({std::max(replicas, before) + 1, room_ + 1, changed.last});
  for (std::int32_t n = changed.first; n <= last; ++n) {
    const auto place = static_cast<std::size_t>(n - 2);
    renew(held_[place], copies.all().held_by(n));
    renew(in_sync_held_[place], copies.in_sync_acks().held_by(n));
  }
  replicas_.store(replicas, std::memory_order_release);
  tell_durable_.store(copies.tell_durable(), std::memory_order_release);
}

Status PublishedAcks::resolve_durability(std::int32_t durability, bool& durable) const {
  durable = durability == HA_DURABILITY_DURABLE ||
            (durability == HA_DURABILITY_DEFAULT && durable_by_default());
  return durability >= HA_DURABILITY_DEFAULT && durability <= HA_DURABILITY_DURABLE
             ? Status::kOk
             : Status::kInvalid;
}

core::AckDecision PublishedAcks::judge(std::int32_t acks, bool durable, Offset end) const {
  if (!durable) return core::judge_wait(policy(), *this, acks, end);
  core::AckDecision decision = core::judge_acks(policy(), *this, acks, end);
  if (decision.status == Status::kDone) {  // for one copy, the master's, which may not be durable
    return {Status::kOk, core::durable_level(acks == core::kAcksAllInSync ? core::kAllInSync : 1)};
  }
  if (decision.status != Status::kOk) return decision;
  const std::int32_t tell = tell_durable_.load(std::memory_order_acquire);
  const std::int32_t there = replicas();
  const bool all_have_to = decision.level == core::kAllInSync;
  if (there > 0 && (tell == 0 || (all_have_to && tell < there))) {
    return {Status::kUnsupported};
  }
  decision.level = core::durable_level(decision.level);
  return decision;
}

}  // namespace ha
