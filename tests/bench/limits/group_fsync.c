/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of durable acknowledgements: producers copy their record into a buffer and sleep; one
 * thread writes whatever has gathered to a file, makes it durable and wakes all that it covered,
 * while the next records gather. No network, no second copy.
 *
 *   ha_limit_group_fsync [--producers 64] [--seconds 2] [--dir .]
 *
 * The file grows, or was written full of zeros before, which spares the file system its own
 * bookkeeping: both are tried, the caller takes the best. The folder decides which disk is
 * measured.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum { kMostProducers = 256, kMostSamples = 1 << 22, kFile = 256 * 1024 * 1024 };

struct producer {
  pthread_t thread;
  sem_t done;
  int64_t* samples;
  size_t count;
  size_t capacity;
};

/* What gathers while the other one is being written. */
struct batch {
  char bytes[kMostProducers * kBenchRecord];
  struct producer* from[kMostProducers];
  int count;
};

static struct producer producers[kMostProducers];
static struct batch batches[2];
static struct batch* gathering = &batches[0];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t something = PTHREAD_COND_INITIALIZER;
static atomic_int stopping; /* producers */
static int writer_stopping; /* only when all producers have ended: they wait for it */
static _Atomic int64_t measure_from;

static void* produce(void* arg) {
  struct producer* me = arg;
  char record[kBenchRecord];
  memset(record, 'r', sizeof record);
  while (!atomic_load(&stopping)) {
    const int64_t start = bench_now_ns();
    pthread_mutex_lock(&mutex);
    memcpy(gathering->bytes + gathering->count * kBenchRecord, record, sizeof record);
    gathering->from[gathering->count++] = me;
    if (gathering->count == 1) pthread_cond_signal(&something);
    pthread_mutex_unlock(&mutex);
    while (sem_wait(&me->done) != 0) {
    }
    if (start >= atomic_load(&measure_from) && me->count < me->capacity)
      me->samples[me->count++] = bench_now_ns() - start;
  }
  return NULL;
}

static void* write_all(void* arg) {
  const int file = *(int*)arg;
  off_t end = 0;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (gathering->count == 0 && !writer_stopping) pthread_cond_wait(&something, &mutex);
    struct batch* batch = gathering;
    gathering = &batches[gathering == &batches[0]];
    pthread_mutex_unlock(&mutex);
    if (batch->count == 0) return NULL;
    const size_t size = (size_t)batch->count * kBenchRecord;
    if (end + (off_t)size > kFile) end = 0;
    if (pwrite(file, batch->bytes, size, end) != (ssize_t)size || fdatasync(file) != 0)
      bench_die("cannot write");
    end += (off_t)size;
    for (int i = 0; i < batch->count; ++i) sem_post(&batch->from[i]->done);
    batch->count = 0;
  }
}

static int make_file(const char* dir, int full) {
  static const char zeros[1024 * 1024];
  char path[4096];
  snprintf(path, sizeof path, "%s/ha_bench_XXXXXX", dir);
  const int file = mkostemp(path, O_CLOEXEC);
  if (file < 0) bench_die("cannot make a file in '%s'", dir);
  unlink(path);
  for (size_t at = 0; full && at < kFile; at += sizeof zeros)
    if (write(file, zeros, sizeof zeros) != sizeof zeros) bench_die("cannot fill a file");
  if (fsync(file) != 0) bench_die("fsync");
  return file;
}

static void run(const char* dir, int full, int64_t count, int64_t seconds, int64_t* all) {
  int file = make_file(dir, full);
  pthread_t writer;
  atomic_store(&stopping, 0);
  writer_stopping = 0;
  const int64_t begin = bench_now_ns() + 300 * 1000000; /* until then it warms up */
  atomic_store(&measure_from, begin);
  pthread_create(&writer, NULL, write_all, &file);
  for (int64_t i = 0; i < count; ++i) {
    producers[i].count = 0;
    pthread_create(&producers[i].thread, NULL, produce, &producers[i]);
  }
  usleep((useconds_t)(300 * 1000 + seconds * 1000000));
  atomic_store(&stopping, 1);
  const double took = (double)(bench_now_ns() - begin) / 1e9;
  size_t samples = 0;
  for (int64_t i = 0; i < count; ++i) {
    pthread_join(producers[i].thread, NULL);
    memcpy(all + samples, producers[i].samples, sizeof *all * producers[i].count);
    samples += producers[i].count;
  }
  pthread_mutex_lock(&mutex);
  writer_stopping = 1;
  pthread_cond_signal(&something);
  pthread_mutex_unlock(&mutex);
  pthread_join(writer, NULL);
  close(file);
  printf("\"%s\":{\"per_s\":%.0f,", full ? "over zeros" : "growing", (double)samples / took);
  bench_print_latency(all, samples);
  printf("}");
}

int main(int argc, char** argv) {
  const int64_t count = bench_number(argc, argv, "--producers", 64);
  const int64_t seconds = bench_number(argc, argv, "--seconds", 2);
  const char* dir = bench_text(argc, argv, "--dir", ".");
  if (count < 1 || count > kMostProducers)
    bench_die("--producers: allowed are 1 to %d", kMostProducers);
  int64_t* all = malloc(sizeof *all * kMostSamples);
  if (all == NULL) bench_die("no memory");
  for (int64_t i = 0; i < count; ++i) {
    sem_init(&producers[i].done, 0, 0);
    producers[i].capacity = (size_t)(kMostSamples / count);
    producers[i].samples = calloc(producers[i].capacity, sizeof *producers[i].samples);
  }
  printf("{\"variants\":{");
  run(dir, 0, count, seconds, all);
  printf(",");
  run(dir, 1, count, seconds, all);
  printf("}}\n");
  return 0;
}
