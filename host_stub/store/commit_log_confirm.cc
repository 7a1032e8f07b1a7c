// SPDX-License-Identifier: Apache-2.0
// The readers' bound. The mark holds it too, so that a kill does not show what nobody confirmed.

#include <algorithm>

#include "ha/plugin.h"
#include "store/commit_log.h"

namespace stub::store {

std::optional<Error> CommitLog::confirm(std::int64_t offset) {
  if (offset < 0)
    return make_error(HA_INVALID,
                      "cannot confirm offset " + std::to_string(offset) + ": offsets start at 0");
  const std::lock_guard lock(append_mutex_);
  if (closed_) return make_error(HA_SHUTDOWN, "the log is closed");
  const LogBounds before = bounds_.load();
  const bool first = !bounded_.exchange(true);
  std::int64_t confirm = before.confirm;
  if (offset > confirm)
    confirm = walk(confirm, std::min(offset, before.whole_end), BodyCheck::kNo, nullptr).position;
  if (confirm == before.confirm && !first) return std::nullopt;
  bounds_.update([&](LogBounds& b) { b.confirm = confirm; });
  mark_.set_confirm(confirm);
  observer_.on_confirm(confirm);
  if (!first) return std::nullopt;
  // A bound that is too low after a loss of power does no harm; none at all would.
  auto error = mark_.sync();
  if (error) fail(*error);
  return error;
}

void CommitLog::confirm_all() {
  const std::lock_guard lock(append_mutex_);
  if (!bounded_.exchange(false)) return;
  bounds_.update([](LogBounds& b) { b.confirm = b.whole_end; });
  mark_.set_confirm(kUnbounded);
  observer_.on_confirm(kNoLimit);
}

}  // namespace stub::store
