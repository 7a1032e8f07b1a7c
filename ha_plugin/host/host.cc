// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ha_plugin/host/claims.h"

namespace ha {
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
      segment_fd_(api_, ctx),
      append_reserve_(*this, api_, ctx),
      metadata_(api_, ctx),
      retention_(api_, ctx),
      state_store_(api_, ctx),
      coordinator_(api_, ctx),
      thread_lifecycle_(api_, ctx) {}

HostResult Host::bounds(ha_bounds& out) const {
  out = {};
  HostResult result = result_of(call_host(api_.bounds, ctx_, &out), empty_error(), "bounds");
  if (result.ok() && (out.segment_size <= 0 || out.min < 0 || out.end < out.min)) {
    result =
        misuse(fmt::format("host hook 'bounds' answered min {}, end {}, segment_size {}: they must "
                           "fulfil 0 <= min <= end and segment_size > 0",
                           out.min, out.end, out.segment_size));
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
    result = report_misuse(
        *this, fmt::format("host hook 'record_floor' answered {} for {}: it must be at or below",
                           floor, offset.bytes()));
  }
  out = core::Offset(floor);
  return result;
}

HostResult Host::append(std::int64_t epoch, core::Offset offset, const void* data,
                        std::int64_t size) const {
  ha_error error = empty_error();
  const std::int32_t status =
      call_host(api_.append, ctx_, epoch, offset.bytes(), data, size, &error);
  return check_end(*this, result_of(status, error, "append"), "append", offset + size);
}

HostResult Host::truncate(std::int64_t epoch, core::Offset new_end, bool unsafe) const {
  if (api_.truncate == nullptr) {
    return {core::Status::kUnsupported,
            fmt::format("the host has no hook 'truncate' to cut the log to {}", new_end.bytes())};
  }
  ha_error error = empty_error();
  const std::int32_t status = call_host(api_.truncate, ctx_, epoch, new_end.bytes(),
                                        unsafe ? HA_TRUNCATE_UNSAFE : 0, &error);
  return check_end(*this, result_of(status, error, "truncate"), "truncate", new_end);
}

HostResult Host::reset(std::int64_t epoch, core::Offset new_min) const {
  if (api_.reset == nullptr) {
    return {core::Status::kUnsupported,
            fmt::format("the master's log starts at {} and the host has no hook 'reset' to start "
                        "this empty log there",
                        new_min.bytes())};
  }
  ha_error error = empty_error();
  HostResult result = check_end(
      *this, result_of(call_host(api_.reset, ctx_, epoch, new_min.bytes(), &error), error, "reset"),
      "reset", new_min);
  ha_bounds now{};
  if (!result.ok() || !bounds(now).ok() || now.min == new_min.bytes()) return result;
  return report_misuse(
      *this, fmt::format("host hook 'reset' answered OK, but the log begins at {} and not at {}",
                         now.min, new_min.bytes()));
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
  return report_misuse(*this, fmt::format("host hook 'pin' answered OK and lent nothing at {}",
                                          offset.bytes()))
      .status;
}

core::Status Host::read(core::Offset offset, void* buffer, std::int64_t size,
                        std::int64_t& got) const {
  const core::Status status = known(call_host(api_.read, ctx_, offset.bytes(), buffer, size, &got));
  if (status != core::Status::kOk || (got >= 1 && got <= size)) return status;
  return report_misuse(
             *this,
             fmt::format("host hook 'read' answered OK and {} bytes at {}: they must be 1 to {}",
                         got, offset.bytes(), size))
      .status;
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

void Host::log(std::int32_t level, std::string_view text) const {
  call_host(api_.log, ctx_, level, text.data(), static_cast<std::int64_t>(text.size()));
}

core::LogBounds to_core(const ha_bounds& bounds) {
  return {core::Offset(bounds.min), core::Offset(bounds.end), bounds.segment_size,
          core::Offset(bounds.durable)};
}

}  // namespace ha
