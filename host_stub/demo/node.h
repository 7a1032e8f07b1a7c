// SPDX-License-Identifier: Apache-2.0
// A process, mostly of ha_stub: started, asked where it listens, ended. Ends with its owner, by
// SIGKILL.
//
// Threads: one at a time.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/broker.h"

namespace stub::demo {

class Node {
 public:
  // Starts the program with the arguments and waits for its ready line. Its log goes to log_path;
  // an Error quotes the log's last line.
  static Result<std::unique_ptr<Node>> start(const std::string& program,
                                             const std::vector<std::string>& arguments,
                                             const std::string& log_path);
  // Of a program that has no ready line. What it prints goes to its log too.
  static Result<std::unique_ptr<Node>> launch(const std::string& program,
                                              const std::vector<std::string>& arguments,
                                              const std::string& log_path);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void kill();  // SIGKILL, and waits until it is gone
  void stop();  // SIGTERM; SIGKILL when it does not end in its 5 s

  pid_t pid() const { return pid_; }
  std::string url() const { return "http://" + http_; }
  const std::string& ha() const { return ha_; }
  std::string metrics_url() const { return "http://" + metrics_ + "/metrics"; }

 private:
  Node(pid_t pid, int pidfd) : pid_(pid), pidfd_(pidfd) {}
  std::optional<Error> read_ready(int pipe, const std::string& log_path);
  bool wait_gone(int timeout_ms);

  pid_t pid_;
  int pidfd_;  // signals through it cannot meet a stranger that got the number later
  bool gone_ = false;
  std::string http_;
  std::string ha_;
  std::string metrics_;
};

// Where PATH has a program of that name; empty when nowhere.
std::string find_program(const std::string& name);
// The last line of a text file; empty when there is none.
std::string last_line(const std::string& path);

}  // namespace stub::demo
