#include "tests/bench/common/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum { kMostProducers = 256, kMostSamples = 1 << 22, kMostAnswer = 16 * 1024 };

static const int64_t kWarmUpNs = 500 * 1000 * 1000;
static const int kPatienceMs = 30000;

struct connection {
  int fd;
  char* request;
  size_t request_size;
  int64_t sent_at;
  size_t answer_size; /* so far */
  char answer[kMostAnswer];
};

static void send_next(struct connection* c) {
  c->sent_at = bench_now_ns();
  c->answer_size = 0;
  bench_send(c->fd, c->request, c->request_size);
}

static void receive(struct connection* c) {
  const size_t room = sizeof c->answer - 1 - c->answer_size;
  if (room == 0) bench_die("an answer of more than %d bytes", kMostAnswer - 1);
  const ssize_t n = recv(c->fd, c->answer + c->answer_size, room, 0);
  if (n <= 0) bench_die("the server closed the connection");
  c->answer_size += (size_t)n;
  c->answer[c->answer_size] = '\0';
}

void bench_run_clients(int argc, char** argv, const struct bench_protocol* protocol) {
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
    c->request = protocol->make_request(i, window, body, &c->request_size);
    if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event) != 0) bench_die("epoll_ctl");
  }
  const int64_t from = bench_now_ns() + kWarmUpNs;
  const int64_t end = from + seconds * 1000000000;
  size_t count = 0;
  int64_t all = 0;
  int64_t open = producers;
  for (int i = 0; i < producers; ++i) send_next(&connections[i]);
  while (open > 0) {
    struct epoll_event events[kMostProducers];
    const int n = epoll_wait(poll, events, kMostProducers, kPatienceMs);
    if (n <= 0) bench_die("no answer within %d s", kPatienceMs / 1000);
    for (int i = 0; i < n; ++i) {
      struct connection* c = events[i].data.ptr;
      receive(c);
      if (!protocol->is_whole(c->answer, c->answer_size, window)) continue;
      const int64_t now = bench_now_ns();
      all += window;
      for (int64_t w = 0; w < window; ++w)
        if (c->sent_at >= from && now <= end && count < kMostSamples)
          samples[count++] = now - c->sent_at;
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
}
