// SPDX-License-Identifier: Apache-2.0
// CRC-32 that goes on: over the log's bytes, and over a body that comes in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stub::store {

// Goes on with a running sum; it begins with 0.
std::uint32_t add_to_sum(std::uint32_t sum, std::string_view bytes);

// Bytes, and the sum of them alone.
struct Summed {
  std::string_view bytes;
  std::uint32_t sum = 0;
};
Summed summed(std::string_view bytes);

// The same as to add the bytes. From this size on they are not read again: joining two sums takes
// as long as reading some kilobytes (zlib 1.2.12 and later).
inline constexpr std::size_t kJoinedBytes = 4 << 10;
std::uint32_t add_to_sum(std::uint32_t sum, const Summed& more);

}  // namespace stub::store
