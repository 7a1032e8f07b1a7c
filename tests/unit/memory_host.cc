// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/memory_host.h"

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

std::int64_t MemoryHost::bounds_calls() const {
  const std::lock_guard lock(mutex_);
  return bounds_calls_;
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

std::set<std::string> MemoryHost::coordinator_threads() const {
  const std::lock_guard lock(mutex_);
  return coordinator_threads_;
}

void MemoryHost::on_coordinator(Around around) {
  const std::lock_guard lock(mutex_);
  around_ = std::move(around);
}
std::vector<std::string> MemoryHost::misuse() const {
  const std::lock_guard lock(mutex_);
  return misuse_;
}

}  // namespace ha::testing
