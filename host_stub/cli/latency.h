// SPDX-License-Identifier: Apache-2.0
// Times as a histogram whose buckets grow with them: any number of samples in 16 KiB, percentiles
// true to 3 per cent.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace stub::cli {

class Latency {
 public:
  void add(std::int64_t us, std::int64_t count = 1) {
    counts_[slot(us < 0 ? 0 : static_cast<std::uint64_t>(us))] += count;
    total_ += count;
  }

  // The time that `share` (0..1) of the samples did not exceed; 0 without samples.
  std::int64_t percentile(double share) const {
    if (total_ == 0) return 0;
    const auto wanted = static_cast<std::int64_t>(static_cast<double>(total_ - 1) * share) + 1;
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted) return upper(i);
    }
    return upper(counts_.size() - 1);
  }

  std::int64_t total() const { return total_; }

 private:
  // 32 buckets for each power of two; below 32 each value has its own.
  static constexpr std::uint64_t kSteps = 32;
  static constexpr std::uint64_t kLargest = (std::uint64_t{1} << 40) - 1;  // twelve days

  static std::size_t slot(std::uint64_t us) {
    if (us > kLargest) us = kLargest;
    if (us < kSteps) return us;
    const auto shift = static_cast<std::uint64_t>(std::bit_width(us)) - 6;
    return kSteps * (shift + 1) + ((us >> shift) - kSteps);
  }
  static std::int64_t upper(std::size_t slot) {
    if (slot < kSteps) return static_cast<std::int64_t>(slot);
    const auto shift = slot / kSteps - 1;
    return static_cast<std::int64_t>(((slot % kSteps + kSteps + 1) << shift) - 1);
  }

  std::array<std::int64_t, kSteps * 36> counts_{};
  std::int64_t total_ = 0;
};

}  // namespace stub::cli
