// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/one_line.h"

#include <cstdint>

namespace ha::core {
namespace {

bool is_printable(std::uint32_t c) {
  if (c < 0xA0) return c >= 0x20 && c < 0x7F;
  const bool surrogate = c >= 0xD800 && c < 0xE000;
  const bool hidden = c == 0xAD || c == 0xFEFF || (c >= 0x200B && c <= 0x200F) ||
                      (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F);
  return !surrogate && !hidden && c <= 0x10FFFF;
}

// The bytes of the first character; 0 = it is none that may be shown.
std::size_t printable_at_front(std::string_view words) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(words[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return is_printable(first) ? 1 : 0;
  const std::size_t size = first < 0xC0   ? 0
                           : first < 0xE0 ? 2
                           : first < 0xF0 ? 3
                           : first < 0xF8 ? 4
                                          : 0;
  if (size == 0 || size > words.size()) return 0;
  std::uint32_t c = first & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    c = c << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // less has a shorter form
  return c >= kLeast[size] && is_printable(c) ? size : 0;
}

}  // namespace

std::string one_line(std::string_view words, std::size_t most) {
  std::string line;
  while (!words.empty()) {
    const std::size_t good = printable_at_front(words);
    const std::size_t size = good == 0 ? 1 : good;
    if (line.size() + size > most) break;
    line += good == 0 ? std::string_view("?") : words.substr(0, good);
    words.remove_prefix(size);
  }
  return line;
}

}  // namespace ha::core
