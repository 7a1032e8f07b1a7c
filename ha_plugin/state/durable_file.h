// SPDX-License-Identifier: Apache-2.0
// Small files that must outlive the process: read whole, written whole, durable when a call
// returns.
//
// Every function says "" or what failed, with the path and the system's words. They block for the
// disk. Threads: any, one at a time for one path.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ha {

// What is kept here has kilobytes; more is some other file.
inline constexpr std::size_t kMostFileBytes = std::size_t{1} << 20;

// A file that is not there is no failure and leaves `missing` true.
std::string read_file(const std::string& path, std::string& text, bool& missing);

// Not atomic: a crash may leave a part.
std::string write_file(const std::string& path, std::string_view text);
std::string append_file(const std::string& path, std::string_view text);
std::string rename_file(const std::string& from, const std::string& to);
std::string remove_file(const std::string& path);
// What was created, renamed or removed in it stays so.
std::string sync_directory(const std::string& path);

// Atomic: a crash leaves the old content or the new one.
std::string replace_file(const std::string& directory, const std::string& path,
                         std::string_view text);

// "cannot WHAT 'path': " and what errno says.
std::string cannot(const char* what, const std::string& path);

}  // namespace ha
