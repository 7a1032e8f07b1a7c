// SPDX-License-Identifier: Apache-2.0
// What readers are given.

#include <algorithm>
#include <thread>

#include "broker/local_broker.h"
#include "broker/names.h"

namespace stub {

LocalBroker::Read LocalBroker::read_range(const ConsumeQuery& query,
                                          const store::Index::Range& range, ConsumeResult& out) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < range.offsets.size(); ++i) {
    const std::int64_t offset = range.offsets[i];
    bool full = false;
    const bool found = log_->with_record(offset, [&](const store::RecordView& record) {
      bytes += static_cast<std::int64_t>(record.body.size());
      full = !out.messages.empty() && bytes > query.max_bytes;
      if (full) return;
      Message& message = out.messages.emplace_back();
      message.offset = offset;
      message.queue = record.queue;
      message.queue_offset = query.queue ? range.queue_offsets[i] : record.queue_offset;
      message.store_time_ms = record.store_time_ms;
      message.key = record.property("KEYS").value_or("");
      message.body = record.body;
      out.next = query.queue ? message.queue_offset + 1 : offset + record.size;
    });
    if (full) return Read::kDone;
    if (!found) {
      // The bounds move before the index does, so beyond them it is a trim or a cut under way.
      const store::LogBounds bounds = log_->bounds();
      if (offset >= bounds.min && offset < bounds.confirm) return Read::kCorrupt;
      return out.messages.empty() ? Read::kAgain : Read::kDone;
    }
    if (range.renumbered && !query.queue) {
      Message& message = out.messages.back();
      message.queue_offset = index_.queue_offset_of(query.topic, message.queue, offset);
    }
  }
  // Nothing of the topic lies between the last message and the end, so the cursor need not stay
  // there until retention overtakes it.
  if (range.all) out.next = std::max(out.next, range.end);
  return Read::kDone;
}

Result<ConsumeResult> LocalBroker::consume(const ConsumeQuery& query) {
  if (query.from.value_or(0) < 0 || query.max < 1)
    return make_error(HA_INVALID, "consume from " + std::to_string(query.from.value_or(0)) +
                                      ", at most " + std::to_string(query.max) +
                                      ": `from` must be at least 0 and `max` at least 1");
  // A RocketMQ store may hold a topic that no client could make today: it stays readable.
  if (auto wrong = check_topic_name(query.topic); wrong && !index_.has_topic(query.topic))
    return std::move(*wrong);
  if (query.topic == store::kScheduleTopic) return ConsumeResult{.next = query.from.value_or(0)};
  for (;;) {
    const store::Index::Range range = index_.range(query.topic, query.queue, query.from.value_or(0),
                                                   std::min(query.max, kMaxConsumeMessages));
    ConsumeResult out{.first = range.first, .end = range.end};
    out.next = std::max(query.from.value_or(range.first), range.first);
    if (query.from && *query.from < range.first) out.skipped = {*query.from, range.first};
    const Read read = read_range(query, range, out);
    // Offsets may stand for other records now.
    if (index_.version() != range.version) continue;
    if (read == Read::kDone) return out;
    if (read == Read::kCorrupt)
      return make_error(
          HA_INTERNAL,
          "topic '" + query.topic + "': the index names a record that the log does not hold, in [" +
              std::to_string(out.next) + ", " + std::to_string(range.end) + "); restart this node");
    std::this_thread::yield();
  }
}

std::uint64_t LocalBroker::wait_for_messages(const std::string& topic, std::optional<int> queue,
                                             std::int64_t cursor, std::function<void()> wake) {
  return index_.waiters().add(topic, queue, cursor, std::move(wake));
}

void LocalBroker::cancel_wait(std::uint64_t id) { index_.waiters().cancel(id); }

}  // namespace stub
