// SPDX-License-Identifier: Apache-2.0
// What a peer says, made fit to be shown: in a line of a log, in a status, on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ha::core {

// More than any sentence of ours needs.
inline constexpr std::size_t kMostWords = 400;

// At most that many bytes of it, cut between characters. Each byte that is not part of a printable
// character in UTF-8 becomes '?'. Not printable are also the characters that end a line, hide, or
// turn the direction of what follows.
std::string one_line(std::string_view words, std::size_t most = kMostWords);

}  // namespace ha::core
