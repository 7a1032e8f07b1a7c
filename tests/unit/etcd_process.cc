// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/etcd_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "tests/unit/fake_etcd.h"

namespace ha::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

}  // namespace

std::string EtcdProcess::program() {
  const char* path = std::getenv("PATH");
  std::string left = path == nullptr ? "" : path;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(':'), left.size());
    const std::string file = left.substr(0, end) + "/etcd";
    if (::access(file.c_str(), X_OK) == 0) return file;
    left.erase(0, std::min(end + 1, left.size()));
  }
  return "";
}

bool EtcdProcess::start(const std::function<bool()>& answers, const std::vector<std::string>& more,
                        bool https) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    spawn(more, https);
    while (std::chrono::steady_clock::now() < until && running()) {
      if (answers()) return true;
      ::usleep(20'000);  // between two looks
    }
  }
  return false;
}

void EtcdProcess::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

std::string EtcdProcess::log() const {
  const std::string all = dir_.read("log");
  return all.substr(all.size() - std::min<std::size_t>(all.size(), 4000));
}

void EtcdProcess::spawn(const std::vector<std::string>& more, bool https) {
  dir_.remove("data");
  port_ = free_port();
  const std::string url =
      (https ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_);
  const std::string peer = "http://127.0.0.1:" + std::to_string(free_port());
  std::vector<std::string> words = {program(),
                                    "--data-dir=" + dir_.path() + "/data",
                                    "--listen-client-urls=" + url,
                                    "--advertise-client-urls=" + url,
                                    "--listen-peer-urls=" + peer,
                                    "--initial-advertise-peer-urls=" + peer,
                                    "--initial-cluster=default=" + peer};
  words.insert(words.end(), more.begin(), more.end());
  std::vector<char*> args;
  args.reserve(words.size() + 1);
  for (std::string& word : words) args.push_back(word.data());
  args.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 1, (dir_.path() + "/log").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  if (::posix_spawn(&pid_, args[0], &files, nullptr, args.data(), environ) != 0) {
    pid_ = 0;
    throw std::runtime_error("cannot run " + words[0]);
  }
  ::posix_spawn_file_actions_destroy(&files);
}

bool EtcdProcess::running() {
  if (pid_ <= 0 || ::waitpid(pid_, nullptr, WNOHANG) == 0) return pid_ > 0;
  pid_ = 0;
  return false;
}

}  // namespace ha::testing
