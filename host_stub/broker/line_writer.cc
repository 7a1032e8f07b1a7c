// SPDX-License-Identifier: Apache-2.0
#include "broker/line_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace stub {

struct LineWriter::State {
  State(int stream, std::size_t most) : fd(stream), most_bytes(most) {}

  const int fd;
  const std::size_t most_bytes;
  std::mutex mutex;
  std::condition_variable changed;
  std::string waiting;  // most_bytes at most; as much again may be with the thread
  std::int64_t lost = 0;
  bool stopping = false;
  bool ended = false;

  void run();
  std::int64_t write_all(std::string_view text) const;
};

// Returns how many lines the stream refused.
std::int64_t LineWriter::State::write_all(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Somebody who shares the stream made it non-blocking.
      pollfd room{fd, POLLOUT, 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return std::count(text.begin(), text.end(), '\n');
    }
  }
  return 0;
}

void LineWriter::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return stopping || !waiting.empty(); });
    if (waiting.empty()) break;
    const std::string text = std::move(waiting);
    waiting.clear();
    lock.unlock();
    const std::int64_t refused = write_all(text);
    lock.lock();
    lost += refused;
  }
  ended = true;
  changed.notify_all();
}

LineWriter::LineWriter(int fd, std::size_t most_bytes)
    : state_(std::make_shared<State>(fd, most_bytes)) {
  std::thread([state = state_] { state->run(); }).detach();
}

LineWriter::~LineWriter() { stop(std::chrono::milliseconds(0)); }

bool LineWriter::push(std::string_view lines) {
  const std::lock_guard lock(state_->mutex);
  if (state_->stopping || state_->waiting.size() + lines.size() > state_->most_bytes) return false;
  state_->waiting.append(lines);
  state_->changed.notify_all();
  return true;
}

std::int64_t LineWriter::lost() const {
  const std::lock_guard lock(state_->mutex);
  return state_->lost;
}

bool LineWriter::stop(std::chrono::milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  return state_->changed.wait_for(lock, timeout, [this] { return state_->ended; });
}

}  // namespace stub
