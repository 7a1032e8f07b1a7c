/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/common/clients.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum { kMostProducers = 512, kMostSamples = 1 << 22, kMostAnswer = 16 * 1024 };

static const int64_t kWarmUpNs = 500 * 1000 * 1000;
static const int kPatienceMs = 30000;

struct connection {
  int fd;
  char* request;
  size_t request_size;
  int64_t due_at;     /* at a rate: when it should have been sent, however late it was */
  size_t answer_size; /* so far */
  char answer[kMostAnswer];
};

static volatile sig_atomic_t told_to_end;

static void end_now(int signal) {
  (void)signal;
  told_to_end = 1;
}

/* When requests are sent, and who is free to send the next one. */
struct schedule {
  int64_t interval_ns; /* 0: as soon as a connection is free */
  int64_t next_ns;
  int64_t end_ns; /* nothing is due from then on */
  int64_t left;   /* requests to send; below 0: no limit */
  struct connection* idle[kMostProducers];
  int64_t idle_count;
};

/* At a rate, what was due in time is sent however late: otherwise a server that stalls at the end
 * would get away with it. */
static int is_over(const struct schedule* s, int64_t now) {
  return s->left == 0 || (s->interval_ns > 0 ? s->next_ns : now) >= s->end_ns;
}

static void send_due(struct schedule* s) {
  int64_t now = bench_now_ns();
  while (s->idle_count > 0 && !is_over(s, now) && (s->interval_ns == 0 || s->next_ns <= now)) {
    struct connection* c = s->idle[--s->idle_count];
    c->due_at = s->interval_ns == 0 ? now : s->next_ns;
    s->next_ns += s->interval_ns;
    --s->left;
    c->answer_size = 0;
    bench_send(c->fd, c->request, c->request_size);
    now = bench_now_ns();
  }
}

/* Until an answer comes or the next request is due. */
static int wait_for_work(int poll, const struct schedule* s, struct epoll_event* events) {
  const int64_t patience_ns = (int64_t)kPatienceMs * 1000000;
  const int64_t now = bench_now_ns();
  int64_t ns = patience_ns;
  if (s->interval_ns > 0 && s->idle_count > 0 && !is_over(s, now))
    ns = s->next_ns > now ? s->next_ns - now : 0;
  const struct timespec timeout = {ns / 1000000000, ns % 1000000000};
  const int n = epoll_pwait2(poll, events, kMostProducers, &timeout, NULL);
  if (n < 0 && errno == EINTR) return 0;
  if (n < 0) bench_die("epoll_pwait2");
  if (n == 0 && ns == patience_ns) bench_die("no answer within %d s", kPatienceMs / 1000);
  return n;
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
  const int64_t rate = bench_number(argc, argv, "--rate", 0);
  const int64_t requests = bench_number(argc, argv, "--count", 0);
  const int port = (int)bench_number(argc, argv, "--port", 0);
  if (rate < 0 || (rate > 0 && window != 1))
    bench_die("--rate: not negative, and not with a --window");
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
  signal(SIGTERM, end_now);
  static struct schedule schedule;
  schedule.interval_ns = rate > 0 ? 1000000000 / rate : 0;
  schedule.next_ns = bench_now_ns();
  const int64_t from = schedule.next_ns + (requests > 0 ? 0 : kWarmUpNs);
  schedule.end_ns = requests > 0 ? INT64_MAX : from + seconds * 1000000000;
  schedule.left = requests > 0 ? requests : -1;
  size_t count = 0;
  int64_t all = 0;
  for (int i = 0; i < producers; ++i) schedule.idle[schedule.idle_count++] = &connections[i];
  send_due(&schedule);
  while (schedule.idle_count < producers || !is_over(&schedule, bench_now_ns())) {
    struct epoll_event events[kMostProducers];
    const int n = wait_for_work(poll, &schedule, events);
    for (int i = 0; i < n; ++i) {
      struct connection* c = events[i].data.ptr;
      receive(c);
      if (!protocol->is_whole(c->answer, c->answer_size, window)) continue;
      const int64_t now = bench_now_ns();
      all += window;
      /* At a rate, what was due counts, however late its answer is. */
      const int counts = c->due_at >= from && (rate > 0 || now <= schedule.end_ns);
      for (int64_t w = 0; counts && w < window; ++w)
        if (count < kMostSamples) samples[count++] = now - c->due_at;
      schedule.idle[schedule.idle_count++] = c;
      if (rate == 0) send_due(&schedule);
    }
    send_due(&schedule);
    const int64_t now = bench_now_ns();
    if (told_to_end && now < schedule.end_ns) schedule.end_ns = now;
  }
  const int64_t ended = bench_now_ns();
  const double took = (double)((ended < schedule.end_ns ? ended : schedule.end_ns) - from) / 1e9;
  printf("{\"per_s\":%.0f,\"mb_per_s\":%.2f,\"all\":%lld,", (double)count / took,
         (double)count * (double)body / took / 1e6, (long long)all);
  bench_print_latency(samples, count);
  printf("}\n");
}
