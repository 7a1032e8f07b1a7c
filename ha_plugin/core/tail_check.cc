// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/tail_check.h"

#include <algorithm>

namespace ha::core {

TailCheck::TailCheck(const LogBounds& log, std::int64_t bytes) {
  const std::int64_t end = log.end.bytes();
  const std::int64_t from =
      std::max({end - bytes, log.segment_start(log.end).bytes(), log.min.bytes(), std::int64_t{1}});
  end_ = log.end;
  next_ = std::min(Offset(from), end_);
}

void TailCheck::matched(std::int64_t size) {
  next_ = next_ + size;
  heartbeats_ = 0;
}

bool TailCheck::on_heartbeat() {
  constexpr int kEnough = 2;
  return left() > 0 && ++heartbeats_ >= kEnough;
}

}  // namespace ha::core
