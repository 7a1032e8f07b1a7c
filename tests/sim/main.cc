// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

#include "tests/sim/cluster.h"
#include "tests/sim/node.h"

namespace {

using ha::sim::Config;
using ha::sim::Stats;

struct Options {
  std::uint64_t first = 1;
  std::uint64_t seeds = 0;  // 0 = no limit
  double seconds = 0;       // 0 = no limit
  unsigned threads = 0;
  bool verbose = false;
  bool all = false;
  bool supervised = false;
  bool members = false;
  ha::sim::Fault fault = ha::sim::Fault::kNone;
};

class Runner {
 public:
  explicit Runner(const Options& options) : options_(options), next_(options.first) {}

  int run() {
    const auto started = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < options_.threads; ++i) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    std::printf("%sseeds: %llu in %.1f s, %.0f a second\n", total_.text().c_str(),
                static_cast<unsigned long long>(total_.runs), took.count(),
                static_cast<double>(total_.runs) / took.count());
    if (failed_ != 0) {
      std::printf("FAILED: replay with --seed %llu --verbose\n",
                  static_cast<unsigned long long>(failed_));
    }
    return failed_ == 0 ? 0 : 1;
  }

 private:
  void work() {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(options_.seconds);
    Stats mine;
    while (!stop_) {
      const std::uint64_t seed = next_++;
      if (options_.seeds != 0 && seed >= options_.first + options_.seeds) break;
      if (options_.seconds > 0 && std::chrono::steady_clock::now() >= deadline) break;
      run_one(seed, mine);
    }
    const std::lock_guard lock(mutex_);
    total_.add(mine);
  }

  void run_one(std::uint64_t seed, Stats& stats) {
    Config config = ha::sim::draw_config(seed);
    config.fault = options_.fault;
    config.verbose = options_.verbose;
    if (options_.supervised) supervise(config);
    if (options_.members) draw_members(config);
    ha::sim::Cluster cluster(config);
    try {
      cluster.run();
    } catch (const ha::sim::Violation& violation) {
      const std::lock_guard lock(mutex_);
      std::printf("seed %llu (%d nodes, %d copies), step %lld: %s\n",
                  static_cast<unsigned long long>(seed), config.nodes, config.copies,
                  static_cast<long long>(cluster.stats().at[Stats::kSteps]), violation.what());
      failed_ = seed;
      stop_ = !options_.all;
    }
    stats.add(cluster.stats());
  }

  const Options options_;
  std::atomic<std::uint64_t> next_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  Stats total_;
  std::uint64_t failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  double minutes = 0;
  std::string fault = "none";
  std::vector<std::string> faults;
  for (const auto& one : ha::sim::kFaultNames) faults.emplace_back(one.name);

  CLI::App app("Runs of a simulated cluster, each from a seed; stops at the first that fails");
  auto* const first = app.add_option("--seed", options.first, "The first, or only, seed");
  app.add_option("--seeds", options.seeds, "How many seeds");
  app.add_option("--seconds", options.seconds, "How long");
  app.add_option("--minutes", minutes, "How long");
  app.add_option("--threads", options.threads, "Default: as many as there are cores");
  app.add_option("--fault", fault, "A mistake that the glue shall make")
      ->check(CLI::IsMember(faults));
  app.add_flag("--supervised", options.supervised,
               "Nobody promotes: nodes do it by themselves, by a coordination engine that lies");
  app.add_flag("--members", options.members, "The set gets other nodes while it runs");
  app.add_flag("--verbose", options.verbose, "Tells what happens, on one thread");
  app.add_flag("--all", options.all, "Does not stop at a seed that fails");
  CLI11_PARSE(app, argc, argv);

  options.seconds += 60 * minutes;
  if (options.seeds == 0 && options.seconds <= 0) options.seeds = *first ? 1 : 1000;
  if (options.threads == 0) options.threads = std::max(1U, std::thread::hardware_concurrency());
  if (options.verbose) options.threads = 1;
  for (const auto& one : ha::sim::kFaultNames) {
    if (one.name == fault) options.fault = one.fault;
  }
  return Runner(options).run();
}
