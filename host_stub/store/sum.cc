// SPDX-License-Identifier: Apache-2.0
#include "store/sum.h"

#include <libdeflate.h>
#include <zlib.h>

namespace stub::store {

std::uint32_t add_to_sum(std::uint32_t sum, std::string_view bytes) {
  // For a null pointer it would begin again.
  return bytes.empty() ? sum : libdeflate_crc32(sum, bytes.data(), bytes.size());
}

Summed summed(std::string_view bytes) { return {bytes, add_to_sum(0, bytes)}; }

std::uint32_t add_to_sum(std::uint32_t sum, const Summed& more) {
  if (more.bytes.size() < kJoinedBytes) return add_to_sum(sum, more.bytes);
  return static_cast<std::uint32_t>(
      ::crc32_combine(sum, more.sum, static_cast<z_off_t>(more.bytes.size())));
}

}  // namespace stub::store
