// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/checker.h"

#include <algorithm>

#include "ha_plugin/core/handshake.h"

namespace ha::sim {
namespace {

std::string name(std::uint32_t node) { return std::string(1, static_cast<char>('a' + node)); }
std::string text(Offset offset) { return std::to_string(offset.bytes()); }

// The first offset in [begin, end) at which they differ.
Offset first_difference(std::span<const std::byte> a, std::span<const std::byte> b, Offset begin) {
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return begin + (at - a.begin());
}

}  // namespace

std::uint64_t Checker::on_wait(std::uint32_t node, std::int64_t epoch, std::int32_t copies,
                               bool durable, Offset end, Time now) {
  waits_.push_back({node, epoch, copies, durable, false, core::Status::kOk, end, now});
  open_.push_back(waits_.size() - 1);
  ++stats_.at[Stats::kWaits];
  return waits_.size() - 1;
}

void Checker::on_wait_done(std::uint64_t id, core::Status status, bool below, const Disk& disk,
                           Time now) {
  WaitState& wait = waits_[id];
  if (wait.over) {
    throw Violation("wait " + std::to_string(id) + " on " + name(wait.node) + " completed twice");
  }
  wait.over = true;
  wait.status = status;
  wait.below = below;
  if (below) answered_below(wait, disk, now);
  std::erase(open_, id);
  switch (status) {
    case core::Status::kOk:
    case core::Status::kDone:
      ++stats_.at[Stats::kWaitsOk];
      if (given_[wait.node] > wait.epoch) {
        throw Violation("a wait of epoch " + std::to_string(wait.epoch) + " completed OK on " +
                        name(wait.node) + " after it promised epoch " +
                        std::to_string(given_[wait.node]));
      }
      if (!below && wait.copies >= config_.copies && config_.promises(wait.durable)) {
        ++stats_.at[Stats::kWaitsPromised];
        take_commit(wait.node, wait.epoch, wait.end, disk);
      }
      break;
    case core::Status::kFlushSlaveTimeout:
      check_timeout(wait, disk, now);
      ++stats_.at[Stats::kWaitsTimeout];
      break;
    case core::Status::kNotMaster:
      ++stats_.at[Stats::kWaitsNotMaster];
      break;
    case core::Status::kEpoch:
      ++stats_.at[Stats::kWaitsEpoch];
      break;
    default:
      ++stats_.at[Stats::kWaitsRefused];
  }
}

void Checker::on_died(std::uint32_t node, const Disk& disk) {
  on_no_master(node);
  readers_[node].shown = disk.shown();
  readers_[node].sure = std::min(readers_[node].sure, disk.whole_end(disk.end()));
  std::erase_if(open_, [&](std::uint64_t id) {
    if (waits_[id].node != node) return false;
    waits_[id].over = true;
    waits_[id].status = core::Status::kShutdown;
    ++stats_.at[Stats::kWaitsDied];
    return true;
  });
}

void Checker::on_term(std::uint32_t node, const core::Term& term) {
  Known& before = terms_[node];
  if (term.known() < before.known || term.promised < before.promised) {
    throw Violation("the term of " + name(node) + " fell: it knew of epoch " +
                    std::to_string(before.known) + " and has promised " +
                    std::to_string(before.promised) + ", now " + std::to_string(term.known()) +
                    " and " + std::to_string(term.promised));
  }
  if (term.promised < given_[node]) {
    throw Violation(name(node) + " forgot its promise of epoch " + std::to_string(given_[node]));
  }
  if (term.promised == before.promised && term.promised_to != before.promised_to) {
    throw Violation(name(node) + " promised epoch " + std::to_string(term.promised) + " to " +
                    before.promised_to + " and to " + term.promised_to);
  }
  before = {term.known(), term.promised, term.promised_to};
}

void Checker::on_promise(std::uint32_t node, std::int64_t epoch, const std::string& candidate) {
  if (epoch < given_[node]) {
    throw Violation(name(node) + " promised epoch " + std::to_string(epoch) + " to " + candidate +
                    " after " + std::to_string(given_[node]));
  }
  if (epoch == terms_[node].promised && candidate != terms_[node].promised_to) {
    throw Violation(name(node) + " promised epoch " + std::to_string(epoch) + " to " + candidate +
                    " and to " + terms_[node].promised_to);
  }
  given_[node] = epoch;
}

Offset Checker::due_to(std::int64_t epoch) const {
  Offset due;
  for (const auto& [of, end] : committed_by_) {
    if (of <= epoch) due = std::max(due, end);
  }
  return due;
}

void Checker::check_master(std::uint32_t node) const {
  const Master& master = masters_[node];
  const Offset due = due_to(master.epoch);
  const core::LogBounds& log = master.disk->log();
  const std::string who = name(node) + ", master of epoch " + std::to_string(master.epoch) + ", ";
  if (log.end < due) {
    throw Violation(who + "lost what was acknowledged: its log ends at " + text(log.end) +
                    ", acknowledged was " + text(due));
  }
  if (log.min > deleted_below_) {
    if (due > deleted_below_) {
      throw Violation(who + "lacks what lies below " + text(log.min) + " and was acknowledged");
    }
    return;
  }
  const Offset from = std::max(log.min, unknown_below_);
  if (due <= from) return;
  const auto held = master.disk->bytes(from, due);
  const auto must =
      std::span(committed_)
          .subspan(static_cast<std::size_t>(from.bytes()), static_cast<std::size_t>(due - from));
  if (std::equal(held.begin(), held.end(), must.begin())) return;
  throw Violation(who + "holds other bytes than were acknowledged, from " +
                  text(first_difference(held, must, from)) + " on");
}

void Checker::take_commit(std::uint32_t node, std::int64_t epoch, Offset end, const Disk& disk) {
  const auto by = committer_.emplace(epoch, node).first->second;
  if (by != node) {
    throw Violation("in epoch " + std::to_string(epoch) + " both " + name(by) + " and " +
                    name(node) + " acknowledged");
  }
  const Offset had(static_cast<std::int64_t>(committed_.size()));
  const Offset min = std::max(disk.log().min, unknown_below_);
  const Offset both = std::min(had, end);
  if (both > min) {
    const auto mine = disk.bytes(min, both);
    const auto theirs =
        std::span(committed_)
            .subspan(static_cast<std::size_t>(min.bytes()), static_cast<std::size_t>(both - min));
    if (!std::equal(mine.begin(), mine.end(), theirs.begin())) {
      throw Violation("epoch " + std::to_string(epoch) + " of " + name(node) +
                      " acknowledged other bytes than were acknowledged before, from " +
                      text(first_difference(mine, theirs, min)) + " on");
    }
  }
  if (min > had) unknown_below_ = min;  // deleted here before anybody acknowledged beyond
  if (end > had) {
    const auto more = disk.bytes(had, end);
    committed_.insert(committed_.end(), more.begin(), more.end());
  }
  Offset& most = committed_by_[epoch];
  if (end <= most) return;
  most = end;
  for (std::uint32_t i = 0; i < masters_.size(); ++i) {
    if (masters_[i].epoch > epoch) check_master(i);
  }
}

void Checker::on_master(std::uint32_t node, std::int64_t epoch, const Disk& disk) {
  auto& all = entered_[epoch];
  if (!all.empty()) {
    if (all.front() == node || !config_.epochs_may_be_shared()) {
      throw Violation("epoch " + std::to_string(epoch) + " was entered by " + name(all.front()) +
                      " and by " + name(node));
    }
    ++stats_.at[Stats::kSharedEpochs];
  }
  all.push_back(node);
  masters_[node] = {epoch, &disk};
  check_master(node);
}

void Checker::on_no_master(std::uint32_t node) {
  masters_[node] = {};
  told_[node] = {};
  degraded_[node].for_nothing = degraded_[node].answering = false;
  degraded_[node].keeps_up_since = core::kNever;
}

// ---- readers ----

void Checker::on_reached(std::uint32_t node, std::int64_t epoch, Offset reached, Offset whole,
                         bool keep_up, const Disk& disk, Time now) {
  Time& since = degraded_[node].keeps_up_since;
  since = keep_up ? std::min(since, now) : core::kNever;
  Offset& most = reached_by_[epoch];
  if (reached <= most) return;
  most = reached;
  if (config_.promises(config_.durable)) take_commit(node, epoch, whole, disk);
}

void Checker::on_turned(std::uint32_t node, std::int64_t epoch, Offset confirm) {
  if (degraded_[node].for_nothing) {
    throw Violation(name(node) + " began a degraded range and answered nothing in it");
  }
  Confirm& before = confirms_[node];
  if (before.epoch == epoch && confirm < before.told) {
    throw Violation(name(node) + ", master of epoch " + std::to_string(epoch) +
                    ", tells a confirm offset of " + text(confirm) + " after " + text(before.told));
  }
  before = {epoch, confirm};
  Offset& most = told_by_[epoch];
  most = std::max(most, confirm);
}

void Checker::on_shown(std::uint32_t node, std::int64_t epoch, bool master, const Disk& disk) {
  Readers& readers = readers_[node];
  const Offset shown = disk.shown();
  if (shown < readers.shown) {
    throw Violation("readers of " + name(node) + " saw what lies below " + text(readers.shown) +
                    ", and now only below " + text(shown));
  }
  readers.shown = shown;
  // A new master shows more only when its own epoch's copies reach further.
  const Offset most = master ? std::max(reached_by_[epoch], below_by_[epoch]) : told_by_[epoch];
  if (shown > most) {
    throw Violation("readers of " + name(node) + ", in epoch " + std::to_string(epoch) +
                    ", see what lies below " + text(shown) + ", and " +
                    (master ? "acknowledged was " : "told was ") + text(most));
  }
  readers.sure = std::max(readers.sure, std::min(shown, due_to(epoch)));
}

void Checker::check_readers(std::uint32_t node, const Disk& disk) const {
  const Offset sure = readers_[node].sure;
  if (disk.end() < sure || !is_committed(sure, disk)) {
    throw Violation("readers of " + name(node) + " see other bytes below " + text(sure) +
                    " than were acknowledged");
  }
}

bool Checker::is_committed(Offset end, const Disk& disk) const {
  const Offset from = std::max(disk.log().min, unknown_below_);
  if (end <= from) return true;
  if (end.bytes() > static_cast<std::int64_t>(committed_.size())) return false;
  const auto held = disk.bytes(from, end);
  const auto must =
      std::span(committed_)
          .subspan(static_cast<std::size_t>(from.bytes()), static_cast<std::size_t>(end - from));
  return std::equal(held.begin(), held.end(), must.begin());
}

void Checker::on_cut(std::uint32_t node, Offset end, const Disk& disk) {
  Readers& readers = readers_[node];
  if (end < readers.sure) {
    throw Violation(name(node) + " is cut to " + text(end) +
                    ", and its readers saw what lies below " + text(readers.sure));
  }
  readers.shown = std::min(readers.shown, end);
  Owed& owed = owed_[node];
  if (owed.end <= end) return;
  const auto& ranges = disk.degraded.ranges;
  const auto lost = std::find_if(ranges.rbegin(), ranges.rend(),
                                 [](const core::DegradedRange& r) { return r.lost(); });
  // What enough copies held, below the range, is not lost with this one.
  if (owed.lost_from == core::kNoOffset || lost == ranges.rend() ||
      lost->lost_from > std::max(end, lost->from)) {
    throw Violation(name(node) + " is cut to " + text(end) +
                    " and does not say that it lost what it answered below policy, up to " +
                    text(owed.end));
  }
  owed = {end > lost->from ? end : Offset(0), core::kNoOffset};
}

void Checker::on_emptied(std::uint32_t node) {
  readers_[node] = {};
  owed_[node] = {};
}

// ---- degraded ranges ----

Time Checker::oldest_wait(std::uint32_t node) const {
  Time oldest = core::kNever;
  for (const std::uint64_t id : open_) {
    if (waits_[id].node == node) oldest = std::min(oldest, waits_[id].started);
  }
  return oldest;
}

// The wait counts as open still.
void Checker::answered_below(const WaitState& wait, const Disk& disk, Time now) {
  ++stats_.at[Stats::kWaitsBelow];
  const std::string what =
      name(wait.node) + " answered below policy, up to " + text(wait.end) + ", ";
  Degraded& degraded = degraded_[wait.node];
  if (wait.copies > config_.copies || (wait.durable && !config_.durable)) {
    throw Violation(what + "a wait that asked for more than the policy");
  }
  if (!degraded.answering && now - oldest_wait(wait.node) < config_.degrade_after) {
    throw Violation(what + "before any wait was so old");
  }
  degraded.answering = true;
  degraded.for_nothing = false;
  if (disk.end() < wait.end || (wait.durable && disk.log().durable < wait.end)) {
    throw Violation(what + "what it does not hold itself");
  }
  const auto& ranges = disk.degraded.ranges;
  if (ranges.empty() || ranges.back().healed_ms != 0 || ranges.back().to < wait.end) {
    throw Violation(what + "and its journal on disk does not say so");
  }
  const Offset held = reached_by_[wait.epoch];
  if (ranges.back().from > held) {
    throw Violation(what + "and its journal on disk says so from " + text(ranges.back().from) +
                    " on, but enough copies held only what lies below " + text(held));
  }
  Offset& most = below_by_[wait.epoch];
  most = std::max(most, wait.end);
  Owed& owed = owed_[wait.node];
  if (wait.end <= held || (!wait.durable && config_.power_losses)) return;
  owed = {std::max(owed.end, wait.end), core::kNoOffset};
}

// Whoever asked for no more than the policy, and waited for so long, is answered below it; those
// that ask for durable copies only once the master's own is.
void Checker::check_timeout(const WaitState& wait, const Disk& disk, Time now) const {
  if (!config_.degrades() || config_.degraded_eio_permille > 0) return;
  if (wait.copies > config_.copies || wait.durable) return;
  if (now - wait.started < config_.degrade_after || disk.end() < wait.end) return;
  throw Violation("a wait up to " + text(wait.end) + " timed out on " + name(wait.node) +
                  ", which should have answered it below policy");
}

void Checker::on_ranges(std::uint32_t node, std::int64_t epoch, bool ok, const Disk& disk,
                        Time now) {
  const auto& ranges = disk.degraded.ranges;
  const core::DegradedRange* const last = ranges.empty() ? nullptr : &ranges.back();
  Degraded& degraded = degraded_[node];
  const bool open = last != nullptr && last->healed_ms == 0;
  const bool master = masters_[node].epoch != 0;
  // What failed and was written all the same is written over.
  if (ok && open && !degraded.open) {
    ++stats_.at[Stats::kDegraded];
    degraded.for_nothing = master;
  }
  if (ok && !open && degraded.open) {
    degraded.answering = false;
    ++stats_.at[last != nullptr && last->lost() ? Stats::kDegradedLost : Stats::kDegradedHealed];
    const Time since = degraded.keeps_up_since;
    if (master && (since == core::kNever || now - since < config_.degraded_hold)) {
      throw Violation(name(node) +
                      " calls a degraded range healed before enough copies kept up for "
                      "long enough");
    }
  }
  if (ok) {
    degraded.open = open;
    told_[node] = {};
  }
  Owed& owed = owed_[node];
  if (owed.end == Offset(0)) return;
  const std::string what =
      name(node) + " answered below policy up to " + text(owed.end) + ", and its journal on disk ";
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    if (range->to < owed.end || range->from >= owed.end) continue;
    if (range->healed_ms == 0) return;
    if (range->lost()) {
      if (range->lost_from >= owed.end) {
        throw Violation(what + "closes that as if it were lost beyond");
      }
      owed.lost_from = range->lost_from;
      return;
    }
    // What retention deleted here is promised no more, and nobody sees where its records ended.
    if (config_.promises(config_.durable) && owed.end > disk.log().min &&
        (due_to(epoch) < owed.end || !is_committed(owed.end, disk))) {
      throw Violation(what + "calls that healed, but enough copies held only what lies below " +
                      text(due_to(epoch)));
    }
    owed = {};
    return;
  }
  throw Violation(what + "has forgotten that");
}

void Checker::on_begun(std::uint32_t node, std::int64_t epoch,
                       const std::optional<core::DegradedRange>& told, bool open,
                       const Disk& disk) {
  degraded_[node].open = open;
  if (!told || config_.degraded_eio_permille > 0) return;
  const auto& ranges = disk.degraded.ranges;
  const bool there = std::any_of(ranges.begin(), ranges.end(), [&](const core::DegradedRange& r) {
    return r.from <= told->from &&
           (r.lost() || (r.healed_ms == 0 && r.to >= std::min(told->to, disk.end())));
  });
  if (!there && told->from < told->to) {
    throw Violation(name(node) + ", master of epoch " + std::to_string(epoch) +
                    ", did not take over the degraded range that its master had told it of");
  }
  // From here on this node owes what is here, for good, of what its masters answered.
  Offset answered;
  for (const Owed& owed : owed_) answered = std::max(answered, owed.end);
  const Offset here = config_.power_losses
                          ? disk.whole_end(std::max(disk.log().durable, disk.log().min))
                          : disk.end();
  const Offset owed = std::min({answered, told->to, here});
  if (owed > std::max(told->from, owed_[node].end)) owed_[node] = {owed, core::kNoOffset};
}

void Checker::on_told(std::uint32_t node, const std::optional<core::DegradedRange>& open) {
  Told& told = told_[node];
  if (told.version == 0 || told.open != open) told = {++versions_, open};
}

void Checker::on_frame_taken(std::uint32_t master, std::int64_t version,
                             const std::optional<core::DegradedRange>& heard) const {
  if (version == 0 || version != told_[master].version || heard == told_[master].open) return;
  throw Violation("a slave of " + name(master) +
                  " has not heard which degraded range is open there");
}

void Checker::after_step() const {
  for (const Master& master : masters_) {
    if (master.epoch != 0 && master.disk->end() < due_to(master.epoch)) check_masters();
  }
}

void Checker::check_masters() const {
  for (std::uint32_t node = 0; node < masters_.size(); ++node) {
    if (masters_[node].epoch != 0) check_master(node);
  }
}

void Checker::check_pair(const core::EpochHistory& a, const Disk& a_disk,
                         const core::EpochHistory& b, const Disk& b_disk) {
  const Offset end = core::common_end(a, a_disk.end(), b, b_disk.end());
  const Offset begin = std::max(a_disk.log().min, b_disk.log().min);
  if (end <= begin) return;
  const auto x = a_disk.bytes(begin, end);
  const auto y = b_disk.bytes(begin, end);
  if (std::equal(x.begin(), x.end(), y.begin())) return;
  throw Violation("two histories say that the logs are the same up to " + text(end) +
                  ", but they differ from " + text(first_difference(x, y, begin)) + " on");
}

void Checker::at_the_end() const {
  if (!open_.empty()) {
    throw Violation("wait " + std::to_string(open_.front()) + " on " +
                    name(waits_[open_.front()].node) + " never completed");
  }
  check_masters();
}

}  // namespace ha::sim
