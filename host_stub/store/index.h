// What the log holds by topic and by queue: record offsets in log order. Rebuilt at open, kept up
// by every append on masters and slaves alike. A message's number is its place among those held
// now: 0 is the first, also after retention took older ones. Records above the readers' bound wait
// in a list of their own until the bound passes them: no reader is given one, none counts them.
//
// Memory: two offsets of 8 bytes a message (topic and queue), in blocks, so that old messages leave
// at the front without anything moving.
//
// Threads: readers from any; changes come from the log, one at a time. One mutex, held for a
// look-up; the index never calls the log.
#pragma once

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
#include "store/schedule_index.h"

namespace stub::store {

class Index final : public LogObserver {
 public:
  Index() : waiters_([this](auto& topic, auto queue) { return count(topic, queue); }) {}

  struct Range {
    std::vector<std::int64_t> offsets;
    std::int64_t held = 0;      // messages of the topic or queue now
    std::uint64_t version = 0;  // changes whenever numbers or offsets moved: a cut, a trim, a reset
  };
  // Offsets of messages [from, from + max).
  Range range(const std::string& topic, std::optional<std::int32_t> queue, std::int64_t from,
              std::int64_t max) const;
  std::int64_t count(const std::string& topic, std::optional<std::int32_t> queue) const;
  // The queue offset of message 0 of a queue: how many came before those held. Numbers change when
  // old messages go, and are others on a node that holds less; queue offsets are the same for ever
  // and everywhere.
  std::int64_t first_queue_offset(const std::string& topic, std::int32_t queue) const;
  // One past the queue offset of the last message that readers may see. Of a queue that holds none:
  // the queue offset of the next to come.
  std::int64_t end_queue_offset(const std::string& topic, std::int32_t queue) const;
  std::uint64_t version() const;

  struct TopicCount {
    std::string topic;
    std::int64_t messages = 0;
    std::int64_t queues = 0;
  };
  std::vector<TopicCount> topics() const;  // without the schedule's own
  bool has_topic(std::string_view topic) const;
  std::size_t topic_count() const;

  ScheduleIndex& schedule() { return schedule_; }
  MessageWaiters& waiters() { return waiters_; }

  void on_record(const RecordView& record) override;
  void on_confirm(std::int64_t limit) override;
  void on_truncate(std::int64_t new_end, const RecordLookup& look) override;
  void on_trim(std::int64_t new_min) override;
  void on_reset() override;
  std::int64_t next_queue_offset(std::string_view topic, std::int32_t queue) override;
  std::int64_t retain_from() const override { return schedule_.lowest_offset(); }

 private:
  struct Queue {
    std::deque<std::int64_t> offsets;
    std::int64_t first_queue_offset = 0;  // of offsets.front(), or of the next to come
    std::int64_t next_queue_offset = 0;   // after those that readers do not see yet, too
    bool shown = false;                   // readers were given, or could have been, one of it
  };
  struct Topic {
    std::deque<std::int64_t> offsets;
    std::map<std::int32_t, Queue> queues;
  };
  using Topics = std::map<std::string, Topic, std::less<>>;
  struct Unconfirmed {
    std::int64_t offset = 0;
    std::int64_t end = 0;
    std::int64_t queue_offset = 0;
    Topics::iterator topic;
    Queue* queue = nullptr;
  };
  static void show(std::int64_t offset, std::int64_t queue_offset, Topic& topic, Queue& queue);
  const std::deque<std::int64_t>* find(const std::string& topic,
                                       std::optional<std::int32_t> queue) const;

  mutable std::mutex mutex_;
  Topics topics_;
  std::int64_t limit_ = kNoLimit;
  std::deque<Unconfirmed> unconfirmed_;  // in log order
  std::uint64_t version_ = 0;
  ScheduleIndex schedule_;
  MessageWaiters waiters_;
};

}  // namespace stub::store
