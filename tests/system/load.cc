// SPDX-License-Identifier: Apache-2.0
#include "tests/system/load.h"

#include <chrono>
#include <utility>

#include "tests/system/lines.h"

namespace ha::system {

Load::Load(const Node& target, LoadOptions options) : options_(std::move(options)) {
  aim(target);
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this, i] { work(i); });
}

Load::~Load() { stop(); }

void Load::aim(const Node& target) {
  const std::lock_guard lock(mutex_);
  target_ = {parse_address(target.url().substr(7)), target.network()};
  ++aims_;
}

Load::Target Load::target() const {
  const std::lock_guard lock(mutex_);
  return target_;
}

void Load::wait_for_more(std::size_t lines) const {
  const std::size_t wanted = acknowledged_count_ + lines;
  wait_until(
      std::to_string(wanted) + " lines are acknowledged",
      [&] { return acknowledged_count_ >= wanted; },
      [&] { return std::to_string(acknowledged_count_) + " are"; });
}

void Load::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Load::work(int number) {
  const std::string path = "/v1/topics/" + options_.topic +
                           "/messages?lines=1&acks=" + options_.acks +
                           "&timeout_ms=" + std::to_string(options_.timeout_ms);
  // A node that is down refuses at once: trying again and again would take the processor from it.
  constexpr std::chrono::milliseconds kPause{20};
  std::uint64_t aims = 0;
  std::unique_ptr<Http> http;
  for (int request = 0; !stopping_; ++request) {
    if (http == nullptr || aims != aims_) {
      aims = aims_;
      const Target to = target();
      http = std::make_unique<Http>(to.address, to.network);
    }
    const std::string lines =
        numbered_lines("p" + std::to_string(number) + "-" + std::to_string(request),
                       static_cast<std::size_t>(options_.lines_per_request), options_.line_size);
    std::string code = "no answer";
    try {
      const json::value answer = http->post(path, lines, "text/plain").document();
      const json::value* status = answer.as_object().if_contains("status");
      code = status != nullptr ? std::string(status->as_string()) : text_at(answer, "error/code");
    } catch (const Failure&) {
      http.reset();
    }
    {
      const std::lock_guard lock(mutex_);
      ++answers_[code];
      if (code == "OK") {
        for (std::string& line : split_lines(lines)) acknowledged_.push_back(std::move(line));
        acknowledged_count_ = acknowledged_.size();
      }
    }
    if (code != "OK") std::this_thread::sleep_for(kPause);
  }
}

std::unique_ptr<Load> four_waits(Node& master, Node& slave) {
  master.wait_for_replicas(1);
  slave.suspend();
  auto load = std::make_unique<Load>(
      master, LoadOptions{.threads = 4, .lines_per_request = 1, .timeout_ms = 60'000});
  master.wait_for("has four waits",
                  [](const json::value& now) { return number_at(now, "ha/waits/pending") == 4; });
  return load;
}

}  // namespace ha::system
