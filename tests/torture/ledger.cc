// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/ledger.h"

#include <algorithm>
#include <charconv>

namespace ha::torture {
namespace {

constexpr std::size_t kExamples = 5;  // enough to look for them in the logs

std::string name(std::size_t producer, std::size_t number) {
  return std::to_string(producer) + "-" + std::to_string(number);
}

}  // namespace

std::size_t Ledger::issue(int producer, std::size_t count) {
  const std::lock_guard lock(mutex_);
  auto& mine = fates_.at(static_cast<std::size_t>(producer));
  mine.resize(mine.size() + count, Fate::kUnknown);
  places_.at(static_cast<std::size_t>(producer)).resize(mine.size());
  return mine.size() - count;
}

void Ledger::settle(int producer, std::size_t first, std::size_t count, Fate fate, Range place) {
  const std::lock_guard lock(mutex_);
  auto& mine = fates_.at(static_cast<std::size_t>(producer));
  std::fill_n(mine.begin() + static_cast<std::ptrdiff_t>(first), count, fate);
  auto& places = places_.at(static_cast<std::size_t>(producer));
  std::fill_n(places.begin() + static_cast<std::ptrdiff_t>(first), count, place);
  if (fate == Fate::kAcknowledged) acknowledged_ += count;
}

Ledger::Counts Ledger::counts() const {
  const std::lock_guard lock(mutex_);
  Counts out;
  for (const auto& mine : fates_) {
    for (const Fate fate : mine) {
      if (fate == Fate::kAcknowledged) ++out.acknowledged;
      if (fate == Fate::kUnknown) ++out.unknown;
      if (fate == Fate::kRefused) ++out.refused;
    }
  }
  return out;
}

std::size_t Ledger::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

std::string Ledger::find(Found& found, std::string_view body) const {
  const std::lock_guard lock(mutex_);
  std::size_t producer = 0;
  std::size_t number = 0;
  const char* const end = body.data() + body.size();
  const auto dash = std::from_chars(body.data(), end, producer);
  if (dash.ec == std::errc{} && dash.ptr != end && *dash.ptr == '-' &&
      std::from_chars(dash.ptr + 1, end, number).ec == std::errc{} && producer < fates_.size() &&
      number < fates_[producer].size()) {
    found.resize(fates_.size());
    auto& mine = found[producer];
    if (mine.size() <= number) mine.resize(fates_[producer].size());
    if (mine[number] < UINT8_MAX) ++mine[number];
    return "";
  }
  return "a message that nobody sent: '" + std::string(body.substr(0, 60)) + "'";
}

Ledger::Verdict Ledger::judge(const Found& found, const std::vector<Range>& skipped) const {
  const std::lock_guard lock(mutex_);
  Verdict out;
  const auto example = [&](const char* what, std::size_t producer, std::size_t number) {
    if (out.lost + out.duplicated + out.ghosts <= kExamples) {
      out.examples += (out.examples.empty() ? "" : ", ") + name(producer, number) + " " + what;
    }
  };
  for (std::size_t producer = 0; producer < fates_.size(); ++producer) {
    for (std::size_t number = 0; number < fates_[producer].size(); ++number) {
      const bool there = producer < found.size() && number < found[producer].size();
      const int times = there ? found[producer][number] : 0;
      const Fate fate = fates_[producer][number];
      const Range place = places_[producer][number];
      // The place is its batch's, of which a part may be left.
      const bool gone = std::any_of(skipped.begin(), skipped.end(), [&](const Range& range) {
        return place.begin < range.end && range.begin < place.end;
      });
      if (times == 0 && fate == Fate::kAcknowledged && gone) {
        ++out.skipped;
      } else if (times == 0 && fate == Fate::kAcknowledged) {
        ++out.lost;
        example("lost", producer, number);
      } else if (times > 1) {
        ++out.duplicated;
        example("found twice", producer, number);
      } else if (times == 1 && fate == Fate::kRefused) {
        ++out.ghosts;
        example("refused and found", producer, number);
      } else if (times == 1 && fate == Fate::kUnknown) {
        ++out.survivors;
      }
    }
  }
  return out;
}

}  // namespace ha::torture
