// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ours/bare_slaves.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "tests/bench/common/bench.h"

namespace ha::bench {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;

class BareSlave {
 public:
  explicit BareSlave(int port) : fd_(bench_connect(port)) { report(0); }

  int fd() const { return fd_; }

  // Returns false at the end of the connection.
  bool on_readable() {
    static std::array<unsigned char, kReadBytes> bytes;
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    take(bytes.data(), static_cast<std::size_t>(got));
    return true;
  }

 private:
  void take(const unsigned char* bytes, std::size_t size) {
    while (size > 0) {
      if (body_left_ == 0) {
        const std::size_t part = std::min(size, header_.size() - header_size_);
        std::copy(bytes, bytes + part, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
        bytes += part;
        size -= part;
        header_size_ += part;
        if (header_size_ < header_.size()) break;
        header_size_ = 0;
        body_left_ = bench_header_size(header_.data());
        end_ = bench_get64(header_.data()) + body_left_;
        continue;
      }
      const auto part = std::min(static_cast<std::int64_t>(size), body_left_);
      bytes += part;
      size -= static_cast<std::size_t>(part);
      body_left_ -= part;
    }
    if (body_left_ == 0 && header_size_ == 0) report(end_);
  }

  void report(std::int64_t offset) const {
    std::array<unsigned char, kBenchReport> bytes;
    bench_put64(bytes.data(), offset);
    bench_send(fd_, bytes.data(), bytes.size());
  }

  int fd_;
  std::array<unsigned char, kBenchFrameHeader> header_{};
  std::size_t header_size_ = 0;
  std::int64_t body_left_ = 0;
  std::int64_t end_ = 0;
};

}  // namespace

void run_bare_slaves(int in, int out, void* count) {
  int port = 0;
  bench_hear(in, &port, sizeof port);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<BareSlave> slaves;
  for (std::int64_t i = 0; i < *static_cast<std::int64_t*>(count); ++i) slaves.emplace_back(port);
  const auto listen_to = [poll](int fd, std::uint64_t number) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = number;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  };
  for (std::size_t i = 0; i < slaves.size(); ++i) listen_to(slaves[i].fd(), i);
  listen_to(in, slaves.size());
  const char ready = 1;
  bench_tell(out, &ready, sizeof ready);
  for (;;) {
    std::array<epoll_event, 64> events;
    const int n = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const std::uint64_t number = events[static_cast<std::size_t>(i)].data.u64;
      if (number == slaves.size() || !slaves[number].on_readable()) return;
    }
  }
}

}  // namespace ha::bench
