// SPDX-License-Identifier: Apache-2.0
/* One thread that drives many connections to a server on loopback, each with one request on its
 * way: sent, answered in whole, sent again. The same client for every server that has one, so that
 * what a client's socket costs is in all their figures alike; one thread, so that it costs the
 * server as little of its CPUs as can be. C11.
 *
 * Errors: as in bench.h, every function ends the process with a sentence on standard error.
 */
#ifndef TESTS_BENCH_COMMON_CLIENTS_H
#define TESTS_BENCH_COMMON_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

struct bench_protocol {
  /* The request of one connection, sent again and again. Freed by nobody. */
  char* (*make_request)(int connection, int64_t messages, int64_t body, size_t* size);
  /* Looks at what has come of an answer, with a 0 behind it: 1 = whole, 0 = more has to come. Ends
   * the process when it is not what was asked for. */
  int (*is_whole)(const char* answer, size_t size, int64_t messages);
};

/* Reads from the command line --port P [--producers 1] [--window 1] [--seconds 2] [--body 1024]
 * [--rate 0] [--count 0] [--cpus CLIENT,-1], loads the server and prints the JSON object: per_s,
 * mb_per_s, "all" (the warm-up's messages too) and the latencies. --window: the messages in each
 * request, all of which have then waited until the answer is whole. --rate: an open loop of that
 * many requests a second. Each is due at its time whether or not the ones before it were answered,
 * and its latency counts from then, so a server that stalls pays for every request that it kept
 * waiting. --count: ends after that many requests instead, all of which are measured. SIGTERM: ends
 * now, and what was measured counts. */
void bench_run_clients(int argc, char** argv, const struct bench_protocol* protocol);

#endif
