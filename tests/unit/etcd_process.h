// SPDX-License-Identifier: Apache-2.0
// The program etcd, if this machine has it: one member on loopback, gone with this object.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/state_dir.h"

namespace ha::testing {

class EtcdProcess {
 public:
  EtcdProcess() = default;
  ~EtcdProcess() { kill(); }
  EtcdProcess(const EtcdProcess&) = delete;
  EtcdProcess& operator=(const EtcdProcess&) = delete;

  // Where it is; "" = it is not in PATH.
  static std::string program();

  // Returns once answers() has said so, or false with log(). Another process may get one of its
  // ports first; then it tries others.
  bool start(const std::function<bool()>& answers, const std::vector<std::string>& more = {},
             bool https = false);
  // SIGKILL, and waits for the end.
  void kill();
  // The end of it.
  std::string log() const;
  std::uint16_t port() const { return port_; }
  const StateDir& dir() const { return dir_; }

 private:
  void spawn(const std::vector<std::string>& more, bool https);
  bool running();

  StateDir dir_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace ha::testing
