// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/epoch_file.h"

#include <fmt/format.h>

#include <boost/crc.hpp>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <limits>

#include "ha_plugin/state/durable_file.h"

namespace ha {
namespace {

// RocketMQ's UtilAll.crc32.
std::uint32_t crc_of(std::string_view lines) {
  boost::crc_32_type crc;
  crc.process_bytes(lines.data(), lines.size());
  return crc.checksum() & 0x7FFFFFFFu;
}

template <class Int>
bool parse_number(std::string_view text, Int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// Takes a line off the front.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

struct Read {
  core::EpochHistory history;
  std::string error;
};

// A missing file is an empty history.
Read read_epochs(const std::string& path) {
  Read out;
  std::string text;
  bool missing = false;
  out.error = read_file(path, text, missing);
  if (!out.error.empty() || missing) return out;
  const std::string wrong = parse_epochs(text, out.history);
  if (!wrong.empty()) out = {{}, fmt::format("'{}' is damaged: {}", path, wrong)};
  return out;
}

}  // namespace

EpochFile::EpochFile(std::string_view directory)
    : directory_(directory), path_(directory_ + "/epochFileCheckpoint"), backup_(path_ + ".bak") {}

EpochFile::Loaded EpochFile::load() const {
  Read main = read_epochs(path_);
  if (main.error.empty() && !main.history.empty()) return {std::move(main.history), "", ""};
  Read backup = read_epochs(backup_);
  if (!backup.error.empty()) {
    return {{}, (main.error.empty() ? "" : main.error + "; ") + backup.error, ""};
  }
  if (backup.history.empty()) return {{}, std::move(main.error), ""};
  const std::string why =
      main.error.empty() ? fmt::format("'{}' is missing or empty", path_) : main.error;
  return {std::move(backup.history), "", why + "; its backup is used"};
}

std::string EpochFile::save(const core::EpochHistory& history) const {
  if (history.empty()) {
    // The backup first: alone it would be taken for the history.
    std::string failed = remove_file(backup_);
    if (failed.empty()) failed = remove_file(path_);
    return failed.empty() ? sync_directory(directory_) : failed;
  }
  const std::string fresh = path_ + ".tmp";
  if (std::string failed = write_file(fresh, format_epochs(history)); !failed.empty()) {
    return failed;
  }
  // A damaged file must not take the place of a good backup. Between the two renames the backup is
  // what a crash leaves: the content before this save.
  const Read before = read_epochs(path_);
  std::string failed;
  if (before.error.empty() && !before.history.empty()) failed = rename_file(path_, backup_);
  if (failed.empty()) failed = rename_file(fresh, path_);
  return failed.empty() ? sync_directory(directory_) : failed;
}

std::string format_epochs(const core::EpochHistory& history) {
  std::string lines;
  for (const core::EpochEntry& entry : history.entries()) {
    lines += fmt::format("{}-{}\n", entry.epoch, entry.start.bytes());
  }
  return fmt::format("{}\n{}\n{}", history.entries().size(), crc_of(lines), lines);
}

std::string parse_epochs(std::string_view text, core::EpochHistory& out) {
  out = {};
  std::size_t count = 0;
  if (!parse_number(take_line(text), count)) return "line 1 is not a number of entries";
  std::uint32_t crc = 0;
  if (!parse_number(take_line(text), crc)) return "line 2 is not a checksum";
  // RocketMQ counts a line end after the last line, whether or not it is there.
  std::string lines(text);
  if (!lines.empty() && lines.back() != '\n') lines += '\n';
  if (crc != 0 && crc != crc_of(lines)) {
    return fmt::format("its checksum is {}, not {}", crc_of(lines), crc);
  }
  core::EpochHistory all;
  for (std::size_t number = 3; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    const std::size_t dash = line.find('-');
    std::int32_t epoch = 0;
    std::int64_t start = 0;
    if (dash == std::string_view::npos || !parse_number(line.substr(0, dash), epoch) ||
        !parse_number(line.substr(dash + 1), start)) {
      return fmt::format("line {}, '{}', is not EPOCH-OFFSET, with an epoch of at most {}", number,
                         line.substr(0, 60), std::numeric_limits<std::int32_t>::max());
    }
    if (!all.append({epoch, core::Offset(start)})) {
      return fmt::format("line {} does not rise above the one before", number);
    }
  }
  if (all.entries().size() != count) {
    return fmt::format("it has {} entries and says {}", all.entries().size(), count);
  }
  out = std::move(all);
  return "";
}

}  // namespace ha
