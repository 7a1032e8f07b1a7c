// SPDX-License-Identifier: Apache-2.0
// One instance of the plugin under check, with its log, taken through its states.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "checking_host/checking_log.h"
#include "checking_host/misuses.h"
#include "checking_host/watched_wait.h"
#include "ha/loader.hpp"

namespace ha::check {

class Node {
 public:
  Node(const Plugin& plugin, Misuses& misuses, std::chrono::milliseconds patience)
      : api_(plugin.api()),
        misuses_(misuses),
        patience_(patience),
        log_(misuses),
        binding_(bind_host(log_)) {}

  // false where it could not be created: there is nothing more to check then.
  bool create();
  bool start(std::int32_t role, const std::string& master);
  void set_role(std::int32_t role, const std::string& master);
  void stop_and_destroy();

  // Appends a line and waits for so many copies; the wait is watched until the plugin is gone.
  WatchedWait& produce(const std::string& line, std::int32_t acks, std::chrono::seconds timeout);
  std::int32_t last_answer() const { return last_answer_; }

  CheckingLog& log() { return log_; }
  std::string address() const;

 private:
  void expect(const char* call, std::int32_t got, std::int32_t wanted, const ha_error* error);
  void check_created();
  void check_started(std::int32_t role);
  void check_stopped();
  void check_texts(const char* when);
  void check_short_snapshot();

  const ha_plugin_api& api_;
  Misuses& misuses_;
  const std::chrono::milliseconds patience_;
  CheckingLog log_;
  HostBinding binding_;
  ha_instance* instance_ = nullptr;
  std::size_t roles_asked_ = 0;
  std::int32_t last_answer_ = HA_INTERNAL;
  std::list<WatchedWait> waits_;
};

}  // namespace ha::check
