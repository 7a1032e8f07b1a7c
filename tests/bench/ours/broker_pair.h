// SPDX-License-Identifier: Apache-2.0
// A stub broker in this process and its slave in another one, both with their stores on tmpfs
// unless told otherwise.
//
// Construct it before any thread is started: the slave is a fork of this process.
// Errors end the process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "tests/bench/common/bench.h"
#include "tests/bench/ours/scratch_dir.h"

namespace ha::bench {

struct PairOptions {
  std::string parent = "/dev/shm";
  std::string slave_parent = "/dev/shm";  // a disk, where the slave is to make durable what it has
  bool slave = true;
  int slave_cpu = -1;
  std::int64_t segment_bytes = std::int64_t{1} << 30;
  bool tls = false;
  bool sync_flush = false;  // the master answers when its own copy is durable too
  std::vector<std::pair<std::string, std::string>> plugin_options;
};

class BrokerPair {
 public:
  explicit BrokerPair(PairOptions options);
  ~BrokerPair();
  BrokerPair(const BrokerPair&) = delete;
  BrokerPair& operator=(const BrokerPair&) = delete;

  stub::Broker& master() { return *master_; }
  int ha_port() const;
  // What a wait is for: the master's copy and, where there is a slave, the slave's.
  std::int32_t copies() const { return options_.slave ? 2 : 1; }
  // Of the slave so far, in ticks of 10 ms; 0 without one.
  double slave_cpu_s() const;

  // Returns when a message was replicated and both stores have their next segment at hand: from
  // then on nothing of the start is measured.
  void settle();

 private:
  std::string master_store() const { return directory_.path() + "/master"; }
  std::string slave_store() const { return slave_directory_.path() + "/slave"; }
  static void run_slave(int in, int out, void* self);

  PairOptions options_;
  ScratchDir directory_;
  ScratchDir slave_directory_;
  std::optional<bench_child> slave_;
  std::unique_ptr<stub::Broker> master_;
};

// The options that all programs with a pair share: --dir, --slave-dir, --segment-mib,
// --sync-flush, --tls, --option, --cpus (pins this process too).
PairOptions pair_options(int argc, char** argv);

}  // namespace ha::bench
