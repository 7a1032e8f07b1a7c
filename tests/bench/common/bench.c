/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/bench/common/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMostChildren = 8 };

void bench_die(const char* format, ...) {
  const int error = errno;
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, " (%s)\n", strerror(error));
  exit(1);
}

int64_t bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double bench_cpu_s(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

double bench_cpu_s_of(pid_t pid) {
  char path[64];
  char line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE* file = fopen(path, "re");
  if (file == NULL || fgets(line, sizeof line, file) == NULL) bench_die("%s", path);
  fclose(file);
  /* The name, in brackets, may contain anything; what follows its end is fixed. */
  const char* after = strrchr(line, ')');
  unsigned long user = 0;
  unsigned long system = 0;
  if (after == NULL ||
      sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    bench_die("%s: no times in '%s'", path, line);
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void bench_pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) bench_die("cannot run on CPU %d", cpu);
}

void bench_put64(unsigned char* to, int64_t value) {
  for (int i = 0; i < 8; ++i) to[i] = (unsigned char)((uint64_t)value >> (56 - 8 * i));
}

int64_t bench_get64(const unsigned char* from) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | from[i];
  return (int64_t)value;
}

void bench_put_header(unsigned char* to, int64_t offset, int64_t size) {
  unsigned char last[8];
  bench_put64(to, offset);
  bench_put64(last, size);
  memcpy(to + 8, last + 4, 4);
}

int64_t bench_header_size(const unsigned char* header) {
  return bench_get64(header + 4) & 0xffffffff;
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int bench_listen(int* port) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, size) != 0 || listen(fd, 128) != 0 ||
      getsockname(fd, (struct sockaddr*)&address, &size) != 0)
    bench_die("cannot listen on loopback");
  *port = ntohs(address.sin_port);
  return fd;
}

int bench_accept(int listener) {
  const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) bench_die("accept");
  no_delay(fd);
  return fd;
}

int bench_connect(int port) {
  const struct sockaddr_in address = loopback(port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr*)&address, sizeof address) != 0)
    bench_die("cannot connect to 127.0.0.1:%d", port);
  no_delay(fd);
  return fd;
}

void bench_send(int fd, const void* data, size_t size) {
  const char* from = data;
  while (size > 0) {
    const ssize_t n = send(fd, from, size, MSG_NOSIGNAL);
    if (n <= 0) bench_die("send of %zu bytes", size);
    from += n;
    size -= (size_t)n;
  }
}

void bench_recv(int fd, void* data, size_t size) {
  char* to = data;
  while (size > 0) {
    const ssize_t n = recv(fd, to, size, 0);
    if (n <= 0) bench_die("recv: %zu bytes are missing", size);
    to += n;
    size -= (size_t)n;
  }
}

/* So much memory has been used and is free again: a virtual machine's host, which takes back what
 * lies free, does not have to be asked for it while something is measured. */
static void own_memory(int64_t size) {
  char* memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) bench_die("no %lld bytes of memory", (long long)size);
  munmap(memory, (size_t)size);
}

char* bench_map(int64_t size, int prefault, int* fd_out) {
  char name[] = "/dev/shm/ha_bench_XXXXXX";
  const int fd = mkostemp(name, O_CLOEXEC);
  if (fd < 0) bench_die("cannot make a file in /dev/shm");
  unlink(name);
  if (ftruncate(fd, size) != 0) bench_die("%s: no room for %lld bytes", name, (long long)size);
  char* memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) bench_die("cannot map %lld bytes", (long long)size);
  if (prefault)
    memset(memory, 'x', (size_t)size);
  else
    own_memory(size);
  if (fd_out != NULL)
    *fd_out = fd;
  else
    close(fd);
  return memory;
}

/* Our ends of earlier children's pipes: a child that kept a copy would keep its sibling from ever
 * seeing the end of its input. */
static struct bench_child siblings[kMostChildren];

static struct bench_child* place_of(pid_t pid) {
  for (int i = 0; i < kMostChildren; ++i)
    if (siblings[i].pid == pid) return &siblings[i];
  bench_die("more than %d children at once", kMostChildren);
}

struct bench_child bench_fork(void (*run)(int, int, void*), void* arg, int cpu) {
  int down[2];
  int up[2];
  if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) bench_die("pipe");
  fflush(NULL);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) bench_die("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1); /* it died before it could be watched */
    close(down[1]);
    close(up[0]);
    for (int i = 0; i < kMostChildren; ++i) {
      if (siblings[i].pid == 0) continue;
      close(siblings[i].to);
      close(siblings[i].from);
      siblings[i].pid = 0;
    }
    bench_pin(cpu);
    run(down[0], up[1], arg);
    _exit(0);
  }
  close(down[0]);
  close(up[1]);
  const struct bench_child child = {.pid = pid, .to = down[1], .from = up[0]};
  *place_of(0) = child;
  return child;
}

void bench_tell(int fd, const void* data, size_t size) {
  if (write(fd, data, size) != (ssize_t)size) bench_die("the other process is gone");
}

void bench_hear(int fd, void* data, size_t size) {
  char* to = data;
  while (size > 0) {
    const ssize_t n = read(fd, to, size);
    if (n <= 0) bench_die("the other process ended too early");
    to += n;
    size -= (size_t)n;
  }
}

void bench_join(struct bench_child* child) {
  int status = 0;
  place_of(child->pid)->pid = 0;
  close(child->to);
  if (waitpid(child->pid, &status, 0) != child->pid || status != 0)
    bench_die("the other process failed with status %d", status);
  close(child->from);
}

double bench_discard(int fd, int64_t bytes, int truncate) {
  enum { kBuffer = 256 * 1024 };
  static char buffer[kBuffer];
  const int64_t begin = bench_now_ns();
  while (bytes > 0) {
    /* With MSG_TRUNC nothing is written to the buffer, so it may be said to be larger. */
    const size_t most = truncate ? (size_t)64 * 1024 * 1024 : kBuffer;
    const ssize_t n =
        recv(fd, buffer, bytes < (int64_t)most ? (size_t)bytes : most, truncate ? MSG_TRUNC : 0);
    if (n <= 0) bench_die("recv: %lld bytes are missing", (long long)bytes);
    bytes -= n;
  }
  return (double)(bench_now_ns() - begin) / 1e9;
}

static int by_value(const void* a, const void* b) {
  const int64_t x = *(const int64_t*)a;
  const int64_t y = *(const int64_t*)b;
  return (x > y) - (x < y);
}

void bench_print_latency(int64_t* ns, size_t count) {
  static const struct {
    const char* name;
    double share;
  } kPoints[kBenchMostPercentiles] = {{"p10", .1},  {"p25", .25},   {"p50", .5},
                                      {"p75", .75}, {"p90", .9},    {"p95", .95},
                                      {"p99", .99}, {"p999", .999}, {"max", 1}};
  if (count == 0) bench_die("nothing was measured");
  qsort(ns, count, sizeof *ns, by_value);
  for (int i = 0; i < kBenchMostPercentiles; ++i) {
    const size_t at = (size_t)((double)(count - 1) * kPoints[i].share);
    printf("%s\"%s_us\":%.2f", i == 0 ? "" : ",", kPoints[i].name, (double)ns[at] / 1e3);
  }
}

const char* bench_text(int argc, char** argv, const char* name, const char* otherwise) {
  for (int i = 1; i + 1 < argc; ++i)
    if (strcmp(argv[i], name) == 0) return argv[i + 1];
  return otherwise;
}

int64_t bench_number(int argc, char** argv, const char* name, int64_t otherwise) {
  const char* text = bench_text(argc, argv, name, NULL);
  if (text == NULL) return otherwise;
  char* end = NULL;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  if (*text == '\0' || *end != '\0') bench_die("%s: '%s' is not a whole number", name, text);
  return value;
}

int bench_flag(int argc, char** argv, const char* name) {
  for (int i = 1; i < argc; ++i)
    if (strcmp(argv[i], name) == 0) return 1;
  return 0;
}

void bench_cpus(int argc, char** argv, int* master, int* slave) {
  const char* text = bench_text(argc, argv, "--cpus", "-1,-1");
  if (sscanf(text, "%d,%d", master, slave) != 2)
    bench_die("--cpus: '%s' is not MASTER,SLAVE, such as 0,1", text);
}
