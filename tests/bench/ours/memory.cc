// SPDX-License-Identifier: Apache-2.0
// What the plugin's memory grows by with its replicas and with its log.
//
//   ha_bench_memory [--large-mib 1024] [--option KEY=VALUE]
//
// Resident anonymous memory of a process with a master, from before the plugin is loaded to when so
// many bare readers have drained the log and are still connected: heap, stacks, and what the loader
// writes to. Leaves out the log, which is the host's and shared, and what the kernel holds for
// sockets. Each figure has a process of its own.
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/readers.h"
#include "tests/bench/ours/mapped_host.h"
#include "tests/bench/ours/process_status.h"

namespace {

constexpr std::int64_t kSmallLog = 64 * ha::bench::kMiB;

struct Case {
  std::int64_t replicas;
  std::int64_t log_bytes;
  std::vector<ha::Option> options;
};

void serve(int, int out, void* arg) {
  const auto* setup = static_cast<const Case*>(arg);
  bench_readers readers{.count = setup->replicas, .bytes = setup->log_bytes, .passes = 1};
  bench_child child = bench_fork(bench_read_all, &readers, -1);
  ha::bench::MappedHost host(setup->log_bytes, true);
  host.set_end(setup->log_bytes);
  const std::int64_t before = ha::bench::process_status("smaps_rollup", "Anonymous");
  auto master = ha::bench::start(host, {.role = HA_ROLE_MASTER}, setup->options);
  const int port = ha::bench::listen_port(master);
  bench_tell(child.to, &port, sizeof(port));
  bench_readers_outcome outcome{};
  bench_hear(child.from, &outcome, sizeof(outcome));
  const std::int64_t growth = ha::bench::process_status("smaps_rollup", "Anonymous") - before;
  bench_join(&child);
  bench_tell(out, &growth, sizeof(growth));
}

std::int64_t growth_kib(const Case& setup) {
  Case copy = setup;
  bench_child child = bench_fork(serve, &copy, -1);
  std::int64_t kib = 0;
  bench_hear(child.from, &kib, sizeof(kib));
  bench_join(&child);
  return kib;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t large = bench_number(argc, argv, "--large-mib", 1024) * ha::bench::kMiB;
  const auto options = ha::bench::plugin_options(argc, argv);
  const std::int64_t one = growth_kib({1, kSmallLog, options});
  const std::int64_t eight = growth_kib({8, kSmallLog, options});
  const std::int64_t many = growth_kib({64, kSmallLog, options});
  const std::int64_t large_log = growth_kib({8, large, options});
  std::printf(
      "{\"kib_1\":%lld,\"kib_8\":%lld,\"kib_64\":%lld,\"kib_8_large_log\":%lld,"
      "\"kib_per_replica\":%.2f}\n",
      static_cast<long long>(one), static_cast<long long>(eight), static_cast<long long>(many),
      static_cast<long long>(large_log), static_cast<double>(many - one) / 63);
  return 0;
}
