// SPDX-License-Identifier: Apache-2.0
// One plugin instance: its parts, its life, its roles.
//
// What it is for: RocketMQ's HAService. It owns the parts, starts them and stops them in the
// reverse order. NodeRole moves the node from role to role; RoleChanges queues the changes.
//
// Threads: the I/O thread runs everything in net; the control thread runs role changes and
// role_changed; the host's threads come in through the public methods. Locks: mutex_ guards the
// addresses and is never held while the host is called. Lifecycle: created, started once, stopped
// once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ha/plugin.h"
#include "ha_plugin/base/outcome.h"
#include "ha_plugin/config/settings.h"
#include "ha_plugin/host/bounds_reader.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/io_thread.h"
#include "ha_plugin/net/io/resolver.h"
#include "ha_plugin/net/io/tls_policy.h"
#include "ha_plugin/net/master/accept_service.h"
#include "ha_plugin/net/slave/client_service.h"
#include "ha_plugin/service/node_role.h"
#include "ha_plugin/service/role_change.h"
#include "ha_plugin/service/role_changes.h"
#include "ha_plugin/service/set_keeper.h"
#include "ha_plugin/service/status.h"
#include "ha_plugin/service/supervision.h"
#include "ha_plugin/service/turn_timers.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/state_lock.h"
#include "ha_plugin/state/term_keeper.h"
#include "ha_plugin/transfer/transfer_service.h"
#include "metrics/exporter.h"
#include "metrics/ha_metrics.h"
#include "metrics/mutex.h"

namespace ha {

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
  // Whether the host has what the options need of it before a start.
  Outcome check_host() const;
  void log_misuse(const std::string& text) const { host_.log(HA_LOG_HOST_MISUSE, text); }
  std::string status_json() const;
  std::string metrics_text() const { return exporter_.text(); }

 private:
  enum class Life { kCreated, kStarted, kStopped };

  Outcome begin(const RoleChange& role);
  void end(bool for_good);
  Outcome serve_metrics();
  Outcome wrong_state(const char* call) const;
  Outcome refuse_role(const char* call, const RoleChange& change) const;
  Outcome load_epochs(const ha_bounds& bounds);
  std::unique_ptr<net::ClientWire> make_client_wire();
  void apply_settings();
  void warn_of_bootstrap() const;
  Outcome check_who_may_connect() const;
  std::string reload_tls(bool anyhow);
  core::AckPolicy ack_policy() const;
  StatusInput status_input() const;
  net::MasterParts master_parts();
  NodeParts node_parts();

  // On the I/O thread.
  void turn();
  std::int64_t busy_poll_us() const;
  void tick(double seconds);
  void on_fault(const char* what);
  void act(const net::Todo& todo);
  std::string take_set(const WrittenSet& set);
  void check_tls_again();
  void refresh_names();

  const Host host_;
  const Wire wire_;                  // of settings_, for any thread
  const std::uint64_t incarnation_;  // Unix time in ns: higher at each start
  Settings settings_;                // changed on the I/O thread while it runs
  mutable metrics::HaMetrics metrics_;
  metrics::Exporter exporter_;
  StateLock state_lock_;     // control thread; while started
  SetKeeper set_;            // I/O thread
  TermKeeper terms_;         // I/O thread
  DegradedKeeper degraded_;  // I/O thread
  BoundsReader bounds_;      // I/O thread
  net::IoThread io_;
  net::Resolver resolver_;
  RoleChanges changes_;
  TransferService transfer_;
  net::LimitedLog strangers_;
  net::TlsPolicy tls_;
  net::ReplicaSet replicas_;
  net::AcceptService accept_;
  net::ClientService client_;
  NodeRole role_;
  Supervision supervision_;
  TurnTimers timers_;
  std::uint64_t ticks_ = 0;  // I/O thread

  std::atomic<Life> life_{Life::kCreated};
  struct Listening {
    mutable Mutex mutex;
    net::Address ha HA_GUARDED_BY(mutex);
    net::Address metrics HA_GUARDED_BY(mutex);  // empty if they are not served
  };
  Listening listening_;  // where, once started
};

}  // namespace ha
