// SPDX-License-Identifier: Apache-2.0
// What host threads must know to answer at once: the policy, the role, how far n copies reach. The
// I/O thread publishes it after every change, so that an answer is true at the moment it was read.
//
// Threads: any for reading; the I/O thread, or one before it runs, for setting.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "ha_plugin/core/ack_policy.h"
#include "ha_plugin/transfer/copies.h"

namespace ha {

class PublishedAcks {
 public:
  // room: for that many copies.
  PublishedAcks(const core::AckPolicy& policy, std::int32_t room);

  const core::AckPolicy& policy() const { return *policy_.load(std::memory_order_acquire); }
  void set_policy(const core::AckPolicy& policy);
  // What HA_DURABILITY_DEFAULT stands for.
  bool durable_by_default() const { return durable_by_default_.load(std::memory_order_relaxed); }
  void set_durable_by_default(bool durable) {
    durable_by_default_.store(durable, std::memory_order_relaxed);
  }

  bool master() const { return master_.load(std::memory_order_seq_cst); }
  // The master's; 0 where epochs are not kept.
  std::int64_t epoch() const { return epoch_.load(std::memory_order_seq_cst); }
  void set_master(bool master, std::int64_t epoch);

  // changed: what may be another than at the last call.
  void publish(const Copies& copies, core::AckTracker::Changed changed = {});
  // As core/ack_policy.h asks.
  std::int32_t replicas() const { return replicas_.load(std::memory_order_acquire); }
  core::Offset held_by(std::int32_t copies) const { return at(held_, copies); }
  core::Offset in_sync_held_by(std::int32_t copies) const { return at(in_sync_held_, copies); }

  // Returns INVALID if it is none of HA_DURABILITY_*.
  core::Status resolve_durability(std::int32_t durability, bool& durable) const;
  // What a wait for [0, end) is told, or waits for.
  core::AckDecision judge(std::int32_t acks, bool durable, core::Offset end) const;

 private:
  using Held = std::unique_ptr<std::atomic<std::int64_t>[]>;  // [n - 2] = how far n copies reach

  Held make_held() const;
  core::Offset at(const Held& held, std::int32_t copies) const;

  const std::int32_t room_;
  std::atomic<const core::AckPolicy*> policy_{nullptr};           // whole, so that no two mix
  std::vector<std::unique_ptr<const core::AckPolicy>> policies_;  // the last is policy_
  std::atomic<bool> durable_by_default_{false};
  std::atomic<bool> master_{false};
  std::atomic<std::int64_t> epoch_{0};
  std::atomic<std::int32_t> replicas_{0};
  std::atomic<std::int32_t> tell_durable_{0};  // replicas whose wire tells what is durable
  const Held held_;
  const Held in_sync_held_;
};

}  // namespace ha
