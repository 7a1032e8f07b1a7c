// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ours/broker_pair.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <semaphore>
#include <thread>

#include "ha/plugin.h"
#include "tests/bench/ours/mapped_host.h"
#include "tests/bench/ours/tls_options.h"

namespace ha::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kPause{5};

// Standard output is for the result.
void log_to_stderr() {
  auto logger = spdlog::stderr_logger_mt("bench");
  logger->set_level(spdlog::level::err);
  spdlog::set_default_logger(std::move(logger));
}

std::unique_ptr<stub::Broker> open(const PairOptions& options, stub::Role role, std::string store,
                                   std::string master) {
  log_to_stderr();
  stub::BrokerOptions broker;
  const std::string key_file = store + ".key";
  broker.store_dir = std::move(store);
  broker.segment_bytes = options.segment_bytes;
  if (options.sync_flush && role == stub::Role::kMaster) broker.flush = stub::FlushPolicy::kSync;
  broker.plugin_path = plugin_path();
  broker.ha_listen = "127.0.0.1:0";
  broker.role = role;
  broker.master_address = std::move(master);
  broker.plugin_options = options.plugin_options;
  if (options.tls) {
    const std::string id = role == stub::Role::kMaster ? "master" : "slave";
    for (auto& option : tls_options(id, key_file)) {
      broker.plugin_options.emplace_back(option.key, option.value);
    }
  }
  auto opened = stub::Broker::open(std::move(broker));
  if (const auto* error = std::get_if<stub::Error>(&opened)) {
    std::fprintf(stderr, "%s\n", error->text.c_str());
    std::exit(error->status == HA_INVALID ? kUnknownOption : 1);
  }
  return std::move(std::get<std::unique_ptr<stub::Broker>>(opened));
}

template <class Condition>
void wait_until(const char* what, Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) bench_die("%s: not within a minute", what);
    std::this_thread::sleep_for(kPause);
  }
}

bool spare_segment_there(const std::string& store) {
  std::error_code ignored;
  int whole = 0;
  for (const auto& entry : std::filesystem::directory_iterator(store + "/commitlog", ignored))
    if (!entry.path().has_extension()) ++whole;
  return whole >= 2;
}

}  // namespace

BrokerPair::BrokerPair(PairOptions options)
    : options_(std::move(options)),
      directory_(options_.parent),
      slave_directory_(options_.slave_parent) {
  if (options_.slave) slave_ = bench_fork(run_slave, this, options_.slave_cpu);
  master_ = open(options_, stub::Role::kMaster, master_store(), "");
  if (!slave_) return;
  const int port = ha_port();
  bench_tell(slave_->to, &port, sizeof(port));
}

BrokerPair::~BrokerPair() {
  if (slave_) bench_join(&*slave_);
  master_->stop(0);
}

void BrokerPair::run_slave(int in, int, void* self) {
  const auto* pair = static_cast<const BrokerPair*>(self);
  int port = 0;
  bench_hear(in, &port, sizeof(port));
  auto broker = open(pair->options_, stub::Role::kSlave, pair->slave_store(),
                     "127.0.0.1:" + std::to_string(port));
  char end_of_input = 0;
  (void)!::read(in, &end_of_input, 1);
  broker->stop(0);
}

int BrokerPair::ha_port() const {
  const std::string address = master_->ha_address();
  return std::stoi(address.substr(address.rfind(':') + 1));
}

double BrokerPair::slave_cpu_s() const { return slave_ ? bench_cpu_s_of(slave_->pid) : 0; }

void BrokerPair::settle() {
  wait_until("a first replicated message", [&] {
    std::binary_semaphore answered{0};
    bool stored = false;
    stub::ProduceRequest request;
    request.topic = "bench";
    request.items = {{"x", ""}};
    request.acks = copies();
    master_->produce(std::move(request), [&](const stub::ProduceResult& result) {
      stored = result.status == HA_OK;
      answered.release();
    });
    answered.acquire();
    return stored;
  });
  wait_until("the next segment", [&] {
    return spare_segment_there(master_store()) && (!slave_ || spare_segment_there(slave_store()));
  });
}

PairOptions pair_options(int argc, char** argv) {
  PairOptions options;
  int master_cpu = -1;
  bench_cpus(argc, argv, &master_cpu, &options.slave_cpu);
  bench_pin(master_cpu);
  options.parent = bench_text(argc, argv, "--dir", "/dev/shm");
  options.slave_parent = bench_text(argc, argv, "--slave-dir", options.parent.c_str());
  options.tls = bench_flag(argc, argv, "--tls") != 0;
  options.sync_flush = bench_flag(argc, argv, "--sync-flush") != 0;
  options.segment_bytes = bench_number(argc, argv, "--segment-mib", 1024) * kMiB;
  for (const auto& option : plugin_options(argc, argv))
    options.plugin_options.emplace_back(option.key, option.value);
  return options;
}

}  // namespace ha::bench
