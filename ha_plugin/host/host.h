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
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "ha/ext/append_reserve.h"
#include "ha/ext/metadata.h"
#include "ha/ext/retention.h"
#include "ha/ext/segment_fd.h"
#include "ha/ext/state_store.h"
#include "ha/ext/thread_lifecycle.h"
#include "ha/plugin.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host_call.h"

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

// What a host hook answered, and its words if it gave any.
struct HostResult {
  core::Status status = core::Status::kOk;
  std::string text;
  bool misuse = false;  // the host broke the contract: asking again does not help
  bool ok() const { return status == core::Status::kOk; }
};

// Why a connection must end when a hook that it needs did not do its part.
inline core::Refusal to_refusal(HostResult result) {
  return {result.misuse                           ? core::Reason::kHostMisuse
          : result.status == core::Status::kEpoch ? core::Reason::kEpoch
                                                  : core::Reason::kHostError,
          std::move(result.text)};
}

class Host {
 public:
  // Copies the table (min of both sides' sizes); table and ctx live until destroy.
  Host(const ha_host_api* table, void* ctx);

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

  bool can_lend_segments() const { return segment_fd_ != nullptr; }
  core::Status acquire(core::Offset offset, std::int64_t size, ha_segment& out) const;
  void release(const ha_segment& segment) const { call_host(segment_fd_->release, ctx_, &segment); }

  bool can_reserve() const { return reserve_ != nullptr; }
  HostResult reserve(std::int64_t epoch, core::Offset offset, std::int64_t size, void*& data,
                     std::int64_t& room) const;
  // offset: the log's end, where the memory was reserved.
  HostResult commit(core::Offset offset, std::int64_t size) const;
  void drop_reservation() const { call_host(reserve_->drop, ctx_); }

  // Without the extension there is no state beside the log.
  bool has_metadata() const { return metadata_.version != nullptr; }
  std::uint64_t metadata_version() const { return call_host(metadata_.version, ctx_); }
  // IO when it is larger than HA_METADATA_MAX_BYTES.
  HostResult read_metadata(std::string& out) const;
  HostResult write_metadata(std::span<const std::byte> state) const;
  // Does the host take in what its master must hear of, and merge what its slaves did?
  bool hands_up() const { return metadata_.pending != nullptr && metadata_.merge != nullptr; }
  HostResult read_pending(std::string& out) const;
  HostResult merge_metadata(std::span<const std::byte> pending) const;

  bool can_hold() const { return retention_ != nullptr; }
  // Bytes from there on are wanted; HA_RETENTION_NOTHING = none.
  void hold(core::Offset from) const { call_host(retention_->hold, ctx_, from.bytes()); }

  // Without the extension the plugin's small state is in files.
  bool keeps_state() const { return state_store_ != nullptr; }
  // Leaves out empty when nothing was saved under that name.
  HostResult load_state(const char* name, std::string& out) const;
  HostResult save_state(const char* name, std::string_view state) const;

  void role_changed(const RoleReport& report) const;
  void replica_changed(const ha_replica_event& event) const;
  bool wants_progress() const { return api_.progress != nullptr; }
  void progress(core::Offset offset) const { call_host(api_.progress, ctx_, offset.bytes()); }

  void thread_started(const char* name) const;
  void thread_stopping(const char* name) const;

  void log(std::int32_t level, std::string_view text) const;
  void info(std::string_view text) const { log(HA_LOG_INFO, text); }
  void warn(std::string_view text) const { log(HA_LOG_WARN, text); }

 private:
  ha_host_api api_;
  void* ctx_;
  const ha_ext_segment_fd* segment_fd_ = nullptr;
  const ha_ext_append_reserve* reserve_ = nullptr;
  ha_ext_metadata metadata_{};  // has grown: a copy, without what the host lacks
  const ha_ext_retention* retention_ = nullptr;
  const ha_ext_state_store* state_store_ = nullptr;
  const ha_ext_thread_lifecycle* lifecycle_ = nullptr;

  HostResult check_end(HostResult result, const char* hook, core::Offset want) const;
  // Writes it to the host's log.
  HostResult said(HostResult misuse) const;
};

// From the ABI's two structs to core's one.
core::LogBounds to_core(const ha_bounds& bounds);

}  // namespace ha
