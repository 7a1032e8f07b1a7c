// SPDX-License-Identifier: Apache-2.0
// Listens on the HA port, turns away who may not come in, and owns the connections of those who
// may.
//
// Masters and slaves both listen: a slave serves its own log to slaves of its own. A node without a
// role accepts and closes at once, so that a peer learns that somebody is there.
//
// Threads: open, close_listener and port from the control thread (with the I/O thread stopped or
// through run_sync); everything else on the I/O thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/catch_up.h"
#include "ha_plugin/core/in_sync_member.h"
#include "ha_plugin/core/lag_ring.h"
#include "ha_plugin/core/line_limiter.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/master/ha_connection.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/term_keeper.h"
#include "ha_plugin/transfer/transfer_service.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class AcceptService : private ConnectionEvents {
 public:
  // Another node was promised that it may become master: this one takes no part in what is older.
  using YieldTo = std::function<void(const std::string& candidate)>;
  // A slave will not follow this master any more, since it has promised that epoch to another: it
  // has to ask all nodes anew.
  using AskAnew = std::function<void(std::int64_t epoch)>;

  AcceptService(boost::asio::io_context& context, const Host& host, const Settings& settings,
                TransferService& transfer, TermKeeper& terms, const DegradedKeeper& degraded,
                metrics::HaMetrics& metrics, YieldTo yield_to, AskAnew ask_anew);

  // Binds and listens. "" or what is wrong; os_errno is set then.
  std::string open(int& os_errno);
  // Where it listens, with the port that the system gave.
  Address local_address() const { return local_; }

  void start_accepting();
  void stop_accepting();

  // Whether connections are served; closing all of them is the caller's part.
  void set_serving(bool serving);
  void close_all(core::Reason reason);
  // Says which replicas do not hold all of the log.
  void warn_of_lacking();
  // All but those that have not joined, such as a candidate's.
  void close_replicas(core::Reason reason);

  // The log ends at log.end: every connection sends what it can.
  void pump(core::Time now, const core::LogBounds& log);
  // What readers may see has risen.
  void confirm_rose();
  // Once a second: gauges and rates that change without events.
  void tick(core::Time now, const core::LogBounds& log, double seconds);
  void forget_history() { history_.forget(); }
  // What slaves are told of where this log comes from.
  void set_upstream(const core::Upstream& upstream);

 private:
  struct Entry {
    std::shared_ptr<HaConnection> connection;
    std::string replica_id;           // "" until it joined
    std::uint64_t bytes_at_tick = 0;  // for the rate
    std::uint64_t metadata_sent = 0;  // its serial
    wire::native::Bytes pending;      // of its host, to be merged with the next tick
    std::uint64_t degraded_sent = 0;
    core::Upstream upstream_sent;
    core::InSyncMember member;
    core::CatchUpWatch catch_up;
  };

  bool speaks_to_nobody() const { return !serving_ && !terms_.keeps_epochs(); }
  core::Voter voter();
  void close_some(core::Reason reason, bool joined_only);
  void hear_of_promise(const core::Hello& hello);
  std::string promise(std::int64_t epoch, const std::string& candidate);

  void wait_acceptable();
  void on_acceptable();
  void admit(boost::asio::ip::tcp::socket socket, const Address& remote);
  void reject(const Address& remote, core::Reason reason, const std::string& text);
  std::string identity_of(const HaConnection& connection);
  void look_at_metadata();
  void merge_pending();
  void send_beside_the_log();
  bool send_metadata(Entry& entry);
  void send_degraded(Entry& entry);
  void send_upstream(Entry& entry);
  void measure_growth(const core::LogBounds& log, double seconds);
  void watch_catch_up(Entry& entry, const core::LogBounds& log, core::Time now);
  void hold_retention(const core::LogBounds& log);
  core::Offset wanted_from(metrics::ReplicaMetrics& replica, const core::LogBounds& log);
  core::Lag lag_of(const HaConnection& connection, const core::LogBounds& log,
                   core::Time now) const;
  core::InSyncLimits in_sync_limits() const;
  void judge_in_sync(const HaConnection& connection, Entry& entry, const core::LogBounds& log,
                     core::Time now);
  void update_gauges(const HaConnection& connection, Entry& entry, const core::LogBounds& log,
                     core::Time now);
  // A line that a peer can cause at will.
  void log_of_stranger(std::int32_t level, const std::string& kind, const std::string& text,
                       std::int64_t burst = core::LineLimiter::kBurst);
  void tell_held_lines(core::Time now, bool at_end = false);
  void tell_host(const HaConnection& connection, std::int32_t event, core::Reason reason,
                 const std::string& replica_id);
  void tell_host(const std::string& address, core::State state, core::Offset ack,
                 std::int32_t event, core::Reason reason, const std::string& replica_id);

  core::LogBounds log_bounds() override;
  core::Answer on_hello(HaConnection& connection, const core::Hello& hello) override;
  wire::native::Bytes after_answer(HaConnection& connection) override;
  core::Promise on_prepare(const core::Prepare& prepare) override;
  core::Greeting greeting() override;
  wire::native::Bytes upstream(HaConnection& connection) override;
  std::int64_t epoch() const override { return terms_.mastered(); }
  core::Offset epoch_start() const override { return terms_.mastered_from(); }
  core::Offset confirmed(const HaConnection& connection) const override;
  std::int64_t growth() const override { return growth_; }
  std::shared_ptr<metrics::ReplicaMetrics> on_joined(HaConnection& connection) override;
  void on_ack(HaConnection& connection) override;
  void on_pending(HaConnection& connection, std::span<const std::byte> pending) override;
  void on_caught_up(HaConnection& connection) override;
  void on_closed(HaConnection& connection, core::Reason reason, const std::string& text) override;

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  const Host& host_;
  const Settings& settings_;
  TransferService& transfer_;
  TermKeeper& terms_;
  const DegradedKeeper& degraded_;
  metrics::HaMetrics& metrics_;
  const YieldTo yield_to_;
  const AskAnew ask_anew_;
  Address local_;
  bool serving_ = false;
  bool accepting_ = false;
  HaConnection::Id next_id_ = 1;
  std::map<HaConnection::Id, Entry> connections_;
  std::set<std::string> slots_;                          // identities "ip#n" in use
  std::shared_ptr<const wire::native::Bytes> metadata_;  // the host's, as it goes over the wire
  std::optional<std::uint64_t> metadata_version_;
  bool metadata_failed_ = false;
  std::uint64_t metadata_serial_ = 0;  // counts what was read; 0 = nothing yet
  core::LagRing history_;
  core::Upstream upstream_;
  core::Offset settled_;     // what all nodes shall hold by now
  std::int64_t growth_ = 0;  // of the log in the last full second, bytes per second
  double slow_growth_ = 0;   // the same, smoothed
  core::Offset end_at_tick_ = core::kNoOffset;
  core::Offset held_from_{HA_RETENTION_NOTHING};  // as the host was told
  std::set<std::string> given_up_;                // replicas that lack more than is held
  core::LogBounds last_bounds_;
  core::LineLimiter lines_;
};

}  // namespace ha::net
