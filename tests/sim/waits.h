// A master's waits: what ha_plugin/transfer_service does, for one thread.
#pragma once

#include <cstdint>
#include <functional>

#include "ha_plugin/core/ack_policy.h"
#include "ha_plugin/core/ack_tracker.h"
#include "ha_plugin/core/wait_queue.h"

namespace ha::sim {

class Waits {
 public:
  using Done = std::function<void(std::uint64_t wait, core::Status status)>;
  Waits(std::int32_t nodes, std::int32_t copies, Done done);

  void set_master(bool master) { master_ = master; }
  void join(core::AckTracker::ConnectionId connection, const std::string& replica);
  void ack(core::AckTracker::ConnectionId connection, core::Offset ack, core::Offset durable);
  void leave(core::AckTracker::ConnectionId connection);

  // Done may be called before it returns.
  void wait(std::uint64_t id, std::int32_t copies, bool durable, core::Offset end, core::Time now,
            core::Time deadline);
  void turn(core::Time now, core::Offset log_durable);
  void fail_all(core::Status status);
  // The process died: nobody is told.
  void forget();

 private:
  struct Held {
    const Waits& waits;
    bool master() const { return waits.master_; }
    std::int32_t replicas() const { return waits.tracker_.replicas(); }
    core::Offset held_by(std::int32_t copies) const { return waits.tracker_.held_by(copies); }
    core::Offset in_sync_held_by(std::int32_t copies) const { return held_by(copies); }
  };
  core::AckDecision judge(std::int32_t copies, bool durable, core::Offset end) const;
  void tell();

  core::AckPolicy policy_;
  const Done done_;
  bool master_ = false;
  core::AckTracker tracker_;
  core::AckTracker durable_;  // the master's own is one of them
  core::Offset own_durable_{0};
  core::WaitQueue queue_;
  std::vector<core::EndedWait> ended_;
};

}  // namespace ha::sim
