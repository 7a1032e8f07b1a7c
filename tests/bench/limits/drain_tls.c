/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a drain under TLS: OpenSSL alone encrypts bytes that lie in a mapping, framed as on
 * the wire, and a reader decrypts them and throws them away. Nothing else is done.
 *
 *   ha_limit_drain_tls [--mib 512] [--cpus MASTER,SLAVE]
 */
#include <stdio.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/tls.h"

enum { kMiB = 1024 * 1024 };

struct reader {
  int port;
  int64_t wire_bytes;
};

struct outcome {
  double seconds;
  double cpu_s;
};

static void read_all(int in, int out, void* arg) {
  const struct reader* reader = arg;
  struct ssl_st* ssl = bench_tls(bench_connect(reader->port), 0);
  const double cpu = bench_cpu_s();
  struct outcome outcome = {0, 0};
  (void)in;
  outcome.seconds = bench_tls_discard(ssl, reader->wire_bytes);
  outcome.cpu_s = bench_cpu_s() - cpu;
  bench_tell(out, &outcome, sizeof outcome);
}

int main(int argc, char** argv) {
  const int64_t total = bench_number(argc, argv, "--mib", 512) * kMiB;
  int master;
  int slave;
  bench_cpus(argc, argv, &master, &slave);
  bench_pin(master);
  const char* bytes = bench_map(total, 1, NULL);
  struct reader reader = {0, total + total / kMiB * kBenchFrameHeader};
  const int listener = bench_listen(&reader.port);
  struct bench_child child = bench_fork(read_all, &reader, slave);
  struct ssl_st* ssl = bench_tls(bench_accept(listener), 1);
  const double cpu_before = bench_cpu_s();
  for (int64_t at = 0; at < total; at += kMiB) {
    unsigned char header[kBenchFrameHeader];
    bench_put_header(header, at, kMiB);
    bench_tls_write(ssl, header, sizeof header);
    bench_tls_write(ssl, bytes + at, kMiB);
  }
  const double cpu_s = bench_cpu_s() - cpu_before;
  struct outcome outcome;
  bench_hear(child.from, &outcome, sizeof outcome);
  bench_join(&child);
  const double gib = (double)total / (1 << 30);
  printf("{\"gb_per_s\":%.3f,\"master_cpu_s_per_gib\":%.4f,\"slave_cpu_s_per_gib\":%.4f}\n",
         (double)total / outcome.seconds / 1e9, cpu_s / gib, outcome.cpu_s / gib);
  return 0;
}
