// SPDX-License-Identifier: Apache-2.0
// What became of each message: what its producer was told, and where it was found.
//
// A message is named "<producer>-<number>"; nothing is ever sent twice, so whatever is found twice
// was doubled on the way.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace ha::torture {

enum class Fate : std::uint8_t {
  kUnknown,       // sent, and nobody said what became of it: a timeout, a broken connection
  kAcknowledged,  // must be found, once
  kRefused,       // must not be found
};

// Log offsets [begin, end).
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

class Ledger {
 public:
  // For the fates of what is found by one look through a log.
  using Found = std::vector<std::vector<std::uint8_t>>;

  explicit Ledger(int producers)
      : fates_(static_cast<std::size_t>(producers)), places_(fates_.size()) {}

  // The number of the first of so many new messages.
  std::size_t issue(int producer, std::size_t count);
  // place: of the messages in the log, as the answer has it; empty where nobody said.
  void settle(int producer, std::size_t first, std::size_t count, Fate fate, Range place = {});

  struct Counts {
    std::size_t acknowledged = 0;
    std::size_t unknown = 0;
    std::size_t refused = 0;
  };
  Counts counts() const;
  std::size_t acknowledged() const;

  // Counts a body as found. "" or what is wrong with it: a body that nobody sent.
  std::string find(Found& found, std::string_view body) const;

  struct Verdict {
    std::size_t lost = 0;        // acknowledged, and neither found nor skipped
    std::size_t skipped = 0;     // acknowledged, in what the reader was told it skipped
    std::size_t duplicated = 0;  // found more than once
    std::size_t ghosts = 0;      // refused and found
    std::size_t survivors = 0;   // unknown and found
    std::string examples;

    bool good() const { return lost == 0 && duplicated == 0 && ghosts == 0; }
  };
  // skipped: what the look was told that retention had taken.
  Verdict judge(const Found& found, const std::vector<Range>& skipped) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::vector<Fate>> fates_;
  std::vector<std::vector<Range>> places_;  // of its batch, beside fates_
  std::size_t acknowledged_ = 0;
};

}  // namespace ha::torture
