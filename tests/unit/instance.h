// SPDX-License-Identifier: Apache-2.0
// One plugin instance as a host has it: through the ABI's table only.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/value.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ha/plugin.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {

using Options = std::vector<std::pair<std::string, std::string>>;

struct SnapshotSeen {
  ha_snapshot total{};
  std::vector<ha_replica_status> replicas;
};

class Instance {
 public:
  // Listens on a port of 127.0.0.1 that the system picks and follows by RocketMQ's default wire,
  // unless the options say otherwise.
  explicit Instance(MemoryHost& host, Options options = {});
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  std::int32_t start(std::int32_t role, const std::string& master = "");
  // Starts and waits until the role holds.
  void start_master() { start_and_hold(HA_ROLE_MASTER, ""); }
  void start_slave(const std::string& master) { start_and_hold(HA_ROLE_SLAVE, master); }
  std::int32_t set_role(std::int32_t role, const std::string& master = "", std::uint32_t flags = 0,
                        std::int64_t number = 0);
  // Starts and makes it master of a set whose other nodes need not be there.
  void start_forced_master();
  // A slave that the test speaks for: it has reported that offset, and the host was told that so
  // many have joined.
  Peer join(std::int64_t reported, std::size_t joined = 1);
  // The master that the test speaks for, once this slave has reported that offset to it.
  Peer follow(Listener& master, std::int64_t report);
  std::int32_t set_master_address(const char* address);
  std::int32_t set_option(const std::string& key, const std::string& value);
  std::int32_t stop(std::int64_t timeout_ms = 0);
  std::int32_t check_acks(std::int32_t acks, std::int32_t durability = 0);
  void notify(std::int64_t end) { api_->notify_appended(instance_, end); }
  void notify_durable(std::int64_t end) { api_->notify_durable(instance_, end); }

  SnapshotSeen snapshot() const;
  std::int64_t port() const { return snapshot().total.listen_port; }
  boost::json::value status() const;
  std::string metrics() const;
  // The value of one sample of the metrics' text, given with its labels; -1 when it is absent.
  double sample(const std::string& name) const;
  // One replica is there, from that address, and no connection of a replica has ended so far.
  ::testing::AssertionResult only_connection_is(const std::string& address) const;
  // Looks again and again until it holds; false when patience ends.
  static bool eventually(const std::function<bool()>& met);

  const ha_plugin_api& api() const { return *api_; }
  ha_instance* get() const { return instance_; }
  const ha_error& error() const { return error_; }

 private:
  void start_and_hold(std::int32_t role, const std::string& master);
  ha_error* fresh_error();

  MemoryHost& host_;
  const ha_plugin_api* api_ = nullptr;
  ha_instance* instance_ = nullptr;
  mutable ha_error error_{};
};

// Collects what waits end with, in order.
class WaitLog {
 public:
  struct Ended {
    std::int32_t status;
    std::int64_t end;
  };

  // HA_OK: fn will run; else what the call answered.
  std::int32_t wait(Instance& instance, std::int64_t end, std::int32_t acks,
                    std::int64_t timeout_ms, std::int32_t durability = HA_DURABILITY_DEFAULT,
                    std::int64_t epoch = 0);
  bool wait_for(std::size_t count);
  std::int32_t first_status();  // waits for it
  std::vector<Ended> ended() const;
  void on_end(std::function<void()> hook) { hook_ = std::move(hook); }

 private:
  static void callback(void* user, std::int32_t status, std::int64_t end) noexcept;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Ended> ended_;
  std::function<void()> hook_;
};

// What such a wait ends with, or what the call answers when nothing is waited for: HA_DONE, or a
// refusal.
std::int32_t wait_result(Instance& instance, std::int64_t end, std::int32_t acks,
                         std::int64_t timeout_ms, std::int32_t durability = HA_DURABILITY_DEFAULT);

}  // namespace ha::testing
