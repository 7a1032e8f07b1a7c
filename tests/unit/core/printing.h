// SPDX-License-Identifier: Apache-2.0
// How GoogleTest shows core's values: as the numbers that the ABI gives them.
#pragma once

#include <ostream>

#include "ha_plugin/core/epoch_history.h"
#include "ha_plugin/core/types.h"

namespace ha::core {

inline void PrintTo(Offset offset, std::ostream* out) { *out << offset.bytes(); }
inline void PrintTo(const EpochEntry& entry, std::ostream* out) {
  *out << entry.epoch << "@" << entry.start.bytes();
}
inline void PrintTo(Status status, std::ostream* out) {
  *out << "status " << static_cast<int>(status);
}
inline void PrintTo(Reason reason, std::ostream* out) {
  *out << "reason " << static_cast<int>(reason);
}

}  // namespace ha::core
