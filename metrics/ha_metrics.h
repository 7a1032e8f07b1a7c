// SPDX-License-Identifier: Apache-2.0
// What the plugin counts. The hot path bumps plain atomics here; exporter.h turns them into
// Prometheus families when somebody scrapes. The status JSON and the ABI's snapshot read the same
// numbers, so the three never disagree.
//
// Threads: the plugin's I/O thread writes; any thread reads. The replica table changes under a
// mutex that is held for a look-up only.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "metrics/mutex.h"
#include "plugin_api/lists/numbers.h"

namespace ha::metrics {

using lists::kReasonSlots;  // by HA_REASON_*
using lists::kStatusSlots;  // by -status; DONE counts as OK

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  explicit Gauge(std::int64_t v = 0) : value_(v) {}
  void set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_;
};

// Time from wait_replicated to its callback. Upper bounds of the buckets in nanoseconds: 50 us is
// where a loopback round trip lies, 10 s is past any sane timeout; steps of about 2.
class LatencyHistogram {
 public:
  static constexpr std::array<std::int64_t, 18> kBoundsNs = {
      50'000,      100'000,       200'000,       500'000,       1'000'000,     2'000'000,
      5'000'000,   10'000'000,    20'000'000,    50'000'000,    100'000'000,   200'000'000,
      500'000'000, 1'000'000'000, 2'000'000'000, 3'000'000'000, 5'000'000'000, 10'000'000'000};

  void observe(std::int64_t ns) {
    std::size_t i = 0;
    while (i < kBoundsNs.size() && ns > kBoundsNs[i]) ++i;
    buckets_[i].add();
    sum_ns_.add(ns > 0 ? static_cast<std::uint64_t>(ns) : 0);
  }
  // Not cumulative; the last one is +Inf.
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].value(); }
  std::uint64_t sum_ns() const { return sum_ns_.value(); }

 private:
  std::array<Counter, kBoundsNs.size() + 1> buckets_;
  Counter sum_ns_;
};

struct Epoch {
  std::int64_t number = 0;
  std::int64_t start = 0;   // offset
  std::string master = {};  // its replica id; "" = not known
};

// What was acknowledged with fewer copies than the policy asks for; the ABI's status has it.
struct DegradedRange {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t since_ms = 0;    // Unix time
  std::int64_t healed_ms = 0;   // 0 = it is open
  std::int64_t lost_from = -1;  // what lies from there on was lost; -1 = nothing
};

// A list for those who ask what is in it.
template <class Item>
class GuardedList {
 public:
  void set(std::vector<Item> items) {
    const Lock lock(mutex_);
    items_ = std::move(items);
  }
  std::vector<Item> get() const {
    const Lock lock(mutex_);
    return items_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Item> items_ HA_GUARDED_BY(mutex_);
};
using EpochList = GuardedList<Epoch>;

// One replica as the master sees it. It outlives its connections: counters survive reconnects.
struct ReplicaMetrics {
  explicit ReplicaMetrics(std::string replica_id) : id(std::move(replica_id)) {}

  const std::string id;  // "10.0.0.7", or "127.0.0.1#2" where a connection is the identity

  Gauge connections;             // open ones of this id; 0 = gone
  Gauge state;                   // HA_STATE_*
  Gauge start_offset;            // where the present connection started
  Gauge sent_offset;             // end of what was handed to the socket
  Gauge ack_offset;              // -1 before the first report
  Gauge durable_offset;          // what of it survives a loss of power; -1 = its wire does not tell
  Gauge encrypted;               // 1 = the present connection is under TLS
  Gauge native;                  // 1 = the present connection speaks the native protocol
  Gauge in_sync;                 // 1 or 0
  Gauge in_sync_left_for;        // HA_REASON_*: why it left the in-sync set last; 0 = it has not
  Gauge in_sync_changed_ns;      // steady clock: since when it is in or out
  Gauge behind_since_ns;         // steady clock; 0 = holds everything: lag in seconds = now - this
  Gauge connected_at_ns;         // steady clock
  Gauge disconnected_at_ns;      // steady clock; 0 while connected
  Gauge bytes_per_s;             // body bytes over the last full second
  Gauge catch_up_stalled;        // 1 = it is far behind and comes no nearer
  Gauge seconds_until_lost{-1};  // -1 = nothing is held for it, or the log does not grow
  Gauge last_close_reason;       // HA_REASON_*
  Counter connects;
  Counter bytes_sent;  // bodies
  Counter frames_sent;
  Counter heartbeats_sent;
  Counter reports_received;
  std::array<Counter, kReasonSlots> closes;         // by HA_REASON_*
  std::array<Counter, kReasonSlots> in_sync_exits;  // for its lag, by HA_REASON_*
  Counter folded_reconnects;  // those of replicas that were folded into this one

  std::uint64_t reconnects() const {
    const std::uint64_t made = connects.value();
    return folded_reconnects.value() + (made > 1 ? made - 1 : 0);
  }
  std::string address() const {
    const Lock lock(mutex_);
    return address_;
  }
  void set_address(std::string address) {
    const Lock lock(mutex_);
    address_ = std::move(address);
  }

 private:
  mutable Mutex mutex_;
  std::string address_ HA_GUARDED_BY(mutex_);
};

// Text that one thread sets and others read.
class GuardedText {
 public:
  std::string get() const {
    const Lock lock(mutex_);
    return text_;
  }
  void set(std::string text) {
    const Lock lock(mutex_);
    text_ = std::move(text);
  }

 private:
  mutable Mutex mutex_;
  std::string text_ HA_GUARDED_BY(mutex_);
};

// The slave's own link to its master.
struct ClientMetrics {
  Gauge state;          // HA_STATE_*
  Gauge last_reason;    // HA_REASON_*
  Gauge heard_ns;       // steady clock: its master's last bytes; 0 = it does not follow
  Gauge last_read_ms;   // Unix time, 0 = never
  Gauge last_write_ms;  // Unix time, 0 = never
  Gauge bytes_per_s;    // over the last full second
  Counter connects;     // TCP connections made
  Counter connect_failures;
  Counter bytes_received;  // bodies
  Counter bytes_appended;
  Counter frames_received;
  Counter heartbeats_received;
  Counter reports_sent;
  Counter truncated_bytes;
  Gauge cut_copies_bytes;      // of such bytes that are kept in files
  Counter cut_copies_removed;  // files of them, to make room for newer ones
  Counter mismatches;          // frames whose offset was not this log's end
  std::array<Counter, kReasonSlots> closes;
  Gauge master_confirm;     // told by the master; -1 = not yet, or its wire has none
  EpochList master_epochs;  // told by the master
  // Steady clock: since when it has a master to look for and does not follow one; 0 = it follows,
  // for a second at least, or shall not.
  Gauge not_following_since_ns;
  Gauge refused;           // 1 = since it followed last, a master has refused it
  GuardedText last_words;  // why it does not follow, or did not: "reason: sentence"
};

// Option coordinator.
struct CoordinatorMetrics {
  Gauge configured;
  Gauge answers;         // 1 = its last request was answered
  Gauge lease_until_ns;  // steady clock: this node surely has its lease until then; 0 = it has none
  Gauge paused;          // operators want no change of master without them
  // By what came of them: answered with yes, with no (another node was first, the lease had ended),
  // without an answer that can be trusted.
  std::array<Counter, 3> requests;
  Counter takeovers;                   // this node became master by itself
  GuardedText holder;                  // who holds the key
  Gauge set_version;                   // of the set that this node goes by; 0 = as the options say
  Gauge set_changing;                  // 1 = it is on the way to another one
  Gauge set_outside;                   // 1 = this node is not in it
  GuardedText set;                     // in words
  GuardedList<std::string> set_nodes;  // that count in it
  GuardedText set_change;  // on the master: what a change of the set waits for; "" = there is none
  GuardedText last_words;  // why this node does not become master, or what the engine said last
};

struct TlsMetrics {
  // By who began the connection: a slave or candidate here (client), or a peer (server).
  Counter handshakes_client;
  Counter handshakes_server;
  Counter failures_client;
  Counter failures_server;
  Gauge not_after_s;  // Unix time at which the own certificate ends; 0 = there is none
  Counter reloads;
  Counter reload_failures;
  Gauge plain_connections;  // open on the HA port, in the clear
  Gauge open_to_all;        // 1 = it listens beyond loopback, without TLS and without an allow list
};

struct HaMetrics {
  // More replica ids than this are not kept: the one that is gone the longest makes room, and what
  // it counted goes on in the replica "other". When all are connected, the newcomer itself is
  // counted in "other". It bounds the number of time series; one that comes back after it was
  // folded starts at 0, which rate() takes for a restart.
  static constexpr std::size_t kMaxReplicas = 256;

  Gauge role;        // HA_ROLE_*
  Gauge epoch;       // the newest that this log has a history of; 0 = none
  EpochList epochs;  // of this log
  Gauge promised_epoch;
  GuardedList<DegradedRange> degraded_ranges;
  Gauge degraded_since_ms;  // Unix time; 0 = it is not degraded
  Counter degraded_acks;    // waits that were answered below policy
  Gauge metadata_failed;    // 1 = the host's state beside the log cannot be sent
  Gauge log_min;
  Gauge log_end;
  Gauge log_durable;
  Gauge log_confirm;
  Gauge segment_size;
  Gauge in_sync_replicas;        // size of the in-sync set, this node included; 0 unless master
  Gauge configured_in_sync;      // option in_sync_replicas
  Gauge configured_min_in_sync;  // option min_in_sync_replicas
  Gauge catch_up_limit;          // bytes per second; 0 = none
  Gauge io_turned_ns;            // steady clock: the I/O thread's last turn; 0 = it does not run
  Gauge connections;             // open on the HA port, counted or not yet
  Gauge waits_pending;
  Gauge oldest_wait_since_ns;                      // steady clock; 0 = none
  Counter waits_started;                           // accepted, so that a callback follows
  std::array<Counter, kStatusSlots> wait_results;  // every outcome, refusals and DONE included:
                                                   // index -status; DONE counts under 0
  LatencyHistogram ack_latency;                    // waits that ended OK after waiting
  Counter connections_accepted;
  std::array<Counter, kReasonSlots> rejected;  // turned away before they counted, by HA_REASON_*
  Counter role_changes;
  Counter appended_hints;  // wake-ups by notify_appended that reached the I/O thread
  ClientMetrics client;
  TlsMetrics tls;
  CoordinatorMetrics coordinator;

  // Finds the replica of that id or makes it. The caller adds to its `connections` before it asks
  // for another id (one without connections may be folded), and bumps it no more once they are back
  // at 0.
  std::shared_ptr<ReplicaMetrics> replica(const std::string& id);
  // Those there are, connected or not, in the order of their ids; without "other".
  std::vector<std::shared_ptr<ReplicaMetrics>> replicas() const;

  // The same, and what is counted under "other": one reading in which each replica is in exactly
  // one of the two, so that sums over all of them never fall.
  struct ReplicaView {
    std::vector<std::shared_ptr<ReplicaMetrics>> replicas;
    std::shared_ptr<const ReplicaMetrics> other;  // a copy; NULL when nothing was counted there
  };
  ReplicaView replica_view() const;

 private:
  bool fold_longest_gone() HA_HOLDS(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<ReplicaMetrics>> replicas_ HA_GUARDED_BY(mutex_);
  // Sums over those that made room.
  std::unique_ptr<ReplicaMetrics> folded_ HA_GUARDED_BY(mutex_);
  // What newcomers share while the table is full.
  std::shared_ptr<ReplicaMetrics> overflow_ HA_GUARDED_BY(mutex_);
};

}  // namespace ha::metrics
