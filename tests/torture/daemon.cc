// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/daemon.h"

#include <signal.h>

#include <fstream>
#include <iterator>

namespace ha::torture {

void Daemon::run(const std::vector<std::string>& arguments, const std::string& how) {
  system::ProcessOptions options;
  options.error_file = log_file_;
  options.network = network_;
  note("started" + how);
  process_ = std::make_unique<system::Process>(arguments, options);
  stopped_ = false;
}

void Daemon::kill() {
  if (!process_) return;
  process_->kill(SIGKILL);
  process_->wait();
  process_.reset();
  stopped_ = false;
  note("killed");
}

int Daemon::terminate() {
  if (!process_) return 0;
  go_on();
  process_->kill(SIGTERM);
  const int code = process_->wait();
  process_.reset();
  return code;
}

void Daemon::stop() {
  if (process_) process_->suspend();
  stopped_ = process_ != nullptr;
}

void Daemon::go_on() {
  if (process_) process_->kill(SIGCONT);
  stopped_ = false;
}

std::optional<int> Daemon::ended_by_itself() {
  if (!process_ || process_->running()) return std::nullopt;
  const int code = process_->wait();
  process_.reset();
  return code;
}

std::string Daemon::log_text(std::size_t bytes) const {
  std::ifstream file(log_file_);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return text.size() <= bytes ? text : "..." + text.substr(text.size() - bytes);
}

void Daemon::note(const std::string& text) const {
  std::ofstream(log_file_, std::ios::app) << "---- torture: " << text << "\n";
}

}  // namespace ha::torture
