// SPDX-License-Identifier: Apache-2.0
#include "store/beside.h"

#include <utility>

namespace stub::store {

Beside::Beside(Work work) : work_(std::move(work)), thread_([this] { run(); }) {}

Beside::~Beside() {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kStopping;
  }
  changed_.notify_all();
  thread_.join();
}

void Beside::begin() {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kAsked;
  }
  changed_.notify_all();
}

std::optional<Error> Beside::end() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return state_ == State::kDone; });
  state_ = State::kIdle;
  return std::exchange(result_, std::nullopt);
}

void Beside::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return state_ == State::kAsked || state_ == State::kStopping; });
    if (state_ == State::kStopping) return;
    lock.unlock();
    auto result = work_();
    lock.lock();
    if (state_ == State::kStopping) return;
    result_ = std::move(result);
    state_ = State::kDone;
    changed_.notify_all();
  }
}

}  // namespace stub::store
