// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/keeper.h"

namespace ha::sim {
namespace {

// As in the plugin longer than most waits take.
constexpr Time kPause = kMs * 40;

// A range that is open has healed at 0.
std::int64_t to_ms(Time now) { return 1 + now / kMs; }

}  // namespace

void Keeper::load(const SavedRanges& saved, Offset log_end) {
  journal_ = core::DegradedJournal(saved.ranges, log_end, saved.told, to_ms({}));
  unsaved_ = journal_.ranges() != saved.ranges;
  try_again_ = {};
  ++serial_;
}

bool Keeper::allow(Offset held, Offset end, Time now) {
  if (!unsaved_ && journal_.covers(held, end)) return true;
  if (unsaved_ && now < try_again_) return false;
  core::DegradedJournal next = journal_.extended(held, end, to_ms(now), config_.degraded_ahead);
  if (!save(next, now)) return false;
  journal_ = std::move(next);
  ++serial_;
  return true;
}

void Keeper::look(Offset reached, bool keep_up, Time now) {
  auto next = journal_.healed(reached, keep_up, now, config_.degraded_hold, to_ms(now));
  if (!next || (unsaved_ && now < try_again_) || !save(*next, now)) return;
  journal_ = std::move(*next);
  ++serial_;
}

void Keeper::retry(Time now) {
  if (unsaved_ && now >= try_again_) save(journal_, now);
}

std::optional<core::DegradedRange> Keeper::to_tell() const {
  return open() ? std::optional(*journal_.open()) : std::nullopt;
}

void Keeper::heard(const std::optional<core::DegradedRange>& told, Time now) {
  adopt(journal_.heard(told), now);
}

void Keeper::confirmed(Offset confirm, Time now) {
  if (auto next = journal_.confirmed(confirm, to_ms(now))) adopt(std::move(*next), now);
}

bool Keeper::cut(Offset new_end, Time now) {
  adopt(journal_.cut(new_end, to_ms(now)), now);
  return !unsaved_;
}

void Keeper::begin(Offset end, Time now) { adopt(journal_.begun(end, to_ms(now)), now); }

// For what holds whether it is on the disk or not.
void Keeper::adopt(core::DegradedJournal next, Time now) {
  const bool same = next.ranges() == journal_.ranges() && next.told() == journal_.told();
  journal_ = std::move(next);
  if (same) return;
  ++serial_;
  save(journal_, now);
}

bool Keeper::save(const core::DegradedJournal& next, Time now) {
  unsaved_ = !save_(next);
  if (unsaved_) try_again_ = now + kPause;
  return !unsaved_;
}

}  // namespace ha::sim
