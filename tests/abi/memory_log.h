// SPDX-License-Identifier: Apache-2.0
// A host for tests: a log in memory whose records are lines, and everything that the plugin told
// it.
//
// Threads: all methods from any thread; expect() blocks until its condition holds or kPatience is
// over.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ha/host_hooks.hpp"

namespace ha::test {

class MemoryLog : public HostHooks {
 public:
  static constexpr std::int64_t kSegmentBytes = std::int64_t{4} << 20;
  static constexpr std::chrono::seconds kPatience{30};  // for machines that build at the same time

  struct Role {
    std::int32_t role;
    std::int32_t status;
    std::int64_t number;
  };

  explicit MemoryLog(std::uint32_t flags = 0)
      : flags_(flags), bytes_(std::make_unique<char[]>(kSegmentBytes)) {}

  std::uint32_t flags() const override { return flags_; }

  std::int32_t bounds(ha_bounds& out) override {
    const std::lock_guard lock(mutex_);
    out = {0, end_, end_, end_, kSegmentBytes};
    return HA_OK;
  }
  std::int32_t record_floor(std::int64_t offset, std::int64_t& out) override {
    const std::lock_guard lock(mutex_);
    if (offset < 0 || offset > end_) return HA_RANGE;
    while (offset > 0 && bytes_[static_cast<std::size_t>(offset - 1)] != '\n') --offset;
    out = offset;
    return HA_OK;
  }
  std::int32_t read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) override {
    const std::lock_guard lock(mutex_);
    if (offset < 0 || offset >= end_) return HA_RANGE;
    got = std::min(static_cast<std::int64_t>(buffer.size()), end_ - offset);
    std::memcpy(buffer.data(), bytes_.get() + offset, static_cast<std::size_t>(got));
    return HA_OK;
  }
  std::int32_t pin(std::int64_t offset, std::int64_t size, ha_span& out) override {
    const std::lock_guard lock(mutex_);
    if (offset < 0 || offset >= end_) return HA_RANGE;
    out = {bytes_.get() + offset, std::min(size, end_ - offset), ++pins_made_};
    ++pins_;
    return HA_OK;
  }
  void unpin(const ha_span&) override {
    const std::lock_guard lock(mutex_);
    --pins_;
  }
  std::int32_t append(std::int64_t, std::int64_t offset, std::span<const std::byte> data,
                      Error& error) override {
    const std::lock_guard lock(mutex_);
    if (offset != end_) return HA_RANGE;
    const auto size = static_cast<std::int64_t>(data.size());
    if (size > kSegmentBytes - end_) {
      error = {HA_IO, ENOSPC, "the memory log is full"};
      return HA_IO;
    }
    std::memcpy(bytes_.get() + end_, data.data(), data.size());
    end_ += size;
    changed_.notify_all();
    return HA_OK;
  }
  std::int32_t truncate(std::int64_t, std::int64_t new_end, std::uint32_t, Error&) override {
    const std::lock_guard lock(mutex_);
    if (new_end < 0 || new_end > end_) return HA_RANGE;
    if (pins_ > 0) return HA_AGAIN;
    end_ = new_end;
    return HA_OK;
  }
  void role_changed(const ha_role_report& report) override {
    const std::lock_guard lock(mutex_);
    roles_.push_back({report.role, report.status, report.number});
    changed_.notify_all();
  }
  void replica_changed(const ha_replica_event& event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event.event);
    changed_.notify_all();
  }
  void log(std::int32_t level, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::to_string(level) + " " + std::string(text));
  }

  // The host's own append; returns the new end, -1 when the log is full.
  std::int64_t produce(std::string_view line) {
    Error error;
    const std::int64_t at = end();
    if (append(0, at, std::as_bytes(std::span(line)), error) != HA_OK) return -1;
    return at + static_cast<std::int64_t>(line.size());
  }

  std::int64_t end() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }
  int pins() const {
    const std::lock_guard lock(mutex_);
    return pins_;
  }
  std::string content() const {
    const std::lock_guard lock(mutex_);
    return {bytes_.get(), static_cast<std::size_t>(end_)};
  }
  std::vector<Role> roles() const {
    const std::lock_guard lock(mutex_);
    return roles_;
  }
  std::string lines() const {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const std::string& line : lines_) all += line + "\n";
    return all;
  }

  // false when patience ran out first.
  bool expect_roles(std::size_t count, std::chrono::milliseconds patience = kPatience) {
    return expect([&] { return roles_.size() >= count; }, patience);
  }
  bool expect_event(std::int32_t event, std::chrono::milliseconds patience = kPatience) {
    return expect([&] { return std::find(events_.begin(), events_.end(), event) != events_.end(); },
                  patience);
  }
  bool expect_end(std::int64_t end, std::chrono::milliseconds patience = kPatience) {
    return expect([&] { return end_ >= end; }, patience);
  }

 private:
  template <class Condition>
  bool expect(Condition&& condition, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, condition);
  }

  const std::uint32_t flags_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  const std::unique_ptr<char[]> bytes_;  // never moves: pins point into it
  std::int64_t end_ = 0;
  int pins_ = 0;
  std::uint64_t pins_made_ = 0;
  std::vector<Role> roles_;
  std::vector<std::int32_t> events_;
  std::vector<std::string> lines_;
};

}  // namespace ha::test
