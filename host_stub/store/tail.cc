// SPDX-License-Identifier: Apache-2.0
#include "store/tail.h"

namespace stub::store {
namespace {

// Whether the bytes are there that the sums at both ends speak of.
bool all_there(SummedEnd from, SummedEnd to, const ReadLog& read) {
  while (from.offset < to.offset) {
    const std::string_view bytes = read(from.offset, to.offset);
    if (bytes.empty()) return false;
    from.sum = add_to_sum(from.sum, bytes);
    from.offset += static_cast<std::int64_t>(bytes.size());
  }
  return from.sum == to.sum;
}

bool same_boot(const MarkValues& mark, const std::optional<BootId>& boot) {
  return mark.boot && mark.boot == boot;
}

}  // namespace

// A flush makes the segments and the mark stable side by side, and is answered when both are. Let A
// be the end of the last flush that was answered. The mark on the disk is as it was when that flush
// asked for it, or newer, so either
//
//   flushing is A      the bytes below A are on the disk, the sum says so, and A counts as flushed;
//   flushed is >= A    it was raised after those bytes were on the disk.
//
// So nothing below A is ever judged as torn, whatever became of the bytes above it. If the sum of a
// flush that was not answered matches, its bytes are on the disk too, and it counts.
void settle_flush(MarkValues& mark, const std::optional<BootId>& boot, const ReadLog& read) {
  if (mark.flushed == mark.flushing || same_boot(mark, boot)) return;
  if (!all_there({mark.flushed, mark.flushed_sum}, {mark.flushing, mark.flushing_sum}, read))
    return;
  mark.flushed = mark.flushing;
  mark.flushed_sum = mark.flushing_sum;
}

Tail judge_tail(const MarkValues& mark, const std::optional<BootId>& boot, const ReadLog& read) {
  if (mark.flushed == mark.committed) return Tail::kWhole;
  if (same_boot(mark, boot)) return Tail::kWhole;
  if (!mark.summed) return Tail::kUnknown;
  const bool whole =
      all_there({mark.flushed, mark.flushed_sum}, {mark.committed, mark.committed_sum}, read);
  return whole ? Tail::kWhole : Tail::kTorn;
}

}  // namespace stub::store
