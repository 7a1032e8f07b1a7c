// SPDX-License-Identifier: Apache-2.0
#include "store/segment_keeper.h"

#include <chrono>

namespace stub::store {

SegmentKeeper::SegmentKeeper(std::string directory, std::int64_t segment_bytes,
                             std::function<void()> upkeep, std::function<void(const Error&)> report)
    : directory_(std::move(directory)),
      segment_bytes_(segment_bytes),
      upkeep_(std::move(upkeep)),
      report_(std::move(report)) {}

void SegmentKeeper::start() {
  thread_ = std::thread([this] { run(); });
}

void SegmentKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::shared_ptr<Segment>> SegmentKeeper::take(std::int64_t base) {
  {
    std::unique_lock lock(mutex_);
    wanted_ = -1;
    changed_.wait(lock, [this] { return !preparing_; });
    if (prepared_ != nullptr && prepared_->base() == base) return std::move(prepared_);
  }
  discard();
  return Segment::create(directory_, base, segment_bytes_);
}

void SegmentKeeper::want(std::int64_t base) {
  const std::lock_guard lock(mutex_);
  wanted_ = base;
  upkeep_due_ = true;
  changed_.notify_all();
}

void SegmentKeeper::look() {
  const std::lock_guard lock(mutex_);
  upkeep_due_ = true;
  changed_.notify_all();
}

void SegmentKeeper::discard() {
  std::unique_lock lock(mutex_);
  wanted_ = -1;
  changed_.wait(lock, [this] { return !preparing_; });
  if (prepared_ == nullptr) return;
  if (auto failed = prepared_->remove()) report_(*failed);
  prepared_.reset();
}

void SegmentKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (wanted_ >= 0 && prepared_ == nullptr) {
      const std::int64_t base = std::exchange(wanted_, -1);
      preparing_ = true;
      lock.unlock();
      auto made = Segment::create(directory_, base, segment_bytes_);
      if (const auto* error = std::get_if<Error>(&made)) report_(*error);
      lock.lock();
      if (auto* segment = std::get_if<std::shared_ptr<Segment>>(&made))
        prepared_ = std::move(*segment);
      preparing_ = false;
      changed_.notify_all();
      continue;
    }
    const bool woken = changed_.wait_for(lock, std::chrono::milliseconds(kUpkeepPeriodMs), [&] {
      return stopping_ || upkeep_due_ || (wanted_ >= 0 && prepared_ == nullptr);
    });
    if (stopping_ || (woken && !upkeep_due_)) continue;
    upkeep_due_ = false;
    lock.unlock();
    upkeep_();
    lock.lock();
  }
}

}  // namespace stub::store
