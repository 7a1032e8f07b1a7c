// SPDX-License-Identifier: Apache-2.0
// What a new connection costs under TLS: from connect until the peer's handshake is over, one after
// the other, with a key file. Fewer than one address may ask for at a time.
//
//   ha_bench_handshake [--count 90] [--option KEY=VALUE] [--cpus MASTER,SLAVE]
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/tls.h"
#include "tests/bench/ours/mapped_host.h"
#include "tests/bench/ours/scratch_dir.h"
#include "tests/bench/ours/tls_options.h"

int main(int argc, char** argv) {
  const std::int64_t count = bench_number(argc, argv, "--count", 90);
  int master_cpu = -1;
  int slave_cpu = -1;
  bench_cpus(argc, argv, &master_cpu, &slave_cpu);
  ha::bench::MappedHost host(ha::bench::kMiB, true);
  const ha::bench::ScratchDir keys("/dev/shm");
  auto options = ha::bench::tls_options("master", keys.path() + "/cluster.key");
  for (auto& more : ha::bench::plugin_options(argc, argv)) options.push_back(more);
  bench_pin(master_cpu);
  auto master = ha::bench::start(host, {.role = HA_ROLE_MASTER}, options);
  bench_pin(slave_cpu);
  std::vector<std::int64_t> ns;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = bench_now_ns();
    const int fd = bench_connect(ha::bench::listen_port(master));
    ssl_st* ssl = bench_tls(fd, 0);
    ns.push_back(bench_now_ns() - begin);
    bench_tls_end(ssl);
    ::close(fd);
  }
  std::printf("{");
  bench_print_latency(ns.data(), ns.size());
  std::printf("}\n");
  return 0;
}
