// SPDX-License-Identifier: Apache-2.0
// A wait whose callback is watched: on which thread it runs, when, and how often.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "checking_host/misuses.h"
#include "ha/loader.hpp"

namespace ha::check {

class WatchedWait {
 public:
  explicit WatchedWait(Misuses& misuses) : misuses_(misuses) {}

  // A callback that comes too late must still find memory: waits are never destroyed before the
  // plugin is, so the caller keeps them in a list.
  std::int32_t begin(const ha_plugin_api& api, ha_instance* instance, std::int64_t end,
                     std::int32_t acks, std::chrono::nanoseconds timeout) {
    ha_wait_request request{};
    request.struct_size = sizeof(request);
    request.acks = acks;
    request.end = end;
    request.timeout_ns = timeout.count();
    request.fn = on_done;
    request.user = this;
    end_ = end;
    caller_ = std::this_thread::get_id();
    const std::int32_t status = api.wait_replicated(instance, &request);
    const std::lock_guard lock(mutex_);
    answer_ = status;
    misuses_.require(!(calls_ > 0 && status != HA_OK), "callback_after_refusal",
                     "wait_replicated returned " + std::to_string(status) +
                         " and its callback ran all the same: only OK promises one");
    answered_ = true;
    return status;
  }

  bool finished(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, patience, [this] { return calls_ > 0; });
  }

  // After stop.
  void check_completed() {
    const std::lock_guard lock(mutex_);
    misuses_.require(!(answered_ && answer_ == HA_OK && calls_ == 0), "callback_lost",
                     "a wait that was accepted had no callback when stop returned: stop completes "
                     "all with SHUTDOWN");
  }

  std::int32_t status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  static void on_done(void* user, std::int32_t status, std::int64_t end) noexcept {
    static_cast<WatchedWait*>(user)->done(status, end);
  }

  void done(std::int32_t status, std::int64_t end) {
    const std::lock_guard lock(mutex_);
    ++calls_;
    status_ = status;
    misuses_.require(
        std::this_thread::get_id() != caller_, "callback_inline",
        "a wait's callback ran on the thread that called wait_replicated: hosts call it "
        "under their log lock");
    misuses_.require(calls_ == 1, "callback_twice",
                     "a wait's callback ran " + std::to_string(calls_) + " times");
    misuses_.require(!(answered_ && answer_ != HA_OK), "callback_after_refusal",
                     "the callback of a refused wait ran: only OK promises one");
    misuses_.require(
        end == end_, "callback_end",
        "a wait for " + std::to_string(end_) + " was answered for " + std::to_string(end));
    misuses_.require(status == HA_OK || status == HA_FLUSH_SLAVE_TIMEOUT ||
                         status == HA_NOT_MASTER || status == HA_EPOCH || status == HA_SHUTDOWN,
                     "callback_status", "a wait ended with status " + std::to_string(status));
    done_.notify_all();
  }

  Misuses& misuses_;
  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::int64_t end_ = 0;
  std::thread::id caller_;
  bool answered_ = false;
  std::int32_t answer_ = 0;
  std::int32_t status_ = 0;
  int calls_ = 0;
};

}  // namespace ha::check
