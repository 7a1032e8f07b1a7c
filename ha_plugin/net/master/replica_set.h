// SPDX-License-Identifier: Apache-2.0
// The connections that are being served, and the replicas among them: who is there, under which
// name, and what each is told. ReplicaWatch judges how well they keep up.
//
// A connection counts as a replica once it has joined: its first report was good, or its HELLO was
// answered. One replica has one connection; a newer one takes the place of an older one.
//
// Threads: the I/O thread. Connections are owned here and by their own pending handlers.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ha_plugin/core/members.h"
#include "ha_plugin/net/master/ha_connection.h"
#include "ha_plugin/net/master/parts.h"
#include "ha_plugin/net/master/replica_watch.h"
#include "ha_plugin/net/master/retention_hold.h"
#include "ha_plugin/net/master/side_channel.h"
#include "ha_plugin/net/master/voting.h"
#include "ha_plugin/net/master/work_limit.h"

namespace ha::net {

class ReplicaSet : private ConnectionEvents {
 public:
  // act does what follows from an event, before its answer leaves.
  ReplicaSet(boost::asio::io_context& context, const MasterParts& parts,
             std::function<void(const Todo&)> act);

  // Before add: a Refusal if too many are open. Ends the oldest that has not joined if that helps:
  // silent strangers may not keep slaves out, nor a candidate that asks for a promise, for those
  // say who they are within a round trip.
  core::Refusal make_room(const Address& remote);
  void add(boost::asio::ip::tcp::socket socket, const Address& remote);

  // Whether this node has a role; to close the connections of the one before is the caller's part.
  void set_serving(bool serving);
  bool serving() const { return serving_; }

  void close_all(core::Reason reason) { close_some(reason, false); }
  // All but those that have not joined, such as a candidate's.
  void close_replicas(core::Reason reason) { close_some(reason, true); }
  // Ends those of nodes that the set does not have any more.
  void close_strangers();
  // Ends the connections that the options and files of TLS would not let begin now.
  void check_tls_again();
  // Says which replicas do not hold all of the log.
  void warn_of_lacking();

  // The log ends at log.end: every connection sends what it can. When that are many some do, and
  // the others after the events that are there: an ack need not wait until all have sent.
  void pump(core::Time now, const core::LogBounds& log);
  // Options changed: the next pump is for every connection, also where the log has not grown.
  void pump_all_next() { pumped_ = core::kNoOffset; }
  // What readers may see has risen.
  void confirm_rose();
  // Once a second: gauges and rates that change without events.
  void tick(core::Time now, const core::LogBounds& log, double seconds);
  // The log was cut: when its bytes were appended is not known any more.
  void forget_history() { watch_.forget_history(); }
  // The replicas that have acknowledged this master's epoch and were heard since then.
  std::vector<core::MemberChange::Follower> heard_since(core::Time then) const;
  // The longest to nodes of the set, 0 without any.
  core::Time round_trip() const;
  // What slaves are told of where this log comes from.
  void set_upstream(const core::Upstream& upstream);

  // One replica joined, left, was turned away or changed. connection may be null: it never was one.
  void report_replica_event(std::int32_t event, core::Reason reason, const Address& remote,
                            const HaConnection* connection = nullptr,
                            const std::string& replica_id = "") const;

 private:
  struct Entry : ReplicaWatch::Watched {
    std::string origin;
    wire::native::Bytes pending;  // of its host, to be merged with the next tick
    SideChannel::Sent sent;
    std::int64_t set_version = 0;  // of its HELLO: that set is durable there
  };

  // Those that pump() has still to go to. Both kinds are gone through in a circle.
  struct Round {
    bool catching_up = false;
    std::size_t left = 0;
    HaConnection::Id last = 0;  // was gone to last
  };

  void pump_some(core::Time now, const core::LogBounds& log);
  void close_some(core::Reason reason, bool joined_only);
  core::Refusal check_identity(const HaConnection& connection, const std::string& claimed) const;
  std::string identity_of(const HaConnection& connection);
  void replace_older(HaConnection& connection, const core::Hello& hello, core::Answer& answer);
  void do_now(const Todo& todo) const;
  MasterView view_of(const Entry& entry, const core::LogBounds& log) const;
  void send_beside_the_log();
  void look(Entry& entry, const core::LogBounds& log, core::Time now);
  static void count_closed(metrics::ReplicaMetrics& replica, core::Reason reason);

  MasterView view(const HaConnection& connection) override;
  core::Refusal may_work(const HaConnection& connection) override;
  wire::native::Bytes greeting(const HaConnection& connection) override;
  core::Answer on_hello(HaConnection& connection, const core::Hello& hello) override;
  wire::native::Bytes after_answer(const HaConnection& connection) override;
  core::Promise on_prepare(const HaConnection& connection, const core::Prepare& prepare) override;
  std::shared_ptr<metrics::ReplicaMetrics> on_joined(HaConnection& connection) override;
  MasterView on_ack(HaConnection& connection) override;
  void on_pending(HaConnection& connection, std::span<const std::byte> pending) override;
  void on_caught_up(HaConnection& connection) override;
  void on_closed(HaConnection& connection, core::Reason reason, const std::string& text) override;

  boost::asio::io_context& context_;
  const MasterParts parts_;
  const std::function<void(const Todo&)> act_;
  const Voting voting_;
  SideChannel side_;
  RetentionHold hold_;
  ReplicaWatch watch_;
  WorkLimit work_;
  bool serving_ = false;
  HaConnection::Id next_id_ = 1;
  std::map<HaConnection::Id, Entry> connections_;
  core::Offset pumped_ = core::kNoOffset;  // the log's end at the last pump
  std::array<Round, 2> rounds_{Round{false}, Round{true}};
  bool pump_posted_ = false;
  std::set<std::string> slots_;  // identities "ip#n" in use
};

}  // namespace ha::net
