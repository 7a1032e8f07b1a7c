// SPDX-License-Identifier: Apache-2.0
// Lines to produce, and what became of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ha::system {

// Real lines: the file that every Debian has, repeated to at least `count` lines, all of them
// whole.
std::string real_lines(std::size_t count);
// Lines that differ from each other, about `size` bytes each.
std::string numbered_lines(const std::string& word, std::size_t count, std::size_t size);

std::filesystem::path write_file(const std::filesystem::path& path, std::string_view text);
std::vector<std::string> split_lines(std::string_view text);

// How the lines read back differ from those acknowledged: "" when each acknowledged line was found
// exactly once (others, that were stored but not acknowledged, may be there too).
std::string missing_or_doubled(const std::vector<std::string>& acknowledged,
                               std::string_view found);

// How two stores differ in the log's bytes [from, to): "" when they are the same.
std::string compare_logs(const std::filesystem::path& a, const std::filesystem::path& b,
                         std::int64_t from, std::int64_t to, std::int64_t segment_size);

// Names of the log's segments, in order.
std::vector<std::string> segments(const std::filesystem::path& store);

}  // namespace ha::system
