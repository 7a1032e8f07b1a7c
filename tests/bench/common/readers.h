// SPDX-License-Identifier: Apache-2.0
/* Bare readers: one process with many connections, which takes what comes on each and throws it
 * away. What many slaves cost their master, without the slaves.
 *
 * Leaves out: reports. A reader asks for the log once and acknowledges nothing.
 * Errors end the process, as in bench.h.
 */
#ifndef TESTS_BENCH_COMMON_READERS_H
#define TESTS_BENCH_COMMON_READERS_H

#include <stdint.h>

#include "tests/bench/common/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bench_readers {
  int64_t count;
  int64_t bytes;  /* of the wire, for each reader */
  int64_t passes; /* so often, each time over new connections: a short drain has to be repeated */
};

struct bench_readers_outcome {
  double seconds; /* of the passes, without connecting */
  double cpu_s;
};

/* For bench_fork, with a bench_readers; hears an int, the port, and tells the outcome. The last
 * pass' connections stay until `in` ends. */
void bench_read_all(int in, int out, void* readers);

#ifdef __cplusplus
}
#endif

#endif
