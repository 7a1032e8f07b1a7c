// SPDX-License-Identifier: Apache-2.0
#include "store/verify.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "ha/plugin.h"
#include "store/commit_mark.h"
#include "store/recovery.h"
#include "store/segment.h"
#include "store/store_lock.h"
#include "store/tail.h"
#include "store/walk.h"

namespace stub::store {
namespace {

// A log without a mark ends where the segment was never written: in zeros.
bool unwritten(const char* bytes, std::int64_t size) {
  return std::all_of(bytes, bytes + std::min<std::int64_t>(size, kBlankBytes),
                     [](char c) { return c == 0; });
}

void count(const Item& item, VerifyReport& report) {
  if (item.found == Found::kRecord) {
    ++report.records;
    ++report.topics[std::string(item.record.topic)];
  } else {
    ++report.blanks;
  }
  report.bytes += item.size;
}

struct Limits {
  std::int64_t end = 0;
  bool marked = false;
  std::int64_t torn_from = kNoLimit;  // a loss of power tore some of the bytes at or above
  std::int64_t whole = 0;             // the end of the last record below torn_from
};

// Counts from report.end on; false when the walk is over.
bool walk_segment(const Segment& segment, Limits& limits, VerifyReport& report) {
  const std::int64_t end = limits.end;
  while (report.end < segment.end() && report.end < end) {
    const std::int64_t at = report.end;
    const std::int64_t left = segment.end() - at;
    const std::int64_t available = std::min(end - at, left);
    if (at <= limits.torn_from) limits.whole = at;
    Item item = judge(segment.at(at), available, at, left, BodyCheck::kYes);
    if (item.found == Found::kRecord && at + item.size > limits.torn_from)
      item = judge(segment.at(at), available, at, left, BodyCheck::kTorn);
    const bool whole =
        item.found == Found::kRecord || (item.found == Found::kBlank && available >= item.size);
    if (whole) {
      count(item, report);
      report.end = at + item.size;
      continue;
    }
    if (item.found == Found::kPartial || item.found == Found::kBlank)
      report.tail_bytes = end - at;
    else if (limits.marked || !unwritten(segment.at(at), left))
      report.fault = {at, fault_error(item, at, report.segment_bytes).text};
    return false;
  }
  return report.end < end;
}

// Where the bytes begin of which some are torn; kNoLimit when none are.
std::int64_t torn_from(const std::string& directory, MarkValues mark) {
  std::shared_ptr<Segment> segment;
  const auto read = [&](std::int64_t from, std::int64_t end) -> std::string_view {
    auto opened =
        Segment::open(directory, from - from % mark.segment_bytes, Segment::Access::kReadOnly);
    auto* held = std::get_if<std::shared_ptr<Segment>>(&opened);
    if (held == nullptr || (*held)->size() != mark.segment_bytes) return {};
    segment = std::move(*held);
    return {segment->at(from), static_cast<std::size_t>(std::min(end, segment->end()) - from)};
  };
  settle_flush(mark, current_boot_id(), read);
  return judge_tail(mark, current_boot_id(), read) == Tail::kTorn ? mark.flushed : kNoLimit;
}

// A record in a segment beyond the end is no log's.
void look_beyond(const std::string& directory, const std::vector<std::int64_t>& bases,
                 VerifyReport& report) {
  for (const std::int64_t base : bases) {
    if (base <= report.end) continue;
    auto opened = Segment::open(directory, base, Segment::Access::kReadOnly);
    const auto* segment = std::get_if<std::shared_ptr<Segment>>(&opened);
    if (segment == nullptr) continue;  // empty or unreadable: it holds no record
    const std::int64_t size = (*segment)->size();
    const Item item = judge((*segment)->at(base), size, base, size, BodyCheck::kNo);
    if (item.found != Found::kRecord) continue;
    report.fault = {report.end, "the records end here, but '" + (*segment)->path() +
                                    "' after it begins with one"};
    return;
  }
}

}  // namespace

Result<VerifyReport> verify(const std::string& store_dir) {
  VerifyReport report;
  auto loaded = CommitMark::load(store_dir);
  if (auto* error = std::get_if<Error>(&loaded)) return std::move(*error);
  auto mark = std::get<std::optional<MarkValues>>(loaded);
  if (last_held_by_rocketmq(store_dir)) mark.reset();
  const std::string directory = store_dir + "/commitlog";
  auto listed = list_segments(directory, nullptr);
  if (auto* error = std::get_if<Error>(&listed)) return std::move(*error);
  auto bases = std::get<std::vector<std::int64_t>>(listed);
  if (mark) {
    std::erase_if(bases,
                  [&](std::int64_t base) { return base < mark->begin || base >= mark->committed; });
  }
  report.begin = mark ? mark->begin : bases.empty() ? 0 : bases.front();
  report.end = report.begin;
  report.segment_bytes = mark ? mark->segment_bytes : 0;
  std::int64_t expected = report.begin;
  Limits limits{mark ? mark->committed : 0, mark.has_value()};
  if (mark) limits.torn_from = torn_from(directory, *mark);
  for (const std::int64_t base : bases) {
    auto opened = Segment::open(directory, base, Segment::Access::kReadOnly);
    if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
    const auto segment = std::get<std::shared_ptr<Segment>>(opened);
    if (report.segment_bytes == 0) report.segment_bytes = segment->size();
    if (base != expected || segment->size() != report.segment_bytes) {
      report.fault = {expected, "a segment of " + std::to_string(report.segment_bytes) +
                                    " bytes was expected at " + std::to_string(expected) +
                                    ", there is '" + segment->path() + "' of " +
                                    std::to_string(segment->size())};
      return report;
    }
    ++report.segments;
    expected = segment->end();
    if (!mark) limits.end = segment->end();
    if (!walk_segment(*segment, limits, report) && report.fault) return report;
    if (mark && report.end < segment->end()) break;
    if (!mark && report.end < segment->end()) break;
  }
  // Without a mark the later segments, which may be there ahead of time, say whether this was it.
  if (!mark) look_beyond(directory, bases, report);
  if (mark && report.end + report.tail_bytes < mark->committed)
    report.fault = {report.end, "the segment '" + directory + "/" + Segment::file_name(report.end) +
                                    "' is missing"};
  else if (limits.torn_from != kNoLimit)
    report.fault = {limits.whole, "checksum mismatch from " + std::to_string(limits.torn_from) +
                                      " to " + std::to_string(limits.end) +
                                      ": a loss of power tore some of these bytes, and no record "
                                      "shows where; the next start cuts the log here"};
  return report;
}

}  // namespace stub::store
