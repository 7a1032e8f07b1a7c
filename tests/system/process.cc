// SPDX-License-Identifier: Apache-2.0
#include "tests/system/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

namespace ha::system {
namespace {

// What a child says when it could not become the program.
constexpr int kNotStarted = 127;

std::string errno_text() { return std::generic_category().message(errno); }

int milliseconds_left(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

// Between fork and exec: only what a signal handler might do.
[[noreturn]] void become(char* const* argv, pid_t parent, int in, int out, int err, int network) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(kNotStarted);
  if (network >= 0 && setns(network, CLONE_NEWNET) != 0) _exit(kNotStarted);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(kNotStarted);
  execvp(argv[0], argv);
  constexpr char kText[] = "cannot run this program: ";
  (void)!::write(2, kText, sizeof(kText) - 1);
  (void)!::write(2, argv[0], std::strlen(argv[0]));
  (void)!::write(2, "\n", 1);
  _exit(kNotStarted);
}

Descriptor open_file(const std::filesystem::path& path, int flags) {
  const std::string name = path.empty() ? "/dev/null" : path.string();
  Descriptor file(::open(name.c_str(), flags | O_CLOEXEC, 0644));
  if (!file) throw Failure("cannot open '" + name + "': " + errno_text());
  return file;
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const Options& options)
    : name_(arguments.at(0)) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Descriptor in = open_file(options.input_file, O_RDONLY);
  if (options.input_pipe) {
    int feed[2];  // sockets, since a pipe whose reader has gone would end the test with SIGPIPE
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, feed) != 0)
      throw Failure("socketpair: " + errno_text());
    in = Descriptor(feed[0]);
    input_ = Descriptor(feed[1]);
  }
  const Descriptor err = open_file(options.error_file, O_WRONLY | O_CREAT | O_APPEND);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Failure("pipe: " + errno_text());
  output_ = Descriptor(ends[0]);
  const Descriptor out(ends[1]);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw Failure("fork for " + name_ + ": " + errno_text());
  if (pid_ == 0) become(argv.data(), parent, in.get(), out.get(), err.get(), options.network);
  pidfd_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    kill(SIGKILL);
    waitpid(pid_, nullptr, 0);
    throw Failure("pidfd_open for " + name_ + ": " + errno_text());
  }
}

Process::~Process() {
  if (exit_code_) return;
  kill(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::kill(int signal) const {
  if (!reaped_) ::kill(pid_, signal);
}

// One thread takes the signal and then stops the others: until it runs they go on.
void Process::suspend() const {
  kill(SIGSTOP);
  siginfo_t stopped{};
  while (!reaped_ &&
         ::waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
}

void Process::write_line(const std::string& line) {
  const std::string bytes = line + "\n";
  if (::send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size())) {
    throw Failure(name_ + " reads no more: " + errno_text());
  }
}

bool Process::fill(Clock::time_point end) {
  pollfd ready{output_.get(), POLLIN, 0};
  if (poll(&ready, 1, milliseconds_left(end)) == 0) {
    throw Failure(name_ + " printed nothing more in time; so far: '" + buffered_ + "'");
  }
  char chunk[65536];
  const ssize_t n = ::read(output_.get(), chunk, sizeof(chunk));
  if (n > 0) buffered_.append(chunk, static_cast<std::size_t>(n));
  return n > 0;
}

std::optional<std::string> Process::read_line(std::chrono::milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  std::size_t at = buffered_.find('\n');
  while (at == std::string::npos) {
    if (!fill(end)) {
      if (buffered_.empty()) return std::nullopt;
      return std::exchange(buffered_, {});
    }
    at = buffered_.find('\n');
  }
  std::string line = buffered_.substr(0, at);
  buffered_.erase(0, at + 1);
  return line;
}

std::string Process::read_all(std::chrono::milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  while (fill(end)) {
  }
  return std::exchange(buffered_, {});
}

bool Process::running() {
  if (exit_code_) return false;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  return poll(&ended, 1, 0) == 0;
}

int Process::wait(std::chrono::milliseconds deadline) {
  if (exit_code_) return *exit_code_;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (poll(&ended, 1, milliseconds_left(Clock::now() + deadline)) == 0) {
    throw Failure(name_ + " did not end within " + std::to_string(deadline.count()) + " ms");
  }
  reaped_ = true;
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return *exit_code_;
}

Outcome run(const std::vector<std::string>& arguments, const ProcessOptions& options,
            std::chrono::milliseconds deadline) {
  ProcessOptions with = options;
  std::string error_file;
  if (with.error_file.empty()) {
    error_file = (std::filesystem::temp_directory_path() / "ha_system_stderr.XXXXXX").string();
    const Descriptor made(mkstemp(error_file.data()));
    if (!made) throw Failure("cannot make " + error_file + ": " + errno_text());
    with.error_file = error_file;
  }
  Outcome outcome;
  {
    Process process(arguments, with);
    outcome.output = process.read_all(deadline);
    outcome.exit_code = process.wait(deadline);
  }
  std::ifstream errors(with.error_file);
  outcome.errors.assign(std::istreambuf_iterator<char>(errors), {});
  if (!error_file.empty()) std::filesystem::remove(error_file);
  return outcome;
}

}  // namespace ha::system
