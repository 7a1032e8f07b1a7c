// SPDX-License-Identifier: Apache-2.0
// Follows a master: connects, asks for this log's end, appends what comes, acknowledges it.
//
// One read(v) takes what there is: the rest of the body that is being received goes straight into
// the host's memory when the host lends some (extension append-reserve), whatever follows into a
// buffer. A body with a checksum is committed when all of it is there, another one piece by piece.
// Reports go out after each burst of reads, so a busy link carries few and a quiet one is
// answered at once.
//
// After a failure it tries again: quickly at first, at most reconnect_max_ms apart. What trying
// cannot mend (segments of another size, bytes that are no records) ends in SUSPEND until follow()
// is called again. A wrong offset is in between: it may be the master that is to be mended, so it
// is tried again, at the longest pause.
//
// With option ack_durable a report says how far the log is durable, and a first one that asks where
// to go on waits until all of it is. Without it the native wire's reports say both, received and
// durable.
//
// What is said and what is made of the answer is the wire's (client_wire.h).
//
// Threads: the I/O thread only, but for join.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "ha_plugin/config/address.h"
#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/backoff.h"
#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/tail_check.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/connector.h"
#include "ha_plugin/net/slave/client_wire.h"
#include "ha_plugin/net/slave/log_flusher.h"
#include "ha_plugin/net/slave/whole_frame.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class ClientService {
 public:
  // fallback: what to speak to a master that does not answer `wire` within wire_probe_ms; none =
  // wait on. on_grown: this log has new bytes (slaves of this slave want them). on_found: that
  // master takes this slave; in a configured set it need not be the one that was named.
  ClientService(boost::asio::io_context& context, Resolver& resolver, const Host& host,
                const Settings& settings, metrics::HaMetrics& metrics,
                std::unique_ptr<ClientWire> wire, std::unique_ptr<ClientWire> fallback,
                std::function<void()> on_grown, std::function<void(const Address&)> on_found);

  // Follows that master from now on; ends the connection to another one.
  void follow(const Address& master);
  // Where this node listens itself. Before it runs.
  void set_own(const Address& own) { own_ = own; }
  // The same master, from the beginning.
  void follow_again();
  // Ends the connection and stays away.
  void stop(core::Reason reason);
  // After the last stop: returns when no thread of this service runs any more. Control thread.
  void join();

  // The host's log is durable below that.
  void on_durable(core::Offset durable);

  // Once a second.
  void tick(double seconds);

 private:
  void connect();
  void on_connected();
  void close(core::Reason reason, const std::string& text);
  void close_for_misuse(const std::string& text);
  void drop_link();
  void schedule_retry(core::Reason reason);
  void set_state(core::State state);
  bool leads_back(const boost::asio::ip::tcp::endpoint& local) const;
  void note(core::Reason reason, const std::string& text);

  void wait_readable();
  void on_readable();
  struct Received {
    std::int64_t bytes = 0;
    bool drained = false;  // fewer than there was room for: the socket has no more just now
  };
  std::optional<Received> receive(core::Time now);
  bool take(std::span<const std::byte> bytes);
  bool on_ready();
  bool begin_wire(core::Time now);
  void wait_for_answer();
  void fall_back();
  bool fill(std::int64_t size);
  bool begin_frame(const ClientWire::Frame& frame);
  bool append(std::span<const std::byte> bytes);
  core::Time heartbeat() const;
  core::Time housekeeping() const;
  bool compare(std::span<const std::byte> bytes);
  core::Offset next() const { return tail_.left() > 0 ? tail_.next() : end_; }
  bool may_report() const;
  bool make_durable();
  void on_flushed(const LogFlusher::Request& request, const HostResult& result);
  bool commit(std::int64_t size);
  bool refuse(const HostResult& result);
  bool go_on(const Refusal& refusal);
  void grown(std::int64_t size);

  bool report_if_due(core::Time now);
  bool send(std::span<const std::byte> bytes, core::Time now);
  bool flush(core::Time now);
  void arm_timer();
  bool read_bounds(core::LogBounds& out);

  boost::asio::io_context& context_;
  boost::asio::ip::tcp::socket socket_;
  Connector connector_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer answer_timer_;
  const Host& host_;
  const Settings& settings_;
  metrics::HaMetrics& metrics_;
  const std::unique_ptr<ClientWire> first_;
  const std::unique_ptr<ClientWire> fallback_;
  ClientWire* wire_;  // the one of the two that is spoken
  const std::function<void()> on_grown_;
  const std::function<void(const Address&)> on_found_;
  std::minstd_rand random_{std::random_device{}()};

  Address own_;
  Address master_;
  Address refused_by_;                  // empty = by nobody since it followed last
  std::uint64_t followed_at_tick_ = 0;  // the attempt that followed then
  std::vector<Address> candidates_;     // who may be master: the one that was named, then the set
  std::size_t tries_ = 0;               // in vain; says which of them is next
  int waited_ = 0;                      // for the one that was named to become master
  core::State state_ = core::State::kReady;
  std::uint64_t attempt_ = 0;  // handlers of an earlier one see that they are late
  core::Backoff backoff_;
  std::optional<core::Follower> follower_;  // while connected
  core::Offset end_;                        // this log's end while connected
  core::Offset durable_;                    // as far as a flush has said so; with flusher_
  core::Offset flushing_;                   // what the last flush was asked for
  core::Offset told_durable_;               // durable_ as the last report had it
  core::TailCheck tail_;                    // below end_, while there is some left
  std::int64_t body_left_ = 0;              // of the frame that is being received
  WholeFrame whole_;                        // its body, if it has a checksum
  std::vector<std::byte> buffer_;
  std::vector<std::byte> outgoing_;
  std::size_t outgoing_left_ = 0;          // bytes of it that the socket has not taken yet
  std::optional<core::Offset> reporting_;  // the position that it reports, if it is a report
  std::uint64_t bytes_at_tick_ = 0;
  std::int64_t unreported_ = 0;
  int refused_in_a_row_ = 0;
  bool gave_up_ = false;                 // until follow: the last end was final
  std::unique_ptr<LogFlusher> flusher_;  // with option ack_durable
};

}  // namespace ha::net
