// SPDX-License-Identifier: Apache-2.0
// How soon bytes flow: from a slave's start to its first byte, and from a master that is back to
// the first new byte.
//
//   ha_bench_start [--starts 20] [--resumes 20] [--down-ms 0] [--option KEY=VALUE]
//
// start_ms: from before the slave's plugin is created to the first byte in its log, while the
// master runs. resume_ms: the master's instance is destroyed and, after --down-ms, another one is
// created on the same log and port; from before it is created to the first new byte in the slave's
// log, which was appended meanwhile. Medians of so many times; 0 = not measured. Leaves out
// loading the library and the host's own start.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

#include "tests/bench/common/bench.h"
#include "tests/bench/ours/mapped_host.h"

namespace {

using ha::bench::MappedHost;

constexpr std::int64_t kLog = 4 * ha::bench::kMiB;

ha::Instance start_master(MappedHost& host, int port, std::vector<ha::Option> options) {
  options.push_back({"listen", "127.0.0.1:" + std::to_string(port)});
  return ha::bench::start(host, {.role = HA_ROLE_MASTER}, std::move(options));
}

// A slave and the time at which its log last grew to what was wanted.
class Slave {
 public:
  Slave(int port, std::int64_t wanted, const std::vector<ha::Option>& options)
      : host_(kLog, true), wanted_(wanted), instance_(follow(port, options)) {}
  Slave(const Slave&) = delete;
  Slave& operator=(const Slave&) = delete;

  void want(std::int64_t end) { wanted_ = end; }
  std::int64_t wait() {
    there_.acquire();
    return at_ns_;
  }
  std::int64_t begun_ns() const { return begun_ns_; }

 private:
  ha::Instance follow(int port, const std::vector<ha::Option>& options) {
    host_.grown = [this](std::int64_t end) {
      if (end != wanted_) return;
      at_ns_ = bench_now_ns();
      there_.release();
    };
    begun_ns_ = bench_now_ns();
    return ha::bench::start(
        host_, {.role = HA_ROLE_SLAVE, .master_address = "127.0.0.1:" + std::to_string(port)},
        options);
  }

  MappedHost host_;
  std::atomic<std::int64_t> wanted_;
  std::int64_t begun_ns_ = 0;
  std::int64_t at_ns_ = 0;
  std::binary_semaphore there_{0};
  ha::Instance instance_;  // last, so that it ends before what its threads use
};

// The longest of a few is shown too: a median hides how far the pauses between tries reach.
void print(const char* name, std::vector<std::int64_t> ns) {
  std::sort(ns.begin(), ns.end());
  std::printf("\"%s_ms\":%.2f,\"%s_max_ms\":%.2f", name,
              static_cast<double>(ns[ns.size() / 2]) / 1e6, name,
              static_cast<double>(ns.back()) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t start_count = bench_number(argc, argv, "--starts", 20);
  const std::int64_t resume_count = bench_number(argc, argv, "--resumes", 20);
  const std::int64_t down_ms = bench_number(argc, argv, "--down-ms", 0);
  const auto options = ha::bench::plugin_options(argc, argv);
  MappedHost host(kLog, true);
  host.set_end(kBenchRecord);
  std::optional<ha::Instance> master = start_master(host, 0, options);
  const int port = ha::bench::listen_port(*master);

  std::vector<std::int64_t> starts;
  for (std::int64_t i = 0; i < start_count; ++i) {
    Slave slave(port, host.end(), options);
    starts.push_back(slave.wait() - slave.begun_ns());
  }

  Slave slave(port, host.end(), options);
  slave.wait();
  std::vector<std::int64_t> resumes;
  const timespec down{down_ms / 1000, down_ms % 1000 * 1'000'000};
  for (std::int64_t i = 0; i < resume_count; ++i) {
    master.reset();
    ::nanosleep(&down, nullptr);  // as long as a restart takes
    slave.want(host.end() + kBenchRecord);
    host.set_end(host.end() + kBenchRecord);
    const std::int64_t begin = bench_now_ns();
    master = start_master(host, port, options);
    resumes.push_back(slave.wait() - begin);
  }
  std::printf("{");
  if (start_count > 0) print("start", starts);
  if (start_count > 0 && resume_count > 0) std::printf(",");
  if (resume_count > 0) print("resume", resumes);
  std::printf("}\n");
  return 0;
}
