// SPDX-License-Identifier: Apache-2.0
// Our drain: a master plugin sends a log that lies in the page cache to a reader that throws the
// bytes away.
//
//   ha_bench_drain [--mib 512] [--sendfile] [--truncate] [--tls] [--option KEY=VALUE]
//                  [--cpus MASTER,SLAVE]
//
// --sendfile: the host lends file descriptors instead of memory. --truncate: the reader's
// MSG_TRUNC. --tls: the reader decrypts, by OpenSSL alone.
#include <cstdio>

#include "tests/bench/common/bench.h"
#include "tests/bench/ours/mapped_host.h"
#include "tests/bench/ours/scratch_dir.h"
#include "tests/bench/ours/tls_options.h"

namespace {

struct Outcome {
  double seconds;
  double cpu_s;
};

struct Reader {
  std::int64_t bytes;
  int truncate;
  int tls;
};

// Hears the master's port, since it was forked before the master had one.
void read_all(int in, int out, void* arg) {
  const auto* reader = static_cast<const Reader*>(arg);
  int port = 0;
  bench_hear(in, &port, sizeof(port));
  const int fd = bench_connect(port);
  ssl_st* ssl = reader->tls != 0 ? bench_tls(fd, 0) : nullptr;
  const double cpu = bench_cpu_s();
  const unsigned char from_the_start[kBenchReport] = {};
  Outcome outcome{};
  if (ssl != nullptr) {
    bench_tls_write(ssl, from_the_start, sizeof(from_the_start));
    outcome.seconds = bench_tls_discard(ssl, reader->bytes);
  } else {
    bench_send(fd, from_the_start, sizeof(from_the_start));
    outcome.seconds = bench_discard(fd, reader->bytes, reader->truncate);
  }
  outcome.cpu_s = bench_cpu_s() - cpu;
  bench_tell(out, &outcome, sizeof(outcome));
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t size = bench_number(argc, argv, "--mib", 512) * ha::bench::kMiB;
  Reader reader{size, bench_flag(argc, argv, "--truncate"), bench_flag(argc, argv, "--tls")};
  int master_cpu = -1;
  int slave_cpu = -1;
  bench_cpus(argc, argv, &master_cpu, &slave_cpu);
  bench_pin(master_cpu);
  bench_child child = bench_fork(read_all, &reader, slave_cpu);

  ha::bench::MappedHost host(size, true);
  host.set_end(size);
  auto options = ha::bench::plugin_options(argc, argv);
  const ha::bench::ScratchDir keys("/dev/shm");
  if (reader.tls != 0) {
    const auto tls = ha::bench::tls_options("master", keys.path() + "/cluster.key");
    options.insert(options.end(), tls.begin(), tls.end());
  }
  auto master = ha::bench::start(host, {.role = HA_ROLE_MASTER}, options,
                                 {.pin = bench_flag(argc, argv, "--sendfile") == 0});
  const int port = ha::bench::listen_port(master);
  const double cpu = bench_cpu_s();
  bench_tell(child.to, &port, sizeof(port));
  Outcome outcome{};
  bench_hear(child.from, &outcome, sizeof(outcome));
  const double cpu_s = bench_cpu_s() - cpu;
  bench_join(&child);
  const double gib = static_cast<double>(size) / ha::bench::kGiB;
  std::printf("{\"gb_per_s\":%.3f,\"master_cpu_s_per_gib\":%.4f,\"slave_cpu_s_per_gib\":%.4f}\n",
              static_cast<double>(size) / outcome.seconds / 1e9, cpu_s / gib, outcome.cpu_s / gib);
  return 0;
}
