// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/memory_host.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace ha::testing {

std::byte byte_at(std::int64_t offset) {
  // Differs between neighbours, between segments and between blocks of 256.
  const auto o = static_cast<std::uint64_t>(offset);
  return static_cast<std::byte>((o * 31) ^ (o >> 8) * 7 ^ (o >> 16) * 13);
}

std::vector<std::byte> bytes_at(std::int64_t offset, std::int64_t size) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) bytes[static_cast<std::size_t>(i)] = byte_at(offset + i);
  return bytes;
}

struct MemoryHost::Hooks {
  static MemoryHost& self(void* ctx) { return *static_cast<MemoryHost*>(ctx); }

  static std::int32_t bounds(void* ctx, ha_bounds* out) noexcept {
    MemoryHost& h = self(ctx);
    const std::lock_guard lock(h.mutex_);
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

  static const void* get_extension(void* ctx, const char* id) noexcept {
    MemoryHost& h = self(ctx);
    const std::string name(id);
    if (h.features_.segment_fd && name == HA_EXT_SEGMENT_FD) return &h.segment_fd_;
    if (h.features_.append_reserve && name == HA_EXT_APPEND_RESERVE) return &h.append_reserve_;
    if (h.features_.metadata && name == HA_EXT_METADATA) return &h.metadata_ext_;
    if (h.features_.retention && name == HA_EXT_RETENTION) return &h.retention_ext_;
    if (h.features_.state_store && name == HA_EXT_STATE_STORE) return &h.state_store_ext_;
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
  lifecycle_ = {sizeof(lifecycle_), 0, Hooks::thread_started, Hooks::thread_stopping};
}

MemoryHost::~MemoryHost() {
  for (auto& [start, segment] : segments_) {
    if (segment.fd >= 0) ::close(segment.fd);
  }
}

MemoryHost::Segment& MemoryHost::segment_of(std::int64_t offset) {
  Segment& segment = segments_[offset / features_.segment_size];
  if (!segment.bytes) {
    segment.bytes = std::make_unique<std::byte[]>(static_cast<std::size_t>(features_.segment_size));
    if (features_.segment_fd) segment.fd = ::memfd_create("segment", MFD_CLOEXEC);
  }
  return segment;
}

std::byte* MemoryHost::at(std::int64_t offset) {
  return segment_of(offset).bytes.get() + offset % features_.segment_size;
}

std::int64_t MemoryHost::run(std::int64_t offset, std::int64_t size) const {
  return std::min({size, end_ - offset, features_.segment_size - offset % features_.segment_size});
}

void MemoryHost::put(std::int64_t offset, const std::byte* data, std::int64_t size) {
  while (size > 0) {
    const std::int64_t n = std::min(size, features_.segment_size - offset % features_.segment_size);
    std::byte* to = at(offset);
    if (to != data) std::memcpy(to, data, static_cast<std::size_t>(n));
    const int fd = segment_of(offset).fd;
    if (fd >= 0 && ::pwrite(fd, to, static_cast<std::size_t>(n), offset % features_.segment_size) !=
                       static_cast<ssize_t>(n)) {
      note_misuse("pwrite failed");
    }
    offset += n;
    data += n;
    size -= n;
  }
}

std::int32_t MemoryHost::append_locked(std::int64_t offset, const void* data, std::int64_t size,
                                       ha_error* error) {
  if (append_status_ != HA_OK) {
    error->os_errno = append_errno_;
    std::snprintf(error->text, sizeof(error->text), "the test said so");
    ++appends_;
    changed_.notify_all();
    return append_status_;
  }
  if (offset != end_) return HA_RANGE;
  put(offset, static_cast<const std::byte*>(data), size);
  end_ += size;
  ++appends_;
  changed_.notify_all();
  return HA_OK;
}

void MemoryHost::note_misuse(const std::string& text) { misuse_.push_back(text); }

void MemoryHost::hear_epoch(const std::string& hook, std::int64_t epoch) {
  epochs_[hook] = epoch;
  if (epoch != 0 && epoch < newest_epoch_) {
    note_misuse(hook + " with epoch " + std::to_string(epoch) + " after " +
                std::to_string(newest_epoch_));
  }
  newest_epoch_ = std::max(newest_epoch_, epoch);
}

std::int64_t MemoryHost::grow(std::int64_t size) {
  const std::lock_guard lock(mutex_);
  const std::vector<std::byte> bytes = bytes_at(end_, size);
  put(end_, bytes.data(), size);
  end_ += size;
  return end_;
}

void MemoryHost::start_at(std::int64_t min) {
  const std::lock_guard lock(mutex_);
  min_ = end_ = min;
}

void MemoryHost::drop_below(std::int64_t min) {
  const std::lock_guard lock(mutex_);
  min_ = min;
}

std::int64_t MemoryHost::min() const {
  const std::lock_guard lock(mutex_);
  return min_;
}

std::int64_t MemoryHost::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

std::string MemoryHost::first_wrong_byte() const {
  const std::lock_guard lock(mutex_);
  for (std::int64_t o = min_; o < end_; ++o) {
    const auto segment = segments_.find(o / features_.segment_size);
    if (segment == segments_.end() ||
        segment->second.bytes[static_cast<std::size_t>(o % features_.segment_size)] != byte_at(o)) {
      return "the byte at " + std::to_string(o);
    }
  }
  return "";
}

void MemoryHost::fail_append(std::int32_t status, int os_errno) {
  const std::lock_guard lock(mutex_);
  append_status_ = status;
  append_errno_ = os_errno;
}
void MemoryHost::fail_pin(std::int32_t status) {
  const std::lock_guard lock(mutex_);
  pin_status_ = status;
}
void MemoryHost::fail_read(std::int32_t status) {
  const std::lock_guard lock(mutex_);
  read_status_ = status;
}
void MemoryHost::set_metadata(const std::string& state) {
  const std::lock_guard lock(mutex_);
  metadata_ = state;
  ++metadata_version_;
}

std::string MemoryHost::metadata() const {
  const std::lock_guard lock(mutex_);
  return metadata_;
}

bool MemoryHost::wait_for_metadata(const std::string& state) {
  return wait_for([&] { return metadata_ == state; });
}

bool MemoryHost::wait_for_hold(std::int64_t offset) {
  return wait_for([&] { return held_from_ == offset; });
}

std::string MemoryHost::state(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(name);
  return found == states_.end() ? "" : found->second;
}

void MemoryHost::set_state(const std::string& name, const std::string& value) {
  const std::lock_guard lock(mutex_);
  states_[name] = value;
}

void MemoryHost::set_pending(const std::string& state) {
  const std::lock_guard lock(mutex_);
  pending_ = state;
}

bool MemoryHost::wait_for_merged(const std::string& last) {
  return wait_for([&] { return !merged_.empty() && merged_.back() == last; });
}

std::vector<std::string> MemoryHost::merged() const {
  const std::lock_guard lock(mutex_);
  return merged_;
}

void MemoryHost::refuse_metadata() {
  const std::lock_guard lock(mutex_);
  metadata_status_ = HA_CORRUPT;
}

void MemoryHost::set_durable(std::int64_t end) {
  const std::lock_guard lock(mutex_);
  durable_ = end;
}

void MemoryHost::fail_bounds(std::int32_t status) {
  const std::lock_guard lock(mutex_);
  bounds_status_ = status;
}
void MemoryHost::lie(const std::string& hook, std::int64_t stored) {
  const std::lock_guard lock(mutex_);
  liar_ = hook;
  liar_stores_ = stored;
}
void MemoryHost::answer_bounds(const ha_bounds& bounds) {
  const std::lock_guard lock(mutex_);
  told_bounds_ = bounds;
}
void MemoryHost::cut(std::int64_t end) {
  const std::lock_guard lock(mutex_);
  end_ = end;
}
void MemoryHost::fail_truncate(std::int32_t status) {
  const std::lock_guard lock(mutex_);
  truncate_status_ = status;
}
void MemoryHost::fail_confirm(std::int32_t status) {
  const std::lock_guard lock(mutex_);
  confirm_status_ = status;
}
void MemoryHost::on_append(std::function<void(std::int64_t, std::int64_t)> hook) {
  const std::lock_guard lock(mutex_);
  append_hook_ = std::move(hook);
}
void MemoryHost::on_flush(std::function<std::int32_t(std::int64_t)> hook) {
  const std::lock_guard lock(mutex_);
  flush_hook_ = std::move(hook);
}

void MemoryHost::on_truncate(std::function<void(std::int64_t)> hook) {
  const std::lock_guard lock(mutex_);
  truncate_hook_ = std::move(hook);
}
void MemoryHost::run_append_hook(std::int64_t offset, std::int64_t size) {
  std::function<void(std::int64_t, std::int64_t)> hook;
  {
    const std::lock_guard lock(mutex_);
    hook = append_hook_;
  }
  if (hook) hook(offset, size);
}
void MemoryHost::on_replica(std::function<void(const ha_replica_event&)> hook) {
  const std::lock_guard lock(mutex_);
  replica_hook_ = std::move(hook);
}
void MemoryHost::on_role(std::function<void(const ha_role_report&)> hook) {
  const std::lock_guard lock(mutex_);
  role_hook_ = std::move(hook);
}

bool MemoryHost::wait_for(const std::function<bool()>& met_under_lock) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, met_under_lock);
}
bool MemoryHost::wait_for_end(std::int64_t end) {
  return wait_for([&] { return end_ == end; });
}
bool MemoryHost::wait_for_role(std::int32_t role, std::size_t reports) {
  return wait_for([&] {
    return roles_.size() >= reports && roles_[reports - 1].role == role &&
           roles_[reports - 1].status == HA_OK;
  });
}
bool MemoryHost::wait_for_replica(std::int32_t event, std::int32_t reason, std::size_t count) {
  return wait_for([&] {
    return static_cast<std::size_t>(
               std::count_if(replicas_.begin(), replicas_.end(), [&](const ReplicaSeen& r) {
                 return r.event == event && r.reason == reason;
               })) >= count;
  });
}
bool MemoryHost::wait_for_log(const std::string& part, std::size_t count) {
  return wait_for([&] {
    return static_cast<std::size_t>(std::count_if(
               logs_.begin(), logs_.end(),
               [&](const LogSeen& l) { return l.text.find(part) != std::string::npos; })) >= count;
  });
}

bool MemoryHost::wait_for_confirm(std::int64_t offset) {
  return wait_for([&] { return confirm_ == offset; });
}

std::vector<RoleSeen> MemoryHost::roles() const {
  const std::lock_guard lock(mutex_);
  return roles_;
}
std::vector<ReplicaSeen> MemoryHost::replicas() const {
  const std::lock_guard lock(mutex_);
  return replicas_;
}
std::vector<std::int64_t> MemoryHost::progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}
std::vector<std::int64_t> MemoryHost::confirms() const {
  const std::lock_guard lock(mutex_);
  return confirms_;
}
std::int64_t MemoryHost::epoch_of(const std::string& hook) const {
  const std::lock_guard lock(mutex_);
  const auto at = epochs_.find(hook);
  return at == epochs_.end() ? -1 : at->second;
}
std::size_t MemoryHost::count_logs(const std::string& part) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(logs_.begin(), logs_.end(), [&](const LogSeen& l) {
    return l.text.find(part) != std::string::npos;
  }));
}
std::size_t MemoryHost::count_level(std::int32_t level) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      logs_.begin(), logs_.end(), [&](const LogSeen& l) { return l.level == level; }));
}
std::int64_t MemoryHost::lent() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(out_.size()) + (reserved_at_ >= 0 ? 1 : 0);
}
std::int64_t MemoryHost::loans() const {
  const std::lock_guard lock(mutex_);
  return loans_;
}
std::int64_t MemoryHost::appends() const {
  const std::lock_guard lock(mutex_);
  return appends_;
}
std::int64_t MemoryHost::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_;
}
std::vector<std::string> MemoryHost::misuse() const {
  const std::lock_guard lock(mutex_);
  return misuse_;
}

}  // namespace ha::testing
