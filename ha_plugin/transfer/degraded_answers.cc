// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/transfer/degraded_answers.h"

#include <algorithm>
#include <utility>

namespace ha {

using core::Offset;

bool DefaultAcks::cover(core::Level asked) const {
  if (core::is_durable(asked) && !core::is_durable(level)) return false;
  const std::int32_t copies =
      core::copies_of(asked) == core::kAllInSync ? all_in_sync : core::copies_of(asked);
  return copies <= core::copies_of(level);
}

void DegradedAnswers::forget() {
  stopped_ = false;
  ever_held_ = core::kNoOffset;
  due_at_ = core::kNever;
}

void DegradedAnswers::idle_turn(core::Time now) {
  if (keeper_ != nullptr) keeper_->retry(now);
}

// Durable waits want at least the master's own copy on disk.
void DegradedAnswers::turn(core::Time now, const DefaultAcks& acks, Offset local_durable,
                           core::WaitQueue& queue, std::vector<core::EndedWait>& ended) {
  if (keeper_ == nullptr) return;
  due_at_ = core::kNever;
  keeper_->retry(now);
  // Also while the policy is another one: it may change when the copies are gone.
  if (std::exchange(ever_held_level_, acks.level) != acks.level) ever_held_ = core::kNoOffset;
  ever_held_ = std::max(ever_held_, acks.reached);
  if (after_ == core::kNever && !keeper_->open()) return;
  keeper_->look(acks.reached, acks.in_sync >= core::copies_of(acks.level), now);
  bool due = false;
  std::vector<std::pair<core::Level, Offset>> answerable;
  if (after_ != core::kNever) {
    for (const core::Level level : queue.levels()) {
      if (!acks.cover(level)) continue;
      const core::Time at = queue.oldest_started(level) + after_;
      // What stays although it is due waits for an event, such as the flush of a durable one.
      if (at > now) due_at_ = std::min(due_at_, at);
      const Offset up_to = core::is_durable(level) ? local_durable : acks.end;
      if (queue.lowest_end(level) > up_to) continue;
      answerable.emplace_back(level, up_to);
      due = due || at <= now || keeper_->journal().answering();
    }
  }
  if (due && !stopped_ && in_time() && keeper_->allow(ever_held_, acks.end, now)) {
    const std::size_t before = ended.size();
    for (const auto& [level, up_to] : answerable) queue.complete(level, up_to, ended);
    for (std::size_t i = before; i < ended.size(); ++i) {
      keeper_->answered(ended[i].wait.end);
      metrics_.degraded_acks.add();
    }
  }
  at_once_.store(keeper_->journal().answering() && after_ != core::kNever,
                 std::memory_order_seq_cst);
}

Offset DegradedAnswers::answered() const {
  return keeper_ != nullptr && keeper_->open() ? keeper_->journal().answered() : core::kNoOffset;
}

}  // namespace ha
