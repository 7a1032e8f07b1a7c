// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/bounds_reader.h"

namespace ha {

const core::LogBounds& BoundsReader::read() {
  ha_bounds bounds{};
  if (const HostResult result = host_.bounds(bounds); !result.ok()) {
    // This runs at every turn: to say it once is enough.
    if (!std::exchange(failed_, true)) {
      host_.log(HA_LOG_HOST_MISUSE,
                result.text + "; the last good answer is used until it answers well");
    }
    return last_;
  }
  failed_ = false;
  if (!shrunk_from_ && core::Offset(bounds.end) < last_.end) shrunk_from_ = last_.end;
  last_ = to_core(bounds);
  metrics_.log_min.set(bounds.min);
  metrics_.log_end.set(bounds.end);
  metrics_.log_durable.set(bounds.durable);
  metrics_.log_confirm.set(bounds.confirm);
  metrics_.segment_size.set(bounds.segment_size);
  return last_;
}

}  // namespace ha
