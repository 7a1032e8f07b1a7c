// SPDX-License-Identifier: Apache-2.0
#include "store/commit_log.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include "ha/plugin.h"
#include "store/recovery.h"

namespace stub::store {
namespace {

std::int64_t system_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Of the two clocks that nobody sets, the one that goes on while the machine sleeps.
std::int64_t since_boot_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// 0 = not given, which is fine.
std::optional<Error> refuse_segment_size(std::int64_t size, const std::string& what,
                                         const std::string& way_out) {
  if (size == 0 ||
      (size >= kMinSegmentBytes && size <= kMaxSegmentBytes && size % kMinSegmentBytes == 0))
    return std::nullopt;
  return make_error(HA_INVALID, what + " " + std::to_string(size) +
                                    " is not a multiple of 4096 between 4096 and " +
                                    std::to_string(kMaxSegmentBytes) + " (" + way_out + ")");
}

}  // namespace

CommitLog::CommitLog(LogOptions options, bool segment_size_given, LogObserver& observer,
                     StoreLock lock)
    : options_(std::move(options)),
      segment_size_given_(segment_size_given),
      observer_(observer),
      lock_(std::move(lock)),
      directory_(options_.store_dir + "/commitlog"),
      table_(options_.segment_bytes, bounds_, options_.max_lent),
      digests_(options_.store_dir, options_.segment_bytes, options_.digest_bytes,
               [this](const std::string& text) { options_.warning(text); }) {
  if (!options_.now_ms) options_.now_ms = system_now_ms;
  if (!options_.steady_ms) options_.steady_ms = since_boot_ms;
  if (!options_.warning) options_.warning = [](const std::string&) {};
  if (!options_.background_error) options_.background_error = [](const Error&) {};
  if (!options_.appended) options_.appended = [](std::int64_t) {};
  if (!options_.flushed) options_.flushed = [](std::int64_t) {};
  opened_ = now();
}

Result<std::unique_ptr<CommitLog>> CommitLog::open(LogOptions options, LogObserver& observer) {
  if (auto refused = refuse_segment_size(options.segment_bytes, "segment size", "try 1073741824"))
    return *refused;
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
  const bool segment_size_given = options.segment_bytes != 0;
  if (!segment_size_given) {
    const auto held = held_segment_bytes(options.store_dir);
    if (const auto* error = std::get_if<Error>(&held)) return *error;
    options.segment_bytes = std::get<std::int64_t>(held);
    const std::string what = "the store '" + options.store_dir + "': its segment size";
    if (auto refused = refuse_segment_size(options.segment_bytes, what,
                                           "a segment file was cut short or replaced: restore it, "
                                           "or start from an empty store as a slave"))
      return *refused;
    if (options.segment_bytes == 0) options.segment_bytes = kDefaultSegmentBytes;
  }
  std::unique_ptr<CommitLog> log(new CommitLog(std::move(options), segment_size_given, observer,
                                               std::move(std::get<StoreLock>(lock))));
  if (auto failed = Recovery(*log).run()) return *failed;
  log->start();
  return log;
}

void CommitLog::start() {
  keeper_ = std::make_unique<SegmentKeeper>(
      directory_, options_.segment_bytes,
      [this] {
        apply_retention();
        write_digest();
      },
      options_.background_error);
  flusher_ = std::make_unique<Flusher>(
      Flusher::Log{[this] { return flush_once(); }, [this] { return bounds().durable; },
                   [this] { return bounds().end; }},
      options_.flush_interval_ms);
  // So that no message waits for a file to be made. One that is empty is enough, or each start
  // would add one.
  const std::int64_t end = bounds().end;
  const std::int64_t next = table_.next_base(end);
  if (next - end < options_.segment_bytes) keeper_->want(next);
  mark_syncer_ = std::make_unique<Beside>([this] { return mark_.sync(); });
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
  // That the last flush has ended: nothing needs it, but the next open then reads no sums.
  if (mark_syncer_ != nullptr) {
    if (auto error = mark_.sync()) options_.background_error(*error);
  }
  // Nothing goes now, but the observer may have come to know something since the last time.
  if (auto error = observer_.before_trim(bounds_.load().min)) options_.background_error(*error);
}

std::optional<Error> CommitLog::failed() const {
  if (!has_failed_) return std::nullopt;
  const std::lock_guard lock(failed_mutex_);
  return failed_;
}

void CommitLog::fail(const Error& error) {
  {
    const std::lock_guard lock(failed_mutex_);
    if (failed_) return;
    failed_ = error;
    has_failed_ = true;
    failed_->text =
        "the log takes nothing since an earlier failure (" + error.text +
        "); bytes that were not durable then may be lost: repair the disk and restart this node";
  }
  // The page cache may have lost bytes: the boot id does not vouch for them any more.
  mark_.forget_boot();
  options_.background_error(error);
}

Result<std::int64_t> CommitLog::flush_once() {
  const std::lock_guard lock(flush_mutex_);
  const std::int64_t durable = bounds_.load().durable;
  SummedEnd end;
  {
    const std::lock_guard append_lock(append_mutex_);
    end = {bounds_.load().end, sum_};
  }
  if (durable == end.offset) return durable;
  if (auto error = failed()) return *error;
  // The mark says where this flush ends, and not yet that it has ended, so both may reach the disk
  // in any order (tail.cc has the argument), and nobody waits for the two in turn. That it
  // has ended goes to the disk with the next flush.
  mark_.set_flushing(end);
  mark_syncer_->begin();
  std::optional<Error> error;
  for (const auto& segment : table_.overlapping(durable, end.offset))
    if ((error = segment->sync())) break;
  auto mark_error = mark_syncer_->end();
  if (!error) error = std::move(mark_error);
  if (error) {
    fail(*error);
    return *error;
  }
  mark_.set_flushed();
  flushed_sum_ = end.sum;
  bounds_.update([&](LogBounds& b) { b.durable = end.offset; });
  options_.flushed(end.offset);
  if (digest_due()) keeper_->look();
  return end.offset;
}

std::string_view CommitLog::bytes_at(std::int64_t from, std::int64_t end) const {
  const auto segment = table_.find(from);
  if (segment == nullptr) return {};
  return {segment->at(from), static_cast<std::size_t>(std::min(end, segment->end()) - from)};
}

MarkValues CommitLog::mark_values() const {
  const LogBounds bounds = bounds_.load();
  MarkValues out;
  out.begin = bounds.min;
  out.committed = bounds.end;
  out.flushed = bounds.durable;
  out.segment_bytes = options_.segment_bytes;
  if (bounded_) out.confirm = bounds.confirm;
  out.committed_sum = sum_;
  out.flushed_sum = flushed_sum_;
  out.flushing = out.flushed;
  out.flushing_sum = out.flushed_sum;
  out.boot = options_.boot_id;
  return out;
}

CommitLog::Walked CommitLog::walk_items(std::int64_t from, std::int64_t to, const Look& look,
                                        const Use& use, std::int64_t enough) const {
  Walked walked{from, {}};
  while (walked.position < std::min(to, enough)) {
    const std::int64_t at = walked.position;
    const std::int64_t left = options_.segment_bytes - at % options_.segment_bytes;
    const std::int64_t available = std::min(to - at, left);
    walked.item = look(at, available, left);
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

CommitLog::Walked CommitLog::walk(std::int64_t from, std::int64_t to, BodyCheck check,
                                  const Use& use, std::int64_t enough) const {
  std::shared_ptr<const Segment> segment;
  const auto look = [&](std::int64_t at, std::int64_t available, std::int64_t left) {
    if (segment == nullptr || at >= segment->end()) segment = table_.find(at);
    return judge(segment->at(at), available, at, left, check);
  };
  return walk_items(from, to, look, use, enough);
}

// A digest is only of durable and confirmed bytes: a safe cut never has to remove one.
bool CommitLog::digest_due() const {
  const LogBounds bounds = bounds_.load();
  return digests_.piece_end(digests_.next()) <= std::min(bounds.durable, bounds.confirm);
}

// Writes one digest. The keeper does its other work before the next one.
void CommitLog::write_digest() {
  if (!digest_due()) return;
  const LogBounds bounds = bounds_.load();
  const std::int64_t limit = std::min(bounds.durable, bounds.confirm);
  const std::int64_t begin = digests_.next();
  Lease lease;
  if (table_.lease(SegmentTable::Kind::kCopying, begin, limit - begin, lease) != HA_OK) return;
  const ReadGuard guard(table_, std::move(lease));
  const Segment& segment = guard.segment();
  const auto look = [&](std::int64_t at, std::int64_t available, std::int64_t left) {
    return judge(segment.at(at), available, at, left, BodyCheck::kNo);
  };
  DigestBuilder builder(begin);
  const std::int64_t enough = digests_.piece_end(begin);
  const Walked walked = walk_items(
      begin, begin + guard.size(), look, [&](const RecordView& record) { builder.add(record); },
      enough);
  if (walked.item.found == Found::kCorrupt || walked.item.found == Found::kConflict)
    return digests_.stop();              // the next open finds it too, and says so
  if (walked.position < enough) return;  // the piece's last record is not all there
  digests_.write(segment, builder, walked.position);
  if (digest_due()) keeper_->look();
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

// By the system's clock, and no more than the clock that nobody sets allows: a jump of the former
// does not make a message older. What was here at the open, or came from a master, was as old then
// as the system's clock said.
std::int64_t CommitLog::age_ms(const Segment& segment, std::int64_t store_time_ms) const {
  const auto known = begun_.find(segment.base());
  const Moment& begun = known == begun_.end() ? opened_ : known->second;
  const Moment here = now();
  const std::int64_t then = std::max<std::int64_t>(0, begun.wall_ms - store_time_ms);
  return std::min(here.wall_ms - store_time_ms, then + here.steady_ms - begun.steady_ms);
}

bool CommitLog::retention_wants(std::int64_t min) const {
  const std::int64_t held = bounds_.load().end - min;
  if (options_.retention_bytes > 0 && held > options_.retention_bytes) return true;
  if (options_.retention_ms <= 0) return false;
  // The segment at min is as old as its last message, which is no younger than the first of the
  // next.
  const auto next = table_.find(min + options_.segment_bytes);
  const LogBounds bounds = bounds_.load();
  if (next == nullptr || bounds.confirm <= next->base()) return false;
  const std::int64_t available = std::min(bounds.confirm, next->end()) - next->base();
  const Item item =
      judge(next->at(next->base()), available, next->base(), next->size(), BodyCheck::kNo);
  return item.found == Found::kRecord &&
         age_ms(*next, item.record.store_time_ms) > options_.retention_ms;
}

bool CommitLog::may_trim(std::int64_t new_min) const {
  // Whole segments below everything that still moves: the readers' bound, the fsync.
  const LogBounds bounds = bounds_.load();
  return new_min <= std::min(bounds.confirm, bounds.durable) &&
         new_min <= observer_.retain_from() && new_min <= held_from_;
}

std::int64_t CommitLog::retention_target() const {
  std::int64_t min = bounds_.load().min;
  if (options_.retention_bytes <= 0 && options_.retention_ms <= 0) return min;
  while (may_trim(min + options_.segment_bytes) && retention_wants(min))
    min += options_.segment_bytes;
  return min;
}

void CommitLog::apply_retention() {
  std::int64_t target = 0;
  {
    const std::lock_guard lock(append_mutex_);
    if (closed_) return;
    target = retention_target();
  }
  const auto unsaved = observer_.before_trim(target);
  if (unsaved) {
    options_.background_error(*unsaved);
    // Nothing else makes room on a full disk. The observer tells at the next open that what it has
    // there is older than the log's beginning.
    if (unsaved->os_errno != ENOSPC && unsaved->os_errno != EDQUOT) return;
  }
  std::vector<std::shared_ptr<Segment>> gone;
  {
    const std::lock_guard lock(append_mutex_);
    if (closed_) return;
    // Asked again: the log may have been cut or reset meanwhile.
    for (std::int64_t min = bounds_.load().min;
         min < target && may_trim(min + options_.segment_bytes); min += options_.segment_bytes) {
      auto oldest = table_.pop_oldest(
          [&](std::int64_t new_min) { bounds_.update([&](LogBounds& b) { b.min = new_min; }); });
      if (oldest == nullptr) break;
      mark_.set_begin(oldest->end());
      begun_.erase(oldest->base());
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
  if (auto error = digests_.keep(bounds().min, kNoLimit)) options_.background_error(*error);
  observer_.after_trim();
  if (!unsaved) return;
  if (const auto error = observer_.before_trim(bounds().min)) options_.background_error(*error);
}

}  // namespace stub::store
