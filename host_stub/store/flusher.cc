// SPDX-License-Identifier: Apache-2.0
#include "store/flusher.h"

#include <algorithm>
#include <chrono>
#include <future>

#include "ha/plugin.h"

namespace stub::store {

Flusher::Flusher(Log log, std::int64_t interval_ms)
    : log_(std::move(log)), interval_ms_(interval_ms) {}

void Flusher::start() {
  thread_ = std::thread([this] { run(); });
}

void Flusher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Flusher::when_durable(std::int64_t end, Done done) {
  if (log_.durable() >= end) return done(std::nullopt);
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      waiters_.push_back({end, std::move(done)});
      changed_.notify_all();
      return;
    }
  }
  done(make_error(HA_SHUTDOWN, "the log is closed; its bytes below " + std::to_string(end) +
                                   " may not be durable"));
}

std::optional<Error> Flusher::flush(std::int64_t end) {
  std::promise<std::optional<Error>> result;
  when_durable(end, [&](const std::optional<Error>& error) { result.set_value(error); });
  return result.get_future().get();
}

void Flusher::run() {
  const auto interval = std::chrono::milliseconds(interval_ms_);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, interval, [this] { return stopping_ || !waiters_.empty(); });
    const bool last = stopping_;
    awaited_ = !waiters_.empty();
    lock.unlock();
    const auto flushed = log_.flush_once();
    complete(flushed);
    lock.lock();
    if (last) break;
  }
  stopped_ = true;
  const auto rest = std::move(waiters_);
  lock.unlock();
  for (const auto& waiter : rest)
    waiter.done(make_error(HA_SHUTDOWN, "the log was closed before its bytes below " +
                                            std::to_string(waiter.end) + " were durable"));
}

void Flusher::complete(const Result<std::int64_t>& flushed) {
  const auto* error = std::get_if<Error>(&flushed);
  const std::int64_t durable = error != nullptr ? log_.durable() : std::get<std::int64_t>(flushed);
  std::vector<Waiter> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto stays = [&](const Waiter& waiter) {
      return error == nullptr && waiter.end > durable && waiter.end <= log_.end();
    };
    const auto first = std::stable_partition(waiters_.begin(), waiters_.end(), stays);
    std::move(first, waiters_.end(), std::back_inserter(ended));
    waiters_.erase(first, waiters_.end());
  }
  for (auto& waiter : ended) {
    if (waiter.end <= durable)
      waiter.done(std::nullopt);
    else if (error != nullptr)
      waiter.done(*error);
    else
      waiter.done(make_error(HA_TRUNCATED, "the log ends before " + std::to_string(waiter.end) +
                                               ": those bytes were cut off or never appended"));
  }
}

}  // namespace stub::store
