// SPDX-License-Identifier: Apache-2.0
// What the calls cost that a broker makes for each message, through the plugin's table, while no
// other thread makes any. Medians of several batches.
//
//   ha_bench_abi [--batches 21] [--waits 32768] [--option KEY=VALUE] [--cpus CALLER,PLUGIN]
//
// notify_ns: notify_appended while the I/O thread still owes the turn that an earlier call asked
// for, as in a burst (the thread is held in a callback, so that nobody else touches the flag).
// notify_awake_ns: one call after the other while the I/O thread answers on the other CPU.
// notify_wake_ns: a call that has to wake the sleeping I/O thread.
// wait_ns: wait_replicated of a message that no slave holds yet, --waits of them pending in the
// end. wait_done_ns: of one that is held already. check_ns: check_acks.
// The replica is a bare connection that acknowledges when it is told to.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <semaphore>
#include <vector>

#include "tests/bench/common/bench.h"
#include "tests/bench/ours/mapped_host.h"

namespace {

constexpr std::int64_t kLog = 16 * ha::bench::kMiB;
constexpr std::int64_t kCalls = 100'000;
constexpr std::int64_t kWakes = 200;
constexpr timespec kUntilAsleep{0, 1'000'000};
constexpr std::int64_t kLongNs = 60'000'000'000;

struct Replica {
  int fd;
  std::int64_t held = 0;

  void acknowledge(std::int64_t end) {
    unsigned char report[kBenchReport];
    bench_put64(report, end);
    bench_send(fd, report, sizeof(report));
    held = end;
  }
};

class Master {
 public:
  explicit Master(std::vector<ha::Option> options)
      : host_(kLog, true),
        instance_(ha::bench::start(host_, {.role = HA_ROLE_MASTER},
                                   ha::bench::without_heartbeats(std::move(options)))),
        replica_{bench_connect(ha::bench::listen_port(instance_))},
        api_(instance_.plugin().api()),
        handle_(instance_.handle()) {
    replica_.acknowledge(0);
    append();
    while (wait(host_.end(), finish) != HA_OK) ::nanosleep(&kUntilAsleep, nullptr);
    acknowledge_all();
  }

  // One message; the replica has it, and does not say so.
  void append() {
    const std::int64_t end = host_.end() + kBenchRecord;
    host_.set_end(end);
    notify();
    bench_discard(replica_.fd, kBenchFrameHeader + kBenchRecord, 1);
  }
  void notify() { api_.notify_appended(handle_, host_.end()); }
  std::int32_t check() { return api_.check_acks(handle_, 2, HA_DURABILITY_DEFAULT); }
  std::int32_t wait(std::int64_t end, void (*fn)(void*, std::int32_t, std::int64_t) noexcept) {
    ha_wait_request request{};
    request.struct_size = sizeof(request);
    request.acks = 2;
    request.end = end;
    request.timeout_ns = kLongNs;
    request.fn = fn;
    request.user = this;
    if (const std::int32_t status = api_.wait_replicated(handle_, &request); status != HA_OK)
      return status;
    ++accepted_;
    return HA_OK;
  }
  // Ends all waits.
  void acknowledge_all() {
    replica_.acknowledge(host_.end());
    while (finished_.load() < accepted_) woken_.acquire();
  }
  std::int64_t end() const { return host_.end(); }

  // The I/O thread stays in a callback from one to the other.
  void hold_io_thread() {
    append();
    if (wait(host_.end(), hold) != HA_OK) bench_die("the wait was refused");
    replica_.acknowledge(host_.end());
    holding_.acquire();
  }
  void let_io_thread_go() {
    go_on_.release();
    acknowledge_all();
  }

  static void finish(void* self, std::int32_t status, std::int64_t) noexcept {
    if (status != HA_OK) bench_die("a wait ended with %d", status);
    static_cast<Master*>(self)->count_finished();
  }

 private:
  static void hold(void* self, std::int32_t, std::int64_t) noexcept {
    auto* master = static_cast<Master*>(self);
    master->holding_.release();
    master->go_on_.acquire();
    master->count_finished();
  }
  void count_finished() {
    finished_.fetch_add(1);
    woken_.release();
  }

  ha::bench::MappedHost host_;
  ha::Instance instance_;
  Replica replica_;
  const ha_plugin_api& api_;
  ha_instance* handle_;
  std::int64_t accepted_ = 0;
  std::atomic<std::int64_t> finished_{0};
  std::counting_semaphore<> woken_{0};
  std::binary_semaphore holding_{0};
  std::binary_semaphore go_on_{0};
};

template <class Call>
double ns_each(std::int64_t calls, Call&& call) {
  const std::int64_t begin = bench_now_ns();
  for (std::int64_t i = 0; i < calls; ++i) call();
  return static_cast<double>(bench_now_ns() - begin) / static_cast<double>(calls);
}

void expect(std::int32_t status, std::int32_t wanted) {
  if (status != wanted) bench_die("a call answered %d instead of %d", status, wanted);
}

double median(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t batches = bench_number(argc, argv, "--batches", 21);
  const std::int64_t waits = bench_number(argc, argv, "--waits", 32768);
  int caller_cpu = -1;
  int plugin_cpu = -1;
  bench_cpus(argc, argv, &caller_cpu, &plugin_cpu);
  bench_pin(plugin_cpu);  // its threads inherit it
  Master master(ha::bench::plugin_options(argc, argv));
  bench_pin(caller_cpu);

  std::vector<double> notify, awake, wake, wait, done, check;
  for (std::int64_t i = 0; i < batches; ++i) {
    master.hold_io_thread();
    notify.push_back(ns_each(kCalls, [&] { master.notify(); }));
    master.let_io_thread_go();
    awake.push_back(ns_each(kCalls, [&] { master.notify(); }));
    master.append();
    wait.push_back(
        ns_each(waits, [&] { expect(master.wait(master.end(), Master::finish), HA_OK); }));
    master.acknowledge_all();
    done.push_back(
        ns_each(kCalls, [&] { expect(master.wait(master.end(), Master::finish), HA_DONE); }));
    check.push_back(ns_each(kCalls, [&] { expect(master.check(), HA_OK); }));
  }
  for (std::int64_t i = 0; i < kWakes; ++i) {
    ::nanosleep(&kUntilAsleep, nullptr);
    wake.push_back(ns_each(1, [&] { master.notify(); }));
  }
  std::printf(
      "{\"notify_ns\":%.1f,\"notify_awake_ns\":%.1f,\"notify_wake_ns\":%.0f,\"wait_ns\":%.1f,"
      "\"wait_done_ns\":%.1f,\"check_ns\":%.1f}\n",
      median(notify), median(awake), median(wake), median(wait), median(done), median(check));
  return 0;
}
