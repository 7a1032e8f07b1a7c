#include "store/recovery.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>

#include "ha/plugin.h"

namespace stub::store {
namespace {

constexpr std::size_t kNameDigits = 20;

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
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
  const auto& bases = std::get<std::vector<std::int64_t>>(listed);
  if (bases.empty()) return std::int64_t{0};
  const auto first = Segment::open(directory, bases.front(), Segment::Access::kReadOnly);
  if (const auto* error = std::get_if<Error>(&first)) return *error;
  return std::get<std::shared_ptr<Segment>>(first)->size();
}

std::optional<Error> Recovery::run() {
  auto loaded = CommitMark::load(log_.options_.store_dir);
  if (auto* error = std::get_if<Error>(&loaded)) return std::move(*error);
  mark_ = std::get<std::optional<MarkValues>>(loaded);
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
  for (const auto& path : unfinished)
    if (auto error = remove_file(path)) return error;
  if (mark_)
    if (auto error = remove_leftovers(bases)) return error;

  begin_ = mark_ ? mark_->begin : bases.empty() ? 0 : bases.front();
  std::int64_t expected = begin_;
  for (const std::int64_t base : bases) {
    auto opened = Segment::open(log_.directory_, base, Segment::Access::kReadWrite);
    if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
    auto segment = std::move(std::get<std::shared_ptr<Segment>>(opened));
    if (segment->size() != size)
      return make_error(HA_INVALID, "the segment '" + segment->path() + "' has " +
                                        std::to_string(segment->size()) +
                                        " bytes, the option segment-size says " +
                                        std::to_string(size) + "; use the size the store has");
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
  const std::int64_t committed = mark_ ? mark_->committed : files_end_;
  const std::int64_t flushed = mark_ ? mark_->flushed : begin_;
  const auto tell = [this](const RecordView& record) { log_.observer_.on_record(record); };
  const auto faulty = [](const Item& item) {
    return item.found == Found::kCorrupt || item.found == Found::kConflict;
  };
  CommitLog::Walked walked = log_.walk(begin_, flushed, BodyCheck::kNo, tell);
  if (faulty(walked.item)) return fault_below_flushed(walked);
  walked = log_.walk(walked.position, committed, mark_ ? BodyCheck::kTail : BodyCheck::kYes, tell);
  if (!mark_ && faulty(walked.item))
    if (auto error = refuse_lost_segments(walked)) return error;
  end = walked.position;
  return std::nullopt;
}

Error Recovery::fault_below_flushed(const CommitLog::Walked& walked) const {
  Error error = fault_error(walked.item, walked.position, log_.options_.segment_bytes);
  error.text += "; that is below " + std::to_string(mark_->flushed) +
                ", up to where the log was on stable storage, and " +
                std::to_string(mark_->committed - walked.position) +
                " bytes lie at or beyond the fault. Ways out: restore the store's files; or start "
                "from an empty store as a slave of a node that holds the log; or, to give those "
                "bytes up, remove '" +
                log_.options_.store_dir +
                "/commit_mark' and the segments after this one, and start again";
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
    error.text += "; and '" + segment->path() +
                  "' after it holds records, so this is no torn tail. Ways out: restore the "
                  "store's files; or, to give up what lies beyond, remove that segment and all "
                  "after it, and start again";
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
  const std::int64_t flushed = mark_ ? mark_->flushed : begin_;
  for (const auto& segment : log_.table_.overlapping(flushed, end))
    if (auto error = segment->sync()) return error;
  if (auto error =
          log_.mark_.create(log_.options_.store_dir, {begin_, end, end, log_.options_.segment_bytes,
                                                      log_.bounded_ ? confirm(end) : kUnbounded}))
    return error;
  // Segments that were made ahead, here or by RocketMQ, are kept for the log to grow into.
  bool removed = false;
  auto beyond = log_.table_.pop_from(end + 1);
  for (; !beyond.empty(); beyond.pop_back()) {
    const auto& segment = beyond.back();
    removed = removed || !segment->unwritten() || segment->allocate();
    if (!removed)
      log_.table_.push(segment);
    else if (auto error = segment->remove())
      return error;
  }
  if (const auto last = log_.table_.find(end)) {
    // A store that was copied, or that RocketMQ wrote, has holes.
    if (auto error = last->allocate()) return error;
    bool changed = false;
    last->zero_from(end, &changed);
    if (changed)
      if (auto error = last->sync()) return error;
  }
  if (removed)
    if (auto error = sync_directory(log_.directory_)) return error;
  log_.touched_ = end;
  log_.bounds_.update([&](LogBounds& b) { b = {begin_, end, end, end, confirm(end)}; });
  if (log_.bounded_) log_.observer_.on_confirm(confirm(end));
  return std::nullopt;
}

}  // namespace stub::store
