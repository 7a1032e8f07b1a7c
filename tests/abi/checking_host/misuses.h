// SPDX-License-Identifier: Apache-2.0
// What the checking host found: each fault once, printed when found.
//
// Threads: any.
#pragma once

#include <iostream>
#include <mutex>
#include <set>
#include <string>

namespace ha::check {

class Misuses {
 public:
  // name is a short word that tests look for; text says what the plugin did and what it must do.
  void add(const std::string& name, const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (!names_.insert(name).second) return;
    std::cout << "PLUGIN_MISUSE " << name << ": " << text << std::endl;
  }
  void require(bool holds, const std::string& name, const std::string& text) {
    if (!holds) add(name, text);
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return names_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> names_;
};

}  // namespace ha::check
