// SPDX-License-Identifier: Apache-2.0
// MemoryHost as the plugin sees it: the hooks, and the tables that they stand in.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <utility>

#include "tests/unit/memory_host.h"

namespace ha::testing {

struct MemoryHost::Hooks {
  static MemoryHost& self(void* ctx) { return *static_cast<MemoryHost*>(ctx); }

  static std::int32_t bounds(void* ctx, ha_bounds* out) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    ++h.bounds_calls_;
    if (h.bounds_status_ != HA_OK) return h.bounds_status_;
    if (h.told_bounds_.segment_size != 0) {
      *out = h.told_bounds_;
      return HA_OK;
    }
    const std::int64_t confirm = h.confirms_.empty() ? h.end_ : std::max(h.confirm_, h.min_);
    const std::int64_t durable = std::clamp(h.durable_, h.min_, h.end_);
    *out = {h.min_, h.end_, durable, confirm, h.features_.segment_size};
    return HA_OK;
  }

  static std::int32_t record_floor(void* ctx, std::int64_t offset, std::int64_t* out) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    if (offset < h.min_ || offset > h.end_) return HA_RANGE;
    *out = std::max(h.min_, offset - offset % h.features_.record_size);
    return HA_OK;
  }

  static std::int32_t read(void* ctx, std::int64_t offset, void* buffer, std::int64_t size,
                           std::int64_t* got) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    if (h.read_status_ != HA_OK) return h.read_status_;
    if (!h.inside(offset)) return HA_RANGE;
    *got = h.run(offset, size);
    std::memcpy(buffer, h.at(offset), static_cast<std::size_t>(*got));
    return HA_OK;
  }

  static std::int32_t pin(void* ctx, std::int64_t offset, std::int64_t size,
                          ha_span* out) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    if (h.pin_status_ != HA_OK) return h.pin_status_;
    if (!h.inside(offset)) return HA_RANGE;
    *out = {h.at(offset), h.run(offset, size), h.next_token_++};
    h.out_[out->token] = offset;
    ++h.loans_;
    return HA_OK;
  }

  static void unpin(void* ctx, const ha_span* span) noexcept { give_back(ctx, span->token); }

  static std::int32_t acquire(void* ctx, std::int64_t offset, std::int64_t size,
                              ha_segment* out) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    if (!h.inside(offset)) return HA_RANGE;
    *out = {h.segment_of(offset).fd, 0, offset % h.features_.segment_size, h.run(offset, size),
            h.next_token_++};
    h.out_[out->token] = offset;
    ++h.loans_;
    return HA_OK;
  }

  static void release(void* ctx, const ha_segment* segment) noexcept {
    give_back(ctx, segment->token);
  }

  static void give_back(void* ctx, std::uint64_t token) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    if (h.out_.erase(token) == 0) h.note_misuse("gave back what was not lent");
    h.changed_.notify_all();
  }

  static std::int32_t append(void* ctx, std::int64_t epoch, std::int64_t offset, const void* data,
                             std::int64_t size, ha_error* error) noexcept {
    MemoryHost& h = self(ctx);
    h.run_append_hook(offset, size);
    const std::lock_guard lock(h.mutex_);
    h.hear_epoch("append", epoch);
    if (h.reserved_at_ >= 0) h.note_misuse("append while a reservation is open");
    if (h.liar_ == "append") size = std::min(size, h.liar_stores_);
    if (size == 0) return HA_OK;
    return h.append_locked(offset, data, size, error);
  }

  static std::int32_t reserve(void* ctx, std::int64_t epoch, std::int64_t offset, std::int64_t size,
                              void** data, std::int64_t* room, ha_error*) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    h.hear_epoch("reserve", epoch);
    if (h.reserved_at_ >= 0) return HA_STATE;
    if (offset != h.end_) return HA_RANGE;
    *data = h.at(offset);
    *room = std::min({size, h.features_.segment_size - offset % h.features_.segment_size,
                      h.features_.reserve_most});
    h.reserved_at_ = offset;
    h.reserved_room_ = *room;
    ++h.loans_;
    return HA_OK;
  }

  static std::int32_t commit(void* ctx, std::int64_t size, ha_error* error) noexcept {
    MemoryHost& h = self(ctx);
    h.run_append_hook(h.end(), size);
    const std::lock_guard lock(h.mutex_);
    if (h.reserved_at_ < 0 || size > h.reserved_room_ || size < 1) {
      h.note_misuse("commit of " + std::to_string(size) + " bytes without room for them");
    }
    const std::int64_t offset = std::exchange(h.reserved_at_, -1);
    if (h.liar_ == "commit") size = std::min(size, h.liar_stores_);
    if (size == 0) return HA_OK;
    return h.append_locked(offset, h.at(offset), size, error);
  }

  static void drop(void* ctx) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    h.reserved_at_ = -1;
  }

  static std::int32_t truncate(void* ctx, std::int64_t epoch, std::int64_t new_end,
                               std::uint32_t flags, ha_error* error) noexcept {
    MemoryHost& h = self(ctx);
    std::function<void(std::int64_t)> hook;
    {
      const std::lock_guard lock(h.mutex_);
      hook = h.truncate_hook_;
    }
    if (hook) hook(new_end);
    const std::lock_guard lock(h.mutex_);
    h.hear_epoch("truncate", epoch);
    if (h.truncate_status_ != HA_OK) return h.truncate_status_;
    if (new_end < h.min_ || new_end > h.end_) return HA_RANGE;
    if (new_end < h.confirm_ && (flags & HA_TRUNCATE_UNSAFE) == 0) {
      std::snprintf(error->text, sizeof(error->text), "readers have seen it");
      return HA_RANGE;
    }
    if (!h.out_.empty()) return HA_AGAIN;
    if (h.liar_ == "truncate") return HA_OK;
    h.end_ = new_end;
    h.changed_.notify_all();
    return HA_OK;
  }

  static std::int32_t reset(void* ctx, std::int64_t epoch, std::int64_t new_min,
                            ha_error*) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    h.hear_epoch("reset", epoch);
    if (h.liar_ == "reset") return HA_OK;
    h.min_ = h.end_ = h.confirm_ = new_min;
    h.changed_.notify_all();
    return HA_OK;
  }

  static std::int32_t flush(void* ctx, std::int64_t end, ha_error*) noexcept {
    auto& h = self(ctx);
    std::function<std::int32_t(std::int64_t)> hook;
    {
      const std::lock_guard lock(h.mutex_);
      if (end > h.end_) h.note_misuse("flush beyond the end");
      hook = h.flush_hook_;
    }
    const std::int32_t status = hook ? hook(end) : HA_OK;
    const std::lock_guard lock(h.mutex_);
    if (status == HA_OK && h.liar_ != "flush") h.durable_ = std::max(h.durable_, end);
    return status;
  }

  static std::int32_t confirm(void* ctx, std::int64_t epoch, std::int64_t offset) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    h.hear_epoch("confirm", epoch);
    if (offset < 0 || offset > h.end_) {
      h.note_misuse("confirm of " + std::to_string(offset) + " with the end at " +
                    std::to_string(h.end_));
    }
    if (h.confirm_status_ != HA_OK) return h.confirm_status_;
    h.confirm_ = std::max(h.confirm_, offset);
    h.confirms_.push_back(offset);
    h.changed_.notify_all();
    return HA_OK;
  }

  static void role_changed(void* ctx, const ha_role_report* report) noexcept {
    MemoryHost& h = self(ctx);
    char thread[16] = {};
    pthread_getname_np(pthread_self(), thread, sizeof(thread));
    std::function<void(const ha_role_report&)> hook;
    {
      const std::lock_guard lock(h.mutex_);
      hook = h.role_hook_;
    }
    if (hook) hook(*report);
    const std::lock_guard lock(h.mutex_);
    h.roles_.push_back({report->role, report->reason, report->status, report->text, thread,
                        report->epoch, report->number});
    h.changed_.notify_all();
  }

  static void replica_changed(void* ctx, const ha_replica_event* event) noexcept {
    MemoryHost& h = self(ctx);
    std::function<void(const ha_replica_event&)> hook;
    {
      const std::lock_guard lock(h.mutex_);
      hook = h.replica_hook_;
    }
    if (hook) hook(*event);
    const std::lock_guard lock(h.mutex_);
    h.replicas_.push_back(
        {event->event, event->state, event->reason, event->ack_offset, event->id, event->address});
    h.changed_.notify_all();
  }

  static void progress(void* ctx, std::int64_t offset) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    h.progress_.push_back(offset);
    h.changed_.notify_all();
  }

  static void log(void* ctx, std::int32_t level, const char* text, std::int64_t size) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    h.logs_.push_back({level, std::string(text, static_cast<std::size_t>(size))});
    if (h.logs_.back().text.find('\n') != std::string::npos) h.note_misuse("a log line of two");
    h.changed_.notify_all();
  }

  static void thread_started(void* ctx, const char*) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    ++h.threads_;
  }

  static void thread_stopping(void* ctx, const char*) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    --h.threads_;
  }

  static std::uint64_t metadata_version(void* ctx) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    return h.metadata_version_;
  }

  static std::int32_t read_metadata(void* ctx, ha_sink_fn sink, void* user) noexcept {
    const std::string state = self(ctx).metadata();
    // In two pieces, as a host may.
    const auto half = static_cast<std::int64_t>(state.size() / 2);
    const auto rest = static_cast<std::int64_t>(state.size()) - half;
    return sink(user, state.data(), half) == 0 && sink(user, state.data() + half, rest) == 0
               ? HA_OK
               : HA_IO;
  }

  static std::int32_t write_metadata(void* ctx, const void* data, std::int64_t size,
                                     ha_error*) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    if (h.metadata_status_ != HA_OK) return h.metadata_status_;
    h.metadata_.assign(static_cast<const char*>(data), static_cast<std::size_t>(size));
    ++h.metadata_version_;
    h.changed_.notify_all();
    return HA_OK;
  }

  static std::int32_t read_pending(void* ctx, ha_sink_fn sink, void* user) noexcept {
    MemoryHost& h = self(ctx);
    std::string state;
    {
      const std::lock_guard lock(h.mutex_);
      state = h.pending_;
    }
    if (state.empty()) return HA_OK;
    return sink(user, state.data(), static_cast<std::int64_t>(state.size())) == 0 ? HA_OK : HA_IO;
  }

  static std::int32_t merge_metadata(void* ctx, const void* data, std::int64_t size,
                                     ha_error*) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    if (h.metadata_status_ != HA_OK) return h.metadata_status_;
    h.merged_.emplace_back(static_cast<const char*>(data), static_cast<std::size_t>(size));
    h.changed_.notify_all();
    return HA_OK;
  }

  static void hold(void* ctx, std::int64_t offset) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
    h.held_from_ = offset;
    h.changed_.notify_all();
  }

  static std::int32_t load_state(void* ctx, const char* name, ha_sink_fn sink, void* user,
                                 ha_error*) noexcept {
    const std::string state = self(ctx).state(name);
    if (state.empty()) return HA_OK;
    return sink(user, state.data(), static_cast<std::int64_t>(state.size())) == 0 ? HA_OK : HA_IO;
  }

  static std::int32_t save_state(void* ctx, const char* name, const void* data, std::int64_t size,
                                 ha_error*) noexcept {
    self(ctx).set_state(name, {static_cast<const char*>(data), static_cast<std::size_t>(size)});
    return HA_OK;
  }

  static std::int32_t coordinate(void* ctx, const char* hook,
                                 const std::function<std::int32_t()>& call) {
    MemoryHost& h = self(ctx);
    char thread[16] = {};
    pthread_getname_np(pthread_self(), thread, sizeof(thread));
    Around around;
    {
      const std::lock_guard lock(h.mutex_);
      around = h.around_;
      h.coordinator_threads_.insert(thread);
      if (++h.coordinating_ > 1) h.note_misuse("two calls of the extension coordinator at once");
    }
    const std::int32_t status = around ? around(hook, call) : call();
    const std::lock_guard lock(h.mutex_);
    --h.coordinating_;
    return status;
  }

  static std::int32_t grant(void* ctx, std::int64_t ttl_ms, std::int64_t* lease,
                            std::int64_t* granted_ms, ha_error*) noexcept {
    return coordinate(ctx, "grant",
                      [&] { return self(ctx).locks_->grant(ttl_ms, *lease, *granted_ms); });
  }

  static std::int32_t renew(void* ctx, std::int64_t lease, ha_error*) noexcept {
    return coordinate(ctx, "renew", [&] { return self(ctx).locks_->renew(lease); });
  }

  static std::int32_t revoke(void* ctx, std::int64_t lease, ha_error*) noexcept {
    return coordinate(ctx, "revoke", [&] { return self(ctx).locks_->revoke(lease); });
  }

  static std::int32_t read_key(void* ctx, const char* key, ha_sink_fn sink, void* user,
                               std::int64_t* lease, ha_error*) noexcept {
    return coordinate(ctx, "read", [&] {
      std::string value;
      const std::int32_t status = self(ctx).locks_->read(key, value, *lease);
      if (!value.empty()) sink(user, value.data(), static_cast<std::int64_t>(value.size()));
      return status;
    });
  }

  static std::int32_t compare_and_set(void* ctx, const char* key, const void* expected,
                                      std::int64_t expected_size, const void* value,
                                      std::int64_t size, std::int64_t lease, ha_error*) noexcept {
    const auto text = [](const void* data, std::int64_t n) {
      return std::string(static_cast<const char*>(data), static_cast<std::size_t>(n));
    };
    return coordinate(ctx, "compare_and_set", [&] {
      return self(ctx).locks_->compare_and_set(key, text(expected, expected_size),
                                               text(value, size), lease);
    });
  }

  static const void* get_extension(void* ctx, const char* id) noexcept {
    MemoryHost& h = self(ctx);
    const std::string name(id);
    if (h.features_.segment_fd && name == HA_EXT_SEGMENT_FD) return &h.segment_fd_;
    if (h.features_.append_reserve && name == HA_EXT_APPEND_RESERVE) return &h.append_reserve_;
    if (h.features_.metadata && name == HA_EXT_METADATA) return &h.metadata_ext_;
    if (h.features_.retention && name == HA_EXT_RETENTION) return &h.retention_ext_;
    if (h.features_.state_store && name == HA_EXT_STATE_STORE) return &h.state_store_ext_;
    if (h.locks_ != nullptr && name == HA_EXT_COORDINATOR) return &h.coordinator_ext_;
    if (h.features_.lifecycle && name == HA_EXT_THREAD_LIFECYCLE) return &h.lifecycle_;
    return nullptr;
  }
};

MemoryHost::MemoryHost(const HostFeatures& features) : features_(features) {
  api_.struct_size = sizeof(api_);
  api_.flags = features.flags;
  api_.bounds = Hooks::bounds;
  api_.record_floor = Hooks::record_floor;
  api_.read = Hooks::read;
  if (features.pin) {
    api_.pin = Hooks::pin;
    api_.unpin = Hooks::unpin;
  }
  api_.append = Hooks::append;
  if (features.truncate) api_.truncate = Hooks::truncate;
  if (features.reset) api_.reset = Hooks::reset;
  if (features.confirm) api_.confirm = Hooks::confirm;
  if (features.flush) api_.flush = Hooks::flush;
  api_.role_changed = Hooks::role_changed;
  api_.replica_changed = Hooks::replica_changed;
  if (features.progress) api_.progress = Hooks::progress;
  api_.log = Hooks::log;
  api_.get_extension = Hooks::get_extension;
  segment_fd_ = {sizeof(segment_fd_), 0, Hooks::acquire, Hooks::release};
  append_reserve_ = {sizeof(append_reserve_), 0, Hooks::reserve, Hooks::commit, Hooks::drop};
  metadata_ext_ = {sizeof(metadata_ext_),   0,
                   Hooks::metadata_version, Hooks::read_metadata,
                   Hooks::write_metadata,   Hooks::read_pending,
                   Hooks::merge_metadata};
  if (!features.hands_up) {
    // As a host of ABI 1.2 has it: what lies behind is not the plugin's to look at.
    metadata_ext_.struct_size = offsetof(ha_ext_metadata, pending);
  }
  retention_ext_ = {sizeof(retention_ext_), 0, Hooks::hold};
  state_store_ext_ = {sizeof(state_store_ext_), 0, Hooks::load_state, Hooks::save_state};
  coordinator_ext_ = {
      sizeof(coordinator_ext_), 0, Hooks::grant, Hooks::renew, Hooks::revoke, Hooks::read_key,
      Hooks::compare_and_set};
  lifecycle_ = {sizeof(lifecycle_), 0, Hooks::thread_started, Hooks::thread_stopping};
}

}  // namespace ha::testing
