// SPDX-License-Identifier: Apache-2.0
#include "broker/log_hooks.h"

#include <spdlog/spdlog.h>

namespace stub {
namespace {

std::int32_t answer(const std::optional<Error>& from, ha::Error& to) {
  if (!from) return HA_OK;
  to = {from->status, from->os_errno, from->text};
  return from->status;
}

spdlog::level::level_enum level_of(std::int32_t level) {
  switch (level) {
    case HA_LOG_DEBUG:
      return spdlog::level::debug;
    case HA_LOG_INFO:
      return spdlog::level::info;
    case HA_LOG_WARN:
      return spdlog::level::warn;
    default:  // ERROR, the two kinds of misuse, and levels that this host does not know
      return spdlog::level::err;
  }
}

}  // namespace

std::int32_t LogHooks::bounds(ha_bounds& out) {
  const store::LogBounds bounds = log_.bounds();
  out = {bounds.min, bounds.end, bounds.durable, bounds.confirm, log_.segment_bytes()};
  return HA_OK;
}

std::int32_t LogHooks::record_floor(std::int64_t offset, std::int64_t& out) {
  const auto floor = log_.record_floor(offset);
  if (const auto* error = std::get_if<Error>(&floor)) return error->status;
  out = std::get<std::int64_t>(floor);
  return HA_OK;
}

std::int32_t LogHooks::read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) {
  return log_.read(offset, buffer.data(), static_cast<std::int64_t>(buffer.size()), got);
}

std::int32_t LogHooks::append(std::int64_t epoch, std::int64_t offset,
                              std::span<const std::byte> data, ha::Error& error) {
  if (const auto refused = epochs_.check(epoch)) return answer(refused, error);
  return answer(log_.append_raw(offset, {reinterpret_cast<const char*>(data.data()), data.size()}),
                error);
}

void LogHooks::role_changed(const ha_role_report& report) {
  master_ = report.role == HA_ROLE_MASTER;
  board_.set_master(master_);
  // As a master this node appends by itself. What an older one still says is stale from here on.
  if (const auto stale = epochs_.check(report.epoch)) spdlog::error("{}", stale->text);
  role_changed_(report);
}

void LogHooks::log(std::int32_t level, std::string_view text) {
  const char* prefix = level == HA_LOG_HOST_MISUSE     ? "ha: host misuse: "
                       : level == HA_LOG_PLUGIN_MISUSE ? "ha: plugin misuse: "
                                                       : "ha: ";
  spdlog::log(level_of(level), "{}{}", prefix, text);
}

std::int32_t LogHooks::pin(std::int64_t offset, std::int64_t size, ha_span& out) {
  store::Lease lease;
  const std::int32_t status = log_.lend(offset, size, lease);
  if (status == HA_OK) out = {lease.data(), lease.size, lease.token};
  return status;
}

void LogHooks::unpin(const ha_span& span) {
  if (!log_.give_back(span.token))
    spdlog::error("ha: plugin misuse: unpin of token {}, which is not out", span.token);
}

std::int32_t LogHooks::truncate(std::int64_t epoch, std::int64_t new_end,
                                std::uint32_t truncate_flags, ha::Error& error) {
  if (const auto refused = epochs_.check(epoch)) return answer(refused, error);
  const auto failed = log_.truncate(new_end, (truncate_flags & HA_TRUNCATE_UNSAFE) != 0);
  // What a group read of the bytes that are gone is not to be handed up to a master.
  if (!failed) groups_.limit();
  return answer(failed, error);
}

std::int32_t LogHooks::reset(std::int64_t epoch, std::int64_t new_min, ha::Error& error) {
  if (const auto refused = epochs_.check(epoch)) return answer(refused, error);
  return answer(log_.reset(new_min), error);
}

std::int32_t LogHooks::flush(std::int64_t end, ha::Error& error) {
  return answer(log_.flush(end), error);
}

std::int32_t LogHooks::confirm(std::int64_t epoch, std::int64_t offset) {
  auto error = epochs_.check(epoch);
  if (!error) error = log_.confirm(offset);
  if (!error) return HA_OK;
  spdlog::error("log: {}", error->text);
  return error->status;
}

void LogHooks::replica_changed(const ha_replica_event& event) {
  if (event.event == HA_REPLICA_JOINED) metadata_.on_joined();
  const std::string_view id = event.id;
  // One that was turned away before it said its name has an address only.
  const std::string who = id.empty() ? event.address : std::string(id) + " at " + event.address;
  const std::string why =
      event.reason == HA_REASON_NONE ? "" : ", " + plugin_->reason_text(event.reason);
  const std::string ack =
      event.ack_offset < 0 ? "" : ", acknowledged " + std::to_string(event.ack_offset);
  // The plugin's own lines tell the same in more words, and no more of them than one can read:
  // a peer can cause these as fast as it likes.
  spdlog::debug("replica {}: {}{}{}", who, plugin_->event_text(event.event), why, ack);
}

void LogHooks::log_role(const ha_role_report& report) const {
  const char* role = report.role == HA_ROLE_MASTER  ? "master"
                     : report.role == HA_ROLE_SLAVE ? "slave"
                                                    : "none";
  spdlog::info("role: {} ({}{}): {}", role, plugin_->reason_text(report.reason),
               report.status == HA_OK ? "" : ", " + plugin_->status_text(report.status),
               report.text == nullptr ? "" : report.text);
}

std::int32_t LogHooks::acquire_segment(std::int64_t offset, std::int64_t size, ha_segment& out) {
  store::Lease lease;
  const std::int32_t status = log_.lend(offset, size, lease);
  if (status == HA_OK)
    out = {lease.segment->fd(), 0, offset - lease.segment->base(), lease.size, lease.token};
  return status;
}

void LogHooks::release_segment(const ha_segment& segment) {
  if (!log_.give_back(segment.token))
    spdlog::error("ha: plugin misuse: release of token {}, which is not out", segment.token);
}

std::int32_t LogHooks::reserve(std::int64_t epoch, std::int64_t offset, std::int64_t size,
                               void*& data, std::int64_t& room, ha::Error& error) {
  if (const auto refused = epochs_.check(epoch)) return answer(refused, error);
  const auto reserved = log_.reserve(offset, size);
  if (const auto* failed = std::get_if<Error>(&reserved)) return answer(*failed, error);
  data = std::get<store::CommitLog::Reservation>(reserved).data;
  room = std::get<store::CommitLog::Reservation>(reserved).room;
  return HA_OK;
}

std::int32_t LogHooks::commit_reserved(std::int64_t size, ha::Error& error) {
  return answer(log_.commit(size), error);
}

void LogHooks::drop_reserved() { log_.drop_reservation(); }

std::int32_t LogHooks::write_metadata(std::string_view state, ha::Error& error) {
  return answer(metadata_.write(state), error);
}

std::int32_t LogHooks::merge_metadata(std::string_view pending, ha::Error& error) {
  return answer(groups_.merge(pending, !master_), error);
}

void LogHooks::thread_started(const char* name) { spdlog::debug("ha: thread {} runs", name); }
void LogHooks::thread_stopping(const char* name) { spdlog::debug("ha: thread {} ends", name); }

}  // namespace stub
