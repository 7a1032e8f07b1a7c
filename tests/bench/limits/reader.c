/* SPDX-License-Identifier: Apache-2.0 */
/* A bare reader for somebody else's master: asks for the log from an offset and throws the bytes
 * away.
 *
 *   ha_limit_reader --port P --bytes N [--from 0]
 *
 * N counts what comes over the wire, frame headers among it.
 */
#include <stdio.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

int main(int argc, char** argv) {
  const int64_t bytes = bench_number(argc, argv, "--bytes", 0);
  unsigned char report[kBenchReport];
  bench_put64(report, bench_number(argc, argv, "--from", 0));
  const int fd = bench_connect((int)bench_number(argc, argv, "--port", 0));
  bench_send(fd, report, sizeof report);
  const double seconds = bench_discard(fd, bytes, 1);
  printf("{\"gb_per_s\":%.3f}\n", (double)bytes / seconds / 1e9);
  close(fd);
  return 0;
}
