// SPDX-License-Identifier: Apache-2.0
#include "store/tail.h"

namespace stub::store {

Tail judge_tail(const MarkValues& mark, const std::optional<BootId>& boot, const ReadLog& read) {
  if (mark.flushed == mark.committed) return Tail::kWhole;
  if (mark.boot && mark.boot == boot) return Tail::kWhole;
  if (!mark.summed) return Tail::kUnknown;
  std::uint32_t sum = mark.flushed_sum;
  for (std::int64_t at = mark.flushed; at < mark.committed;) {
    const std::string_view bytes = read(at, mark.committed);
    if (bytes.empty()) return Tail::kTorn;
    sum = add_to_sum(sum, bytes);
    at += static_cast<std::int64_t>(bytes.size());
  }
  return sum == mark.committed_sum ? Tail::kWhole : Tail::kTorn;
}

}  // namespace stub::store
