// SPDX-License-Identifier: Apache-2.0
// A child process: started, read, signalled, reaped.
//
// Threads: one at a time, but for kill, which any thread may call while the object lives. The child
// dies with the thread that started it (PR_SET_PDEATHSIG), so that nothing outlives a test, however
// the test ends; start from a thread that lives as long as the child must.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/system/deadline.h"
#include "tests/system/descriptor.h"

namespace ha::system {

struct ProcessOptions {
  std::filesystem::path error_file = {};  // standard error goes there; "" = it is thrown away
  std::filesystem::path input_file = {};  // "" = /dev/null
  bool input_pipe = false;                // write_line feeds its standard input
  int network = -1;                       // descriptor of a network namespace; -1 = the test's own
};

class Process {
 public:
  using Options = ProcessOptions;

  // Throws Failure when the program cannot be started.
  explicit Process(const std::vector<std::string>& arguments, const Options& options = {});
  // Kills what still runs and reaps it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Nothing is sent to a process that was reaped: its number may be another's by now.
  void kill(int signal) const;
  // SIGSTOP; returns when the last of its threads has stopped.
  void suspend() const;
  // The next line of standard output without its newline, or nothing at its end. Throws at the
  // deadline.
  std::optional<std::string> read_line(std::chrono::milliseconds deadline = kDeadline);
  // With input_pipe. Throws when the process reads no more.
  void write_line(const std::string& line);
  void close_input() { input_ = Descriptor(); }
  // All that is still to come on standard output.
  std::string read_all(std::chrono::milliseconds deadline = kDeadline);
  // The exit code, or 128 + the signal that ended it. Throws at the deadline.
  int wait(std::chrono::milliseconds deadline = kDeadline);
  bool running();

 private:
  bool fill(Clock::time_point end);  // false = end of output

  std::string name_;
  pid_t pid_ = -1;
  Descriptor pidfd_;
  Descriptor input_;  // with input_pipe
  Descriptor output_;
  std::string buffered_;
  std::optional<int> exit_code_;
  std::atomic<bool> reaped_{false};
};

struct Outcome {
  int exit_code = 0;
  std::string output;
  std::string errors;
};

// Runs a program to its end.
Outcome run(const std::vector<std::string>& arguments, const ProcessOptions& options = {},
            std::chrono::milliseconds deadline = kDeadline);

}  // namespace ha::system
