// SPDX-License-Identifier: Apache-2.0
// A host with as little of its own as can be: a log in one mapping on tmpfs, any offset a record
// boundary. What a program measures with it is the plugin.
//
// Threads: append (the host's own) from one thread; hooks from the plugin's. Errors end the
// process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "ha/loader.hpp"

namespace ha::bench {

inline constexpr std::int64_t kMiB = 1 << 20;
inline constexpr std::int64_t kGiB = 1 << 30;

class MappedHost final : public HostHooks {
 public:
  // prefault: every page of the log is touched, as a broker does that warms its files.
  MappedHost(std::int64_t capacity, bool prefault);
  ~MappedHost() override;
  MappedHost(const MappedHost&) = delete;
  MappedHost& operator=(const MappedHost&) = delete;

  // The log now holds that much of what the mapping holds.
  void set_end(std::int64_t end) { end_.store(end, std::memory_order_release); }
  std::int64_t end() const { return end_.load(std::memory_order_acquire); }
  char* bytes() { return bytes_; }
  // Called after each append and commit of a slave, on the plugin's thread. Set before start.
  std::function<void(std::int64_t end)> grown;

  void wait_for_role(std::int32_t role);

  std::int32_t bounds(ha_bounds& out) override;
  std::int32_t record_floor(std::int64_t offset, std::int64_t& out) override;
  std::int32_t read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) override;
  std::int32_t append(std::int64_t epoch, std::int64_t offset, std::span<const std::byte> data,
                      Error& error) override;
  std::int32_t truncate(std::int64_t epoch, std::int64_t new_end, std::uint32_t flags,
                        Error& error) override;
  void role_changed(const ha_role_report& report) override;
  void log(std::int32_t level, std::string_view text) override;
  std::int32_t pin(std::int64_t offset, std::int64_t size, ha_span& out) override;
  void unpin(const ha_span&) override {}
  std::int32_t acquire_segment(std::int64_t offset, std::int64_t size, ha_segment& out) override;
  void release_segment(const ha_segment&) override {}
  std::int32_t reserve(std::int64_t epoch, std::int64_t offset, std::int64_t size, void*& data,
                       std::int64_t& room, Error& error) override;
  std::int32_t commit_reserved(std::int64_t size, Error& error) override;
  void drop_reserved() override {}

 private:
  std::int64_t readable(std::int64_t offset, std::int64_t size) const;

  const std::int64_t capacity_;
  int file_ = -1;
  char* bytes_ = nullptr;
  std::atomic<std::int64_t> end_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int32_t role_ = HA_ROLE_NONE;
};

// Which of its hooks a host shows: the plugin picks its way by what it finds.
struct Shown {
  bool pin = true;      // without it log bytes leave by sendfile
  bool reserve = true;  // without it a slave appends from the plugin's buffer
};

// The plugin under test lies beside the program. Listens on a port that the system picks. An option
// that this plugin does not know ends the process with kUnknownOption.
inline constexpr int kUnknownOption = 3;
Instance start(MappedHost& host, const RoleRequest& role, std::vector<Option> options,
               const Shown& shown = {});
std::string plugin_path();
// --option KEY=VALUE, any number of times.
std::vector<Option> plugin_options(int argc, char** argv);
// For a bare replica that counts bytes: it would take a heartbeat for bytes of the log.
std::vector<Option> without_heartbeats(std::vector<Option> options);
int listen_port(const Instance& instance);

}  // namespace ha::bench
