// SPDX-License-Identifier: Apache-2.0
// Follows a master: connects, asks for this log's end, appends what comes, acknowledges it.
//
// This class has the connection, its timers and what goes out. What comes in goes through
// FrameReceiver, whom to try next and when is MasterSearch's, and what is said and what is made of
// the answer is the wire's (client_wire.h). Reports go out after each burst of reads, so a busy
// link carries few and a quiet one is answered at once.
//
// With option ack_durable a report says how far the log is durable, and a first one that asks where
// to go on waits until all of it is. Without it the native wire's reports say both, received and
// durable.
//
// What can end the connection returns a Refusal; the handlers, which begin with nothing of this
// class on the stack, close it.
//
// Threads: the I/O thread only, but for join.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ha_plugin/config/address.h"
#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/follower.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/channel.h"
#include "ha_plugin/net/io/connector.h"
#include "ha_plugin/net/io/outbox.h"
#include "ha_plugin/net/io/tls_policy.h"
#include "ha_plugin/net/slave/client_wire.h"
#include "ha_plugin/net/slave/frame_receiver.h"
#include "ha_plugin/net/slave/log_flusher.h"
#include "ha_plugin/net/slave/master_search.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class ClientService {
 public:
  struct Events {
    // This log has new bytes: slaves of this slave want them.
    std::function<void()> on_grown;
    // That master takes this slave; in a configured set it need not be the one that was named.
    std::function<void(const Address&)> on_found;
  };

  ClientService(boost::asio::io_context& context, Resolver& resolver, const Host& host,
                const Settings& settings, metrics::HaMetrics& metrics, TlsPolicy& tls,
                ClientWires wires, Events events);

  // Follows that master from now on; ends the connection to another one.
  void follow(const Address& master);
  // It is being served.
  bool is_served() const { return state_ == core::State::kTransfer; }
  // The set has other nodes now: takes them into the search. REQUIRES: is_served().
  void on_new_nodes();
  // Where this node listens itself. Before it runs.
  void set_own(const Address& own) { own_ = own; }
  // The same master, from the beginning.
  void follow_again();
  // Ends the connection and stays away.
  void stop(core::Reason reason);
  // After the last stop: returns when no thread of this service runs any more. Control thread.
  void join();

  // Ends a connection that the options and files of TLS would not let begin now.
  void check_tls_again();

  // The host's log is durable below that.
  void on_durable(core::Offset durable);

  // Once a second.
  void tick(double seconds);

 private:
  void connect();
  void on_connected();
  void leave(core::Reason reason);
  // Whom to try, that one first.
  std::vector<Address> candidates(const Address& first) const;
  void close(core::Reason reason, const std::string& text);
  void close_if(const Refusal& refusal) {
    if (!refusal.ok()) close(refusal.reason, refusal.text);
  }
  void drop_link();
  void schedule_retry(core::Reason reason, bool answered);
  void set_state(core::State state);
  bool leads_back(const boost::asio::ip::tcp::endpoint& local) const;
  void note(core::Reason reason, const std::string& text);

  void wait_readable();
  void on_readable();
  Refusal receive(core::Time now);
  Refusal take(std::span<const std::byte> bytes, core::Time now);
  void on_ready();
  Refusal begin_wire(core::Time now);
  void wait_for_answer();
  void fall_back();
  ClientWire::Timing timing() const { return wire_->timing(settings_); }
  core::Time longest_silence() const;
  bool may_report() const;
  Refusal make_durable();
  Refusal on_flushed(const LogFlusher::Request& request, HostResult result);

  Refusal report_if_due(core::Time now);
  Refusal send(std::span<const std::byte> bytes, core::Time now);
  Refusal flush(core::Time now);
  void arm_timer();

  boost::asio::io_context& context_;
  Channel channel_;
  Connector connector_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer answer_timer_;
  const Host& host_;
  const Settings& settings_;
  metrics::ClientMetrics& metrics_;
  TlsPolicy& tls_;
  const ClientWires wires_;
  ClientWire* wire_;  // the one of the two that is spoken
  const Events events_;

  Address own_;
  Address master_;  // of this attempt
  MasterSearch search_;
  core::State state_ = core::State::kReady;
  std::uint64_t attempt_ = 0;  // handlers of an earlier one see that they are late
  struct {
    std::uint64_t followed = 0;  // the attempt that followed then
    std::uint64_t bytes = 0;
  } last_tick_;
  std::optional<core::Follower> follower_;  // while connected
  FrameReceiver receiver_;
  Outbox outbox_;
  std::optional<core::Offset> reporting_;  // the position that outbox_ reports, if it is a report
  core::Offset durable_;                   // as far as a flush has said so; with flusher_
  core::Offset reported_durable_;          // durable_ as the last report had it
  std::unique_ptr<LogFlusher> flusher_;    // with option ack_durable
};

}  // namespace ha::net
