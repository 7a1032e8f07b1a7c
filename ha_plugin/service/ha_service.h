// SPDX-License-Identifier: Apache-2.0
// One plugin instance: its parts, its life, its roles.
//
// What it is for: RocketMQ's HAService. It owns the accept, transfer and client services, starts
// them in that order and stops them in the reverse one, and moves the node from role to role.
//
// The essence of a role change, done by the control thread, one at a time: leave (waits end with
// NOT_MASTER, connections close, following stops); cut the log to its last whole record; enter
// (serve, or follow); tell the host. A node that cannot be cut has no role, and the host is told
// why.
//
// Threads: the I/O thread runs everything in net; the control thread runs role changes and
// role_changed; the host's threads come in through the public methods. Locks: mutex_ guards the
// list of role changes and the text of the master's address, and is never held while the host is
// called. Lifecycle: created, started once, stopped once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "ha/plugin.h"
#include "ha_plugin/config/settings.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/io_thread.h"
#include "ha_plugin/net/io/resolver.h"
#include "ha_plugin/net/master/accept_service.h"
#include "ha_plugin/net/slave/client_service.h"
#include "ha_plugin/service/status.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/state_lock.h"
#include "ha_plugin/state/term_keeper.h"
#include "ha_plugin/transfer/transfer_service.h"
#include "metrics/exporter.h"
#include "metrics/ha_metrics.h"

namespace ha {

// A status and the words for it.
struct Outcome {
  core::Status status = core::Status::kOk;
  std::string text;
  int os_errno = 0;
};

struct RoleChange {
  core::Role role = core::Role::kNone;
  net::Address master;     // empty = none known yet
  std::int64_t epoch = 0;  // of a master: the least to take
  bool force = false;      // master, whatever other nodes say
  // Master, unless another node is it, and as soon as enough nodes are there: a start.
  bool patient = false;
  bool fall_back =
      false;  // a failed master looks for the one that is: it was slave or master before
  core::Reason reason = core::Reason::kRequested;
  std::string note = {};  // how it came to be, for the host
};

class HaService {
 public:
  HaService(const ha_host_api* host, void* host_ctx, const Settings& settings);
  ~HaService();
  HaService(const HaService&) = delete;
  HaService& operator=(const HaService&) = delete;

  // ---- [control] ----
  Outcome start(const RoleChange& role);
  Outcome stop(std::int64_t timeout_ms);
  Outcome set_role(const RoleChange& change);
  Outcome set_master_address(const net::Address& address);
  Outcome set_option(const std::string& key, const std::string& value);

  // ---- [publisher], [any] ----
  void notify_appended(std::int64_t end);
  void notify_durable(std::int64_t end);
  core::Status check_acks(std::int32_t acks, std::int32_t durability);
  core::Status wait_replicated(const ha_wait_request& request);
  void snapshot(ha_snapshot& out) const;
  void log_misuse(const std::string& text) const { host_.log(HA_LOG_HOST_MISUSE, text); }
  std::string status_json() const;
  std::string metrics_text() const { return exporter_.text(); }

 private:
  enum class Life { kCreated, kStarted, kStopped };

  Outcome begin(const RoleChange& role);
  void end(bool for_good);
  void on_io_fault(const char* what);
  Outcome wrong_state(const char* call) const;
  Outcome refuse_role(const char* call, const RoleChange& change) const;
  Outcome load_epochs(const ha_bounds& bounds);
  std::unique_ptr<net::ClientWire> make_client_wire();

  void run_control_thread();
  void change_role(RoleChange change);
  void refuse_change(const RoleChange& change, core::Reason reason, const Outcome& why);
  std::int64_t campaign(RoleChange& change, core::Reason& reason, Outcome& failed);
  std::int64_t run_once(RoleChange& change, core::Reason& reason, Outcome& failed);
  std::vector<core::Heard> ask_others(const core::Prepare& prepare,
                                      std::chrono::milliseconds timeout, std::size_t enough);
  void follow_instead(RoleChange& change, const net::Address& master);
  bool wait_for_another_change();
  void yield_to(const std::string& candidate);
  void ask_anew(std::int64_t epoch);
  void look_around();
  void look_if_alone();
  const net::Address& address_of(const std::string& node) const;
  void end_epoch();
  void queue_after_epoch(core::Role before, const RoleChange& change);
  void leave_role(core::Reason reason);
  Outcome cut_to_whole_record();
  void enter_role(const RoleChange& change, std::int64_t epoch);
  std::string describe_role(const RoleChange& change) const;
  std::string describe_default_acks(core::Role role) const;

  // On the I/O thread.
  void turn();
  void tick();
  void on_progress(core::Offset reached);
  void on_confirmed(const HostResult& result);
  void arm_wait_timer();
  void set_wait_timer_for(core::Time due);
  void arm_tick_timer();
  void refresh_names(core::Time now);
  void tell_upstream();
  core::LogBounds read_bounds();
  void leave_shrunk_log(core::Offset before, core::Offset now);

  core::AckPolicy ack_policy() const;
  core::Time degrade_after() const;
  StatusInput status_input() const;

  const Host host_;
  const Wire wire_;
  const std::uint64_t incarnation_;              // Unix time in ns: higher at each start
  Settings settings_;                            // changed on the I/O thread while it runs
  const std::vector<ReplicaList::Node> others_;  // of the configured set
  mutable metrics::HaMetrics metrics_;
  metrics::Exporter exporter_;
  StateLock state_lock_;     // control thread; while started
  TermKeeper terms_;         // I/O thread
  DegradedKeeper degraded_;  // I/O thread
  net::IoThread io_;
  net::Resolver resolver_;
  TransferService transfer_;
  net::AcceptService accept_;
  net::ClientService client_;
  boost::asio::steady_timer wait_timer_;
  boost::asio::steady_timer tick_timer_;
  core::Time wait_timer_for_ = core::kNever;
  core::Time last_tick_{};
  core::Time names_refreshed_{};
  core::LogBounds last_bounds_;
  bool confirm_failed_ = false;          // I/O thread: said already
  bool bounds_failed_ = false;           // I/O thread: said already
  bool running_ = false;                 // I/O thread: timers are to be armed again
  core::Role role_ = core::Role::kNone;  // I/O thread
  core::Upstream of_master_;             // I/O thread: as the master told it

  std::atomic<Life> life_{Life::kCreated};
  mutable std::mutex mutex_;
  std::condition_variable control_wake_;
  std::deque<RoleChange> changes_;
  bool control_stop_ = false;
  bool look_due_ = false;  // a master that lacks copies looks whether its time is over
  core::Role wanted_role_ = core::Role::kNone;  // of the last accepted change
  core::Role asked_role_ = core::Role::kNone;   // of the last one that the host asked for
  net::Address master_;
  net::Address listen_;          // once started
  net::Address metrics_listen_;  // once started and served
  std::thread control_;
};

}  // namespace ha
