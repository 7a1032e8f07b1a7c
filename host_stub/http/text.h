// SPDX-License-Identifier: Apache-2.0
// Bytes as text: what may stand in JSON as it is, base64 for what may not, and values quoted in
// error texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/quoted.h"

namespace stub::http {

// True when the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above
// 10FFFF).
bool is_utf8(std::string_view bytes);

// RFC 4648, section 4, with padding.
std::string base64_encode(std::string_view bytes);
// Empty when the text is not base64: padding must be right, white space is not skipped.
std::optional<std::string> base64_decode(std::string_view text);

using stub::in_quotes;

// The text with U+FFFD in place of each byte that is not UTF-8: JSON can hold nothing else.
std::string repaired_utf8(std::string_view text);

// A JSON string of it, with its quotes.
std::string json_string(std::string_view text);

}  // namespace stub::http
