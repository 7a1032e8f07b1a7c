// What must hold whatever happens. It sees all nodes at once and throws a Violation.
#pragma once

#include <array>
#include <cstdint>
#include <map>
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
                        Offset end);
  void on_wait_done(std::uint64_t wait, core::Status status, const Disk& disk);
  void on_died(std::uint32_t node);
  core::Status status_of(std::uint64_t wait) const { return waits_[wait].status; }
  bool over(std::uint64_t wait) const { return waits_[wait].over; }

  // ---- terms ----
  void on_term(std::uint32_t node, const core::Term& term);  // saved or loaded
  // A promise leaves the node, or it acts upon one.
  void on_promise(std::uint32_t node, std::int64_t epoch, const std::string& candidate);

  // ---- masters ----
  void on_master(std::uint32_t node, std::int64_t epoch, const Disk& disk);
  void on_no_master(std::uint32_t node) { masters_[node] = {}; }
  void on_retention(Offset min) { deleted_below_ = std::max(deleted_below_, min); }

  // Cheap: after every step.
  void after_step() const;
  // Everything a master must hold, byte by byte.
  void check_masters() const;
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
  };
  struct Master {
    std::int64_t epoch = 0;  // 0 = none
    const Disk* disk = nullptr;
  };
  struct Known {
    std::int64_t known = 0;
    std::int64_t promised = 0;
    std::string promised_to;
  };

  Offset due_to(std::int64_t epoch) const;
  void check_master(std::uint32_t node) const;
  void take_commit(const WaitState& wait, const Disk& disk);

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
  Bytes committed_;  // what was acknowledged by enough copies, from 0 on
  Offset deleted_below_;
  Offset unknown_below_;  // of committed_
};

}  // namespace ha::sim
