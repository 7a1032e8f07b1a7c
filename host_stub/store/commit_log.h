// SPDX-License-Identifier: Apache-2.0
// The commit log: RocketMQ's segment files in DIR/commitlog, appended to by one writer at a time,
// read by many.
//
// There are two kinds of writer. A master appends messages: each gets its place, a segment's end is
// filled with a blank record. A slave appends raw bytes of its master's log, cut anywhere: they are
// walked before they become part of the log, so that the log of a slave is right or refuses; a
// record becomes visible when its last byte is there. set_writable says which of the two may
// append; the change takes the append lock, so that after it not one append of the other kind is
// under way.
//
// Locks, in the order in which they may be taken: the flush mutex (one fsync round, or one cut, at
// a time), the append mutex (everything that changes the log's end), then the segment table's, the
// mark's, the digests' and the keeper's, which are held for a look-up. Bounds are read without a
// lock.
//
// Readers: they see the records below `confirm`. That is every whole record, until whoever
// replicates calls confirm: from then on it is what was confirmed, also after a crash, until
// confirm_all (a new master: what it holds is the log). So nobody reads what a cut may still take.
//
// Durability: the bytes of the segments and DIR/commit_mark (commit_mark.h), which counts them, are
// flushed side by side, and when both are `durable` is raised. After a failed fsync the kernel may
// have dropped the pages, so the log refuses every further append: see failed().
//
// Threads: any, for every method but open; observers are called under the append mutex.
// Errors: nothing is stored when an append or a reset says no, but for append_messages, which
// stores a run in pieces and says how many messages it stored.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/beside.h"
#include "store/bounds.h"
#include "store/commit_mark.h"
#include "store/error.h"
#include "store/flusher.h"
#include "store/log_digests.h"
#include "store/log_observer.h"
#include "store/segment_keeper.h"
#include "store/segment_table.h"
#include "store/store_lock.h"
#include "store/walk.h"

namespace stub::store {

// The smallest segment has to hold the smallest message and a blank record with room to spare.
inline constexpr std::int64_t kMinSegmentBytes = 4096;
// RocketMQ's, so that a new slave of one of its masters fits.
inline constexpr std::int64_t kDefaultSegmentBytes = std::int64_t{1} << 30;
// Segment sizes and file positions travel as int32 in RocketMQ.
inline constexpr std::int64_t kMaxSegmentBytes = (std::int64_t{1} << 31) - kMinSegmentBytes;

// An open reads what lies above the last digest: half a piece on average, in 15 ms from a disk that
// gives 2.5 GiB/s. Smaller pieces are more files to open.
inline constexpr std::int64_t kDigestPieceBytes = std::int64_t{64} << 20;

struct LogOptions {
  std::string store_dir;
  std::int64_t segment_bytes = 0;  // a multiple of kMinSegmentBytes; 0 = what the store has
  std::int64_t flush_interval_ms = 500;
  std::int64_t retention_bytes = 0;               // 0 = keep all
  std::int64_t retention_ms = 0;                  // 0 = keep all
  std::int64_t digest_bytes = kDigestPieceBytes;  // how much of the log one digest covers
  std::size_t max_lent = kMaxLent;
  std::function<std::int64_t()> now_ms;     // default: the system's clock
  std::function<std::int64_t()> steady_ms;  // default: time since boot, which nobody sets
  std::optional<BootId> boot_id = current_boot_id();
  // What recovery took off the log, and why; that digests cannot be used.
  std::function<void(const std::string&)> warning;
  std::function<void(const Error&)> background_error;  // of the flusher and the keeper
  // The log's new end, called under the append mutex: calls are serialised and must not block.
  std::function<void(std::int64_t end)> appended;
  std::function<void(std::int64_t end)> flushed;  // everything below end is durable
};

struct NewMessage {
  std::string_view topic;
  std::int32_t queue = 0;
  std::string record;        // from encode_record
  Summed left_out = {};      // its body, if that is not in it
  std::int64_t offset = -1;  // where it was stored, once it is

  std::int64_t size() const {
    return static_cast<std::int64_t>(record.size() + left_out.bytes.size());
  }
};

struct Appended {
  std::int64_t stored = 0;  // messages
  std::int64_t first = -1;  // offset of the first record
  std::int64_t end = -1;    // one past the last record
  std::optional<Error> error;
};

// Lets nobody cut or unmap the bytes as long as it lives. Hold it for a decode, not for a wait.
class ReadGuard {
 public:
  ReadGuard(SegmentTable& table, Lease lease) : table_(&table), lease_(std::move(lease)) {}
  ReadGuard(ReadGuard&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), lease_(std::move(other.lease_)) {}
  ReadGuard& operator=(ReadGuard&&) = delete;
  ~ReadGuard() {
    if (table_ != nullptr) table_->release(lease_.token);
  }
  const char* data() const { return lease_.data(); }
  std::int64_t size() const { return lease_.size; }
  const Segment& segment() const { return *lease_.segment; }

 private:
  SegmentTable* table_;
  Lease lease_;
};

class CommitLog {
 public:
  // Recovers what a crash left (recovery.h) and tells the observer every record. The observer must
  // outlive the log.
  static Result<std::unique_ptr<CommitLog>> open(LogOptions options, LogObserver& observer);
  ~CommitLog();

  // Flushes and ends the background threads; appends are refused from here on.
  void close();

  LogBounds bounds() const { return bounds_.load(); }
  std::int64_t segment_bytes() const { return options_.segment_bytes; }
  std::size_t segment_count() const { return table_.count(); }

  // True: this node may append messages. False: raw bytes, cuts and resets are allowed.
  void set_writable(bool writable);
  // accepted: asked under the append lock; false = give up (HA_STATE), nothing was stored.
  Appended append_messages(std::span<NewMessage> messages,
                           const std::function<bool()>& accepted = nullptr);

  // HA_RANGE unless offset is the end; HA_CONFLICT and HA_CORRUPT as the bytes deserve; HA_IO.
  std::optional<Error> append_raw(std::int64_t offset, std::string_view bytes);

  // Memory of the log's own for the bytes that follow its end, for one writer. commit walks what it
  // wrote there, and only then writes it to the segment. HA_STATE when one is out.
  struct Reservation {
    char* data = nullptr;
    std::int64_t room = 0;
  };
  Result<Reservation> reserve(std::int64_t offset, std::int64_t size);
  std::optional<Error> commit(std::int64_t size);
  void drop_reservation();

  // Leases for the plugin (segment_table.h).
  std::int32_t lend(std::int64_t offset, std::int64_t size, Lease& out) {
    return table_.lease(SegmentTable::Kind::kLent, offset, size, out);
  }
  bool give_back(std::uint64_t token) { return table_.release(token); }
  // Copies up to size bytes of one segment.
  std::int32_t read(std::int64_t offset, void* buffer, std::int64_t size, std::int64_t& got);
  // Runs use with the whole record at offset; false when there is none.
  bool with_record(std::int64_t offset, const std::function<void(const RecordView&)>& use);
  Result<std::int64_t> record_floor(std::int64_t offset);

  // Readers may see the records below offset, and no others from the first call on. What lies
  // beyond the log's end stays unconfirmed. Never takes back what readers may have seen: a lower
  // offset than before is fine and changes nothing.
  std::optional<Error> confirm(std::int64_t offset);
  // Readers see every whole record again, until the next confirm.
  void confirm_all();
  // False: confirm follows the whole records.
  bool bounded() const { return bounded_.load(); }

  // Durable when it returns. HA_RANGE below confirm unless unsafe; HA_AGAIN while bytes are lent.
  std::optional<Error> truncate(std::int64_t new_end, bool unsafe);
  // Empties the log; min = end = new_min.
  std::optional<Error> reset(std::int64_t new_min);

  void when_durable(std::int64_t end, Flusher::Done done) {
    flusher_->when_durable(end, std::move(done));
  }
  std::optional<Error> flush(std::int64_t end) { return flusher_->flush(end); }

  // What stands at or above stays whatever the options say; any thread.
  void hold_from(std::int64_t offset) { held_from_ = offset; }
  // Removes the oldest segments that the options no longer keep. The keeper's thread calls it.
  void apply_retention();

  // Why the log takes nothing any more; nullopt = it does.
  std::optional<Error> failed() const;
  // Why the last append found no room; nullopt once one has succeeded, or the disk has room for a
  // segment again: nobody may try while this node is said to be unable.
  std::optional<Error> full() const;

 private:
  friend class Recovery;

  CommitLog(LogOptions options, bool segment_size_given, LogObserver& observer, StoreLock lock);
  void start();

  // All below: REQUIRES the append mutex.
  std::optional<Error> refuse_messages(const std::function<bool()>& accepted) const;
  std::optional<Error> refuse_raw(std::int64_t offset) const;
  std::optional<Error> ensure_segments(std::int64_t end);
  // A segment in which a record of that size fits at the log's end.
  Result<std::shared_ptr<Segment>> make_room(std::int64_t record_bytes);
  std::optional<Error> append_run(const Segment& segment, std::span<NewMessage> run, Appended& out);
  // Judges the bytes that follow the log's end; writes and publishes them if they are right.
  std::optional<Error> take_in(std::string_view bytes);
  struct Arrived;
  // Of the body of a record that the log holds a part of: its CRC-32 up to the log's end.
  struct BodySum {
    std::int64_t record = -1;
    std::int64_t end = -1;
    std::uint32_t crc = 0;
  };
  Arrived judge_arrived(std::string_view bytes) const;
  Item judge_split(std::int64_t at, std::int64_t available, std::int64_t left,
                   std::string_view bytes, Arrived& out) const;
  // Writes inside one segment, at the log's end or beyond. On failure nothing beyond the end stays.
  std::optional<Error> write(const Segment& segment, std::int64_t at, std::span<iovec> pieces);
  void zero_ahead(const Segment& segment, std::int64_t end);
  // In one segment; empty when there is none.
  std::string_view bytes_at(std::int64_t from, std::int64_t end) const;
  MarkValues mark_values() const;
  std::int64_t age_ms(const Segment& segment, std::int64_t store_time_ms) const;
  void publish(std::int64_t end, std::int64_t whole_end);
  void fail(const Error& error);
  void note_full(const Error& error);
  std::optional<Error> cut_files(std::int64_t new_end);

  struct Walked {
    std::int64_t position = 0;  // the first item that is not whole
    Item item;                  // what stands there
  };
  // look(offset, bytes available, bytes left in the segment) judges the item at an offset.
  using Look = std::function<Item(std::int64_t, std::int64_t, std::int64_t)>;
  using Use = std::function<void(const RecordView&)>;
  // Stops at `to`, or at the first item that begins at or above `enough`.
  Walked walk_items(std::int64_t from, std::int64_t to, const Look& look, const Use& use,
                    std::int64_t enough = kNoLimit) const;
  Walked walk(std::int64_t from, std::int64_t to, BodyCheck check, const Use& use,
              std::int64_t enough = kNoLimit) const;
  // Whether the next piece is durable and confirmed, so that its digest can be written.
  bool digest_due() const;
  void write_digest();
  Result<std::int64_t> flush_once();
  // Of the segment at min, the oldest of those that would be left.
  bool retention_wants(std::int64_t min) const;
  bool may_trim(std::int64_t new_min) const;
  std::int64_t retention_target() const;

  LogOptions options_;
  const bool segment_size_given_;
  LogObserver& observer_;
  StoreLock lock_;
  const std::string directory_;  // DIR/commitlog
  PublishedBounds bounds_;
  SegmentTable table_;
  CommitMark mark_;
  LogDigests digests_;

  std::mutex flush_mutex_;
  std::mutex append_mutex_;
  bool writable_ = false;
  std::atomic<bool> bounded_{false};  // changed under the append mutex
  bool closed_ = false;
  std::uint32_t sum_ = 0;          // running, at the log's end
  std::int64_t zeroed_ = 0;        // up to where zero_ahead last wrote
  std::uint32_t flushed_sum_ = 0;  // where durable is; under the flush mutex
  // When a segment's first bytes came, by both clocks; those not in it were there at the open.
  struct Moment {
    std::int64_t wall_ms = 0;
    std::int64_t steady_ms = 0;
  };
  Moment now() const { return {options_.now_ms(), options_.steady_ms()}; }
  Moment opened_;
  std::map<std::int64_t, Moment> begun_;  // by base
  BodySum split_;
  std::int64_t reserved_ = 0;  // size of the open reservation
  std::unique_ptr<char[]> reserve_buffer_;
  std::int64_t reserve_capacity_ = 0;
  std::atomic<std::int64_t> held_from_{kNoLimit};
  mutable std::mutex failed_mutex_;
  std::optional<Error> failed_;
  std::atomic<bool> has_failed_{false};
  std::optional<Error> full_;  // under failed_mutex_ too
  std::int64_t full_since_ms_ = 0;
  std::atomic<bool> is_full_{false};

  std::unique_ptr<Beside> mark_syncer_;
  std::unique_ptr<SegmentKeeper> keeper_;
  std::unique_ptr<Flusher> flusher_;
};

}  // namespace stub::store
