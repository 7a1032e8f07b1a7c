// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host.h"

namespace ha {

// XXH3-64 of [begin, end) of the host's log; nothing when it cannot be read. Blocks for the read.
std::optional<std::uint64_t> hash_log(const Host& host, core::Offset begin, core::Offset end);

}  // namespace ha
