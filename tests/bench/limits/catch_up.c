/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a catch-up: bytes go from one mapping through a socket into another, as received, by
 * a writev of 1 MiB frames and a recv into place of several sizes. The receiving file's pages exist
 * already (--prefault) or are made by the recv.
 *
 *   ha_limit_catch_up [--mib 512] [--prefault] [--dir DIR] [--cpus MASTER,SLAVE]
 *
 * --dir: the receiving file lies there and not on tmpfs, and is written by pwrite of what was
 * received: a mapping of a new file is slower on most disks.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum { kMiB = 1024 * 1024, kFrame = kMiB };

struct slave {
  int port;
  int64_t total;
  int64_t piece;
  int prefault;
  const char* dir; /* NULL: tmpfs */
};

struct outcome {
  double seconds;
  double cpu_s;
};

static int make_file(const char* dir) {
  char path[4096];
  snprintf(path, sizeof path, "%s/ha_bench_XXXXXX", dir);
  const int file = mkostemp(path, O_CLOEXEC);
  if (file < 0) bench_die("cannot make a file in '%s'", dir);
  unlink(path);
  return file;
}

static void receive(int in, int out, void* arg) {
  const struct slave* slave = arg;
  const int file = slave->dir != NULL ? make_file(slave->dir) : -1;
  char* log = file < 0 ? bench_map(slave->total, slave->prefault, NULL) : malloc(kMiB);
  if (log == NULL) bench_die("no memory");
  const int fd = bench_connect(slave->port);
  unsigned char header[kBenchFrameHeader];
  char go = 0;
  (void)in;
  bench_send(fd, &go, 1); /* the mapping is ready: nothing of it is measured */
  const double cpu = bench_cpu_s();
  int64_t begin = 0;
  for (int64_t end = 0; end < slave->total;) {
    bench_recv(fd, header, sizeof header);
    if (begin == 0) begin = bench_now_ns();
    int64_t left = bench_header_size(header);
    while (left > 0) {
      char* to = file < 0 ? log + end : log;
      const ssize_t n = recv(fd, to, (size_t)(left < slave->piece ? left : slave->piece), 0);
      if (n <= 0) bench_die("recv");
      if (file >= 0 && pwrite(file, to, (size_t)n, end) != n) bench_die("pwrite");
      end += n;
      left -= n;
    }
  }
  struct outcome outcome = {(double)(bench_now_ns() - begin) / 1e9, bench_cpu_s() - cpu};
  bench_tell(out, &outcome, sizeof outcome);
}

static void send_all(int fd, const char* bytes, int64_t total) {
  for (int64_t at = 0; at < total; at += kFrame) {
    unsigned char header[kBenchFrameHeader];
    bench_put_header(header, at, kFrame);
    struct iovec parts[2] = {{header, sizeof header}, {(void*)(bytes + at), kFrame}};
    const ssize_t n = writev(fd, parts, 2);
    if (n < (ssize_t)sizeof header) bench_die("writev");
    bench_send(fd, bytes + at + (n - (ssize_t)sizeof header),
               (size_t)(kFrame + (ssize_t)sizeof header - n));
  }
}

static void run(const char* bytes, struct slave slave, int cpu) {
  const int listener = bench_listen(&slave.port);
  struct bench_child child = bench_fork(receive, &slave, cpu);
  const int fd = bench_accept(listener);
  char go;
  bench_recv(fd, &go, 1);
  const double before = bench_cpu_s();
  send_all(fd, bytes, slave.total);
  const double cpu_s = bench_cpu_s() - before;
  struct outcome outcome;
  bench_hear(child.from, &outcome, sizeof outcome);
  bench_join(&child);
  close(fd);
  close(listener);
  const double gib = (double)slave.total / (1 << 30);
  printf(
      "\"recv %lldK\":{\"gb_per_s\":%.3f,\"master_cpu_s_per_gib\":%.4f,"
      "\"slave_cpu_s_per_gib\":%.4f}",
      (long long)(slave.piece / 1024), (double)slave.total / outcome.seconds / 1e9, cpu_s / gib,
      outcome.cpu_s / gib);
}

int main(int argc, char** argv) {
  static const int64_t kPieces[] = {64 * 1024, 256 * 1024, kMiB};
  const int64_t total = bench_number(argc, argv, "--mib", 512) * kMiB;
  const int prefault = bench_flag(argc, argv, "--prefault");
  const char* dir = bench_text(argc, argv, "--dir", NULL);
  int master;
  int slave;
  bench_cpus(argc, argv, &master, &slave);
  bench_pin(master);
  const char* bytes = bench_map(total, 1, NULL);
  printf("{\"variants\":{");
  for (size_t i = 0; i < sizeof kPieces / sizeof *kPieces; ++i) {
    if (i > 0) printf(",");
    run(bytes, (struct slave){0, total, kPieces[i], prefault, dir}, slave);
  }
  printf("}}\n");
  return 0;
}
