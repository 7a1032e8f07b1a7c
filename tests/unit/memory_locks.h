// SPDX-License-Identifier: Apache-2.0
// A lock service in memory, which the hosts of a test share: what ha/ext/coordinator.h asks of one.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace ha::testing {

class MemoryLocks {
 public:
  std::int32_t grant(std::int64_t ttl_ms, std::int64_t& lease, std::int64_t& granted_ms);
  std::int32_t renew(std::int64_t lease);
  std::int32_t revoke(std::int64_t lease);
  std::int32_t read(const std::string& key, std::string& value, std::int64_t& lease);
  std::int32_t compare_and_set(const std::string& key, const std::string& expected,
                               const std::string& value, std::int64_t lease);

  // Without a lease, as an operator does.
  void put(const std::string& key, const std::string& value);
  // From now on nothing is done, and the answer is TIMEOUT.
  void go_away();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Lease {
    std::chrono::milliseconds ttl;
    Time until;
  };
  struct Key {
    std::string value;
    std::int64_t lease;
  };

  void end_leases();
  void drop(std::int64_t lease);

  std::mutex mutex_;
  bool away_ = false;
  std::int64_t last_lease_ = 0;
  std::map<std::int64_t, Lease> leases_;
  std::map<std::string, Key> keys_;
};

}  // namespace ha::testing
