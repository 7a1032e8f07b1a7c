/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a drain: bytes that lie in a mapping go to a reader that throws them away, framed as
 * on the wire, by writev from the mapping and by sendfile, in several sizes. Nothing else is done.
 *
 *   ha_limit_drain [--mib 512] [--tls] [--cpus MASTER,SLAVE]
 *
 * --tls: OpenSSL alone encrypts and decrypts, in frames of 1 MiB; nothing else is tried then. Which
 * way is fastest depends on kernel and machine, so all are tried; the caller takes the best.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/tls.h"

enum { kMiB = 1024 * 1024 };

struct reader {
  int port;
  int truncate;
  int tls;
  int64_t wire_bytes;
};

struct outcome {
  double seconds;
  double cpu_s;
};

static void read_all(int in, int out, void* arg) {
  const struct reader* reader = arg;
  const int fd = bench_connect(reader->port);
  struct ssl_st* ssl = reader->tls ? bench_tls(fd, 0) : NULL;
  const double cpu = bench_cpu_s();
  struct outcome outcome = {0, 0};
  (void)in;
  outcome.seconds = ssl != NULL ? bench_tls_discard(ssl, reader->wire_bytes)
                                : bench_discard(fd, reader->wire_bytes, reader->truncate);
  outcome.cpu_s = bench_cpu_s() - cpu;
  bench_tell(out, &outcome, sizeof outcome);
}

static void send_mapped(int fd, const char* bytes, int64_t offset, int64_t size) {
  unsigned char header[kBenchFrameHeader];
  bench_put_header(header, offset, size);
  int64_t sent = 0;
  while (sent < kBenchFrameHeader + size) {
    struct iovec parts[2] = {{header, kBenchFrameHeader}, {(void*)(bytes + offset), (size_t)size}};
    struct iovec* from = parts;
    int count = 2;
    if (sent >= kBenchFrameHeader) {
      parts[1].iov_base = (void*)(bytes + offset + sent - kBenchFrameHeader);
      parts[1].iov_len = (size_t)(size - (sent - kBenchFrameHeader));
      from = parts + 1;
      count = 1;
    } else {
      parts[0].iov_base = header + sent;
      parts[0].iov_len = (size_t)(kBenchFrameHeader - sent);
    }
    const ssize_t n = writev(fd, from, count);
    if (n <= 0) bench_die("writev");
    sent += n;
  }
}

static void send_file(int fd, int file, int64_t offset, int64_t size) {
  unsigned char header[kBenchFrameHeader];
  bench_put_header(header, offset, size);
  if (send(fd, header, sizeof header, MSG_MORE | MSG_NOSIGNAL) != sizeof header) bench_die("send");
  off_t at = offset;
  while (at < offset + size)
    if (sendfile(fd, file, &at, (size_t)(offset + size - at)) <= 0) bench_die("sendfile");
}

static void send_encrypted(struct ssl_st* ssl, const char* bytes, int64_t offset, int64_t size) {
  unsigned char header[kBenchFrameHeader];
  bench_put_header(header, offset, size);
  bench_tls_write(ssl, header, sizeof header);
  bench_tls_write(ssl, bytes + offset, (size_t)size);
}

static void run(const char* bytes, int file, int64_t total, int64_t frame, int from_file,
                int truncate, int tls, int cpu) {
  struct reader reader = {0, truncate, tls,
                          total + (total + frame - 1) / frame * kBenchFrameHeader};
  const int listener = bench_listen(&reader.port);
  struct bench_child child = bench_fork(read_all, &reader, cpu);
  const int fd = bench_accept(listener);
  struct ssl_st* ssl = tls ? bench_tls(fd, 1) : NULL;
  const double cpu_before = bench_cpu_s();
  for (int64_t at = 0; at < total; at += frame) {
    const int64_t size = total - at < frame ? total - at : frame;
    if (ssl != NULL)
      send_encrypted(ssl, bytes, at, size);
    else if (from_file)
      send_file(fd, file, at, size);
    else
      send_mapped(fd, bytes, at, size);
  }
  const double cpu_s = bench_cpu_s() - cpu_before;
  struct outcome outcome;
  bench_hear(child.from, &outcome, sizeof outcome);
  bench_join(&child);
  close(fd);
  close(listener);
  const double gib = (double)total / (1 << 30);
  printf(
      "\"%s %lldK %s\":{\"gb_per_s\":%.3f,\"master_cpu_s_per_gib\":%.4f,"
      "\"slave_cpu_s_per_gib\":%.4f}",
      tls         ? "OpenSSL"
      : from_file ? "sendfile"
                  : "writev",
      (long long)(frame / 1024), truncate ? "trunc" : "recv", (double)total / outcome.seconds / 1e9,
      cpu_s / gib, outcome.cpu_s / gib);
}

int main(int argc, char** argv) {
  static const int64_t kFrames[] = {32 * 1024, 256 * 1024, kMiB};
  const int64_t total = bench_number(argc, argv, "--mib", 512) * kMiB;
  int master;
  int slave;
  bench_cpus(argc, argv, &master, &slave);
  bench_pin(master);
  int file = -1;
  const char* bytes = bench_map(total, 1, &file);
  printf("{\"variants\":{");
  const char* comma = "";
  if (bench_flag(argc, argv, "--tls")) {
    run(bytes, file, total, kMiB, 0, 0, 1, slave);
    printf("}}\n");
    return 0;
  }
  for (int from_file = 0; from_file < 2; ++from_file)
    for (int truncate = 0; truncate < 2; ++truncate)
      for (size_t i = 0; i < sizeof kFrames / sizeof *kFrames; ++i) {
        printf("%s", comma);
        run(bytes, file, total, kFrames[i], from_file, truncate, 0, slave);
        comma = ",";
      }
  printf("}}\n");
  return 0;
}
