// SPDX-License-Identifier: Apache-2.0
// Our catch-up: master plugin to slave plugin, each in a process of its own, from one mapped log to
// another.
//
//   ha_bench_catch_up [--mib 512] [--prefault] [--append] [--option KEY=VALUE] [--cpus
//   MASTER,SLAVE]
//
// --append: the slave's host has no append-reserve, so the bytes take a copy more. The time runs
// from the first bytes in the slave's log to the last: starting and connecting are other rows.
#include <unistd.h>

#include <cstdio>
#include <semaphore>

#include "tests/bench/common/bench.h"
#include "tests/bench/ours/mapped_host.h"

namespace {

struct Slave {
  std::int64_t size;
  bool prefault;
  bool append;
  std::vector<ha::Option> options;
};

struct Outcome {
  std::int64_t first_bytes;
  double seconds;
  double cpu_s;
};

void follow(int in, int out, void* arg) {
  const auto* setup = static_cast<const Slave*>(arg);
  ha::bench::MappedHost host(setup->size, setup->prefault);
  Outcome outcome{};
  std::int64_t begin = 0;
  double cpu = 0;
  std::binary_semaphore whole{0};
  host.grown = [&](std::int64_t end) {
    if (begin == 0) {
      begin = bench_now_ns();
      cpu = bench_cpu_s();
      outcome.first_bytes = end;
    }
    if (end < setup->size) return;
    outcome.seconds = static_cast<double>(bench_now_ns() - begin) / 1e9;
    outcome.cpu_s = bench_cpu_s() - cpu;
    whole.release();
  };
  int port = 0;
  bench_hear(in, &port, sizeof(port));
  auto slave = ha::bench::start(
      host, {.role = HA_ROLE_SLAVE, .master_address = "127.0.0.1:" + std::to_string(port)},
      setup->options, {.reserve = !setup->append});
  whole.acquire();
  bench_tell(out, &outcome, sizeof(outcome));
  char end_of_input = 0;
  (void)!::read(in, &end_of_input, 1);
  slave.stop(std::chrono::seconds(0));
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t size = bench_number(argc, argv, "--mib", 512) * ha::bench::kMiB;
  Slave setup{size, bench_flag(argc, argv, "--prefault") != 0,
              bench_flag(argc, argv, "--append") != 0, ha::bench::plugin_options(argc, argv)};
  int master_cpu = -1;
  int slave_cpu = -1;
  bench_cpus(argc, argv, &master_cpu, &slave_cpu);
  bench_pin(master_cpu);
  bench_child child = bench_fork(follow, &setup, slave_cpu);

  ha::bench::MappedHost host(size, true);
  host.set_end(size);
  auto master = ha::bench::start(host, {.role = HA_ROLE_MASTER}, setup.options);
  const int port = ha::bench::listen_port(master);
  const double cpu = bench_cpu_s();
  bench_tell(child.to, &port, sizeof(port));
  Outcome outcome{};
  bench_hear(child.from, &outcome, sizeof(outcome));
  const double cpu_s = bench_cpu_s() - cpu;
  bench_join(&child);
  const auto measured = static_cast<double>(size - outcome.first_bytes);
  const double gib = static_cast<double>(size) / ha::bench::kGiB;
  std::printf("{\"gb_per_s\":%.3f,\"master_cpu_s_per_gib\":%.4f,\"slave_cpu_s_per_gib\":%.4f}\n",
              measured / outcome.seconds / 1e9, cpu_s / gib, outcome.cpu_s / gib);
  return 0;
}
