// SPDX-License-Identifier: Apache-2.0
// A value as error texts show it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stub {

// In single quotes; bytes outside printable ASCII as \xNN; cut after 100 bytes so that a hostile
// value does not fill the log.
inline std::string in_quotes(std::string_view value) {
  constexpr std::size_t kQuotedBytes = 100;
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "'";
  for (const char c : value.substr(0, kQuotedBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  if (value.size() > kQuotedBytes) out += "...";
  return out + "'";
}

}  // namespace stub
