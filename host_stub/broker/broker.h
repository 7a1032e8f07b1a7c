// SPDX-License-Identifier: Apache-2.0
// The stub broker as its HTTP layer and command line see it: produce, consume, roles, status.
//
// A Broker owns a commit log, the index over it, the scheduled messages and one loaded plugin. It
// is the only class of the stub that talks to the plugin, and it does so through plugin_api alone,
// as a stranger's host would.
//
// Threads: every method may be called from any thread at once, except open, start and stop.
// Errors: every failure is an Error that names what failed, the value and the way out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "store/error.h"  // Error and Result

namespace stub {

enum class Role : std::int32_t { kNone = 0, kMaster = 1, kSlave = 2 };  // values of HA_ROLE_*

// As flags, JSON and messages have it.
constexpr std::string_view role_name(Role role) {
  return role == Role::kMaster ? "master" : role == Role::kSlave ? "slave" : "none";
}

enum class FlushPolicy { kAsync, kSync };

struct BrokerOptions {
  std::string store_dir;
  std::int64_t segment_bytes = 0;  // 0 = what the store has; 1 GiB, as RocketMQ's, when it is empty
  FlushPolicy flush = FlushPolicy::kAsync;
  std::int64_t flush_interval_ms = 500;
  std::int64_t retention_bytes = 0;  // 0 = keep all
  std::int64_t retention_ms = 0;     // 0 = keep all
  int queues_per_topic = 4;
  bool consensus_log = false;  // tells the plugin that this log has its own consensus

  std::string plugin_path;
  std::string ha_listen = "0.0.0.0:10912";
  std::string metrics_listen;  // "" = not served
  Role role = Role::kNone;
  std::string master_address;
  std::string client_url;  // where clients reach this node; slaves name it; "" = they do not
  std::int64_t not_ready_after_ms = 10'000;  // without following the master that it knows
  // A plugin that keeps epochs is given the store as its state_dir unless one is here.
  std::vector<std::pair<std::string, std::string>> plugin_options;
};

struct Message {
  std::int64_t offset = 0;  // of its record in the commit log
  int queue = 0;
  std::int64_t queue_offset = 0;  // its number in the queue, the same for ever and on every node
  std::int64_t store_time_ms = 0;
  std::string key;  // "" = none
  std::string body;
};

// Forty days. What is scheduled keeps its segment from the retention.
inline constexpr std::int64_t kMaxDelayMs = std::int64_t{40} * 24 * 3600 * 1000;

struct ProduceItem {
  std::string body;
  std::string key;
};

struct ProduceRequest {
  std::string topic;
  std::vector<ProduceItem> items;  // appended in order, as one run unless the disk fills
  std::optional<int> queue;        // default: by hash of the key, else in turn
  std::int32_t acks = 0;           // copies, or HA_ACKS_*; 0 = the plugin's in_sync_replicas
  std::int32_t durability = 0;     // HA_DURABILITY_*: what each copy has to survive
  std::int64_t timeout_ms = 3000;
  std::int64_t delay_ms = 0;  // > 0: delivered that much later, on whichever node is master then
};

struct ProduceResult {
  std::int32_t status = 0;  // HA_OK, HA_FLUSH_SLAVE_TIMEOUT, ...; see error for words
  std::string text;         // empty when HA_OK
  std::int64_t stored = 0;  // how many of the items are in the local log, whatever the status says
  std::int64_t first_offset = -1;
  std::int64_t end_offset = -1;  // one past the last stored item's record
};

// A request and the function that gets its result. done is called exactly once: inline when the
// request is refused or waits for nothing, on the log's flusher thread after a sync flush, else on
// a plugin thread. It must not block.
struct Produce {
  ProduceRequest request;
  std::function<void(ProduceResult)> done;
};

struct ConsumeQuery {
  std::string topic;
  std::optional<int> queue;
  // A cursor: with a queue a queue offset, else a log offset. It means the same on every node and
  // never moves. None = where the held part begins.
  std::optional<std::int64_t> from;
  std::int64_t max = 100;
  std::int64_t max_bytes = std::int64_t{4} << 20;  // bodies; at least one message is returned
};

// Cursors, of the kind that the query has.
struct ConsumeResult {
  struct Skipped {
    std::int64_t from = 0;
    std::int64_t to = 0;
  };
  std::vector<Message> messages = {};
  std::int64_t first = 0;  // where the held part begins
  std::int64_t next = 0;   // pass as `from` to go on; never below what was asked for
  std::int64_t end = 0;    // one past the last that readers may see
  // What `from` asked for and this node does not hold any more.
  std::optional<Skipped> skipped = {};
};

// What load balancers ask: may this node take messages, may it be read from?
struct Standing {
  Role role = Role::kNone;
  std::string refuses = {};  // why this master takes no messages now; "" = it does
  bool follows = false;      // a slave: it is connected to its master
  // A slave: bytes that its master held a second ago and it does not; -1 = not known.
  std::int64_t lag_bytes = -1;
};

// Longer URLs of a client API are not taken. A host's name has 253 bytes at most.
inline constexpr std::size_t kMaxClientUrl = 300;

// Where a slave's clients find its master. Another node said so: judge it before use.
struct MasterPlace {
  std::string url;         // of its client API
  std::string id;          // its replica id; "" = not known
  std::string ha_address;  // at which this slave follows it
};

class Broker {
 public:
  virtual ~Broker() = default;

  // Recovers the store, loads the plugin, starts it in options.role. Nothing listens on HTTP here.
  static Result<std::unique_ptr<Broker>> open(BrokerOptions options);

  // Completes what waits, stops the plugin within timeout_ms, flushes and closes the log.
  virtual void stop(std::int64_t timeout_ms) = 0;

  // Appends the requests' messages in order, with as few writes to the log as it can. Each request
  // gets its own result. On a slave: HA_NOT_MASTER and the master's address.
  virtual void produce_all(std::vector<Produce> asked) = 0;
  void produce(ProduceRequest request, std::function<void(ProduceResult)> done) {
    std::vector<Produce> one;
    one.push_back({std::move(request), std::move(done)});
    produce_all(std::move(one));
  }

  // What is held now, without waiting. An unknown topic is an empty result, and so is a cursor
  // beyond the end (the log was cut, or this node is behind): it stays where it is.
  virtual Result<ConsumeResult> consume(const ConsumeQuery& query) = 0;

  // Calls wake once, on any thread, as soon as there is a message at or above the cursor (at once
  // when there is one now), or when the broker stops. Returns an id for cancel_wait; after
  // cancel_wait returns, wake does not run any more.
  virtual std::uint64_t wait_for_messages(const std::string& topic, std::optional<int> queue,
                                          std::int64_t cursor, std::function<void()> wake) = 0;
  virtual void cancel_wait(std::uint64_t id) = 0;

  // Where a consumer group stands: the queue offset of the next message to read, which is the same
  // on every node; -1 = nowhere yet. A master's offsets replace its slaves' within a second.
  // HA_RANGE: beyond the end of the queue.
  virtual Result<std::int64_t> group_offset(const std::string& group, const std::string& topic,
                                            int queue) = 0;
  virtual Result<std::monostate> set_group_offset(const std::string& group,
                                                  const std::string& topic, int queue,
                                                  std::int64_t next) = 0;
  // Forgets where the group stands in that topic, or everywhere; slaves follow. Returns how many
  // offsets that were.
  virtual Result<std::int64_t> delete_group_offsets(const std::string& group,
                                                    const std::optional<std::string>& topic) = 0;

  // Changes the role and returns when it holds (or could not be taken). force: in a configured set,
  // without the promises of enough other nodes.
  virtual Result<std::monostate> promote(bool force) = 0;
  virtual Result<std::monostate> follow(const std::string& master_address) = 0;
  // A slave without a master; in a configured set it looks for the one that is.
  virtual Result<std::monostate> demote() = 0;

  // Changes one of the plugin's options until this broker stops. The Error has the plugin's words.
  virtual Result<std::monostate> set_option(const std::string& key, const std::string& value) = 0;

  // One JSON object: role, master, bounds, last whole record, topics, flush, and under "ha" what
  // the plugin's status_json says.
  virtual std::string status_json() = 0;
  // The plugin's metrics in Prometheus' text format.
  virtual std::string metrics_text() = 0;
  // What /readyz asks: empty = ready, else why not.
  virtual std::string not_ready_reason() = 0;

  // Takes no lock that an append needs, but for the reason of a log that takes none.
  virtual Standing standing() = 0;
  // Of a slave that follows its master, when that has told it.
  virtual std::optional<MasterPlace> master_place() = 0;

  virtual Role role() const = 0;
  virtual std::string ha_address() const = 0;       // "ip:port" as the system gave it
  virtual std::string metrics_address() const = 0;  // "" = not served
};

}  // namespace stub
