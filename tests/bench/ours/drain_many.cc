// SPDX-License-Identifier: Apache-2.0
// Our drain by many bare readers at once, which throw the bytes away.
//
//   ha_bench_drain_many [--replicas 64] [--mib 256] [--passes 1] [--option KEY=VALUE]
//                       [--cpus MASTER,SLAVE]
//
// --passes: all over again on new connections, so that few readers take as long as many. "threads"
// are the process' own while all readers are connected.
#include <cstdio>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/readers.h"
#include "tests/bench/ours/mapped_host.h"
#include "tests/bench/ours/process_status.h"

int main(int argc, char** argv) {
  const std::int64_t size = bench_number(argc, argv, "--mib", 256) * ha::bench::kMiB;
  bench_readers readers{.count = bench_number(argc, argv, "--replicas", 64),
                        .bytes = size,
                        .passes = bench_number(argc, argv, "--passes", 1)};
  int master_cpu = -1;
  int slave_cpu = -1;
  bench_cpus(argc, argv, &master_cpu, &slave_cpu);
  bench_pin(master_cpu);
  bench_child child = bench_fork(bench_read_all, &readers, slave_cpu);

  ha::bench::MappedHost host(size, true);
  host.set_end(size);
  auto master =
      ha::bench::start(host, {.role = HA_ROLE_MASTER}, ha::bench::plugin_options(argc, argv));
  const int port = ha::bench::listen_port(master);
  const double cpu = bench_cpu_s();
  bench_tell(child.to, &port, sizeof(port));
  bench_readers_outcome outcome{};
  bench_hear(child.from, &outcome, sizeof(outcome));
  const double cpu_s = bench_cpu_s() - cpu;
  const std::int64_t threads = ha::bench::process_status("status", "Threads");
  bench_join(&child);
  const auto total = static_cast<double>(readers.count * readers.passes * size);
  const double gib = total / ha::bench::kGiB;
  std::printf(
      "{\"gb_per_s\":%.3f,\"master_cpu_s_per_gib\":%.4f,\"slave_cpu_s_per_gib\":%.4f,"
      "\"threads\":%lld}\n",
      total / outcome.seconds / 1e9, cpu_s / gib, outcome.cpu_s / gib,
      static_cast<long long>(threads));
  return 0;
}
