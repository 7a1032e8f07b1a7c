/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a sync put: the bytes of one message go to another process, which copies them into
 * its log and answers with a report; nothing waits for anything else.
 *
 *   ha_limit_ping_pong [--count 20000] [--idle-us 0] [--spin] [--body 1024] [--cpus MASTER,SLAVE]
 *
 * Blocking reads, or with --spin reads that never sleep. --idle-us: as long nothing happens between
 * two, so that CPUs fall asleep as they do for a producer that comes seldom.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum { kLog = 64 * 1024 * 1024, kWarmUp = 2000 };

struct setup {
  int port;
  int flags; /* of recv */
  int64_t message;
};

static void receive(int fd, char* to, int64_t size, int flags) {
  while (size > 0) {
    const ssize_t n = recv(fd, to, (size_t)size, flags);
    if (n < 0 && errno == EAGAIN) continue;
    if (n <= 0) bench_die("recv");
    to += n;
    size -= n;
  }
}

static void answer(int in, int out, void* arg) {
  const struct setup* setup = arg;
  char* log = bench_map(kLog, 1, NULL);
  const int fd = bench_connect(setup->port);
  unsigned char report[kBenchReport];
  int64_t end = 0;
  (void)in;
  (void)out;
  for (;;) {
    char* to = log + end % (kLog - setup->message);
    const ssize_t n = recv(fd, to, (size_t)setup->message, setup->flags);
    if (n < 0 && errno == EAGAIN) continue;
    if (n == 0) return; /* the end */
    if (n < 0) bench_die("recv");
    receive(fd, to + n, setup->message - n, setup->flags);
    end += setup->message;
    bench_put64(report, end);
    bench_send(fd, report, sizeof report);
  }
}

int main(int argc, char** argv) {
  const int64_t count = bench_number(argc, argv, "--count", 20000);
  const int64_t idle_us = bench_number(argc, argv, "--idle-us", 0);
  struct setup setup = {.flags = bench_flag(argc, argv, "--spin") ? MSG_DONTWAIT : 0};
  setup.message = bench_number(argc, argv, "--body", kBenchBody) + (kBenchRecord - kBenchBody) +
                  kBenchFrameHeader;
  if (setup.message > kLog / 2) bench_die("--body is larger than %d", kLog / 2);
  int master;
  int slave;
  bench_cpus(argc, argv, &master, &slave);
  bench_pin(master);
  const int listener = bench_listen(&setup.port);
  struct bench_child child = bench_fork(answer, &setup, slave);
  const int fd = bench_accept(listener);
  char* message = bench_map(setup.message, 1, NULL);
  char report[kBenchReport];
  int64_t* samples = calloc((size_t)count, sizeof *samples);
  if (samples == NULL) bench_die("no memory");
  const struct timespec idle = {idle_us / 1000000, idle_us % 1000000 * 1000};
  const int64_t warm_up = idle_us > 0 ? 3 : kWarmUp;
  int64_t begin = 0;
  double cpu_before = 0;
  for (int64_t i = -warm_up; i < count; ++i) {
    if (i == 0) {
      begin = bench_now_ns();
      cpu_before = bench_cpu_s();
    }
    if (idle_us > 0) nanosleep(&idle, NULL);
    const int64_t start = bench_now_ns();
    bench_send(fd, message, (size_t)setup.message);
    receive(fd, report, sizeof report, setup.flags);
    if (i >= 0) samples[i] = bench_now_ns() - start;
  }
  const double seconds = (double)(bench_now_ns() - begin) / 1e9;
  const double cpu_s = bench_cpu_s() - cpu_before;
  close(fd);
  bench_join(&child);
  printf("{\"per_s\":%.0f,\"master_cpu_us_per_message\":%.2f,", (double)count / seconds,
         cpu_s * 1e6 / (double)count);
  bench_print_latency(samples, (size_t)count);
  printf("}\n");
  return 0;
}
