// SPDX-License-Identifier: Apache-2.0
// What the end of the last run did to the log above the mark's flushed end.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "store/commit_mark.h"

namespace stub::store {

enum class Tail {
  kWhole,    // every byte below committed is as it was written
  kTorn,     // some are not: power was lost before they reached the disk
  kUnknown,  // the mark is of a version that kept no sums, and this is another
             // boot
};

// The log's bytes from an offset to `end` or to their segment's end; empty when it has none there.
using ReadLog = std::function<std::string_view(std::int64_t from, std::int64_t end)>;

// Takes the flush that was under way as ended if all of its bytes are there: raises flushed. After
// another boot; before judge_tail.
void settle_flush(MarkValues& mark, const std::optional<BootId>& boot, const ReadLog& read);

// A process that dies leaves the page cache, so within one boot nothing is torn. After another one
// the sums tell.
Tail judge_tail(const MarkValues& mark, const std::optional<BootId>& boot, const ReadLog& read);

}  // namespace stub::store
