// SPDX-License-Identifier: Apache-2.0
// What the log holds by topic and by queue: record offsets in log order. Rebuilt at open, kept up
// by every append on masters and slaves alike. Records above the readers' bound wait in a list of
// their own until the bound passes them: no reader is given one, none counts them.
//
// Cursors say where a reader stands, and mean the same on every node at every time. In a queue it
// is a queue offset, in a whole topic a log offset. Both outlive the messages they point at.
//
// Counters: a queue goes on where it was, also when retention has taken its last message. They are
// kept beside the log (queue_counters.h) from before the first message goes.
//
// Memory: two offsets of 8 bytes a message (topic and queue), in blocks, so that old messages leave
// at the front without anything moving.
//
// Threads: readers from any; changes come from the log, one at a time. One mutex, held for a
// look-up; the index never calls the log. Walks over all queues let the mutex go now and then, and
// give way to the log. What has been trimmed is taken off a queue when it is next looked at.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/log_observer.h"
#include "store/message_waiters.h"
#include "store/queue_counters.h"
#include "store/queue_messages.h"
#include "store/schedule_index.h"

namespace stub::store {

// Topics and queues that a walk looks at before it lets others have the mutex.
inline constexpr std::size_t kQueuesPerLook = 512;

class Index final : public LogObserver {
 public:
  // counters: outlives the index; null = they end with the process.
  explicit Index(QueueCounterStore* counters = nullptr);

  struct Range {
    std::vector<std::int64_t> offsets;
    std::vector<std::int64_t> queue_offsets;  // beside them, when a queue was asked for
    std::int64_t first = 0;                   // cursor of the first held: nothing is missing above
    std::int64_t end = 0;                     // cursor: one past the last that readers may see
    bool all = true;                          // no message that readers may see comes after these
    bool renumbered = false;                  // the records' own queue offsets do not count
    std::uint64_t version = 0;  // changes whenever offsets moved: a cut, a trim, a reset
  };
  // The messages at or above the cursor, at most max.
  Range range(const std::string& topic, std::optional<std::int32_t> queue, std::int64_t from,
              std::int64_t max);
  // Messages that readers may see.
  std::int64_t count(const std::string& topic, std::optional<std::int32_t> queue);
  // Queue offset of the first message held; where there is none, of the next to come.
  std::int64_t first_queue_offset(const std::string& topic, std::int32_t queue);
  // One past the queue offset of the last message that readers may see. Of a queue that holds none:
  // the queue offset of the next to come.
  std::int64_t end_queue_offset(const std::string& topic, std::int32_t queue);
  // Of the message at that log offset, which the queue holds.
  std::int64_t queue_offset_of(std::string_view topic, std::int32_t queue, std::int64_t offset);
  // A message at or above the cursor is there for readers.
  bool reaches(const std::string& topic, std::optional<std::int32_t> queue, std::int64_t cursor);
  std::uint64_t version() const;

  struct TopicCount {
    std::string topic;
    std::int64_t messages = 0;
    std::int64_t queues = 0;
  };
  // Without the schedule's own. between: called whenever the mutex is let go, for tests.
  std::vector<TopicCount> topics(const std::function<void()>& between = nullptr);
  bool has_topic(std::string_view topic) const;
  std::size_t topic_count() const;

  // For a node whose log begins at `at` or above: the queues of which it sees no record, and those
  // whose numbers are not the recorded ones.
  QueueCounters counters_from(std::int64_t at) { return collect(at, Which::kNotInRecords); }
  // Of another node with the same log.
  void learn(const QueueCounters& counters);

  ScheduleIndex& schedule() { return schedule_; }
  MessageWaiters& waiters() { return waiters_; }

  void on_begin(std::int64_t min) override;
  void on_record(const RecordView& record) override;
  void on_digest(const Digest& digest) override;
  void on_confirm(std::int64_t limit) override;
  void on_truncate(std::int64_t new_end, const RecordLookup& look) override;
  void on_trim(std::int64_t new_min) override;
  void on_reset(std::int64_t new_min) override;
  std::optional<Error> before_trim(std::int64_t new_min) override;
  void after_trim() override;
  std::int64_t next_queue_offset(std::string_view topic, std::int32_t queue) override;
  std::int64_t retain_from() const override { return schedule_.lowest_offset(); }

 private:
  struct Queue : QueueMessages {
    std::int32_t number = 0;
    bool shown = false;  // readers were given, or could have been, one of it
  };
  struct Topic {
    std::deque<std::int64_t> offsets;
    std::map<std::int32_t, Queue> queues;
    std::int64_t shown_queues = 0;
    bool renumbered = false;
  };
  using Topics = std::map<std::string, Topic, std::less<>>;
  struct Unconfirmed {
    std::int64_t offset = 0;
    std::int64_t end = 0;
    std::int64_t queue_offset = 0;
    std::int64_t recorded = 0;
    std::int64_t last_before = 0;  // of the queue
    Topics::iterator topic;
    Queue* queue = nullptr;
  };
  // The log's hold on the mutex: walks give way to it.
  class LogLock;
  enum class Which { kAll, kNotInRecords };

  // All below: REQUIRES the mutex, unless it says otherwise.
  struct Place {
    Topics::iterator topic;
    Queue* queue = nullptr;
  };
  Place place_of(std::string_view topic, std::int32_t queue);
  // Takes a record in; true when readers see it at once.
  bool take(Place place, std::int64_t offset, std::int64_t end, std::int64_t recorded);
  static void show(const Unconfirmed& record);
  std::int64_t readable_end() const { return std::min(limit_, end_); }
  void trim(Topic& topic);
  Topic* find(std::string_view topic);
  Queue* find(std::string_view topic, std::int32_t queue);
  // Takes what was learned into the queues, as far as the log has got there.
  void apply_learned(std::int64_t reached);
  // Where a queue begins that has no record here.
  std::int64_t begin_of(std::string_view topic, std::int32_t queue) const;

  // Take the mutex: use for each topic in turn; between, see topics.
  void each_topic(const std::function<void(const std::string&, Topic&)>& use,
                  const std::function<void()>& between = nullptr);
  QueueCounters collect(std::int64_t at, Which which);
  // REQUIRES the counters' mutex.
  std::optional<Error> save(std::int64_t at);

  QueueCounterStore* const counters_;
  std::mutex counters_mutex_;   // taken before mutex_; held while counters are stored
  std::int64_t saved_min_ = 0;  // what is stored covers the records below
  std::atomic<bool> unsaved_{false};

  mutable std::mutex mutex_;
  std::atomic<int> log_waits_{0};  // how many wait for the mutex on the log's behalf
  Topics topics_;
  std::int64_t min_ = 0;
  std::int64_t end_ = 0;  // of the last whole record
  std::int64_t limit_ = kNoLimit;
  std::deque<Unconfirmed> unconfirmed_;  // in log order
  std::uint64_t version_ = 0;
  std::int64_t unknown_ = 0;              // where queues begin of which nothing is known
  std::optional<QueueCounters> learned_;  // what is not applied yet
  ScheduleIndex schedule_;
  MessageWaiters waiters_;
};

}  // namespace stub::store
