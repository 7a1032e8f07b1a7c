// SPDX-License-Identifier: Apache-2.0
// Our puts: producers in the master's process, each message waits until the slave holds it too.
//
//   ha_bench_put [--producers 1] [--callbacks] [--window 0] [--seconds 2] [--warm-up-ms 500]
//                [--body 1024] [--copies 2] [--pause-us 0] [--bare-slaves 0]
//                [--stopped-replicas 0] [--segment-mib 1024]
//                [--dir /dev/shm] [--slave-dir DIR] [--sync-flush] [--option KEY=VALUE]
//                [--cpus MASTER,SLAVE]
//
// Ends after that many seconds, or when the two segments that lay ready are nearly full: how fast
// tmpfs gives pages is not measured.
// --window 0: a producer waits for each message before it sends the next, on a thread that sleeps
// or, with --callbacks, in the callback of the one before, as a broker with an event loop does it.
// Otherwise a thread sends and callbacks make room, with so many messages of a producer on their
// way. --copies 1: the same host without replication.
// --dir, --slave-dir: where the stores lie. --sync-flush: the master's copy has to be durable too.
// --pause-us: how long a producer that waits for each message sleeps before the next.
// --bare-slaves: how many more slaves acknowledge too. A message still waits for one copy.
// --stopped-replicas: so many more connections ask for the log and then never read.
#include <semaphore.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ha/plugin.h"
#include "tests/bench/common/bench.h"
#include "tests/bench/ours/bare_slaves.h"
#include "tests/bench/ours/broker_pair.h"

namespace {

constexpr std::int64_t kWarmUpMs = 500;
constexpr std::size_t kMostSamples = std::size_t{1} << 22;
// Of all bodies on their way: a window of large messages is not to become a test of memory.
constexpr std::int64_t kMostBytesInFlight = 64 << 20;
// What may be on its way when the end is seen.
constexpr std::int64_t kSpareLogBytes = kMostBytesInFlight + (16 << 20);

struct Load {
  std::int64_t window = 0;
  std::int64_t pause_us = 0;
  bool callbacks = false;
  std::string body;
  std::int32_t copies = 2;
  std::int64_t most_log_bytes = 0;
  std::int64_t measure_from = 0;
  std::atomic<std::int64_t> end{0};
};

// The system's, as in limits/group.c: std::counting_semaphore of libstdc++ 12 calls sched_yield a
// dozen times before it sleeps, which is all that a CPU with 64 producers then does.
class Semaphore {
 public:
  explicit Semaphore(std::int64_t count) { sem_init(&sem_, 0, static_cast<unsigned>(count)); }
  ~Semaphore() { sem_destroy(&sem_); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  void acquire() {
    while (sem_wait(&sem_) != 0) {
    }
  }
  void release() { sem_post(&sem_); }

 private:
  sem_t sem_;
};

// One producer on a thread of its own.
class Producer {
 public:
  Producer(stub::Broker& broker, Load& load, std::size_t most_samples)
      : broker_(broker), load_(load), room_(std::max<std::int64_t>(load.window, 1)) {
    samples_.resize(most_samples);
  }

  void run() {
    if (load_.callbacks)
      in_callbacks();
    else if (load_.window == 0)
      one_after_the_other();
    else
      pipelined();
  }

  std::span<const std::int64_t> samples() const {
    return {samples_.data(), std::min(count_.load(), samples_.size())};
  }

 private:
  // The time until this thread runs again, as a producer's caller sees it.
  void one_after_the_other() {
    room_.acquire();
    for (std::int64_t start = bench_now_ns(); start < load_.end; start = bench_now_ns()) {
      send([this] { room_.release(); });
      room_.acquire();
      note(start);
      if (load_.pause_us > 0) ::usleep(static_cast<useconds_t>(load_.pause_us));
    }
  }

  // The time until the callback, which sends the next.
  void in_callbacks() {
    room_.acquire();
    send_next();
    room_.acquire();
  }
  void send_next() {
    const std::int64_t start = bench_now_ns();
    if (start >= load_.end) return room_.release();
    send([this, start] {
      note(start);
      send_next();
    });
  }

  // The time until the callback.
  void pipelined() {
    for (;;) {
      room_.acquire();
      const std::int64_t start = bench_now_ns();
      if (start >= load_.end) break;
      send([this, start] {
        note(start);
        room_.release();
      });
    }
    for (std::int64_t i = 1; i < load_.window; ++i) room_.acquire();
  }

  template <class Done>
  void send(Done done) {
    stub::ProduceRequest request;
    request.topic = "bench";
    request.items.push_back({load_.body, ""});
    request.acks = load_.copies;
    broker_.produce(std::move(request), [this, done](const stub::ProduceResult& result) {
      if (result.status != HA_OK) bench_die("a message failed: %s", result.text.c_str());
      if (result.end_offset > load_.most_log_bytes)
        load_.end = std::min(load_.end.load(), bench_now_ns());
      done();
    });
  }

  // Callbacks may run on this thread and the plugin's at once.
  void note(std::int64_t start) {
    const std::int64_t now = bench_now_ns();
    if (start < load_.measure_from || now > load_.end) return;
    const std::size_t at = count_.fetch_add(1, std::memory_order_relaxed);
    if (at < samples_.size()) samples_[at] = now - start;
  }

  stub::Broker& broker_;
  Load& load_;
  Semaphore room_;
  std::vector<std::int64_t> samples_;
  std::atomic<std::size_t> count_{0};
};

// Connections that asked for the log and take nothing of it.
void hold_connections(int in, int, void* arg) {
  int port = 0;
  bench_hear(in, &port, sizeof(port));
  unsigned char report[kBenchReport] = {};
  for (std::int64_t i = 0; i < *static_cast<std::int64_t*>(arg); ++i) {
    const int fd = bench_connect(port);
    bench_send(fd, report, sizeof(report));
  }
  char end_of_input = 0;
  (void)!::read(in, &end_of_input, 1);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t producer_count = bench_number(argc, argv, "--producers", 1);
  const std::int64_t seconds = bench_number(argc, argv, "--seconds", 2);
  std::int64_t stopped = bench_number(argc, argv, "--stopped-replicas", 0);
  std::int64_t bare = bench_number(argc, argv, "--bare-slaves", 0);
  auto options = ha::bench::pair_options(argc, argv);
  options.slave = bench_number(argc, argv, "--copies", 2) > 1;
  Load load;
  load.callbacks = bench_flag(argc, argv, "--callbacks") != 0;
  if (load.callbacks && !options.slave)
    bench_die("--callbacks: without a slave the callback is called at once, without end");
  load.pause_us = bench_number(argc, argv, "--pause-us", 0);
  load.body =
      std::string(static_cast<std::size_t>(bench_number(argc, argv, "--body", kBenchBody)), 'b');
  load.window = std::min(
      bench_number(argc, argv, "--window", 0),
      std::max<std::int64_t>(1, kMostBytesInFlight / static_cast<std::int64_t>(load.body.size())));

  bench_child holder{};
  if (stopped > 0) holder = bench_fork(hold_connections, &stopped, options.slave_cpu);
  bench_child slaves{};
  if (bare > 0) slaves = bench_fork(ha::bench::run_bare_slaves, &bare, options.slave_cpu);
  ha::bench::BrokerPair pair(options);
  pair.settle();
  if (stopped > 0) {
    const int port = pair.ha_port();
    bench_tell(holder.to, &port, sizeof(port));
  }
  if (bare > 0) {
    const int port = pair.ha_port();
    char ready = 0;
    bench_tell(slaves.to, &port, sizeof(port));
    bench_hear(slaves.from, &ready, sizeof(ready));
  }
  load.copies = pair.copies();
  load.most_log_bytes = 2 * options.segment_bytes - kSpareLogBytes;
  std::deque<Producer> producers;
  for (std::int64_t i = 0; i < producer_count; ++i)
    producers.emplace_back(pair.master(), load,
                           kMostSamples / static_cast<std::size_t>(producer_count));
  // Only now: the memory of the samples takes as long as a warm-up.
  load.measure_from =
      bench_now_ns() + bench_number(argc, argv, "--warm-up-ms", kWarmUpMs) * 1'000'000;
  load.end = load.measure_from + seconds * 1'000'000'000;
  std::vector<std::thread> threads;
  for (auto& producer : producers) threads.emplace_back([&producer] { producer.run(); });
  std::this_thread::sleep_for(std::chrono::nanoseconds(load.measure_from - bench_now_ns()));
  const double master_before = bench_cpu_s();
  const double slave_before = pair.slave_cpu_s();
  for (auto& thread : threads) thread.join();
  const double master_cpu_s = bench_cpu_s() - master_before;
  const double slave_cpu_s = pair.slave_cpu_s() - slave_before;
  std::vector<std::int64_t> samples;
  for (const auto& producer : producers) {
    const auto own = producer.samples();
    samples.insert(samples.end(), own.begin(), own.end());
  }
  if (stopped > 0) bench_join(&holder);
  if (bare > 0) bench_join(&slaves);

  const auto count = static_cast<double>(samples.size());
  const double took = static_cast<double>(load.end - load.measure_from) / 1e9;
  std::printf(
      "{\"per_s\":%.0f,\"mb_per_s\":%.2f,\"master_cpu_us_per_message\":%.2f,"
      "\"slave_cpu_us_per_message\":%.2f,",
      count / took, count * static_cast<double>(load.body.size()) / took / 1e6,
      master_cpu_s * 1e6 / count, slave_cpu_s * 1e6 / count);
  bench_print_latency(samples.data(), samples.size());
  std::printf("}\n");
  return 0;
}
