// SPDX-License-Identifier: Apache-2.0
// The real plugin under a memory log, for tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "ha/loader.hpp"
#include "memory_log.h"

namespace ha::test {

using Options = std::vector<Option>;

inline Plugin real_plugin(const HostBinding& host) {
  auto plugin = Plugin::load(HA_TEST_PLUGIN, host);
  if (!plugin) throw BadResult(plugin.error());
  return *plugin;
}

// Throws where the plugin cannot be loaded, created or started: the test then fails with its words.
template <class Log>
class BasicTestNode {
 public:
  explicit BasicTestNode(Options options = {})
      : instance(Instance::create(real_plugin(bind_host(log)), bind_host(log), with_port(options))
                     .value()) {}

  void start(std::int32_t role, const std::string& master = "") {
    instance.start({.role = role, .master_address = master}).value();
    if (!log.expect_roles(1)) throw std::runtime_error("no role_changed:\n" + log.lines());
  }
  std::string address() const { return instance.snapshot().value().values.listen_address; }
  std::int64_t produce(const std::string& line) {
    const std::int64_t end = log.produce(line);
    instance.notify_appended(end);
    return end;
  }

  Log log;
  Instance instance;

 private:
  static Options with_port(Options options) {
    options.push_back({"listen", "127.0.0.1:0"});
    return options;
  }
};

using TestNode = BasicTestNode<MemoryLog>;

// Removed when the process ends.
class KeyFile {
 public:
  KeyFile() {
    std::ofstream(path_) << std::string(64, 'a');
    std::filesystem::permissions(path_, std::filesystem::perms::owner_read);
  }
  ~KeyFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_ = testing::TempDir() + "ha_abi_" + std::to_string(::getpid());
};

// Of a node under TLS; all have the same key file.
inline Options under_tls(const std::string& id) {
  static const KeyFile file;
  return {{"tls", "require"},
          {"tls_psk_file", file.path()},
          {"cluster_id", "test"},
          {"replica_id", id}};
}

// A master and a slave that has joined it.
struct Pair {
  explicit Pair(const Options& options = {}) : Pair(options, options) {}
  Pair(const Options& masters, const Options& slaves) : master(masters), slave(slaves) {
    master.start(HA_ROLE_MASTER);
    slave.start(HA_ROLE_SLAVE, master.address());
    if (!master.log.expect_event(HA_REPLICA_JOINED)) {
      throw std::runtime_error("the slave did not join:\n" + slave.log.lines());
    }
  }
  TestNode master;
  TestNode slave;
};

}  // namespace ha::test
