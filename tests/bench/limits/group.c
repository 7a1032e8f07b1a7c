/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a replication with an I/O thread: producers copy their record into the log and
 * sleep, an I/O thread sends whatever the log holds in one writev, and each report wakes every
 * producer that it covers. No broker, no checksum, no queue: one atomic end, one array of sleepers.
 *
 *   ha_limit_group [--producers 1] [--seconds 2] [--cpus MASTER,SLAVE]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum {
  kLog = 256 * 1024 * 1024,
  kFrame = 1024 * 1024,
  kMostProducers = 256,
  kMostSamples = 1 << 22
};

struct producer {
  pthread_t thread;
  _Atomic int64_t waits_for; /* the end of its record; INT64_MAX = it waits for nothing */
  sem_t done;
  int64_t* samples;
  size_t count;
  size_t capacity;
};

static char* log_bytes;
static int64_t log_end_locked;
static _Atomic int64_t log_end;
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int doorbell_rung;
static int doorbell;
static struct producer producers[kMostProducers];
static int64_t producer_count;
static _Atomic int64_t measure_from = INT64_MAX;
static atomic_int stopping;    /* producers */
static atomic_int io_stopping; /* only when all producers have ended: they wait for it */

static void* produce(void* arg) {
  struct producer* me = arg;
  char record[kBenchRecord];
  memset(record, 'r', sizeof record);
  while (!atomic_load(&stopping)) {
    const int64_t start = bench_now_ns();
    pthread_mutex_lock(&log_mutex);
    /* A record never lies across the ring's end; the log's offsets just go on. */
    memcpy(log_bytes + log_end_locked % kLog, record, sizeof record);
    log_end_locked += kBenchRecord;
    atomic_store(&me->waits_for, log_end_locked);
    atomic_store(&log_end, log_end_locked);
    pthread_mutex_unlock(&log_mutex);
    if (atomic_exchange(&doorbell_rung, 1) == 0) {
      const uint64_t one = 1;
      if (write(doorbell, &one, sizeof one) != sizeof one) bench_die("eventfd");
    }
    while (sem_wait(&me->done) != 0) {
    }
    if (start >= atomic_load(&measure_from) && me->count < me->capacity)
      me->samples[me->count++] = bench_now_ns() - start;
  }
  return NULL;
}

static void wake_up_to(int64_t held) {
  for (int64_t i = 0; i < producer_count; ++i)
    if (atomic_load(&producers[i].waits_for) <= held) {
      atomic_store(&producers[i].waits_for, INT64_MAX);
      sem_post(&producers[i].done);
    }
}

static void* serve(void* arg) {
  const int fd = *(int*)arg;
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event events[2] = {{.events = EPOLLIN, .data.fd = doorbell},
                                  {.events = EPOLLIN, .data.fd = fd}};
  for (int i = 0; i < 2; ++i) epoll_ctl(poll, EPOLL_CTL_ADD, events[i].data.fd, &events[i]);
  int64_t sent = 0;
  for (;;) {
    const int n = epoll_wait(poll, events, 2, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd == fd) {
        unsigned char reports[64 * kBenchReport];
        const ssize_t got = recv(fd, reports, sizeof reports, 0);
        if (got == 0) return NULL;
        if (got < 0 || got % kBenchReport != 0) bench_die("a report");
        wake_up_to(bench_get64(reports + got - kBenchReport));
        continue;
      }
      uint64_t rung;
      if (read(doorbell, &rung, sizeof rung) != sizeof rung) bench_die("eventfd");
      if (atomic_load(&io_stopping)) return NULL;
      atomic_store(&doorbell_rung, 0);
    }
    for (int64_t end = atomic_load(&log_end); sent < end;) {
      const int64_t to_edge = kLog - sent % kLog;
      int64_t size = end - sent < kFrame ? end - sent : kFrame;
      if (size > to_edge) size = to_edge;
      unsigned char header[kBenchFrameHeader];
      bench_put_header(header, sent, size);
      struct iovec parts[2] = {{header, sizeof header}, {log_bytes + sent % kLog, (size_t)size}};
      const ssize_t wrote = writev(fd, parts, 2);
      if (wrote < (ssize_t)sizeof header) bench_die("writev");
      const int64_t body = wrote - (ssize_t)sizeof header;
      bench_send(fd, log_bytes + sent % kLog + body, (size_t)(size - body));
      sent += size;
    }
  }
}

static void follow(int in, int out, void* arg) {
  char* log = bench_map(kLog, 1, NULL);
  const int fd = bench_connect(*(int*)arg);
  unsigned char header[kBenchFrameHeader];
  unsigned char report[kBenchReport];
  (void)in;
  (void)out;
  for (;;) {
    const ssize_t n = recv(fd, header, sizeof header, MSG_WAITALL);
    if (n <= 0) return;
    const int64_t offset = bench_get64(header);
    const int64_t size = bench_header_size(header);
    bench_recv(fd, log + offset % kLog, (size_t)size);
    bench_put64(report, offset + size);
    bench_send(fd, report, sizeof report);
  }
}

int main(int argc, char** argv) {
  producer_count = bench_number(argc, argv, "--producers", 1);
  const int64_t seconds = bench_number(argc, argv, "--seconds", 2);
  if (producer_count < 1 || producer_count > kMostProducers)
    bench_die("--producers: allowed are 1 to %d", kMostProducers);
  int master;
  int slave;
  int port;
  bench_cpus(argc, argv, &master, &slave);
  bench_pin(master);
  const int listener = bench_listen(&port);
  struct bench_child child = bench_fork(follow, &port, slave);
  int fd = bench_accept(listener);
  /* Room for a record that begins just before the edge. */
  log_bytes = bench_map(kLog + 4096, 1, NULL);
  doorbell = eventfd(0, EFD_CLOEXEC);
  pthread_t io;
  pthread_create(&io, NULL, serve, &fd);
  for (int64_t i = 0; i < producer_count; ++i) {
    struct producer* one = &producers[i];
    atomic_store(&one->waits_for, INT64_MAX);
    sem_init(&one->done, 0, 0);
    one->capacity = (size_t)(kMostSamples / producer_count);
    one->samples = calloc(one->capacity, sizeof *one->samples);
    pthread_create(&one->thread, NULL, produce, one);
  }
  usleep(300 * 1000); /* warm-up */
  const double cpu_before = bench_cpu_s();
  const int64_t begin = bench_now_ns();
  atomic_store(&measure_from, begin);
  sleep((unsigned)seconds);
  atomic_store(&stopping, 1);
  const double took = (double)(bench_now_ns() - begin) / 1e9;
  const double cpu_s = bench_cpu_s() - cpu_before;
  int64_t* all = malloc(sizeof *all * kMostSamples);
  size_t count = 0;
  if (all == NULL) bench_die("no memory");
  for (int64_t i = 0; i < producer_count; ++i) {
    pthread_join(producers[i].thread, NULL);
    memcpy(all + count, producers[i].samples, sizeof *all * producers[i].count);
    count += producers[i].count;
  }
  atomic_store(&io_stopping, 1);
  const uint64_t one = 1;
  if (write(doorbell, &one, sizeof one) != sizeof one) bench_die("eventfd");
  pthread_join(io, NULL);
  close(fd);
  bench_join(&child);
  printf("{\"per_s\":%.0f,\"master_cpu_us_per_message\":%.2f,", (double)count / took,
         cpu_s * 1e6 / (double)count);
  bench_print_latency(all, count);
  printf("}\n");
  return 0;
}
