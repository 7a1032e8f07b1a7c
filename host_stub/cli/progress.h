// SPDX-License-Identifier: Apache-2.0
// Progress for people: a line that is redrawn in place on a terminal; elsewhere plain lines,
// seldom.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace stub::cli {

class Progress {
 public:
  enum class Elsewhere { kSilent, kPlainLines };

  // On a terminal: drawn at most five times a second, which is as fast as one reads. Elsewhere:
  // nothing, or a line every two seconds.
  Progress(std::FILE* out, Elsewhere elsewhere);
  ~Progress() { clear(); }

  // True when it is time for the next show; so that the text is not made in vain.
  bool due() const;
  void show(const std::string& text);
  // A line that stays, above the one that moves.
  void note(const std::string& text);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::FILE* out_;
  bool terminal_;
  bool lines_;
  bool drawn_ = false;
  Clock::time_point next_ = Clock::now();
};

// "[#####-----]  50%"
std::string bar(double share, int width);
// 1234567 -> "1,234,567"
std::string grouped(std::int64_t number);
// Microseconds as "850 us", "1.2 ms", "3.4 s".
std::string duration_text(std::int64_t us);
// Bytes as "512 B", "1.5 KiB", "3.2 GiB".
std::string bytes_text(std::int64_t bytes);

}  // namespace stub::cli
