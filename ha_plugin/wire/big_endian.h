// SPDX-License-Identifier: Apache-2.0
// Integers as they stand on RocketMQ's wires. For this folder's codecs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ha::wire {

template <class Int>
void put_big_endian(std::byte* to, Int value) {
  const auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    to[i] = static_cast<std::byte>(bits >> (8 * (sizeof(Int) - 1 - i)));
  }
}

template <class Int>
Int get_big_endian(const std::byte* from) {
  std::make_unsigned_t<Int> bits = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    bits =
        static_cast<std::make_unsigned_t<Int>>(bits << 8 | std::to_integer<std::uint8_t>(from[i]));
  }
  return static_cast<Int>(bits);
}

}  // namespace ha::wire
