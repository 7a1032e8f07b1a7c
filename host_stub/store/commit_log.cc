#include "store/commit_log.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "ha/plugin.h"
#include "store/recovery.h"

namespace stub::store {
namespace {

std::int64_t system_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// 0 = not given, which is fine.
std::optional<Error> refuse_segment_size(std::int64_t size, const std::string& what) {
  if (size == 0 ||
      (size >= kMinSegmentBytes && size <= kMaxSegmentBytes && size % kMinSegmentBytes == 0))
    return std::nullopt;
  return make_error(HA_INVALID, what + " " + std::to_string(size) +
                                    " is not a multiple of 4096 between 4096 and " +
                                    std::to_string(kMaxSegmentBytes) + " (try 1073741824)");
}

}  // namespace

CommitLog::CommitLog(LogOptions options, LogObserver& observer, StoreLock lock)
    : options_(std::move(options)),
      observer_(observer),
      lock_(std::move(lock)),
      directory_(options_.store_dir + "/commitlog"),
      table_(options_.segment_bytes, bounds_, options_.max_lent) {
  if (!options_.now_ms) options_.now_ms = system_now_ms;
  if (!options_.background_error) options_.background_error = [](const Error&) {};
  if (!options_.appended) options_.appended = [](std::int64_t) {};
  if (!options_.flushed) options_.flushed = [](std::int64_t) {};
}

Result<std::unique_ptr<CommitLog>> CommitLog::open(LogOptions options, LogObserver& observer) {
  if (auto refused = refuse_segment_size(options.segment_bytes, "segment size")) return *refused;
  if (options.flush_interval_ms < 1)
    return make_error(HA_INVALID, "flush interval " + std::to_string(options.flush_interval_ms) +
                                      " ms: must be at least 1 (try 500)");
  if (auto failed = make_directory(options.store_dir + "/commitlog")) return *failed;
  auto lock = StoreLock::acquire(options.store_dir);
  if (auto* error = std::get_if<Error>(&lock)) return *error;
  // Before the lock is signed: a kill in between must not bring the old mark back to life.
  if (last_held_by_rocketmq(options.store_dir))
    if (auto failed = CommitMark::remove(options.store_dir)) return *failed;
  std::get<StoreLock>(lock).sign();
  if (options.segment_bytes == 0) {
    const auto held = held_segment_bytes(options.store_dir);
    if (const auto* error = std::get_if<Error>(&held)) return *error;
    options.segment_bytes = std::get<std::int64_t>(held);
    const std::string what = "the store '" + options.store_dir + "': its segment size";
    if (auto refused = refuse_segment_size(options.segment_bytes, what)) return *refused;
    if (options.segment_bytes == 0) options.segment_bytes = kDefaultSegmentBytes;
  }
  std::unique_ptr<CommitLog> log(
      new CommitLog(std::move(options), observer, std::move(std::get<StoreLock>(lock))));
  if (auto failed = Recovery(*log).run()) return *failed;
  log->start();
  return log;
}

void CommitLog::start() {
  keeper_ = std::make_unique<SegmentKeeper>(
      directory_, options_.segment_bytes, options_.warm_segments, [this] { apply_retention(); },
      options_.background_error);
  flusher_ = std::make_unique<Flusher>(
      Flusher::Log{[this] { return flush_once(); }, [this] { return bounds().durable; },
                   [this] { return bounds().end; }},
      options_.flush_interval_ms);
  keeper_->start();
  flusher_->start();
}

CommitLog::~CommitLog() { close(); }

void CommitLog::close() {
  {
    const std::lock_guard lock(append_mutex_);
    if (closed_) return;
    closed_ = true;
    writable_ = false;
  }
  if (keeper_ != nullptr) keeper_->stop();
  if (flusher_ != nullptr) flusher_->stop();
}

std::optional<Error> CommitLog::failed() const {
  const std::lock_guard lock(failed_mutex_);
  return failed_;
}

void CommitLog::fail(const Error& error) {
  {
    const std::lock_guard lock(failed_mutex_);
    if (failed_) return;
    failed_ = error;
    failed_->text =
        "the log takes nothing since an earlier failure (" + error.text +
        "); bytes that were not durable then may be lost: mend the disk and restart this node";
  }
  options_.background_error(error);
}

Result<std::int64_t> CommitLog::flush_once() {
  const std::lock_guard lock(flush_mutex_);
  const LogBounds bounds = bounds_.load();
  if (bounds.durable == bounds.end) return bounds.durable;
  if (auto error = failed()) return *error;
  const auto sync = [&]() -> std::optional<Error> {
    for (const auto& segment : table_.overlapping(bounds.durable, bounds.end))
      if (auto error = segment->sync()) return error;
    mark_.set_flushed(bounds.end);
    return mark_.sync();
  };
  if (auto error = sync()) {
    fail(*error);
    return *error;
  }
  bounds_.update([&](LogBounds& b) { b.durable = bounds.end; });
  options_.flushed(bounds.end);
  return bounds.end;
}

CommitLog::Walked CommitLog::walk(std::int64_t from, std::int64_t to, BodyCheck check,
                                  const std::function<void(const RecordView&)>& use) const {
  Walked walked{from, {}};
  std::shared_ptr<const Segment> segment;
  while (walked.position < to) {
    const std::int64_t at = walked.position;
    if (segment == nullptr || at >= segment->end()) segment = table_.find(at);
    const std::int64_t left = segment->end() - at;
    const std::int64_t available = std::min(to - at, left);
    walked.item = judge(segment->at(at), available, at, left, check);
    if (walked.item.found == Found::kRecord) {
      if (use) use(walked.item.record);
    } else if (walked.item.found == Found::kBlank && available < left) {
      walked.item.found = Found::kPartial;
      return walked;
    } else if (walked.item.found != Found::kBlank) {
      return walked;
    }
    walked.position += walked.item.size;
  }
  walked.item = {};
  return walked;
}

std::int32_t CommitLog::read(std::int64_t offset, void* buffer, std::int64_t size,
                             std::int64_t& got) {
  Lease lease;
  const std::int32_t status = table_.lease(SegmentTable::Kind::kCopying, offset, size, lease);
  if (status != HA_OK) return status;
  const ReadGuard guard(table_, std::move(lease));
  std::memcpy(buffer, guard.data(), static_cast<std::size_t>(guard.size()));
  got = guard.size();
  return HA_OK;
}

bool CommitLog::with_record(std::int64_t offset,
                            const std::function<void(const RecordView&)>& use) {
  Lease lease;
  if (table_.lease(SegmentTable::Kind::kCopying, offset, options_.segment_bytes, lease) != HA_OK)
    return false;
  const std::int64_t left = lease.segment->end() - offset;
  const ReadGuard guard(table_, std::move(lease));
  const Item item = judge(guard.data(), guard.size(), offset, left, BodyCheck::kNo);
  if (item.found != Found::kRecord) return false;
  use(item.record);
  return true;
}

Result<std::int64_t> CommitLog::record_floor(std::int64_t offset) {
  const LogBounds bounds = bounds_.load();
  if (offset < bounds.min || offset > bounds.end)
    return make_error(HA_RANGE, "record_floor: offset " + std::to_string(offset) +
                                    " is outside the log [" + std::to_string(bounds.min) + ", " +
                                    std::to_string(bounds.end) + "]");
  if (offset >= bounds.whole_end) return bounds.whole_end;
  // A segment's start is a record's start, and so are the ends of those before the offset.
  const std::int64_t base = offset - offset % options_.segment_bytes;
  if (base == offset) return base;
  Lease lease;
  const std::int32_t status =
      table_.lease(SegmentTable::Kind::kCopying, base, offset - base, lease);
  if (status != HA_OK)
    return make_error(status,
                      "record_floor: the log no longer holds offset " + std::to_string(base));
  const ReadGuard guard(table_, std::move(lease));
  std::int64_t floor = 0;
  while (floor < guard.size()) {
    const Item item = judge(guard.data() + floor, guard.size() - floor, base + floor,
                            options_.segment_bytes - floor, BodyCheck::kNo);
    if (item.found == Found::kCorrupt || item.found == Found::kConflict)
      return fault_error(item, base + floor, options_.segment_bytes);
    if (item.found != Found::kRecord) break;
    floor += item.size;
  }
  return base + floor;
}

bool CommitLog::retention_wants(std::int64_t held) const {
  if (options_.retention_bytes > 0 && held > options_.retention_bytes) return true;
  if (options_.retention_ms <= 0) return false;
  // The oldest segment is as old as its last message, which is no younger than the first of the
  // next.
  const auto next = table_.second();
  const LogBounds bounds = bounds_.load();
  if (next == nullptr || bounds.confirm <= next->base()) return false;
  const std::int64_t available = std::min(bounds.confirm, next->end()) - next->base();
  const Item item =
      judge(next->at(next->base()), available, next->base(), next->size(), BodyCheck::kNo);
  return item.found == Found::kRecord &&
         item.record.store_time_ms < options_.now_ms() - options_.retention_ms;
}

void CommitLog::apply_retention() {
  if (options_.retention_bytes <= 0 && options_.retention_ms <= 0) return;
  std::vector<std::shared_ptr<Segment>> gone;
  {
    const std::lock_guard lock(append_mutex_);
    if (closed_) return;
    for (;;) {
      const LogBounds bounds = bounds_.load();
      const std::int64_t next_min = bounds.min + options_.segment_bytes;
      // Whole segments below everything that still moves: the readers' bound, the fsync.
      if (next_min > std::min(bounds.confirm, bounds.durable)) break;
      if (next_min > observer_.retain_from() || next_min > held_from_) break;
      if (!retention_wants(bounds.end - bounds.min)) break;
      auto oldest = table_.pop_oldest(
          [&](std::int64_t min) { bounds_.update([&](LogBounds& b) { b.min = min; }); });
      if (oldest == nullptr) break;
      mark_.set_begin(oldest->end());
      observer_.on_trim(oldest->end());
      gone.push_back(std::move(oldest));
    }
  }
  if (gone.empty()) return;
  // The mark first: a crash in between leaves files that the next open removes, never a gap.
  if (auto error = mark_.sync()) return fail(*error);
  for (const auto& segment : gone)
    if (auto error = segment->remove()) options_.background_error(*error);
  if (auto error = sync_directory(directory_)) options_.background_error(*error);
}

}  // namespace stub::store
