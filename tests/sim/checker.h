// SPDX-License-Identifier: Apache-2.0
// What must hold whatever happens. It sees all nodes at once and throws a Violation.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/core/term.h"
#include "tests/sim/config.h"
#include "tests/sim/disk.h"

namespace ha::sim {

class Checker {
 public:
  Checker(const Config& config, Stats& stats) : config_(config), stats_(stats) {}

  // ---- waits ----
  std::uint64_t on_wait(std::uint32_t node, std::int64_t epoch, std::int32_t copies, bool durable,
                        Offset end, Time now);
  // below: with fewer copies than it asked for.
  void on_wait_done(std::uint64_t wait, core::Status status, bool below, const Disk& disk,
                    Time now);
  void on_died(std::uint32_t node, const Disk& disk);
  core::Status status_of(std::uint64_t wait) const { return waits_[wait].status; }
  bool over(std::uint64_t wait) const { return waits_[wait].over; }
  bool below(std::uint64_t wait) const { return waits_[wait].below; }

  // ---- terms ----
  void on_term(std::uint32_t node, const core::Term& term);  // saved or loaded
  // A promise leaves the node, or it acts upon one.
  void on_promise(std::uint32_t node, std::int64_t epoch, const std::string& candidate);

  // ---- masters ----
  void on_master(std::uint32_t node, std::int64_t epoch, const Disk& disk);
  void on_no_master(std::uint32_t node);
  void on_retention(Offset min) { deleted_below_ = std::max(deleted_below_, min); }

  // ---- readers ----
  // Enough copies for the default policy hold what lies below, as the master counts them, of which
  // [0, whole) are records; as many are there (keep_up).
  void on_reached(std::uint32_t node, std::int64_t epoch, Offset reached, Offset whole,
                  bool keep_up, const Disk& disk, Time now);
  // What a master tells its slaves from now on.
  void on_turned(std::uint32_t node, std::int64_t epoch, Offset confirm);
  void on_shown(std::uint32_t node, std::int64_t epoch, bool master, const Disk& disk);
  // The log is about to end there.
  void on_cut(std::uint32_t node, Offset end, const Disk& disk);
  // It begins anew, since its master has deleted what this node holds and lacks.
  void on_reset(std::uint32_t node) { readers_[node] = {}; }
  void on_emptied(std::uint32_t node);

  // ---- degraded ranges ----
  // The journal on the node's disk is another. ok: the node knows.
  void on_ranges(std::uint32_t node, std::int64_t epoch, bool ok, const Disk& disk, Time now);
  // It became master, after its master had told it of that range. open: one is, and the disk may
  // have to hear of it yet.
  void on_begun(std::uint32_t node, std::int64_t epoch,
                const std::optional<core::DegradedRange>& told, bool open, const Disk& disk);
  // All slaves that were there have been told that this is open.
  void on_told(std::uint32_t node, const std::optional<core::DegradedRange>& open);
  std::int64_t told_version(std::uint32_t node) const { return told_[node].version; }
  void on_frame_taken(std::uint32_t master, std::int64_t version,
                      const std::optional<core::DegradedRange>& heard) const;

  // Cheap: after every step.
  void after_step() const;
  // Everything a master must hold, byte by byte.
  void check_masters() const;
  // What readers of that node were shown and the promise covers.
  void check_readers(std::uint32_t node, const Disk& disk) const;
  static void check_pair(const core::EpochHistory& a, const Disk& a_disk,
                         const core::EpochHistory& b, const Disk& b_disk);
  void at_the_end() const;

 private:
  struct WaitState {
    std::uint32_t node = 0;
    std::int64_t epoch = 0;
    std::int32_t copies = 0;
    bool durable = false;
    bool over = false;
    core::Status status = core::Status::kOk;
    Offset end;
    Time started{};
    bool below = false;
  };
  struct Master {
    std::int64_t epoch = 0;  // 0 = none
    const Disk* disk = nullptr;
  };
  struct Readers {
    Offset shown;
    Offset sure;  // of that is under the promise
  };
  // What a node answered below policy and no copies have made up for.
  struct Owed {
    Offset end;                          // 0 = nothing
    Offset lost_from = core::kNoOffset;  // its journal says that from there on it is lost
  };
  struct Degraded {
    bool open = false;         // in the journal on its disk
    bool for_nothing = false;  // begun in this turn, and nothing was answered yet
    bool answering = false;
    Time keeps_up_since = core::kNever;
  };
  struct Told {
    std::int64_t version = 0;  // 0 = not all slaves have been told
    std::optional<core::DegradedRange> open;
  };
  struct Confirm {
    std::int64_t epoch = 0;
    Offset told = core::kNoOffset;
  };
  struct Known {
    std::int64_t known = 0;
    std::int64_t promised = 0;
    std::string promised_to;
  };

  Offset due_to(std::int64_t epoch) const;
  void check_master(std::uint32_t node) const;
  // Enough copies of the log of that node, master of that epoch, reach up to end.
  void take_commit(std::uint32_t node, std::int64_t epoch, Offset end, const Disk& disk);
  void answered_below(const WaitState& wait, const Disk& disk, Time now);
  void check_timeout(const WaitState& wait, const Disk& disk, Time now) const;
  // Of [0, end) of a log, is what is known the same as what was acknowledged?
  bool is_committed(Offset end, const Disk& disk) const;
  Time oldest_wait(std::uint32_t node) const;

  const Config& config_;
  Stats& stats_;
  std::vector<WaitState> waits_;
  std::vector<std::uint64_t> open_;
  std::array<Known, 5> terms_;
  std::array<std::int64_t, 5> given_{};  // the newest epoch that was promised to another
  std::array<Master, 5> masters_;
  std::map<std::int64_t, std::vector<std::uint32_t>> entered_;  // by whom each epoch was
  std::map<std::int64_t, Offset> committed_by_;                 // how far in each epoch
  std::map<std::int64_t, std::uint32_t> committer_;
  // The same whether or not it is under the promise; answered below policy; told to slaves.
  std::map<std::int64_t, Offset> reached_by_;
  std::map<std::int64_t, Offset> below_by_;
  std::map<std::int64_t, Offset> told_by_;
  std::array<Readers, 5> readers_;
  std::array<Confirm, 5> confirms_;
  std::array<Owed, 5> owed_;
  std::array<Degraded, 5> degraded_;
  std::array<Told, 5> told_;
  std::int64_t versions_ = 0;
  Bytes committed_;  // what was acknowledged by enough copies, from 0 on
  Offset deleted_below_;
  Offset unknown_below_;  // of committed_
};

}  // namespace ha::sim
