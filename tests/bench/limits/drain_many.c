/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a drain by many readers: one thread sends bytes that lie in a mapping to all of
 * them, framed as on the wire, by non-blocking writev in turns. Nothing else is done.
 *
 *   ha_limit_drain_many [--replicas 64] [--mib 256] [--passes 1] [--cpus MASTER,SLAVE]
 *
 * --passes: all over again on new connections, so that few readers take as long as many.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/readers.h"

enum { kFrame = 1024 * 1024, kUnit = kBenchFrameHeader + kFrame, kMostEvents = 64 };

struct connection {
  int fd;
  int64_t sent; /* of the wire */
};

/* Until the socket is full or a frame has gone; 1 = the reader has all. */
static int send_some(struct connection* to, const char* bytes, int64_t wire_bytes) {
  const int64_t frame = to->sent / kUnit;
  const int64_t within = to->sent % kUnit;
  unsigned char header[kBenchFrameHeader];
  bench_put_header(header, frame * kFrame, kFrame);
  struct iovec parts[2] = {{header, sizeof header}, {(void*)(bytes + frame * kFrame), kFrame}};
  struct iovec* from = parts;
  int count = 2;
  if (within < kBenchFrameHeader) {
    parts[0].iov_base = header + within;
    parts[0].iov_len = (size_t)(kBenchFrameHeader - within);
  } else {
    parts[1].iov_base = (char*)parts[1].iov_base + (within - kBenchFrameHeader);
    parts[1].iov_len = (size_t)(kUnit - within);
    from = parts + 1;
    count = 1;
  }
  const ssize_t n = writev(to->fd, from, count);
  if (n < 0 && errno != EAGAIN) bench_die("writev");
  if (n > 0) to->sent += n;
  return to->sent == wire_bytes;
}

static void serve(int listener, int64_t replicas, const char* bytes, int64_t wire_bytes) {
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  struct connection* all = calloc((size_t)replicas, sizeof *all);
  if (all == NULL) bench_die("no memory");
  for (int64_t i = 0; i < replicas; ++i) {
    unsigned char report[kBenchReport];
    all[i].fd = bench_accept(listener);
    bench_recv(all[i].fd, report, sizeof report);
    fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = &all[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  for (int64_t unfinished = replicas; unfinished > 0;) {
    struct epoll_event events[kMostEvents];
    const int n = epoll_wait(poll, events, kMostEvents, -1);
    for (int i = 0; i < n; ++i) {
      struct connection* one = events[i].data.ptr;
      if (!send_some(one, bytes, wire_bytes)) continue;
      epoll_ctl(poll, EPOLL_CTL_DEL, one->fd, NULL);
      --unfinished;
    }
  }
  for (int64_t i = 0; i < replicas; ++i) close(all[i].fd);
  free(all);
  close(poll);
}

int main(int argc, char** argv) {
  const int64_t frames = bench_number(argc, argv, "--mib", 256);
  struct bench_readers readers = {.count = bench_number(argc, argv, "--replicas", 64),
                                  .bytes = frames * kUnit,
                                  .passes = bench_number(argc, argv, "--passes", 1)};
  int master;
  int slave;
  int port;
  bench_cpus(argc, argv, &master, &slave);
  bench_pin(master);
  struct bench_child child = bench_fork(bench_read_all, &readers, slave);
  const char* bytes = bench_map(frames * kFrame, 1, NULL);
  const int listener = bench_listen(&port);
  const double cpu = bench_cpu_s();
  bench_tell(child.to, &port, sizeof port);
  for (int64_t pass = 0; pass < readers.passes; ++pass)
    serve(listener, readers.count, bytes, readers.bytes);
  const double cpu_s = bench_cpu_s() - cpu;
  struct bench_readers_outcome outcome;
  bench_hear(child.from, &outcome, sizeof outcome);
  bench_join(&child);
  const double total = (double)(readers.count * readers.passes * frames * kFrame);
  const double gib = total / (1 << 30);
  printf("{\"gb_per_s\":%.3f,\"master_cpu_s_per_gib\":%.4f,\"slave_cpu_s_per_gib\":%.4f}\n",
         total / outcome.seconds / 1e9, cpu_s / gib, outcome.cpu_s / gib);
  return 0;
}
