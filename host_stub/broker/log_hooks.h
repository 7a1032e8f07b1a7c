// SPDX-License-Identifier: Apache-2.0
// What the plugin may do with the stub's log: the storage hooks, mapped onto CommitLog, and the
// extensions segment-fd, append-reserve, metadata (consumers' offsets, the master's address),
// retention and thread-lifecycle.
//
// Threads: the plugin's. Nothing here waits but for the log's own locks; role_changed is handed on
// to whoever gave it, on the plugin's thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "broker/group_offsets.h"
#include "broker/metadata.h"
#include "broker/newest_epoch.h"
#include "ha/host_hooks.hpp"
#include "ha/loader.hpp"
#include "store/commit_log.h"

namespace stub {

class LogHooks final : public ha::HostHooks {
 public:
  using RoleChanged = std::function<void(const ha_role_report&)>;

  LogHooks(store::CommitLog& log, store::Index& index, GroupOffsets& groups, NewestEpoch& epochs,
           MasterBoard& board, Metadata::Followed followed, bool consensus_log,
           RoleChanged role_changed)
      : log_(log),
        epochs_(epochs),
        groups_(groups),
        board_(board),
        metadata_(log, index, groups, board, std::move(followed)),
        consensus_log_(consensus_log),
        role_changed_(std::move(role_changed)) {}

  std::uint32_t flags() const override { return consensus_log_ ? HA_HOST_LOG_HAS_CONSENSUS : 0; }
  std::int32_t bounds(ha_bounds& out) override;
  std::int32_t record_floor(std::int64_t offset, std::int64_t& out) override;
  std::int32_t read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) override;
  std::int32_t append(std::int64_t epoch, std::int64_t offset, std::span<const std::byte> data,
                      ha::Error& error) override;
  // Reasons and events are numbers at this boundary; the plugin that made them has their names.
  // REQUIRES: before an instance is created.
  void take_names_from(const ha::Plugin& plugin) { plugin_ = plugin; }
  void log_role(const ha_role_report& report) const;

  void role_changed(const ha_role_report& report) override;
  void log(std::int32_t level, std::string_view text) override;

  std::int32_t pin(std::int64_t offset, std::int64_t size, ha_span& out) override;
  void unpin(const ha_span& span) override;
  std::int32_t truncate(std::int64_t epoch, std::int64_t new_end, std::uint32_t truncate_flags,
                        ha::Error& error) override;
  std::int32_t reset(std::int64_t epoch, std::int64_t new_min, ha::Error& error) override;
  std::int32_t flush(std::int64_t end, ha::Error& error) override;
  std::int32_t confirm(std::int64_t epoch, std::int64_t offset) override;
  void replica_changed(const ha_replica_event& event) override;

  std::int32_t acquire_segment(std::int64_t offset, std::int64_t size, ha_segment& out) override;
  void release_segment(const ha_segment& segment) override;

  std::int32_t reserve(std::int64_t epoch, std::int64_t offset, std::int64_t size, void*& data,
                       std::int64_t& room, ha::Error& error) override;
  std::int32_t commit_reserved(std::int64_t size, ha::Error& error) override;
  void drop_reserved() override;

  std::uint64_t metadata_version() override { return metadata_.version(); }
  std::string read_metadata() override { return metadata_.read(); }
  std::int32_t write_metadata(std::string_view state, ha::Error& error) override;
  std::string pending_metadata() override { return groups_.pending_text(); }
  std::int32_t merge_metadata(std::string_view pending, ha::Error& error) override;

  void hold_retention(std::int64_t offset) override { log_.hold_from(offset); }

  void thread_started(const char* name) override;
  void thread_stopping(const char* name) override;

 private:
  store::CommitLog& log_;
  NewestEpoch& epochs_;
  GroupOffsets& groups_;
  MasterBoard& board_;
  Metadata metadata_;
  const bool consensus_log_;
  const RoleChanged role_changed_;
  std::atomic<bool> master_{false};
  std::optional<ha::Plugin> plugin_;
};

}  // namespace stub
