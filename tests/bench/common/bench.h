// SPDX-License-Identifier: Apache-2.0
/* What all programs of this folder share: clock, CPU time, pinning, sockets on loopback, memory on
 * tmpfs, a second process, percentiles. C11, so that the limit programs stay plain C.
 *
 * Errors: every function ends the process with a sentence on standard error. A program prints one
 * JSON object on standard output and nothing else.
 */
#ifndef TESTS_BENCH_COMMON_BENCH_H
#define TESTS_BENCH_COMMON_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  kBenchBody = 1024,         /* bytes of a message unless a row says otherwise */
  kBenchRecord = 1120,       /* its record: 91 bytes of header, topic "bench", no properties */
  kBenchFrameHeader = 12,    /* RocketMQ's HA wire: int64 offset, int32 size */
  kBenchReport = 8,          /* int64 offset */
  kBenchMostPercentiles = 9, /* of bench_print_latency */
};

void bench_die(const char* format, ...) __attribute__((format(printf, 1, 2), noreturn));

int64_t bench_now_ns(void);
/* User and system seconds of this process so far. */
double bench_cpu_s(void);
/* The same of another process, in the kernel's ticks of 10 ms. */
double bench_cpu_s_of(pid_t pid);
/* All threads that are started from here on run on this CPU only; below 0 nothing is done. */
void bench_pin(int cpu);

void bench_put64(unsigned char* to, int64_t value); /* big endian, as the wire */
int64_t bench_get64(const unsigned char* from);
void bench_put_header(unsigned char* to, int64_t offset, int64_t size); /* of a frame, 12 bytes */
int64_t bench_header_size(const unsigned char* header);

/* TCP on 127.0.0.1, TCP_NODELAY. */
int bench_listen(int* port);
int bench_accept(int listener);
int bench_connect(int port);
void bench_send(int fd, const void* data, size_t size);
void bench_recv(int fd, void* data, size_t size);

/* A file on tmpfs without a name, mapped shared; *fd may be NULL. Prefault: every page is touched,
 * so that no fault is measured. Otherwise each fault is, but not what a virtual machine's host does
 * to find the memory. */
char* bench_map(int64_t size, int prefault, int* fd);

/* A second process. It dies with this one; `run` ends it by returning. */
struct bench_child {
  pid_t pid;
  int to;   /* to its `in` */
  int from; /* from its `out` */
};
struct bench_child bench_fork(void (*run)(int in, int out, void* arg), void* arg, int cpu);
void bench_tell(int fd, const void* data, size_t size);
void bench_hear(int fd, void* data, size_t size);
/* Closes `to`, which the child takes as the end, and waits for it. */
void bench_join(struct bench_child* child);

/* Reads and throws away `bytes` from the socket; the seconds it took. truncate: MSG_TRUNC, the
 * kernel drops the bytes without copying them. */
double bench_discard(int fd, int64_t bytes, int truncate);

/* Sorts the samples and prints members of a JSON object: "p50_us":...,"p99_us":...,"max_us":... */
void bench_print_latency(int64_t* ns, size_t count);

/* --name VALUE of the command line, or the default. */
const char* bench_text(int argc, char** argv, const char* name, const char* otherwise);
int64_t bench_number(int argc, char** argv, const char* name, int64_t otherwise);
int bench_flag(int argc, char** argv, const char* name);
/* --cpus MASTER,SLAVE; -1 = anywhere. */
void bench_cpus(int argc, char** argv, int* master, int* slave);

#ifdef __cplusplus
}
#endif

#endif
