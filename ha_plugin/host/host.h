// SPDX-License-Identifier: Apache-2.0
// The host as the plugin calls it: the ABI's table of hooks behind C++ types, with absent members
// already dealt with.
//
// What a hook says it did is looked at where it can be, in bounds: an answer that is not true is
// the host's misuse, and is logged as such here. Not looked at are confirm, whose bound the host
// may round down to a record, and log, role_changed and the like, which answer nothing. bounds
// itself says nothing in the log: it is called at every turn.
//
// Threads: as the hooks themselves. No lock of the plugin is held during any of these calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ha/plugin.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/host/extensions.h"
#include "ha_plugin/host/host_call.h"
#include "ha_plugin/host/host_result.h"

namespace ha {

// ha_role_report in C++ types.
struct RoleReport {
  core::Role role = core::Role::kNone;
  core::Reason reason = core::Reason::kNone;
  core::Status status = core::Status::kOk;
  std::string text;
  std::int64_t epoch = 0;
  std::int64_t number = 0;
};

class Host {
 public:
  // Copies the table (min of both sides' sizes); table and ctx live until destroy.
  Host(const ha_host_api* table, void* ctx);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Where the table of this host lacks a required member: its name; else nullptr.
  static const char* missing_member(const ha_host_api& zero_filled);
  static ha_host_api copy_table(const ha_host_api* table);

  bool log_has_consensus() const { return (api_.flags & HA_HOST_LOG_HAS_CONSENSUS) != 0; }

  HostResult bounds(ha_bounds& out) const;
  HostResult record_floor(core::Offset offset, core::Offset& out) const;
  // epoch, here and below: of the master on whose word it is done; 0 = no epochs are kept.
  HostResult append(std::int64_t epoch, core::Offset offset, const void* data,
                    std::int64_t size) const;
  bool can_truncate() const { return api_.truncate != nullptr; }
  // unsafe: also below what readers may have seen.
  HostResult truncate(std::int64_t epoch, core::Offset new_end, bool unsafe = false) const;
  HostResult reset(std::int64_t epoch, core::Offset new_min) const;

  bool can_flush() const { return api_.flush != nullptr; }
  HostResult flush(core::Offset end) const;

  // Without the hook readers see whatever the log holds.
  bool can_confirm() const { return api_.confirm != nullptr; }
  HostResult confirm(std::int64_t epoch, core::Offset offset) const;

  bool can_pin() const { return api_.pin != nullptr; }
  // AGAIN when too many are out.
  core::Status pin(core::Offset offset, std::int64_t size, ha_span& out) const;
  void unpin(const ha_span& span) const { call_host(api_.unpin, ctx_, &span); }
  core::Status read(core::Offset offset, void* buffer, std::int64_t size, std::int64_t& got) const;

  void role_changed(const RoleReport& report) const;
  void replica_changed(const ha_replica_event& event) const;
  bool wants_progress() const { return api_.progress != nullptr; }
  void progress(core::Offset offset) const { call_host(api_.progress, ctx_, offset.bytes()); }

  // The extensions, each of which may be absent.
  const ext::SegmentFd& segment_fd() const { return segment_fd_; }
  const ext::AppendReserve& append_reserve() const { return append_reserve_; }
  const ext::Metadata& metadata() const { return metadata_; }
  const ext::Retention& retention() const { return retention_; }
  const ext::StateStore& state_store() const { return state_store_; }
  const ext::Coordinator& coordinator() const { return coordinator_; }
  const ext::ThreadLifecycle& thread_lifecycle() const { return thread_lifecycle_; }

  void log(std::int32_t level, std::string_view text) const;
  void info(std::string_view text) const { log(HA_LOG_INFO, text); }
  void warn(std::string_view text) const { log(HA_LOG_WARN, text); }

 private:
  ha_host_api api_;
  void* ctx_;
  const ext::SegmentFd segment_fd_;
  const ext::AppendReserve append_reserve_;
  const ext::Metadata metadata_;
  const ext::Retention retention_;
  const ext::StateStore state_store_;
  const ext::Coordinator coordinator_;
  const ext::ThreadLifecycle thread_lifecycle_;
};

// From the ABI's two structs to core's one.
core::LogBounds to_core(const ha_bounds& bounds);

}  // namespace ha
