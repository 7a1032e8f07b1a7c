// SPDX-License-Identifier: Apache-2.0
// What one acknowledgement costs that ends many waits: they are open when a bare replica, which has
// had their bytes for a while, says so. Medians of several bursts.
//
//   ha_bench_waits [--bursts 5] [--option KEY=VALUE] [--cpus CALLER,PLUGIN]
//
// us_N, for N of 1000, 32768 and 1048576: microseconds for each wait, from the acknowledgement to
// the last callback. first_us_N: to the first callback.
// longest_us_N: the longest time between two callbacks, in which the I/O thread may do other work.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <semaphore>
#include <vector>

#include "tests/bench/common/bench.h"
#include "tests/bench/ours/mapped_host.h"

namespace {

constexpr std::int64_t kLog = 64 * ha::bench::kMiB;
constexpr std::int64_t kWaits[] = {1000, 32'768, 1 << 20};
constexpr std::int64_t kLongNs = 60'000'000'000;

struct Burst {
  double first_us;
  double last_us;
  double longest_us;
};

class Master {
 public:
  explicit Master(std::vector<ha::Option> options)
      : host_(kLog, true),
        instance_(ha::bench::start(host_, {.role = HA_ROLE_MASTER}, with_room(std::move(options)))),
        replica_(bench_connect(ha::bench::listen_port(instance_))) {
    acknowledge();
    append(1);
    while (wait(host_.end()) != HA_OK) {
    }
    finish(1);
  }

  // A wait for each byte of what is appended.
  Burst burst(std::int64_t waits) {
    const std::int64_t from = host_.end();
    append(waits);
    count_ = 0;
    longest_ = 0;
    for (std::int64_t i = 1; i <= waits; ++i)
      if (wait(from + i) != HA_OK) bench_die("wait %lld was refused", static_cast<long long>(i));
    // A new wait does not wake the I/O thread; an append does. It sends the bytes and sorts the
    // waits in, which is no part of what the acknowledgement costs. When the bytes of a second
    // append are here, it is done with the first.
    append(1);
    append(1);
    return finish(waits);
  }

 private:
  // The replica has it, and does not say so.
  void append(std::int64_t size) {
    host_.set_end(host_.end() + size);
    instance_.plugin().api().notify_appended(instance_.handle(), host_.end());
    while (size > 0) {
      unsigned char header[kBenchFrameHeader];
      bench_recv(replica_, header, sizeof header);
      const std::int64_t body = bench_header_size(header);
      bench_discard(replica_, body, 1);
      size -= body;
    }
  }

  void acknowledge() {
    unsigned char report[kBenchReport];
    bench_put64(report, host_.end());
    bench_send(replica_, report, sizeof report);
  }

  std::int32_t wait(std::int64_t end) {
    ha_wait_request request{};
    request.struct_size = sizeof request;
    request.acks = 2;
    request.end = end;
    request.timeout_ns = kLongNs;
    request.fn = on_end;
    request.user = this;
    return instance_.plugin().api().wait_replicated(instance_.handle(), &request);
  }

  Burst finish(std::int64_t waits) {
    wanted_ = waits;
    const std::int64_t begun = bench_now_ns();
    acknowledge();
    all_ended_.acquire();
    return {static_cast<double>(first_ - begun) / 1e3, static_cast<double>(last_ - begun) / 1e3,
            static_cast<double>(longest_) / 1e3};
  }

  static void on_end(void* self, std::int32_t status, std::int64_t) noexcept {
    if (status != HA_OK) bench_die("a wait ended with %d", status);
    static_cast<Master*>(self)->note();
  }

  // On the plugin's thread, one after the other.
  void note() {
    const std::int64_t now = bench_now_ns();
    if (count_ == 0)
      first_ = now;
    else
      longest_ = std::max(longest_, now - last_);
    last_ = now;
    if (++count_ == wanted_) all_ended_.release();
  }

  static std::vector<ha::Option> with_room(std::vector<ha::Option> options) {
    options.push_back({"max_pending_waits", "2000000"});
    return ha::bench::without_heartbeats(std::move(options));
  }

  ha::bench::MappedHost host_;
  ha::Instance instance_;
  int replica_;
  std::int64_t count_ = 0;
  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  std::int64_t longest_ = 0;
  std::atomic<std::int64_t> wanted_{0};
  std::binary_semaphore all_ended_{0};
};

double median(std::vector<Burst>& bursts, double Burst::*member) {
  std::ranges::sort(bursts, {}, member);
  return bursts[bursts.size() / 2].*member;
}

std::vector<Burst> run(Master& master, std::int64_t bursts, std::int64_t waits) {
  std::vector<Burst> all;
  for (std::int64_t i = 0; i < bursts; ++i) all.push_back(master.burst(waits));
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t bursts = bench_number(argc, argv, "--bursts", 5);
  int caller_cpu = -1;
  int plugin_cpu = -1;
  bench_cpus(argc, argv, &caller_cpu, &plugin_cpu);
  bench_pin(plugin_cpu);  // its threads inherit it
  Master master(ha::bench::plugin_options(argc, argv));
  bench_pin(caller_cpu);
  for (const std::int64_t waits : kWaits) {
    auto all = run(master, bursts, waits);
    const auto n = static_cast<long long>(waits);
    std::printf("%s\"us_%lld\":%.4f,\"first_us_%lld\":%.1f,\"longest_us_%lld\":%.1f",
                waits == kWaits[0] ? "{" : ",", n,
                median(all, &Burst::last_us) / static_cast<double>(waits), n,
                median(all, &Burst::first_us), n, median(all, &Burst::longest_us));
  }
  std::printf("}\n");
  return 0;
}
