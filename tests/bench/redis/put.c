/* Redis' replicated write: SET and WAIT 1 in one send, and the next when both are answered. One
 * thread drives all connections, so that the client costs Redis as little of its CPU as can be.
 *
 *   ha_redis_put --port P [--producers 1] [--window 1] [--seconds 2] [--body 1024] [--cpus
 * CLIENT,-1]
 *
 * --window: so many SETs before each WAIT; every one of them has then waited until the WAIT's
 * answer.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum { kMostProducers = 256, kMostSamples = 1 << 22 };

static const int64_t kWarmUpNs = 500 * 1000 * 1000;
static const char kWait[] = "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";

struct connection {
  int fd;
  char* request;
  size_t size;
  int64_t start;
  size_t answered; /* bytes of the answer so far */
  char last[4];    /* the WAIT's, ":1\r\n" */
};

static void make_request(struct connection* c, int number, int64_t window, int64_t body) {
  char head[128];
  const int size = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$6\r\nkey%03d\r\n$%lld\r\n",
                            number, (long long)body);
  const size_t set = (size_t)size + (size_t)body + 2;
  c->request = malloc(set * (size_t)window + sizeof kWait);
  if (c->request == NULL) bench_die("no memory");
  char* to = c->request;
  for (int64_t i = 0; i < window; ++i) {
    memcpy(to, head, (size_t)size);
    memset(to + size, 'b', (size_t)body);
    memcpy(to + size + body, "\r\n", 2);
    to += set;
  }
  memcpy(to, kWait, sizeof kWait - 1);
  c->size = set * (size_t)window + sizeof kWait - 1;
}

static void send_next(struct connection* c) {
  c->start = bench_now_ns();
  c->answered = 0;
  bench_send(c->fd, c->request, c->size);
}

/* True when the answer is whole: window times "+OK\r\n", then ":1\r\n". */
static int take_answer(struct connection* c, int64_t window) {
  char buffer[4096];
  const ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
  if (n <= 0) bench_die("Redis closed the connection");
  const size_t whole = (size_t)window * 5 + 4;
  for (ssize_t i = n < 4 ? 0 : n - 4; i < n; ++i) {
    memmove(c->last, c->last + 1, 3);
    c->last[3] = buffer[i];
  }
  c->answered += (size_t)n;
  if (c->answered < whole) return 0;
  if (c->answered > whole || memcmp(c->last, ":1\r\n", 4) != 0)
    bench_die("an answer that is not one copy: '%.*s'", (int)n, buffer);
  return 1;
}

int main(int argc, char** argv) {
  const int64_t producers = bench_number(argc, argv, "--producers", 1);
  const int64_t window = bench_number(argc, argv, "--window", 1);
  const int64_t body = bench_number(argc, argv, "--body", kBenchBody);
  const int64_t seconds = bench_number(argc, argv, "--seconds", 2);
  const int port = (int)bench_number(argc, argv, "--port", 0);
  if (producers < 1 || producers > kMostProducers)
    bench_die("--producers: allowed are 1 to %d", kMostProducers);
  int client;
  int unused;
  bench_cpus(argc, argv, &client, &unused);
  bench_pin(client);
  static struct connection connections[kMostProducers];
  int64_t* samples = calloc(kMostSamples, sizeof *samples);
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  if (samples == NULL || poll < 0) bench_die("cannot begin");
  for (int i = 0; i < producers; ++i) {
    struct connection* c = &connections[i];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = bench_connect(port);
    make_request(c, i, window, body);
    epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
  }
  const int64_t from = bench_now_ns() + kWarmUpNs;
  const int64_t end = from + seconds * 1000000000;
  size_t count = 0;
  int64_t all = 0;
  int64_t open = producers;
  for (int i = 0; i < producers; ++i) send_next(&connections[i]);
  while (open > 0) {
    struct epoll_event events[kMostProducers];
    const int n = epoll_wait(poll, events, kMostProducers, 30000);
    if (n <= 0) bench_die("no answer within 30 s");
    for (int i = 0; i < n; ++i) {
      struct connection* c = events[i].data.ptr;
      if (!take_answer(c, window)) continue;
      const int64_t now = bench_now_ns();
      all += window;
      for (int64_t w = 0; w < window; ++w)
        if (c->start >= from && now <= end && count < kMostSamples)
          samples[count++] = now - c->start;
      if (now < end)
        send_next(c);
      else
        --open;
    }
  }
  printf("{\"per_s\":%.0f,\"mb_per_s\":%.2f,\"all\":%lld,", (double)count / (double)seconds,
         (double)count * (double)body / (double)seconds / 1e6, (long long)all);
  bench_print_latency(samples, count);
  printf("}\n");
  return 0;
}
