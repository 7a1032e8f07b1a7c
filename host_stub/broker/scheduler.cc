// SPDX-License-Identifier: Apache-2.0
#include "broker/scheduler.h"

#include <spdlog/spdlog.h>

#include <charconv>
#include <string>

#include "ha/plugin.h"

namespace stub {
namespace {

// Rebuilds what the producer wanted; false when the record does not say where it goes.
bool delivery_of(const store::RecordView& scheduled, std::int64_t now_ms, std::string& topic,
                 store::NewMessage& out) {
  const auto real_topic = scheduled.property(store::kRealTopic);
  const auto real_queue = scheduled.property(store::kRealQueue);
  if (!real_topic || !real_queue) return false;
  const char* end = real_queue->data() + real_queue->size();
  if (std::from_chars(real_queue->data(), end, out.queue).ptr != end) return false;
  topic = *real_topic;
  store::Properties properties;
  if (const auto key = scheduled.property("KEYS")) properties.emplace_back("KEYS", *key);
  properties.emplace_back(store::kSourceOffset, std::to_string(scheduled.offset));
  out.topic = topic;
  out.record = store::encode_record(topic, out.queue, scheduled.body, properties, now_ms);
  return true;
}

}  // namespace

Scheduler::Scheduler(store::CommitLog& log, store::Index& index,
                     std::function<std::int64_t()> now_ms)
    : log_(log), index_(index), now_ms_(std::move(now_ms)) {}

void Scheduler::start() {
  const std::lock_guard lock(mutex_);
  if (thread_.joinable()) return;
  stopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void Scheduler::stop() {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) return;
  stopping_ = true;
  index_.schedule().stop_waiting();
  thread_.join();
}

void Scheduler::run() {
  std::uint64_t seen = 0;
  bool refused = false;
  while (!stopping_) {
    const std::int64_t now = now_ms_();
    const auto due = index_.schedule().next();
    if (due && due->deliver_at_ms <= now && !refused) {
      refused = !deliver(*due);
      continue;
    }
    // After a refusal (a full disk) it tries again at the next change, or when the wait ends.
    index_.schedule().wait_for_due(refused ? 0 : now, seen);
    refused = false;
  }
}

bool Scheduler::deliver(const store::Due& due) {
  std::string topic;
  store::NewMessage message;
  bool whole = false;
  const bool found = log_.with_record(due.offset, [&](const store::RecordView& scheduled) {
    whole = delivery_of(scheduled, now_ms_(), topic, message);
  });
  if (!found || !whole) {
    spdlog::error("scheduled message at offset {}: its record is {}; it stays undelivered",
                  due.offset, found ? "without a topic or queue" : "not in the log");
    index_.schedule().forget(due.offset);
    return true;
  }
  const auto appended = log_.append_messages({&message, 1}, [&] {
    const auto next = index_.schedule().next();
    return next && *next == due && !stopping_;
  });
  if (!appended.error) return true;
  if (appended.error->status != HA_STATE && appended.error->status != HA_NOT_MASTER)
    spdlog::error("scheduled message at offset {}: cannot be delivered to '{}' now: {}", due.offset,
                  topic, appended.error->text);
  return false;
}

}  // namespace stub
