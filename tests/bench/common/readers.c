/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/bench/common/readers.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMostEvents = 64, kMostPerTurn = 4 * 1024 * 1024 };

/* Until each has its bytes; every connection has its turn. */
static void drain(int poll, const struct bench_readers* readers, const int* fds, int64_t* left) {
  struct epoll_event events[kMostEvents];
  int64_t unfinished = readers->count;
  while (unfinished > 0) {
    const int n = epoll_wait(poll, events, kMostEvents, -1);
    for (int i = 0; i < n; ++i) {
      const uint32_t at = events[i].data.u32;
      const int64_t most = left[at] < kMostPerTurn ? left[at] : kMostPerTurn;
      char nothing;
      /* With MSG_TRUNC nothing is written to the buffer, so it may be said to be larger. */
      const ssize_t got = recv(fds[at], &nothing, (size_t)most, MSG_TRUNC);
      if (got <= 0) bench_die("reader %u: recv: %lld bytes are missing", at, (long long)left[at]);
      left[at] -= got;
      if (left[at] > 0) continue;
      epoll_ctl(poll, EPOLL_CTL_DEL, fds[at], NULL);
      --unfinished;
    }
  }
}

void bench_read_all(int in, int out, void* arg) {
  static const unsigned char from_the_start[kBenchReport];
  const struct bench_readers* readers = arg;
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  int* fds = calloc((size_t)readers->count, sizeof *fds);
  int64_t* left = calloc((size_t)readers->count, sizeof *left);
  struct bench_readers_outcome outcome = {0, 0};
  int port = 0;
  if (fds == NULL || left == NULL) bench_die("no memory");
  bench_hear(in, &port, sizeof port);
  for (int64_t pass = 0; pass < readers->passes; ++pass) {
    for (int64_t i = 0; i < readers->count; ++i) {
      if (pass > 0) close(fds[i]);
      fds[i] = bench_connect(port);
      left[i] = readers->bytes;
      struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
      epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &event);
    }
    const int64_t begin = bench_now_ns();
    const double cpu = bench_cpu_s();
    for (int64_t i = 0; i < readers->count; ++i)
      bench_send(fds[i], from_the_start, sizeof from_the_start);
    drain(poll, readers, fds, left);
    outcome.seconds += (double)(bench_now_ns() - begin) / 1e9;
    outcome.cpu_s += bench_cpu_s() - cpu;
  }
  bench_tell(out, &outcome, sizeof outcome);
  char end_of_input;
  (void)!read(in, &end_of_input, 1);
}
