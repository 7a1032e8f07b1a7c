// SPDX-License-Identifier: Apache-2.0
// Our asynchronous replication's lag: after an idle time the master appends one message; the time
// until the slave's log has it. Master and slave are plugins in two processes with one clock.
//
//   ha_bench_lag [--count 100] [--idle-us 50000] [--body 1024] [--option KEY=VALUE]
//                [--cpus MASTER,SLAVE]
//
// Leaves out the broker: the message is copied into the mapping, and that is all.
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tests/bench/common/bench.h"
#include "tests/bench/ours/mapped_host.h"

namespace {

// Connecting, and the first use of everything.
constexpr std::int64_t kWarmUp = 3;

struct Slave {
  std::int64_t log_bytes;
  std::vector<ha::Option> options;
};

struct Seen {
  std::int64_t end;
  std::int64_t at_ns;
};

// Tells whenever its log has grown.
void follow(int in, int out, void* arg) {
  const auto* setup = static_cast<const Slave*>(arg);
  ha::bench::MappedHost host(setup->log_bytes, true);
  host.grown = [&](std::int64_t end) {
    const Seen seen{end, bench_now_ns()};
    bench_tell(out, &seen, sizeof(seen));
  };
  int port = 0;
  bench_hear(in, &port, sizeof(port));
  auto slave = ha::bench::start(
      host, {.role = HA_ROLE_SLAVE, .master_address = "127.0.0.1:" + std::to_string(port)},
      setup->options);
  char end_of_input = 0;
  (void)!::read(in, &end_of_input, 1);
  slave.stop(std::chrono::seconds(0));
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t count = bench_number(argc, argv, "--count", 100);
  const std::int64_t idle_us = bench_number(argc, argv, "--idle-us", 50000);
  const std::int64_t record =
      bench_number(argc, argv, "--body", kBenchBody) + kBenchRecord - kBenchBody;
  Slave setup{(count + kWarmUp) * record, ha::bench::plugin_options(argc, argv)};
  int master_cpu = -1;
  int slave_cpu = -1;
  bench_cpus(argc, argv, &master_cpu, &slave_cpu);
  bench_pin(master_cpu);
  bench_child child = bench_fork(follow, &setup, slave_cpu);

  ha::bench::MappedHost host(setup.log_bytes, true);
  auto master = ha::bench::start(host, {.role = HA_ROLE_MASTER}, setup.options);
  const int port = ha::bench::listen_port(master);
  bench_tell(child.to, &port, sizeof(port));
  const std::vector<char> message(static_cast<std::size_t>(record), 'm');
  std::vector<std::int64_t> lags;
  const timespec idle{idle_us / 1'000'000, idle_us % 1'000'000 * 1000};
  for (std::int64_t i = 0; i < kWarmUp + count; ++i) {
    ::nanosleep(&idle, nullptr);  // the idleness is what is measured
    const std::int64_t end = host.end() + record;
    const std::int64_t start = bench_now_ns();
    std::memcpy(host.bytes() + host.end(), message.data(), message.size());
    host.set_end(end);
    master.notify_appended(end);
    Seen seen{};
    do bench_hear(child.from, &seen, sizeof(seen));
    while (seen.end < end);
    if (i >= kWarmUp) lags.push_back(seen.at_ns - start);
  }
  bench_join(&child);
  std::printf("{");
  bench_print_latency(lags.data(), lags.size());
  std::printf("}\n");
  return 0;
}
