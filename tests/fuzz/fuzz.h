// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <span>

namespace ha::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

// Gives bytes to fn in pieces of that size until it has had enough (false).
template <class Fn>
void in_pieces(std::span<const std::byte> bytes, std::size_t piece, Fn&& fn) {
  while (!bytes.empty()) {
    const std::size_t n = std::min(piece, bytes.size());
    if (!fn(bytes.first(n))) return;
    bytes = bytes.subspan(n);
  }
}

}  // namespace ha::fuzz
