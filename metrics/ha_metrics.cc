#include "metrics/ha_metrics.h"

#include <utility>

namespace ha::metrics {
namespace {

// Gauges stay behind: offsets of replicas that have nothing in common add up to nothing.
void fold(const ReplicaMetrics& from, ReplicaMetrics& into) {
  into.folded_reconnects.add(from.reconnects());
  into.bytes_sent.add(from.bytes_sent.value());
  into.frames_sent.add(from.frames_sent.value());
  into.heartbeats_sent.add(from.heartbeats_sent.value());
  into.reports_received.add(from.reports_received.value());
  for (std::size_t i = 0; i < kReasonSlots; ++i) into.closes[i].add(from.closes[i].value());
}

}  // namespace

std::shared_ptr<ReplicaMetrics> HaMetrics::replica(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = replicas_.find(id); found != replicas_.end()) return found->second;
  if (replicas_.size() >= kMaxReplicas && !fold_longest_gone()) {
    other();
    return other_;
  }
  return replicas_.emplace(id, std::make_shared<ReplicaMetrics>(id)).first->second;
}

std::vector<std::shared_ptr<ReplicaMetrics>> HaMetrics::replicas() const {
  return replica_view().replicas;
}

HaMetrics::ReplicaView HaMetrics::replica_view() const {
  const std::lock_guard lock(mutex_);
  ReplicaView view;
  view.replicas.reserve(replicas_.size());
  for (const auto& [id, replica] : replicas_) view.replicas.push_back(replica);
  view.other = other_;
  view.folds = folds_;
  return view;
}

std::uint64_t HaMetrics::replica_folds() const {
  const std::lock_guard lock(mutex_);
  return folds_;
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
  fold(*longest->second, other());
  replicas_.erase(longest);
  ++folds_;
  return true;
}

ReplicaMetrics& HaMetrics::other() {
  if (!other_) other_ = std::make_shared<ReplicaMetrics>("other");
  return *other_;
}

}  // namespace ha::metrics
