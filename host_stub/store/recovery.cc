// SPDX-License-Identifier: Apache-2.0
#include "store/recovery.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>

#include "ha/plugin.h"
#include "store/tail.h"

namespace stub::store {
namespace {

constexpr std::size_t kNameDigits = 20;

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool faulty(const Item& item) {
  return item.found == Found::kCorrupt || item.found == Found::kConflict;
}

}  // namespace

Result<std::vector<std::int64_t>> list_segments(const std::string& directory,
                                                std::vector<std::string>* unfinished) {
  std::vector<std::int64_t> bases;
  std::error_code code;
  std::filesystem::directory_iterator at(directory, code);
  for (; !code && at != std::filesystem::directory_iterator(); at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (name.size() < kNameDigits || !all_digits(std::string_view(name).substr(0, kNameDigits)))
      continue;
    if (name.size() == kNameDigits) {
      std::int64_t base = 0;
      const auto parsed = std::from_chars(name.data(), name.data() + name.size(), base);
      if (parsed.ec == std::errc()) bases.push_back(base);
    } else if (unfinished != nullptr && name.substr(kNameDigits) == kUnfinishedSuffix) {
      unfinished->push_back(at->path().string());
    }
  }
  if (code) return system_error(code.value(), "cannot list '" + directory + "'");
  std::sort(bases.begin(), bases.end());
  // RocketMQ names a segment before it gives it its size; a kill in between leaves it empty.
  if (!bases.empty()) {
    const std::string last = directory + "/" + Segment::file_name(bases.back());
    if (std::filesystem::file_size(last, code) == 0 && !code) {
      if (unfinished != nullptr) unfinished->push_back(last);
      bases.pop_back();
    }
  }
  return bases;
}

Result<std::int64_t> held_segment_bytes(const std::string& store_dir) {
  auto loaded = CommitMark::load(store_dir);
  if (auto* error = std::get_if<Error>(&loaded)) return std::move(*error);
  if (const auto& mark = std::get<std::optional<MarkValues>>(loaded)) return mark->segment_bytes;
  const std::string directory = store_dir + "/commitlog";
  auto listed = list_segments(directory, nullptr);
  if (auto* error = std::get_if<Error>(&listed)) return std::move(*error);
  // The largest: one that was cut short is told from the others then.
  std::int64_t size = 0;
  for (const std::int64_t base : std::get<std::vector<std::int64_t>>(listed)) {
    const auto segment = Segment::open(directory, base, Segment::Access::kReadOnly);
    if (const auto* error = std::get_if<Error>(&segment)) return *error;
    size = std::max(size, std::get<std::shared_ptr<Segment>>(segment)->size());
  }
  return size;
}

std::optional<Error> Recovery::run() {
  auto loaded = CommitMark::load(log_.options_.store_dir);
  if (auto* error = std::get_if<Error>(&loaded)) return std::move(*error);
  mark_ = std::get<std::optional<MarkValues>>(loaded);
  if (mark_) synced_ = mark_->flushed;
  log_.bounded_ = mark_ && mark_->confirm != kUnbounded;
  if (log_.bounded_) log_.observer_.on_confirm(mark_->confirm);
  if (auto error = open_segments()) return error;
  std::int64_t end = begin_;
  if (auto error = find_end(end)) return error;
  return clear_beyond(end);
}

std::optional<Error> Recovery::open_segments() {
  const std::int64_t size = log_.options_.segment_bytes;
  if (mark_ && mark_->segment_bytes != size)
    return make_error(HA_INVALID, "the store '" + log_.options_.store_dir + "' has segments of " +
                                      std::to_string(mark_->segment_bytes) +
                                      " bytes, the option segment-size says " +
                                      std::to_string(size) + "; use " +
                                      std::to_string(mark_->segment_bytes));
  std::vector<std::string> unfinished;
  auto listed = list_segments(log_.directory_, &unfinished);
  if (auto* error = std::get_if<Error>(&listed)) return std::move(*error);
  auto bases = std::get<std::vector<std::int64_t>>(listed);
  if (auto error = remove_unfinished(unfinished)) return error;
  if (mark_)
    if (auto error = remove_leftovers(bases)) return error;

  begin_ = mark_ ? mark_->begin : bases.empty() ? 0 : bases.front();
  std::int64_t expected = begin_;
  for (const std::int64_t base : bases) {
    auto opened = Segment::open(log_.directory_, base, Segment::Access::kReadWrite);
    if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
    auto segment = std::move(std::get<std::shared_ptr<Segment>>(opened));
    if (segment->size() != size) return wrong_size(*segment, base == bases.front());
    if (base % size != 0)
      return make_error(
          HA_CORRUPT,
          "'" + segment->path() + "' is not the name of a segment of " + std::to_string(size) +
              " bytes: it must be a multiple of that; move the file away, or restore its name");
    if (base != expected)
      return make_error(HA_CORRUPT, "the segment '" + log_.directory_ + "/" +
                                        Segment::file_name(expected) + "' is missing before '" +
                                        segment->path() +
                                        "'; put it back, or start from an empty store as a slave");
    expected += size;
    log_.table_.push(std::move(segment));
  }
  files_end_ = expected;
  if (mark_ && mark_->committed > files_end_)
    return make_error(HA_CORRUPT,
                      "the segment '" + log_.directory_ + "/" + Segment::file_name(files_end_) +
                          "' is missing: the log went up to " + std::to_string(mark_->committed) +
                          "; put it back, or start from an empty store as a slave");
  return std::nullopt;
}

std::optional<Error> Recovery::remove_unfinished(const std::vector<std::string>& paths) const {
  for (const auto& path : paths) {
    if (mark_ && !path.ends_with(kUnfinishedSuffix)) {
      const std::int64_t base = std::stoll(path.substr(path.rfind('/') + 1));
      // Not one that was being made: the log has bytes in it.
      if (base >= mark_->begin && base < mark_->committed) {
        auto opened = Segment::open(log_.directory_, base, Segment::Access::kReadOnly);
        if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
      }
    }
    if (auto error = remove_file(path)) return error;
  }
  return std::nullopt;
}

Error Recovery::wrong_size(const Segment& segment, bool first) const {
  const std::string has = std::to_string(segment.size()) + " bytes";
  const std::string must_have = std::to_string(log_.options_.segment_bytes);
  // Without a mark an option that was given is all there is to compare with.
  if (!mark_ && first && log_.segment_size_given_)
    return make_error(
        HA_INVALID, "the store '" + log_.options_.store_dir + "' has segments of another size: '" +
                        segment.path() + "' has " + has + ", the option segment-size says " +
                        must_have + "; leave the option out to use the size that the store has");
  return make_error(HA_CORRUPT,
                    "the segment '" + segment.path() + "' has " + has + " and must have " +
                        must_have +
                        (mark_ ? ", as the store's commit_mark says" : ", as the store's others") +
                        ": the file was cut short or replaced. Ways out: restore it; or start from "
                        "an empty store as a slave of a node that holds the log");
}

std::optional<Error> Recovery::remove_leftovers(std::vector<std::int64_t>& bases) {
  // Beyond the end those may stay that follow on: clear_beyond looks at what is in them.
  std::vector<std::int64_t> kept;
  std::int64_t next = mark_->begin;
  for (const std::int64_t base : bases) {
    if (base < mark_->begin || (base > mark_->committed && base != next)) {
      if (auto error = remove_file(log_.directory_ + "/" + Segment::file_name(base))) return error;
    } else {
      kept.push_back(base);
      next = base + mark_->segment_bytes;
    }
  }
  bases = std::move(kept);
  return std::nullopt;
}

std::optional<Error> Recovery::find_end(std::int64_t& end) {
  log_.observer_.on_begin(begin_);
  const bool believe_digests = mark_ && mark_->digests;
  if (!believe_digests)
    if (auto error = log_.digests_.remove_all()) return error;
  log_.digests_.begin_at(begin_);
  if (mark_) {
    settle_flush(*mark_, log_.options_.boot_id,
                 [this](std::int64_t at, std::int64_t stop) { return log_.bytes_at(at, stop); });
    const auto walked = tell_records(mark_->flushed, BodyCheck::kNo, believe_digests);
    if (faulty(walked.item)) return damage(walked);
    if (auto error = log_.digests_.remove_rest()) return error;
    if (auto error = find_end_in_tail(walked.position, end)) return error;
    log_.walk(walked.position, end, BodyCheck::kNo,
              [this](const RecordView& record) { log_.observer_.on_record(record); });
    return std::nullopt;
  }
  const auto walked = tell_records(files_end_, BodyCheck::kYes, believe_digests);
  if (faulty(walked.item))
    if (auto error = refuse_lost_segments(walked)) return error;
  end = walked.position;
  return std::nullopt;
}

CommitLog::Walked Recovery::tell_records(std::int64_t limit, BodyCheck check,
                                         bool believe_digests) {
  LogDigests& digests = log_.digests_;
  const std::int64_t confirmed = log_.bounded_ ? mark_->confirm : kNoLimit;
  Digest digest;
  CommitLog::Walked walked{begin_, {}};
  while (walked.position < limit) {
    const std::int64_t begin = walked.position;
    const auto segment = log_.table_.find(begin);
    if (believe_digests && digests.read(*segment, begin, limit, digest)) {
      log_.observer_.on_digest(digest);
      walked.position = digest.end;
      continue;
    }
    DigestBuilder builder(begin);
    const std::int64_t enough = digests.piece_end(begin);
    walked = log_.walk(
        begin, limit, check,
        [&](const RecordView& record) {
          log_.observer_.on_record(record);
          if (digests.enabled()) builder.add(record);
        },
        enough);
    if (walked.position < enough) return walked;
    if (walked.position <= confirmed) digests.write(*segment, builder, walked.position);
  }
  return walked;
}

// from: the end of the last record that is flushed as a whole.
std::optional<Error> Recovery::find_end_in_tail(std::int64_t from, std::int64_t& end) {
  const auto& boot = log_.options_.boot_id;
  power_lost_ = !mark_->boot || mark_->boot != boot;
  const Tail tail = judge_tail(
      *mark_, boot, [this](std::int64_t at, std::int64_t stop) { return log_.bytes_at(at, stop); });
  const BodyCheck check = tail == Tail::kWhole ? BodyCheck::kYes : BodyCheck::kTorn;
  const auto walked = log_.walk(from, mark_->committed, check, nullptr);
  end = walked.position;
  if (faulty(walked.item)) {
    if (tail == Tail::kWhole) return damage(walked);
    warn_of_cut(end, "a loss of power tore what stands there (" +
                         fault_error(walked.item, end, log_.options_.segment_bytes).text + ")");
  } else if (tail == Tail::kTorn) {
    end = from;
    warn_of_cut(end,
                "a loss of power tore some of it: checksum mismatch, and no record shows where");
  } else if (end < mark_->committed) {
    warn_of_cut(end, "");
  }
  return std::nullopt;
}

void Recovery::warn_of_cut(std::int64_t end, const std::string& why) const {
  const std::string cut = "the log was cut at " + std::to_string(end) + ": " +
                          std::to_string(mark_->committed - end) + " bytes, up to " +
                          std::to_string(mark_->committed) + ", are gone; ";
  log_.options_.warning(cut + (why.empty()
                                   ? "they are the beginning of a record whose rest had not arrived"
                                   : why + "; messages in them may have been acknowledged"));
}

Error Recovery::damage(const CommitLog::Walked& walked) const {
  Error error = fault_error(walked.item, walked.position, log_.options_.segment_bytes);
  const bool flushed = walked.position < mark_->flushed;
  if (const auto segment = log_.table_.find(walked.position))
    error.text += "; in '" + segment->path() + "'";
  error.text += flushed ? "; that is below " + std::to_string(mark_->flushed) +
                              ", up to where the log was on stable storage"
                        : "; no loss of power explains that, so the file was damaged or changed";
  error.text +=
      ", and " + std::to_string(mark_->committed - walked.position) +
      " bytes lie at or beyond the fault. Ways out: restore the store's files; or start from an "
      "empty store as a slave of a node that holds the log; or, to give those bytes up, remove '" +
      log_.options_.store_dir + "/commit_mark' and the segments after this one, and start again";
  return error;
}

std::optional<Error> Recovery::refuse_lost_segments(const CommitLog::Walked& walked) const {
  const std::int64_t size = log_.options_.segment_bytes;
  const std::int64_t next = walked.position - walked.position % size + size;
  for (const auto& segment : log_.table_.overlapping(next, files_end_)) {
    const Item item =
        judge(segment->at(segment->base()), size, segment->base(), size, BodyCheck::kNo);
    if (item.found != Found::kRecord) continue;
    Error error = fault_error(walked.item, walked.position, size);
    error.text +=
        "; and '" + segment->path() +
        "' after it holds records, so this is not a torn tail. Ways out: restore the store's "
        "files; or, to give up what lies beyond, remove that segment and all after it, and start "
        "again";
    return error;
  }
  return std::nullopt;
}

std::int64_t Recovery::confirm(std::int64_t end) const {
  // After a loss of power the mark may be ahead of the log.
  return log_.bounded_ ? std::clamp(mark_->confirm, begin_, end) : end;
}

std::optional<Error> Recovery::clear_beyond(std::int64_t end) {
  // What is kept becomes durable, then the mark that counts it, and only then is anything cleared:
  // a crash in between finds a mark by which the rest is beyond the end.
  // Not from where settle_flush found it: what was read may be in the page cache alone.
  for (const auto& segment : log_.table_.overlapping(mark_ ? synced_ : begin_, end))
    if (auto error = segment->sync()) return error;
  log_.sum_ = log_.flushed_sum_ = 0;
  log_.bounds_.update([&](LogBounds& b) { b = {begin_, end, end, end, confirm(end)}; });
  if (auto error = log_.mark_.create(log_.options_.store_dir, log_.mark_values())) return error;
  Segment::Written cleared;
  if (auto error = clear_segments_beyond(end, cleared)) return error;
  // Within one boot it is a write that the mark did not count yet, so nobody was told of it.
  const std::int64_t told = mark_ ? mark_->committed : end;
  if (power_lost_ && cleared.any() && cleared.end > told)
    log_.options_.warning(
        std::to_string(cleared.end - told) + " bytes from " + std::to_string(told) + " to " +
        std::to_string(cleared.end) + " stood beyond the log's end and are gone; " +
        (mark_ ? "the mark that counts the log's bytes may be older than they are, so messages in "
                 "them may have been acknowledged"
               : "no whole record begins there"));
  if (log_.bounded_) log_.observer_.on_confirm(confirm(end));
  return std::nullopt;
}

std::optional<Error> Recovery::clear_segments_beyond(std::int64_t end, Segment::Written& cleared) {
  const auto add = [&cleared](Segment::Written more) {
    if (!more.any()) return;
    if (!cleared.any()) cleared.begin = more.begin;
    cleared.end = more.end;
  };
  auto beyond = log_.table_.pop_from(end + 1);
  if (const auto last = log_.table_.find(end)) {
    const auto result = last->clear(end);
    if (const auto* error = std::get_if<Error>(&result)) return *error;
    add(std::get<Segment::Written>(result));
    if (cleared.any())
      if (auto error = last->sync()) return error;
  }
  // Segments that were made ahead, here or by RocketMQ, are kept for the log to grow into.
  bool removed = false;
  for (; !beyond.empty(); beyond.pop_back()) {
    const auto& segment = beyond.back();
    const auto written = segment->written(segment->base());
    removed = removed || written.any();
    add(written);
    if (!removed)
      log_.table_.push(segment);
    else if (auto error = segment->remove())
      return error;
  }
  return removed ? sync_directory(log_.directory_) : std::nullopt;
}

}  // namespace stub::store
