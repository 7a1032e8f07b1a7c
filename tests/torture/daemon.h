// SPDX-License-Identifier: Apache-2.0
// A process of the set, started and ended again and again where it was, and its log.
//
// Threads: the run's first thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/system/process.h"

namespace ha::torture {

class Daemon {
 public:
  // network: as in system::ProcessOptions. The log is ID.log in the folder.
  Daemon(std::string id, const std::filesystem::path& folder, int network)
      : id_(std::move(id)), log_file_(folder / (id_ + ".log")), network_(network) {}

  void kill();      // SIGKILL, and waits for the end
  int terminate();  // SIGTERM; the exit code
  void stop();      // SIGSTOP
  void go_on();     // SIGCONT
  bool running() const { return process_ != nullptr; }
  bool stopped() const { return stopped_; }
  // The exit code of one that ended though nobody ended it.
  std::optional<int> ended_by_itself();

  const std::string& id() const { return id_; }
  std::string log_text(std::size_t bytes) const;  // the end of its log

 protected:
  // how: for its log.
  void run(const std::vector<std::string>& arguments, const std::string& how);

 private:
  void note(const std::string& text) const;

  const std::string id_;
  const std::filesystem::path log_file_;
  const int network_;
  std::unique_ptr<system::Process> process_;
  bool stopped_ = false;
};

}  // namespace ha::torture
