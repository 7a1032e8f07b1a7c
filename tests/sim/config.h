// SPDX-License-Identifier: Apache-2.0
// What a run is made of, what it counts, and which deliberate mistake it makes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ha_plugin/core/degraded.h"
#include "ha_plugin/core/members.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/core/types.h"

namespace ha::sim {

class Rng;

using core::Offset;
using core::Time;

inline constexpr Time kUs{1000};
inline constexpr Time kMs{1000000};

// A rule was broken: the run has failed.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Mistakes of the glue (not of core) that a run can be told to make; see README.md.
enum class Fault : std::uint8_t {
  kNone,
  kPromiseBeforeDurable,
  kEpochBeforeDurable,
  kAckBeforeEntry,
  kHistoryNotCut,
  kOldMasterStays,
  kNoOwnPromise,
  kStaleFrames,
  kAppendBeforeTerm,
  kCandidacySurvives,
  kUnenteredPosition,
  kLateAnswerCounts,
  kAckMidFrame,
  kSetBeforeDurable,
};
struct FaultName {
  Fault fault;
  std::string_view name;
};
inline constexpr std::array kFaultNames{
    FaultName{Fault::kNone, "none"},
    FaultName{Fault::kPromiseBeforeDurable, "promise-before-durable"},
    FaultName{Fault::kEpochBeforeDurable, "epoch-before-durable"},
    FaultName{Fault::kAckBeforeEntry, "ack-before-entry"},
    FaultName{Fault::kHistoryNotCut, "history-not-cut"},
    FaultName{Fault::kOldMasterStays, "old-master-stays"},
    FaultName{Fault::kNoOwnPromise, "no-own-promise"},
    FaultName{Fault::kStaleFrames, "stale-frames"},
    FaultName{Fault::kAppendBeforeTerm, "append-before-term"},
    FaultName{Fault::kCandidacySurvives, "candidacy-survives"},
    FaultName{Fault::kUnenteredPosition, "unentered-position"},
    FaultName{Fault::kLateAnswerCounts, "late-answer-counts"},
    FaultName{Fault::kAckMidFrame, "ack-mid-frame"},
    FaultName{Fault::kSetBeforeDurable, "set-before-durable"},
};

// Drawn from the seed. A run has some kinds of faults and not others: two rare things meet more
// often when the rest is quiet.
struct Config {
  std::uint64_t seed = 0;
  Fault fault = Fault::kNone;
  bool verbose = false;
  bool supervised = false;  // nodes become master by themselves; nobody promotes
  bool members = false;     // the set gets other nodes

  std::vector<std::string> ids;
  // Until the operator mends it: the node that was configured with another set, and that set.
  std::int32_t misled = -1;
  std::vector<std::string> misled_ids;
  std::int32_t misled_copies = 0;
  std::int32_t nodes = 3;
  std::int32_t copies = 2;
  std::int32_t first_nodes = 0;  // of a set that changes: those it begins with, the first ones
  std::int64_t steps = 1000;
  core::SessionOptions session{};
  std::int64_t segment_size = 0;
  bool power_losses = false;
  bool crashes = false;
  bool cuts = false;
  bool resets = false;
  bool stops = false;
  bool force = false;
  bool retention = false;
  bool garble = false;
  bool full_disks = false;
  bool leaps = false;
  bool impostors = false;  // somebody else listens at a master's address
  bool durable = false;    // what the promise and the readers' bound ask of each copy
  bool block = false;      // waits wait for slaves that are not there
  Time degrade_after = core::kNever;
  Time degraded_hold{};
  std::int64_t degraded_ahead = 0;         // so many bytes ahead the open range is written
  std::int64_t degraded_eio_permille = 0;  // of each save of the journal
  std::int64_t old_waits_percent = 30;
  std::int64_t most_queued = 600;    // bytes that a master has on the way to one slave
  std::int64_t sync_percent = 40;    // of the ticks
  std::int64_t eio_permille = 0;     // of each disk operation
  std::int64_t crash_permille = 0;   // of each disk operation
  std::int64_t slow_permille = 0;    // of each delivery
  std::int64_t promote_percent = 0;  // of the operator's moves
  Time between_faults{};
  Time between_moves{};

  bool degrades() const { return degrade_after != core::kNever; }
  // Does a copy that counts survive what may happen to it?
  bool promises(bool as_durable) const { return (as_durable || !power_losses) && !force; }
  // May two candidates find enough nodes for one epoch that have nobody in common?
  bool epochs_may_be_shared() const {
    const auto disjoint = [this](std::int32_t n) { return 2 * (n - copies + 1) <= n; };
    return force || disjoint(nodes) || (members && disjoint(copies));
  }
  core::Members first_members() const;
};
Config draw_config(std::uint64_t seed);
// Nobody is there to promote: a set that needs all its nodes for that is not made so.
void supervise(Config& config);
// Some of the nodes make up the set at first.
void draw_members(Config& config);
// Three nodes that lose power and depose each other, and little else.
void focus_on_power(Config& config, Rng& rng);
// One node with another list of nodes, or another number of copies.
void draw_misled(Config& config, Rng& rng);
// What becomes of waits whose copies are missing.
void draw_missing_copies(Config& config, Rng& rng);

struct Stats {
  enum Counter {
    kSteps,
    kPromotionsWon,
    kPromotionsLost,
    kForcedWon,
    kSharedEpochs,
    kAppends,
    kWaits,
    kWaitsOk,
    kWaitsPromised,
    kWaitsBelow,
    kDegraded,
    kDegradedHealed,
    kDegradedLost,
    kDegradedTold,
    kDegradedInherited,
    kShownByMasters,
    kShownBySlaves,
    kWaitsTimeout,
    kWaitsNotMaster,
    kWaitsEpoch,
    kWaitsRefused,
    kWaitsDied,
    kKills,
    kPowerLosses,
    kBlackouts,
    kLostBytes,
    kRestarts,
    kEio,
    kCrashesInDisk,
    kDiskFull,
    kCuts,
    kOneWayCuts,
    kLeaps,
    kResets,
    kStops,
    kClockJumps,
    kGarbled,
    kGarbledFound,
    kImpostors,
    kImpostorsRefused,
    kRetentions,
    kResumes,
    kTruncates,
    kTruncatedBytes,
    kStoreResets,
    kResetsRefused,
    kRefusals,
    kTakenOver,
    kYieldsOfMasters,
    kEvictions,
    kDiverged,
    kEmptied,
    kTakeovers,
    kStepsBack,
    kChangesBegun,
    kChangesMade,
    kCounters
  };
  std::array<std::int64_t, kCounters> at{};
  std::int64_t runs = 0;
  void add(const Stats& other);
  std::string text() const;
};

}  // namespace ha::sim
