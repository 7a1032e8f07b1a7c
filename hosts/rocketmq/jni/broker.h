// SPDX-License-Identifier: Apache-2.0
// A RocketMQ broker as a host of the plugin: its commit log, and the producers that wait.
//
// Threads: the hooks as ha/plugin.h says. start, stop and what is named set_... one at a time, the
// rest from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "ha/host_hooks.hpp"
#include "ha/loader.hpp"
#include "hosts/rocketmq/jni/completions.h"
#include "hosts/rocketmq/jni/java_store.h"
#include "hosts/rocketmq/jni/jvm.h"
#include "hosts/rocketmq/jni/segment_files.h"

namespace ha::rocketmq {

// The plugin said no: what() is its sentence.
class Refused final : public std::runtime_error {
 public:
  explicit Refused(const Error& error) : std::runtime_error(error.text), status_(error.status) {}
  std::int32_t status() const { return status_; }

 private:
  std::int32_t status_;
};

class Broker final : public HostHooks {
 public:
  // This and what returns nothing, or a text, throw Refused.
  Broker(JNIEnv* env, jobject bridge, const std::string& plugin,
         const std::vector<Option>& options);

  // Before start or after stop. Cuts to the last end of a record at or below that offset; which
  // one.
  std::int64_t cut_to_record(std::int64_t offset);
  void start(std::int32_t role, const std::string& master);
  void set_role(const RoleRequest& request);
  void set_master_address(const std::string& address);
  void set_option(const std::string& key, const std::string& value);
  void stop(std::int64_t drain_ms);

  void notify(std::int64_t end);
  std::int32_t check_acks(std::int32_t acks) { return plugin_->check_acks(acks); }
  // `request.end` as given to notify.
  std::int32_t wait(const WaitRequest& request, std::int32_t slot);
  std::int32_t drain(std::span<Completions::One> into) { return completions_.take(into); }
  Result<Snapshot> snapshot() const { return plugin_->snapshot(); }
  // What slaves are to have beside the log.
  void set_metadata(std::string state);
  std::string status_json() const;
  std::string metrics_text() const;
  std::string status_name(std::int32_t status) const;  // such as "NOT_MASTER"

  // HostHooks.
  std::int32_t bounds(ha_bounds& out) override;
  std::int32_t record_floor(std::int64_t offset, std::int64_t& out) override;
  std::int32_t read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) override;
  std::int32_t pin(std::int64_t offset, std::int64_t size, ha_span& out) override;
  void unpin(const ha_span& span) override;
  std::int32_t append(std::int64_t epoch, std::int64_t offset, std::span<const std::byte> data,
                      Error& error) override;
  std::int32_t truncate(std::int64_t epoch, std::int64_t new_end, std::uint32_t flags,
                        Error& error) override;
  std::int32_t reset(std::int64_t epoch, std::int64_t new_min, Error& error) override;
  std::int32_t flush(std::int64_t end, Error& error) override;
  std::int32_t confirm(std::int64_t epoch, std::int64_t offset) override;
  std::uint64_t metadata_version() override { return metadata_version_.load(); }
  std::string read_metadata() override;
  std::int32_t write_metadata(std::string_view state, Error& error) override;
  void role_changed(const ha_role_report& report) override;
  void log(std::int32_t level, std::string_view text) override { java_.log(level, text); }
  void thread_started(const char* name) override { attach_thread(name); }
  void thread_stopping(const char*) override { detach_thread(); }

 private:
  using Segment = SegmentFiles::Segment;

  std::int32_t lend(std::int64_t offset, std::int64_t size, Segment& out, std::int64_t& got);
  std::int32_t append_piece(std::int64_t offset, std::span<const std::byte> data, Error& error);
  void cut(std::int64_t new_end, Error& error);
  // Wipes what a failed wipe left behind. Returns false if it fails again.
  bool wipe_rest(Error& error);
  std::int32_t write_again(const SegmentFile& segment, std::int64_t from, Error& error);
  void ended(std::int32_t slot, std::int32_t status) noexcept;

  JavaStore java_;
  const std::int64_t segment_size_;
  SegmentFiles files_;
  // Where a record ends: the end that RocketMQ's recovery found.
  std::atomic<std::int64_t> recovered_;
  std::atomic<std::int64_t> synced_{0};  // by flush
  bool sync_failed_ = false;             // flush's: what lies above synced_ may be lost
  std::mutex cutting_;                   // the log; nothing is written again meanwhile
  std::atomic<std::int64_t> cuts_{0};    // written under cutting_
  std::atomic<bool> unwiped_{false};     // old bytes lie above the log's end
  Completions completions_;
  std::atomic<std::int64_t> waiting_{0};
  std::atomic<std::int64_t> appended_{0};  // notify's
  std::atomic_flag notifying_;
  std::mutex metadata_mutex_;
  std::string metadata_;
  std::atomic<std::uint64_t> metadata_version_{0};
  std::optional<Plugin> library_;
  std::optional<Instance> plugin_;  // last: it calls the rest until it is gone
};

}  // namespace ha::rocketmq
