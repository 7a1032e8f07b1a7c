// SPDX-License-Identifier: Apache-2.0
#include "broker/journaled_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "broker/side_file.h"
#include "store/commit_mark.h"

namespace stub {
namespace {

// Below that, a small file would be replaced every few changes.
constexpr std::int64_t kLeastJournalBytes = 64 << 10;

constexpr std::size_t kSumDigits = 8;
constexpr std::string_view kNames = " = ";
constexpr std::string_view kChange = " + ";

std::string sum_of(std::string_view text) {
  char hex[kSumDigits + 1];
  std::snprintf(hex, sizeof(hex), "%08x", store::add_to_sum(0, text));
  return hex;
}

// With the checksum before it and the newline behind it.
std::string line_of(std::string_view kind, std::string_view text) {
  std::string rest(kind);
  rest.append(text);
  return sum_of(rest) + rest + "\n";
}

std::string name_of(std::string_view content) {
  return line_of(kNames, sum_of(content) + " " + std::to_string(content.size()));
}

// The line at `from` with its newline; empty: it is not whole.
std::string_view whole_line(std::string_view text, std::size_t from) {
  const std::size_t newline = text.find('\n', from);
  if (newline == std::string_view::npos || newline - from < kSumDigits) return {};
  const std::string_view line = text.substr(from, newline + 1 - from);
  const std::string_view rest = line.substr(kSumDigits, line.size() - kSumDigits - 1);
  return line.starts_with(sum_of(rest)) ? line : std::string_view();
}

}  // namespace

std::optional<Error> JournaledFile::read(const std::string& without, const Take& content,
                                         const std::string& without_changes, const Take& change) {
  auto failed = read_side_file(path_, without, [&](std::string_view text) {
    std::string wrong = content(text);
    if (wrong.empty()) name(text);
    return wrong;
  });
  if (failed) return failed;
  return read_side_file(journal_path(), without_changes,
                        [&](std::string_view text) { return take_lines(text, change); });
}

void JournaledFile::name(std::string_view content) {
  name_ = name_of(content);
  most_bytes_ = std::max(kLeastJournalBytes, static_cast<std::int64_t>(content.size()));
}

std::optional<Error> JournaledFile::open_journal() {
  journal_ = store::Descriptor(::open(journal_path().c_str(), O_WRONLY | O_CLOEXEC));
  if (journal_.valid()) return std::nullopt;
  return system_error(errno, "cannot open '" + journal_path() + "'");
}

std::string JournaledFile::take_lines(std::string_view text, const Take& change) {
  std::size_t end = 0;  // of the lines that are whole
  std::optional<std::size_t> from;
  for (;;) {
    const std::string_view line = whole_line(text, end);
    if (line.empty()) break;
    end += line.size();
    if (line == name_) from = end;
  }
  if (!from) return "is not the journal of the file that is now '" + path_ + "'";
  has_journal_ = true;
  std::string wrong = "is not a whole line";
  for (std::size_t at = *from; at < end;) {
    const std::string_view line = whole_line(text, at);
    const std::string_view rest = line.substr(kSumDigits, line.size() - kSumDigits - 1);
    // Another content's name: the file was to be replaced, and was not.
    if (!rest.starts_with(kNames)) {
      const std::string why =
          rest.starts_with(kChange) ? change(rest.substr(kChange.size())) : "is of no known kind";
      if (!why.empty()) {
        wrong = why;
        end = at;
        break;
      }
    }
    at += line.size();
  }
  journal_bytes_ = static_cast<std::int64_t>(end);
  if (end == text.size()) {
    // One that may not be written to is fine: the first change replaces the content instead.
    open_journal();
    return "";
  }
  damaged_ = text.find('\n', end) != std::string_view::npos;
  spdlog::warn("'{}': what stands at byte {} {}; the {} bytes from there on are left out",
               journal_path(), end, wrong, text.size() - end);
  return "";
}

std::optional<Error> JournaledFile::append_line(const std::string& line) {
  const auto failed = [this](const char* what) {
    Error error = system_error(errno, std::string("cannot ") + what + " '" + journal_path() + "'");
    // After a failed write part of a line may stand there, and after a failed fdatasync the kernel
    // has forgotten which pages never reached the disk. Nothing may follow: it would be answered,
    // and a reader would not find it.
    journal_.reset();
    return error;
  };
  std::string_view rest = line;
  while (!rest.empty()) {
    const auto at = journal_bytes_ + static_cast<std::int64_t>(line.size() - rest.size());
    const ssize_t n = ::pwrite(journal_.get(), rest.data(), rest.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fdatasync(journal_.get()) != 0) return failed("make durable (fdatasync)");
  journal_bytes_ += static_cast<std::int64_t>(line.size());
  return std::nullopt;
}

bool JournaledFile::due() const {
  return name_.empty() || has_journal_ != journal_.valid() || journal_bytes_ > most_bytes_;
}

std::optional<Error> JournaledFile::append(std::string_view change) {
  const std::string line = line_of(kChange, change);
  if (has_journal_) return append_line(line);
  const std::string text = name_ + line;
  if (auto error = store::replace_file(journal_path(), text)) return error;
  has_journal_ = true;
  journal_bytes_ = static_cast<std::int64_t>(text.size());
  return open_journal();
}

std::optional<Error> JournaledFile::replace(std::string_view content) {
  if (journal_.valid()) {
    if (auto error = append_line(name_of(content))) return error;
  }
  // Until it is known which content lies there, no journal can name it.
  name_.clear();
  if (auto error = store::replace_file(path_, content)) return error;
  if (damaged_) {
    const auto moved = store::move_aside(journal_path());
    const auto* error = std::get_if<Error>(&moved);
    if (error != nullptr && error->os_errno != ENOENT) return *error;
  }
  if (auto error = store::remove_file(journal_path())) return error;
  has_journal_ = damaged_ = false;
  journal_.reset();
  journal_bytes_ = 0;
  name(content);
  return std::nullopt;
}

Result<std::string> JournaledFile::set_aside(const std::string& why) {
  name_.clear();
  auto moved = store::move_aside(path_, why);
  if (!has_journal_ || std::holds_alternative<Error>(moved)) return moved;
  const auto journal = store::move_aside(journal_path(), why);
  if (const auto* error = std::get_if<Error>(&journal)) return *error;
  has_journal_ = damaged_ = false;
  journal_.reset();
  journal_bytes_ = 0;
  return std::get<std::string>(moved) + "' and '" + std::get<std::string>(journal);
}

}  // namespace stub
