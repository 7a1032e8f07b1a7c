// SPDX-License-Identifier: Apache-2.0
// A log that watches how its hooks are called: when, with what, and whether anything is left over.
//
// The host says which phase the instance is in; the contract says what may be called in it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "checking_host/misuses.h"
#include "memory_log.h"

namespace ha::check {

enum class Phase { kBeforeCreate, kInCreate, kCreated, kStarted, kStopped };

class CheckingLog : public test::MemoryLog {
 public:
  explicit CheckingLog(Misuses& misuses) : misuses_(misuses) {}

  void enter(Phase phase) { phase_ = phase; }
  // After stop has returned.
  void check_nothing_is_left() {
    misuses_.require(pins() == 0, "pin_kept",
                     std::to_string(pins()) + " pins are still out after stop: release them all");
  }
  // Called once inside role_changed, on a plugin thread.
  void on_next_role(std::function<void()> action) { action_ = std::move(action); }

  std::int32_t bounds(ha_bounds& out) override {
    started_only("bounds");
    return MemoryLog::bounds(out);
  }
  std::int32_t record_floor(std::int64_t offset, std::int64_t& out) override {
    started_only("record_floor");
    return MemoryLog::record_floor(offset, out);
  }
  std::int32_t read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) override {
    started_only("read");
    check_size("read", static_cast<std::int64_t>(buffer.size()));
    return MemoryLog::read(offset, buffer, got);
  }
  std::int32_t pin(std::int64_t offset, std::int64_t size, ha_span& out) override {
    started_only("pin");
    check_size("pin", size);
    const std::int32_t status = MemoryLog::pin(offset, size, out);
    const std::lock_guard lock(mutex_);
    if (status == HA_OK) pinned_[out.token] = out;
    return status;
  }
  void unpin(const ha_span& span) override {
    started_only("unpin");
    {
      const std::lock_guard lock(mutex_);
      const auto at = pinned_.find(span.token);
      const bool same =
          at != pinned_.end() && at->second.data == span.data && at->second.size == span.size;
      misuses_.require(same, "unpin_of_unknown",
                       "unpin gave back a span that was not lent, or not as it was lent");
      if (at == pinned_.end()) return;
      pinned_.erase(at);
    }
    MemoryLog::unpin(span);
  }
  std::int32_t append(std::int64_t epoch, std::int64_t offset, std::span<const std::byte> data,
                      Error& error) override {
    // The host's own appends come through here too, from its own thread.
    if (!host_appends_) {
      started_only("append");
      check_size("append", static_cast<std::int64_t>(data.size()));
      misuses_.require(
          offset == end(), "append_not_at_end",
          "append at " + std::to_string(offset) + ", the log ends at " + std::to_string(end()));
      misuses_.require(epoch == 0, "unknown_epoch",
                       "append with epoch " + std::to_string(epoch) + " in a log without epochs");
    }
    return MemoryLog::append(epoch, offset, data, error);
  }
  void role_changed(const ha_role_report& report) override {
    started_only("role_changed");
    misuses_.require(report.struct_size >= offsetof(ha_role_report, text) + sizeof(report.text),
                     "short_report", "role_changed came with a struct_size that ends before text");
    misuses_.require(report.text != nullptr, "null_text", "role_changed came without a text");
    misuses_.require(!in_role_changed_.exchange(true), "role_changed_overlaps",
                     "role_changed was called while another call of it ran");
    if (action_) std::exchange(action_, nullptr)();
    in_role_changed_ = false;
    MemoryLog::role_changed(report);
  }
  void replica_changed(const ha_replica_event& event) override {
    started_only("replica_changed");
    misuses_.require(event.id != nullptr && event.address != nullptr, "null_text",
                     "replica_changed came without id or address");
    MemoryLog::replica_changed(event);
  }
  void log(std::int32_t level, std::string_view text) override {
    if (phase_ == Phase::kStopped) started_only("log");  // allowed from create on
    misuses_.require(text.find('\n') == std::string_view::npos, "log_with_newline",
                     "a log text has more than one line: " + std::string(text));
    misuses_.require(level >= HA_LOG_DEBUG && level <= HA_LOG_PLUGIN_MISUSE, "log_level",
                     "log level " + std::to_string(level) + " is none of HA_LOG_*");
    misuses_.require(level != HA_LOG_HOST_MISUSE, "host_blamed",
                     "the plugin blames this host, which keeps the rules: " + std::string(text));
    MemoryLog::log(level, text);
  }

  std::int64_t produce_here(std::string_view line) {
    host_appends_ = true;
    const std::int64_t end = produce(line);
    host_appends_ = false;
    return end;
  }

 private:
  void started_only(const char* hook) {
    misuses_.require(
        phase_ != Phase::kStopped, "call_after_stop",
        std::string(hook) + " was called after stop had returned: the host may be gone");
    misuses_.require(phase_ == Phase::kStarted || phase_ == Phase::kStopped, "call_before_start",
                     std::string(hook) + " was called before start: create may only log");
  }
  void check_size(const char* hook, std::int64_t size) {
    misuses_.require(size > 0, "bad_size",
                     std::string(hook) + " asked for " + std::to_string(size) + " bytes");
  }

  Misuses& misuses_;
  std::atomic<Phase> phase_{Phase::kBeforeCreate};
  std::atomic<bool> in_role_changed_{false};
  inline static thread_local bool host_appends_ = false;
  std::function<void()> action_;  // set before the role change that runs it
  std::mutex mutex_;
  std::map<std::uint64_t, ha_span> pinned_;
};

}  // namespace ha::check
