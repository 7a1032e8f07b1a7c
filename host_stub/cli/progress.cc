// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace stub::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{200};
constexpr std::chrono::seconds kPlain{2};

std::size_t columns(std::FILE* out) {
  winsize size{};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80u;
}

}  // namespace

Progress::Progress(std::FILE* out, Elsewhere elsewhere)
    : out_(out),
      terminal_(::isatty(::fileno(out)) != 0),
      lines_(!terminal_ && elsewhere == Elsewhere::kPlainLines) {}

bool Progress::due() const { return (terminal_ || lines_) && Clock::now() >= next_; }

void Progress::show(const std::string& text) {
  if (terminal_) {
    // One column less than there are, so that the line never wraps.
    fmt::print(out_, "\r\x1b[K{}", text.substr(0, columns(out_) - 1));
    drawn_ = true;
    next_ = Clock::now() + kRedraw;
  } else if (lines_) {
    fmt::print(out_, "{}\n", text);
    next_ = Clock::now() + kPlain;
  }
  std::fflush(out_);
}

void Progress::note(const std::string& text) {
  clear();
  fmt::print(out_, "{}\n", text);
  std::fflush(out_);
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(out_, "\r\x1b[K");
  std::fflush(out_);
  drawn_ = false;
}

std::string bar(double share, int width) {
  const double clamped = std::clamp(share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(std::floor(clamped * width));
  return "[" + std::string(full, '#') + std::string(static_cast<std::size_t>(width) - full, '-') +
         fmt::format("] {:3.0f}%", std::floor(clamped * 100));
}

std::string grouped(std::int64_t number) {
  auto text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t i = text.size(); i > first + 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string duration_text(std::int64_t us) {
  if (us < 1000) return fmt::format("{} us", us);
  if (us < 1'000'000) return fmt::format("{:.1f} ms", static_cast<double>(us) / 1e3);
  return fmt::format("{:.1f} s", static_cast<double>(us) / 1e6);
}

std::string bytes_text(std::int64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace stub::cli
