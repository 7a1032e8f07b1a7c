// SPDX-License-Identifier: Apache-2.0
// What a consumer group's commit costs while others have theirs: in the broker's table of offsets,
// in process, one commit after the other, each stored before the next.
//
//   ha_bench_offsets [--commits 2000] [--dir /dev/shm]
//
// us_10, us_1000, us_10000: microseconds of a commit among that many pairs of topic and group,
// medians. create_10000_us: of one that makes a new pair, the mean over all that make the table.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "broker/group_offsets.h"
#include "tests/bench/common/bench.h"
#include "tests/bench/ours/scratch_dir.h"

namespace {

constexpr int kPairs[] = {10, 1000, 10'000};

class Groups {
 public:
  explicit Groups(const std::string& directory)
      : open_(stub::GroupOffsets::open(directory, [](auto&, int) { return INT64_MAX; })) {
    if (const auto* error = std::get_if<stub::Error>(&open_)) bench_die("%s", error->text.c_str());
  }
  void commit(int pair, std::int64_t next) {
    const auto set = std::get<std::unique_ptr<stub::GroupOffsets>>(open_)->set(
        "group-" + std::to_string(pair), "topic-" + std::to_string(pair % 10), 0, next);
    if (const auto* error = std::get_if<stub::Error>(&set)) bench_die("%s", error->text.c_str());
  }

 private:
  stub::Result<std::unique_ptr<stub::GroupOffsets>> open_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t commits = bench_number(argc, argv, "--commits", 2000);
  const std::string parent = bench_text(argc, argv, "--dir", "/dev/shm");
  std::int64_t create_ns = 0;
  for (const int pairs : kPairs) {
    const ha::bench::ScratchDir directory(parent);
    Groups groups(directory.path());
    create_ns = bench_now_ns();
    for (int pair = 0; pair < pairs; ++pair) groups.commit(pair, 1);
    create_ns = bench_now_ns() - create_ns;
    std::vector<std::int64_t> took;
    for (std::int64_t i = 0; i < commits; ++i) {
      const std::int64_t from = bench_now_ns();
      groups.commit(static_cast<int>(i * 7919 % pairs), i + 2);
      took.push_back(bench_now_ns() - from);
    }
    const auto middle = took.begin() + commits / 2;
    std::nth_element(took.begin(), middle, took.end());
    std::printf("%s\"us_%d\":%.1f", pairs == kPairs[0] ? "{" : ",", pairs,
                static_cast<double>(*middle) / 1e3);
  }
  std::printf(",\"create_10000_us\":%.1f}\n", static_cast<double>(create_ns) / 1e3 / 10'000);
  return 0;
}
