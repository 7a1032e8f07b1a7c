// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/host.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "ha_plugin/host/host_call.h"
#include "metrics/names.h"

namespace ha {
namespace {

// A code that this version does not know is INTERNAL (the ABI's rule for receivers).
core::Status known(std::int32_t status) {
  if (status > HA_DONE || status < HA_IN_SYNC_REPLICAS_NOT_ENOUGH) return core::Status::kInternal;
  return static_cast<core::Status>(status);
}

// least: up to where a table must reach to be that extension. A shorter one is not.
template <class Extension>
const Extension* extension(const ha_host_api& api, void* ctx, const char* id,
                           std::size_t least = sizeof(Extension)) {
  if (api.get_extension == nullptr) return nullptr;
  const auto* ext = static_cast<const Extension*>(api.get_extension(ctx, id));
  return ext != nullptr && ext->struct_size >= least ? ext : nullptr;
}

ha_ext_metadata metadata_of(const ha_host_api& api, void* ctx) {
  ha_ext_metadata copy{};
  const auto* given =
      extension<ha_ext_metadata>(api, ctx, HA_EXT_METADATA, offsetof(ha_ext_metadata, pending));
  if (given != nullptr) {
    std::memcpy(&copy, given, std::min<std::size_t>(sizeof(copy), given->struct_size));
  }
  return copy;
}

HostResult result_of(std::int32_t status, const ha_error& error, const char* hook) {
  HostResult result{known(status), {}, false};
  if (status == HA_OK) return result;
  result.text = std::string("host hook '") + hook + "' answered " + metrics::status_name(status);
  const std::size_t length = strnlen(error.text, sizeof(error.text));
  if (length > 0) result.text += ": " + std::string(error.text, length);
  if (error.os_errno != 0) {
    char words[128];
    result.text += std::string(" (") + strerror_r(error.os_errno, words, sizeof(words)) + ")";
  }
  return result;
}

std::string text(std::int64_t n) { return std::to_string(n); }

// What breaks the contract. Whatever followed from believing it would be wrong.
HostResult misuse(const std::string& what) { return {core::Status::kInternal, what, true}; }

ha_error empty_error() {
  ha_error error{};
  error.struct_size = sizeof(error);
  return error;
}

// A sink that fills a std::string.
template <std::size_t Most>
std::int32_t pour_into(void* user, const char* text, std::int64_t size) noexcept {
  auto& to = *static_cast<std::string*>(user);
  if (size < 0 || to.size() + static_cast<std::size_t>(size) > Most) return 1;
  to.append(text, static_cast<std::size_t>(size));
  return 0;
}

}  // namespace

ha_host_api Host::copy_table(const ha_host_api* table) {
  ha_host_api copy{};
  const std::size_t size = std::min<std::size_t>(sizeof(copy), table->struct_size);
  std::memcpy(&copy, table, size);
  copy.struct_size = static_cast<std::uint32_t>(size);
  return copy;
}

const char* Host::missing_member(const ha_host_api& api) {
  if (api.bounds == nullptr) return "bounds";
  if (api.record_floor == nullptr) return "record_floor";
  if (api.read == nullptr) return "read";
  if ((api.pin == nullptr) != (api.unpin == nullptr)) return api.pin == nullptr ? "pin" : "unpin";
  if (api.append == nullptr) return "append";
  if (api.role_changed == nullptr) return "role_changed";
  if (api.log == nullptr) return "log";
  return nullptr;
}

Host::Host(const ha_host_api* table, void* ctx)
    : api_(copy_table(table)),
      ctx_(ctx),
      segment_fd_(extension<ha_ext_segment_fd>(api_, ctx, HA_EXT_SEGMENT_FD)),
      reserve_(extension<ha_ext_append_reserve>(api_, ctx, HA_EXT_APPEND_RESERVE)),
      metadata_(metadata_of(api_, ctx)),
      retention_(extension<ha_ext_retention>(api_, ctx, HA_EXT_RETENTION)),
      state_store_(extension<ha_ext_state_store>(api_, ctx, HA_EXT_STATE_STORE)),
      lifecycle_(extension<ha_ext_thread_lifecycle>(api_, ctx, HA_EXT_THREAD_LIFECYCLE)) {}

HostResult Host::bounds(ha_bounds& out) const {
  out = {};
  HostResult result = result_of(call_host(api_.bounds, ctx_, &out), empty_error(), "bounds");
  if (result.ok() && (out.segment_size <= 0 || out.min < 0 || out.end < out.min)) {
    result = misuse("host hook 'bounds' answered min " + text(out.min) + ", end " + text(out.end) +
                    ", segment_size " + text(out.segment_size) +
                    ": they must fulfil 0 <= min <= end and segment_size > 0");
  }
  // Waits end by it, so nothing is made of a value that cannot be.
  out.durable = std::clamp(out.durable, out.min, std::max(out.min, out.end));
  return result;
}

HostResult Host::record_floor(core::Offset offset, core::Offset& out) const {
  std::int64_t floor = 0;
  HostResult result = result_of(call_host(api_.record_floor, ctx_, offset.bytes(), &floor),
                                empty_error(), "record_floor");
  if (result.ok() && (floor < 0 || floor > offset.bytes())) {
    result = said(misuse("host hook 'record_floor' answered " + text(floor) + " for " +
                         text(offset.bytes()) + ": it must be at or below"));
  }
  out = core::Offset(floor);
  return result;
}

// A hook that answers OK and does nothing, as one in another language that failed half-way may,
// must not become an ack: so the log is looked at before anything is made of the answer.
HostResult Host::check_end(HostResult result, const char* hook, core::Offset want) const {
  if (!result.ok()) return result;
  ha_bounds now{};
  if (HostResult r = bounds(now); !r.ok()) return r;
  if (now.end == want.bytes()) return result;
  return said(misuse("host hook '" + std::string(hook) + "' answered OK, but the log ends at " +
                     text(now.end) + " and not at " + text(want.bytes()) +
                     ": a hook that cannot do what it was asked must answer an error"));
}

HostResult Host::said(HostResult misuse) const {
  log(HA_LOG_HOST_MISUSE, misuse.text);
  return misuse;
}

HostResult Host::append(std::int64_t epoch, core::Offset offset, const void* data,
                        std::int64_t size) const {
  ha_error error = empty_error();
  const std::int32_t status =
      call_host(api_.append, ctx_, epoch, offset.bytes(), data, size, &error);
  return check_end(result_of(status, error, "append"), "append", offset + size);
}

HostResult Host::truncate(std::int64_t epoch, core::Offset new_end, bool unsafe) const {
  if (api_.truncate == nullptr) {
    return {core::Status::kUnsupported,
            "the host has no hook 'truncate' to cut the log to " + std::to_string(new_end.bytes())};
  }
  ha_error error = empty_error();
  const std::int32_t status = call_host(api_.truncate, ctx_, epoch, new_end.bytes(),
                                        unsafe ? HA_TRUNCATE_UNSAFE : 0, &error);
  return check_end(result_of(status, error, "truncate"), "truncate", new_end);
}

HostResult Host::reset(std::int64_t epoch, core::Offset new_min) const {
  if (api_.reset == nullptr) {
    return {core::Status::kUnsupported,
            "the master's log starts at " + std::to_string(new_min.bytes()) +
                " and the host has no hook 'reset' to start this empty log there"};
  }
  ha_error error = empty_error();
  HostResult result = check_end(
      result_of(call_host(api_.reset, ctx_, epoch, new_min.bytes(), &error), error, "reset"),
      "reset", new_min);
  ha_bounds now{};
  if (!result.ok() || !bounds(now).ok() || now.min == new_min.bytes()) return result;
  return said(misuse("host hook 'reset' answered OK, but the log begins at " + text(now.min) +
                     " and not at " + text(new_min.bytes())));
}

HostResult Host::flush(core::Offset end) const {
  ha_error error = empty_error();
  return result_of(call_host(api_.flush, ctx_, end.bytes(), &error), error, "flush");
}

HostResult Host::confirm(std::int64_t epoch, core::Offset offset) const {
  return result_of(call_host(api_.confirm, ctx_, epoch, offset.bytes()), empty_error(), "confirm");
}

core::Status Host::pin(core::Offset offset, std::int64_t size, ha_span& out) const {
  const core::Status status = known(call_host(api_.pin, ctx_, offset.bytes(), size, &out));
  if (status != core::Status::kOk || (out.data != nullptr && out.size >= 1)) return status;
  return said(misuse("host hook 'pin' answered OK and lent nothing at " + text(offset.bytes())))
      .status;
}

core::Status Host::read(core::Offset offset, void* buffer, std::int64_t size,
                        std::int64_t& got) const {
  const core::Status status = known(call_host(api_.read, ctx_, offset.bytes(), buffer, size, &got));
  if (status != core::Status::kOk || (got >= 1 && got <= size)) return status;
  return said(misuse("host hook 'read' answered OK and " + text(got) + " bytes at " +
                     text(offset.bytes()) + ": they must be 1 to " + text(size)))
      .status;
}

core::Status Host::acquire(core::Offset offset, std::int64_t size, ha_segment& out) const {
  return known(call_host(segment_fd_->acquire, ctx_, offset.bytes(), size, &out));
}

HostResult Host::reserve(std::int64_t epoch, core::Offset offset, std::int64_t size, void*& data,
                         std::int64_t& room) const {
  ha_error error = empty_error();
  const std::int32_t status =
      call_host(reserve_->reserve, ctx_, epoch, offset.bytes(), size, &data, &room, &error);
  HostResult result = result_of(status, error, "reserve");
  if (!result.ok() || (data != nullptr && room >= 1)) return result;
  return said(
      misuse("host hook 'reserve' answered OK and lent nothing at " + text(offset.bytes())));
}

HostResult Host::commit(core::Offset offset, std::int64_t size) const {
  ha_error error = empty_error();
  const std::int32_t status = call_host(reserve_->commit, ctx_, size, &error);
  return check_end(result_of(status, error, "commit"), "commit", offset + size);
}

HostResult Host::read_metadata(std::string& out) const {
  out.clear();
  HostResult result =
      result_of(call_host(metadata_.read, ctx_, pour_into<HA_METADATA_MAX_BYTES>, &out),
                empty_error(), HA_EXT_METADATA " read");
  if (!result.ok()) {
    result.text += " (its state may have " + std::to_string(HA_METADATA_MAX_BYTES) + " bytes)";
  }
  return result;
}

HostResult Host::write_metadata(std::span<const std::byte> state) const {
  ha_error error = empty_error();
  const std::int32_t status = call_host(metadata_.write, ctx_, state.data(),
                                        static_cast<std::int64_t>(state.size()), &error);
  return result_of(status, error, HA_EXT_METADATA " write");
}

HostResult Host::read_pending(std::string& out) const {
  out.clear();
  return result_of(call_host(metadata_.pending, ctx_, pour_into<HA_METADATA_MAX_BYTES>, &out),
                   empty_error(), HA_EXT_METADATA " pending");
}

HostResult Host::merge_metadata(std::span<const std::byte> pending) const {
  ha_error error = empty_error();
  const std::int32_t status = call_host(metadata_.merge, ctx_, pending.data(),
                                        static_cast<std::int64_t>(pending.size()), &error);
  return result_of(status, error, HA_EXT_METADATA " merge");
}

HostResult Host::load_state(const char* name, std::string& out) const {
  out.clear();
  ha_error error = empty_error();
  const std::int32_t status =
      call_host(state_store_->load, ctx_, name, pour_into<HA_STATE_MAX_BYTES>, &out, &error);
  return result_of(status, error, HA_EXT_STATE_STORE " load");
}

HostResult Host::save_state(const char* name, std::string_view state) const {
  ha_error error = empty_error();
  const std::int32_t status = call_host(state_store_->save, ctx_, name, state.data(),
                                        static_cast<std::int64_t>(state.size()), &error);
  return result_of(status, error, HA_EXT_STATE_STORE " save");
}

void Host::role_changed(const RoleReport& from) const {
  ha_role_report report{};
  report.struct_size = sizeof(report);
  report.role = static_cast<std::int32_t>(from.role);
  report.reason = static_cast<std::int32_t>(from.reason);
  report.status = static_cast<std::int32_t>(from.status);
  report.epoch = from.epoch;
  report.text = from.text.c_str();
  report.number = from.number;
  call_host(api_.role_changed, ctx_, &report);
}

void Host::replica_changed(const ha_replica_event& event) const {
  if (api_.replica_changed != nullptr) call_host(api_.replica_changed, ctx_, &event);
}

void Host::thread_started(const char* name) const {
  if (lifecycle_ != nullptr && lifecycle_->thread_started != nullptr) {
    call_host(lifecycle_->thread_started, ctx_, name);
  }
}

void Host::thread_stopping(const char* name) const {
  if (lifecycle_ != nullptr && lifecycle_->thread_stopping != nullptr) {
    call_host(lifecycle_->thread_stopping, ctx_, name);
  }
}

void Host::log(std::int32_t level, std::string_view text) const {
  call_host(api_.log, ctx_, level, text.data(), static_cast<std::int64_t>(text.size()));
}

core::LogBounds to_core(const ha_bounds& bounds) {
  return {core::Offset(bounds.min), core::Offset(bounds.end), bounds.segment_size,
          core::Offset(bounds.durable)};
}

}  // namespace ha
