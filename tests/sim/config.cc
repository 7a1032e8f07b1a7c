// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/config.h"

#include "tests/sim/rng.h"

namespace ha::sim {
namespace {

constexpr std::array<std::string_view, Stats::kCounters> kNames{
    "steps",
    "promotions won",
    "promotions refused or failed",
    "of the won ones forced",
    "epochs with two masters",
    "records appended",
    "waits",
    "waits OK",
    "of those under the promise",
    "waits answered below policy",
    "degraded ranges begun",
    "of those healed",
    "of those lost in part",
    "told to slaves",
    "taken over from a master",
    "bytes shown to readers of masters",
    "bytes shown to readers of slaves",
    "waits timed out",
    "waits ended NOT_MASTER",
    "waits ended EPOCH",
    "waits refused at once",
    "waits of a process that died",
    "kill -9",
    "power losses",
    "blackouts",
    "bytes lost by them",
    "restarts",
    "disk errors",
    "crashes inside a disk operation",
    "full disks",
    "cuts",
    "one-way cuts",
    "masters cut off and replaced",
    "connection resets",
    "SIGSTOPs",
    "clock jumps",
    "bits flipped",
    "of those found by the reader",
    "impostors at a master's address",
    "answers of theirs refused",
    "segments deleted",
    "RESUME",
    "TRUNCATE",
    "bytes cut by them",
    "RESET",
    "of a confirmed log, refused",
    "refusals",
    "masters that a HELLO told of a rival",
    "masters that yielded",
    "connections replaced",
    "DIVERGED",
    "stores emptied by the operator",
    "candidacies of nodes by themselves",
    "masters that were not sure to be the only one",
    "changes of the set begun",
    "of those made"};
static_assert(!kNames.back().empty(), "a counter has no name");

}  // namespace

Config draw_config(std::uint64_t seed) {
  Rng rng(seed ^ 0xC0FFEEU);
  Config c;
  c.seed = seed;
  c.nodes = rng.percent(40) ? 3 : static_cast<std::int32_t>(rng.between(2, 5));
  for (std::int32_t i = 0; i < c.nodes; ++i) c.ids.emplace_back(1, static_cast<char>('a' + i));
  c.copies = rng.percent(70) ? c.nodes / 2 + 1 : static_cast<std::int32_t>(rng.between(1, c.nodes));
  c.steps = rng.between(300, 2000);
  c.power_losses = rng.percent(40);
  c.crashes = rng.percent(70);
  c.cuts = rng.percent(60);
  c.resets = rng.percent(50);
  c.stops = rng.percent(30);
  c.force = rng.percent(8);
  c.sync_percent = rng.percent(50) ? 40 : rng.between(3, 20);
  c.retention = rng.percent(25);
  c.garble = rng.percent(20);
  c.full_disks = rng.percent(25);
  c.leaps = rng.percent(40);
  c.most_queued = rng.percent(40) ? 600 : 1;
  c.eio_permille = rng.percent(30) ? rng.between(1, 40) : 0;
  c.crash_permille = rng.percent(40) ? rng.between(1, 25) : 0;
  c.slow_permille = rng.percent(50) ? rng.between(10, 150) : 2;
  c.promote_percent = rng.between(5, 70);
  c.between_faults = kMs * rng.between(8, 80);
  c.between_moves = kMs * rng.between(8, 80);
  c.segment_size = c.retention || rng.percent(20) ? 256 : 1 << 16;
  c.session.heartbeat = kMs * 12;
  c.session.housekeeping = kMs * rng.between(30, 60);
  c.session.first_report_timeout = kMs * 40;
  c.session.batch_bytes = rng.percent(30) ? rng.between(8, 24) : rng.between(12, 200);
  c.session.bootstrap = core::Bootstrap::kEarliest;
  if (rng.percent(25)) focus_on_power(c, rng);
  c.durable = rng.percent(c.power_losses ? 85 : 30);
  draw_missing_copies(c, rng);
  if (rng.percent(12)) draw_misled(c, rng);
  c.impostors = rng.percent(15);
  return c;
}

core::Members Config::first_members() const {
  const auto first = members ? first_nodes : nodes;
  return {0, {{ids.begin(), ids.begin() + first}, copies}};
}

void supervise(Config& c) {
  c.supervised = true;
  if (c.copies >= 2) return;
  c.copies = 2;
  c.misled = -1;
}

void draw_members(Config& c) {
  Rng rng(c.seed ^ 0x5E75U);
  c.members = true;
  c.force = false;
  c.misled = -1;
  c.nodes = static_cast<std::int32_t>(rng.between(3, 5));
  c.ids.clear();
  for (std::int32_t i = 0; i < c.nodes; ++i) c.ids.emplace_back(1, static_cast<char>('a' + i));
  c.first_nodes = static_cast<std::int32_t>(rng.between(2, c.nodes));
  c.copies = static_cast<std::int32_t>(rng.percent(70) ? 2 : rng.between(2, c.first_nodes));
}

void draw_misled(Config& c, Rng& rng) {
  if (c.force || c.nodes < 3) return;
  c.misled = static_cast<std::int32_t>(rng.below(c.nodes));
  c.misled_ids = c.ids;
  c.misled_copies = c.copies;
  if (rng.percent(70)) {
    // Without one of the others.
    const std::int64_t gone = (c.misled + rng.between(1, c.nodes - 1)) % c.nodes;
    c.misled_ids.erase(c.misled_ids.begin() + gone);
  } else {
    c.misled_copies = c.copies > 1 ? c.copies - 1 : c.copies + 1;
  }
  // A node that by its own list needs nobody's promise asks nobody, so nobody can tell it.
  const auto nodes = static_cast<std::int32_t>(c.misled_ids.size());
  c.misled_copies = std::min(c.misled_copies, nodes - 1);
}

void draw_missing_copies(Config& c, Rng& rng) {
  const std::int64_t which = rng.below(3);
  c.block = which != 0;
  if (which != 2 || c.copies == 1) return;
  c.degrade_after = kMs * rng.between(5, 40);
  c.degraded_hold = rng.percent(30) ? Time{} : kMs * rng.between(5, 60);
  c.degraded_eio_permille = rng.percent(20) ? rng.between(20, 250) : c.eio_permille;
  // As far as it is in earnest, or so short that it is often written anew.
  c.degraded_ahead = rng.percent(30) ? core::DegradedJournal::kAhead : rng.between(0, 300);
}

void focus_on_power(Config& c, Rng& rng) {
  c.ids = {"a", "b", "c"};
  c.nodes = 3;
  c.copies = 2;
  c.power_losses = c.leaps = true;
  c.force = c.crashes = c.cuts = c.resets = c.stops = c.garble = c.full_disks = false;
  c.retention = false;
  c.eio_permille = c.crash_permille = 0;
  c.sync_percent = rng.between(5, 30);
  c.steps = rng.between(800, 2500);
  c.most_queued = 1;
  c.session.batch_bytes = rng.between(8, 60);
  c.between_faults = kMs * rng.between(15, 60);
  c.promote_percent = 5;
  c.old_waits_percent = 50;
}

void Stats::add(const Stats& other) {
  runs += other.runs;
  for (std::size_t i = 0; i < at.size(); ++i) at[i] += other.at[i];
}

std::string Stats::text() const {
  std::string out = "runs: " + std::to_string(runs) + "\n";
  for (std::size_t i = 0; i < at.size(); ++i) {
    out += std::string(kNames[i]) + ": " + std::to_string(at[i]) + "\n";
  }
  return out;
}

}  // namespace ha::sim
