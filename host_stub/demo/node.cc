// SPDX-License-Identifier: Apache-2.0
#include "demo/node.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "ha/plugin.h"

extern "C" {  // glibc 2.36's header forgets to say so
#include <sys/pidfd.h>
}

namespace stub::demo {
namespace {

namespace json = boost::json;

// Recovery of a small store and loading a plugin take far less, also on a busy machine.
constexpr std::chrono::seconds kReadyTimeout{30};
constexpr int kStopMs = 6000;

Error system_failure(const std::string& what) {
  const int error = errno;
  return Error{HA_IO, error, what + ": " + std::strerror(error)};
}

// A program's standard streams: nothing to read, a pipe or, with -1, the log for its output, a file
// for its log.
pid_t spawn(const std::string& program, const std::vector<std::string>& arguments, int output,
            const std::string& log_path) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0644);
  posix_spawn_file_actions_adddup2(&files, output < 0 ? 2 : output, 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;  // this program blocks signals; the child must not
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  errno = posix_spawn(&pid, program.c_str(), &files, &attributes, argv.data(), environ);
  const int error = errno;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  errno = error;
  return error == 0 ? pid : -1;
}

}  // namespace

Result<std::unique_ptr<Node>> Node::start(const std::string& program,
                                          const std::vector<std::string>& arguments,
                                          const std::string& log_path) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make a pipe");
  const pid_t pid = spawn(program, arguments, ends[1], log_path);
  ::close(ends[1]);
  if (pid < 0) {
    auto error = system_failure("cannot start '" + program + "'");
    ::close(ends[0]);
    return error;
  }
  const int pidfd = ::pidfd_open(pid, 0);
  std::unique_ptr<Node> node(new Node(pid, pidfd));
  auto error = node->read_ready(ends[0], log_path);
  ::close(ends[0]);
  if (error) return std::move(*error);
  return node;
}

Result<std::unique_ptr<Node>> Node::launch(const std::string& program,
                                           const std::vector<std::string>& arguments,
                                           const std::string& log_path) {
  const pid_t pid = spawn(program, arguments, -1, log_path);
  if (pid < 0) return system_failure("cannot start '" + program + "'");
  return std::unique_ptr<Node>(new Node(pid, ::pidfd_open(pid, 0)));
}

std::optional<Error> Node::read_ready(int pipe, const std::string& log_path) {
  const auto deadline = std::chrono::steady_clock::now() + kReadyTimeout;
  std::string line;
  while (line.find('\n') == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd output{pipe, POLLIN, 0};
    char bytes[512];
    const bool readable =
        left.count() > 0 && ::poll(&output, 1, static_cast<int>(left.count())) > 0;
    const ssize_t got = readable ? ::read(pipe, bytes, sizeof bytes) : 0;
    if (got <= 0) {
      return Error{HA_IO, 0,
                   "a broker did not get ready; the last line of its log: " + last_line(log_path)};
    }
    line.append(bytes, static_cast<std::size_t>(got));
  }
  json::error_code broken;
  const auto ready = json::parse(line.substr(0, line.find('\n')), broken);
  const auto text = [&](const char* name) {
    const auto* value =
        broken || !ready.is_object() ? nullptr : ready.get_object().if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : "";
  };
  http_ = text("http");
  ha_ = text("ha");
  metrics_ = text("metrics");
  if (http_.empty() || ha_.empty()) {
    return Error{HA_INTERNAL, 0, "a broker printed no ready line but: " + line};
  }
  return std::nullopt;
}

Node::~Node() {
  kill();
  if (pidfd_ >= 0) ::close(pidfd_);
}

bool Node::wait_gone(int timeout_ms) {
  pollfd exit{pidfd_, POLLIN, 0};
  if (!gone_ && ::poll(&exit, 1, timeout_ms) > 0) {
    gone_ = ::waitpid(pid_, nullptr, 0) == pid_;
  }
  return gone_;
}

void Node::kill() {
  if (gone_) return;
  ::pidfd_send_signal(pidfd_, SIGKILL, nullptr, 0);
  wait_gone(-1);
}

void Node::stop() {
  if (gone_) return;
  ::pidfd_send_signal(pidfd_, SIGTERM, nullptr, 0);
  if (!wait_gone(kStopMs)) kill();
}

std::string find_program(const std::string& name) {
  const char* path = ::getenv("PATH");
  std::stringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string file = folder + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::string last;
  while (std::getline(file, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace stub::demo
