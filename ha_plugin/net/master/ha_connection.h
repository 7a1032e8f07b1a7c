// SPDX-License-Identifier: Apache-2.0
// One slave's connection, the master's side: the socket, the timer, and what is said before the
// replica counts.
//
// Opening hears which wire the peer speaks. A RocketMQ slave's first bytes are its first report.
// One of our own kind is greeted, says who it is and gets an answer; then it counts, or is told why
// not and closed. From there on ServedReplica judges its acks and chooses what it is sent.
//
// Lifecycle: made by ReplicaSet for an accepted socket; owned by it and by its own pending
// handlers; close() once, after which nothing happens any more. Threads: the I/O thread only. Until
// the first report it costs one object and its descriptor: buffers come later.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/handshake.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/channel.h"
#include "ha_plugin/net/io/tls_policy.h"
#include "ha_plugin/net/master/opening.h"
#include "ha_plugin/net/master/parts.h"
#include "ha_plugin/net/master/served_replica.h"
#include "metrics/ha_metrics.h"

namespace ha::net {

class HaConnection;

// What a connection asks of and tells its surroundings.
class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  virtual MasterView view(const HaConnection& connection) = 0;
  // Not ok: its origin asks too often for what costs this node more than it.
  virtual core::Refusal may_work(const HaConnection& connection) = 0;
  // What this node says of itself first, and then of where its log comes from.
  virtual wire::native::Bytes greeting(const HaConnection& connection) = 0;
  // A native slave said who it is. What becomes of it; unless refused, on_joined follows.
  virtual core::Answer on_hello(HaConnection& connection, const core::Hello& hello) = 0;
  // What a slave that was let in is told before the first log byte.
  virtual wire::native::Bytes after_answer(const HaConnection& connection) = 0;
  // A node that wants to become master asks for this one's promise.
  virtual core::Promise on_prepare(const HaConnection& connection,
                                   const core::Prepare& prepare) = 0;
  // The first report was good: the replica counts from now on. Gives it its identity.
  virtual std::shared_ptr<metrics::ReplicaMetrics> on_joined(HaConnection& connection) = 0;
  // Its acks were good. Returns how things are after that.
  virtual MasterView on_ack(HaConnection& connection) = 0;
  // What a slave's host took in while its master was away.
  virtual void on_pending(HaConnection& connection, std::span<const std::byte> pending) = 0;
  virtual void on_caught_up(HaConnection& connection) = 0;
  // text: one sentence for the log.
  virtual void on_closed(HaConnection& connection, core::Reason reason,
                         const std::string& text) = 0;
};

class HaConnection : public std::enable_shared_from_this<HaConnection> {
 public:
  using Id = std::uint64_t;

  HaConnection(boost::asio::ip::tcp::socket socket, Id id, Address remote, const Host& host,
               const Settings& settings, TlsPolicy& tls, ConnectionEvents& events);

  void start();
  // The log grew, a timer is due or an option changed: send what there is to send. Returns whether
  // that was any of the log.
  bool pump(core::Time now, const MasterView& view);
  // Sends a message before the next frame. Returns false if the one before is still on its way.
  // REQUIRES: its wire carries messages, and it has joined.
  bool send_message(std::shared_ptr<const wire::native::Bytes> message);
  // Readers may see more than this replica was told: it hears of that with the next frame, soon.
  void confirm_rose(const MasterView& view);
  void close(core::Reason reason, const std::string& text);

  Id id() const { return id_; }
  const Address& remote() const { return remote_; }
  bool open() const { return open_; }
  const core::ReplicaSession& session() const { return replica_.session(); }
  const ServingWire& wire() const { return replica_.wire(); }
  metrics::ReplicaMetrics* metrics() const { return replica_.metrics(); }
  bool catching_up(const core::LogBounds& log) const { return replica_.catching_up(log); }
  // As long as an answer may take, by what TCP saw of it.
  core::Time round_trip();
  // Null = it is in the clear.
  const TlsSession* tls() const { return channel_.tls(); }
  // It asked for a promise, and is no slave.
  bool candidate() const { return candidate_; }
  // Of a native slave that has said who it is; "" = it has no name.
  const std::string& name() const { return name_; }
  std::uint64_t incarnation() const { return incarnation_; }

 private:
  void receive();
  void start_tls(std::span<const std::byte> first, std::span<const std::byte> more);
  void decrypt(std::span<const std::byte> bytes);
  void on_received(std::span<const std::byte> bytes);
  bool hear_opening(std::span<const std::byte>& bytes, const MasterView& view, core::Time now);
  void start_native(core::Time now);
  bool hear(const ServingWire::Found& found, const MasterView& view, core::Time now);
  bool counts(const core::Refusal& refusal, const MasterView& view, core::Time now);
  void take_hello(const core::Hello& hello, core::Time now);
  void take_prepare(const core::Prepare& prepare, core::Time now);
  void joined(const MasterView& view, core::Time now);
  void acked(core::Time now);

  void pump_now(core::Time now) {
    if (open_) pump(now, events_.view(*this));  // its owner does not know it any more once closed
  }
  void send(core::Time now, const MasterView& view);
  void wait_writable();
  void yield_and_pump();
  void arm_timer(core::Time now, const MasterView& view);
  void close(const core::Refusal& why) { close(why.reason, why.text); }

  Channel channel_;
  boost::asio::steady_timer timer_;
  const Id id_;
  const Address remote_;
  TlsPolicy& tls_;
  ConnectionEvents& events_;
  Opening opening_;
  ServedReplica replica_;
  std::array<std::byte, 512> received_;  // a healthy replica's reports, 8 bytes, fit many times
  std::string name_;
  std::uint64_t incarnation_ = 0;
  core::Time armed_for_ = core::kNever;
  bool writable_awaited_ = false;
  bool caught_up_ = false;
  bool candidate_ = false;
  bool started_ = false;  // the first frame was due
  bool open_ = true;
};

}  // namespace ha::net
