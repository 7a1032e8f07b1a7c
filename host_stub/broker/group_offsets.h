// SPDX-License-Identifier: Apache-2.0
// How far each consumer group has read: DIR/config/consumerOffset.json, in RocketMQ's shape
// {"offsetTable":{"topic@group":{"0":12}}}. RocketMQ writes the queue numbers without quotes; both
// are read. Offsets are queue offsets, which a message keeps for ever and on every node.
//
// A commit and a deletion go to consumerOffset.json.journal, a line each (journaled_file.h), so
// they cost the same however many others there are. The file is replaced as a whole when the
// journal outgrows it, when a master's table takes its place, and when the broker stops: then no
// journal is left, and RocketMQ and older versions find everything in the file.
//
// A file that cannot be understood is moved aside; entries that no client could have made (see
// names.h) are dropped with a WARN.
//
// A master's offsets reach its slaves (extension metadata), where they take the place of what was
// there. They are stored by a thread of their own, since the plugin's must not wait for a disk.
//
// What a slave took in while its master was away is pending: it stands in the table, is marked in
// the file ("pendingOffsets" beside "offsetTable", same shape), and goes up to the master, where
// the larger offset of each queue holds. It is pending until the master's table shows that offset
// or a larger one.
//
// Threads: any. One mutex guards the table, another one is held while the files are written.
#pragma once

#include <atomic>
#include <boost/json/fwd.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include "broker/journaled_file.h"
#include "store/error.h"

namespace stub {

// Pairs of topic and group, and bytes of text(), that commits may grow to: what is larger than
// HA_METADATA_MAX_BYTES, less what else goes with it, would not reach the slaves. A pair and queue
// that is there can always be updated.
inline constexpr std::size_t kMaxGroupEntries = 10'000;
inline constexpr std::int64_t kMaxGroupBytes = std::int64_t{3} << 20;

class GroupOffsets {
 public:
  // Where a queue ends in this log: the queue offset of the next message.
  using QueueEnd = std::function<std::int64_t(const std::string& topic, int queue)>;
  static Result<std::unique_ptr<GroupOffsets>> open(const std::string& store_dir, QueueEnd end);
  ~GroupOffsets();

  std::int64_t get(const std::string& group, const std::string& topic,
                   int queue) const;  // -1: none
  // pending: the master does not know it yet. REQUIRES: names that names.h allows, a queue and an
  // offset from 0.
  Result<std::monostate> set(const std::string& group, const std::string& topic, int queue,
                             std::int64_t next, bool pending = false);

  // Forgets where the group stands in that topic, or in all. How many queues' offsets that were.
  Result<std::int64_t> remove(const std::string& group, const std::optional<std::string>& topic);

  struct Size {
    std::int64_t pairs = 0;
    std::int64_t pending = 0;  // offsets
    std::int64_t bytes = 0;    // of text(), at most
  };
  Size size() const;

  // Another number whenever a commit or a replacement has changed something.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // All of them, as the file has them.
  std::string text() const;
  // Takes the master's text() instead of what is here, but for what is pending and not in there.
  // Returns before it is stored.
  std::optional<Error> replace(std::string_view text);
  // What is pending, in the shape of text(); "" = nothing is.
  std::string pending_text() const;
  // Takes a slave's pending_text(): offsets rise to what it says, as far as this log goes. pending:
  // this node is no master either and has to hand them on. Stored as by replace.
  std::optional<Error> merge(std::string_view text, bool pending);
  // This node is master now: what was pending holds.
  void take_over();
  // No group stands beyond its queue's end: what it read there never came to this node, and it must
  // not skip as many new messages. Stored as by replace.
  void limit();

 private:
  struct Pair {
    std::string topic;
    std::string group;
    auto operator<=>(const Pair&) const = default;
  };
  using Table = std::map<Pair, std::map<int, std::int64_t>>;
  struct Parsed {
    Table table;
    Table pending;
    Table removed;        // of a change
    std::string wrong;    // what is wrong with the whole of it; "" = nothing
    std::string dropped;  // what of it is not in the table, in words; "" = nothing
  };
  GroupOffsets(std::string path, QueueEnd end);
  static std::string encode(const Table& table, const Table& pending = {},
                            const Table& removed = {});
  static Parsed parse(std::string_view text);
  struct Drops;
  static Table table_of(const boost::json::object& offsets, Drops& drops);
  std::string take_file(std::string_view text);
  std::string take_change(std::string_view text);
  // All *_locked: REQUIRES mutex_.
  void set_table_locked(Table table);
  void put_locked(const Pair& pair, int queue, std::int64_t next, bool pending);
  void erase_locked(const Table& removed);
  std::int64_t growth_locked(const Pair& pair, int queue) const;
  std::optional<Error> check_growth_locked(const Pair& pair, int queue) const;
  std::string merge_locked(const Pair& pair, int queue, std::int64_t next, bool pending, bool& any);
  void changed_locked();
  // REQUIRES file_mutex_.
  std::optional<Error> write_all();
  std::optional<Error> write_change(const std::string& change);
  void run();

  const QueueEnd end_;
  std::mutex file_mutex_;  // taken before mutex_
  JournaledFile file_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Table table_;
  std::int64_t bytes_;   // of text(), at most
  Table pending_;        // those of table_ that the master does not know yet
  std::string dropped_;  // of the last replacement
  std::string refused_;  // of the last merge
  std::atomic<std::uint64_t> version_{1};
  bool unsaved_ = false;
  bool keep_old_ = false;  // the file, before it is written again
  bool stopping_ = false;
  std::thread saver_;  // once something was replaced
};

}  // namespace stub
