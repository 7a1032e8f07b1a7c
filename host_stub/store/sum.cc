// SPDX-License-Identifier: Apache-2.0
#include "store/sum.h"

#include <libdeflate.h>

namespace stub::store {
namespace {

// Of two polynomials modulo that of CRC-32. The highest bit is the coefficient of 1.
std::uint32_t product(std::uint32_t a, std::uint32_t b) {
  constexpr std::uint32_t kPolynomial = 0xEDB88320;
  std::uint32_t out = 0;
  for (; a != 0; a <<= 1) {
    if ((a & 1u << 31) != 0) out ^= b;
    b = b >> 1 ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return out;
}

}  // namespace

std::uint32_t add_to_sum(std::uint32_t sum, std::string_view bytes) {
  // For a null pointer it would begin again.
  return bytes.empty() ? sum : libdeflate_crc32(sum, bytes.data(), bytes.size());
}

Summed summed(std::string_view bytes) { return {bytes, add_to_sum(0, bytes)}; }

// A CRC-32 is a remainder of polynomials. n more bytes multiply that of the bytes before them by x
// to the 8n, and add their own.
std::uint32_t add_to_sum(std::uint32_t sum, const Summed& more) {
  if (more.bytes.size() < kJoinedBytes) return add_to_sum(sum, more.bytes);
  std::uint32_t power = 1u << 23;  // x to the 8
  for (std::size_t left = more.bytes.size(); left > 0; left >>= 1) {
    if ((left & 1) != 0) sum = product(sum, power);
    power = product(power, power);
  }
  return sum ^ more.sum;
}

}  // namespace stub::store
