// SPDX-License-Identifier: Apache-2.0
#include "metrics/ha_metrics.h"

#include <utility>

namespace ha::metrics {
namespace {

constexpr const char* kOther = "other";

// Gauges stay behind: offsets of replicas that have nothing in common add up to nothing. So do
// reconnects, which the caller knows better.
void add_counters(const ReplicaMetrics& from, ReplicaMetrics& into) {
  into.bytes_sent.add(from.bytes_sent.value());
  into.frames_sent.add(from.frames_sent.value());
  into.heartbeats_sent.add(from.heartbeats_sent.value());
  into.reports_received.add(from.reports_received.value());
  for (std::size_t i = 0; i < kReasonSlots; ++i) {
    into.closes[i].add(from.closes[i].value());
    into.in_sync_exits[i].add(from.in_sync_exits[i].value());
  }
}

}  // namespace

std::shared_ptr<ReplicaMetrics> HaMetrics::replica(const std::string& id) {
  const Lock lock(mutex_);
  if (const auto found = replicas_.find(id); found != replicas_.end()) return found->second;
  if (replicas_.size() >= kMaxReplicas && !fold_longest_gone()) {
    if (!overflow_) overflow_ = std::make_shared<ReplicaMetrics>(kOther);
    return overflow_;
  }
  return replicas_.emplace(id, std::make_shared<ReplicaMetrics>(id)).first->second;
}

std::vector<std::shared_ptr<ReplicaMetrics>> HaMetrics::replicas() const {
  return replica_view().replicas;
}

HaMetrics::ReplicaView HaMetrics::replica_view() const {
  const Lock lock(mutex_);
  ReplicaView view;
  view.replicas.reserve(replicas_.size());
  for (const auto& [id, replica] : replicas_) view.replicas.push_back(replica);
  if (folded_ || overflow_) {
    auto other = std::make_shared<ReplicaMetrics>(kOther);
    if (folded_) {
      add_counters(*folded_, *other);
      other->folded_reconnects.add(folded_->folded_reconnects.value());
    }
    // Its connections are of many replicas: how many of them came back is not known.
    if (overflow_) add_counters(*overflow_, *other);
    view.other = std::move(other);
  }
  return view;
}

bool HaMetrics::fold_longest_gone() {
  auto longest = replicas_.end();
  for (auto it = replicas_.begin(); it != replicas_.end(); ++it) {
    if (it->second->connections.value() > 0) continue;
    if (longest == replicas_.end() ||
        it->second->disconnected_at_ns.value() < longest->second->disconnected_at_ns.value()) {
      longest = it;
    }
  }
  if (longest == replicas_.end()) return false;
  if (!folded_) folded_ = std::make_unique<ReplicaMetrics>(kOther);
  add_counters(*longest->second, *folded_);
  folded_->folded_reconnects.add(longest->second->reconnects());
  replicas_.erase(longest);
  return true;
}

}  // namespace ha::metrics
