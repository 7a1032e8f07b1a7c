// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "ha_plugin/wire/rocketmq.h"
#include "tests/unit/memory_host.h"

namespace ha::testing {
namespace {

// More than anybody sends: only reached by a test that reads what is no frame.
constexpr std::int32_t kMostBody = 8 << 20;

void set_deadline(int fd) {
  timeval deadline{};
  deadline.tv_sec = std::chrono::seconds(kPatience).count();
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
}

sockaddr_in loopback(std::int64_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

Peer::Peer(int fd) : fd_(fd) {
  set_deadline(fd);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

Peer Peer::to(std::int64_t port, int receive_buffer) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  const sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ADD_FAILURE() << "connect to port " << port << ": " << std::strerror(errno);
  }
  return Peer(fd);
}

Peer::~Peer() { close(); }

Peer& Peer::operator=(Peer&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void Peer::leave() {
  ::shutdown(fd_, SHUT_WR);
  EXPECT_TRUE(wait_closed());
  close();
}

void Peer::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Peer::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close();
}

bool Peer::send(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool Peer::send_text(const std::string& text) {
  return send(std::as_bytes(std::span(text.data(), text.size())));
}

bool Peer::report(std::int64_t end) { return send(wire::encode_report(core::Offset(end))); }

bool Peer::read(void* to, std::size_t size, std::size_t piece) {
  auto* at = static_cast<std::byte*>(to);
  while (size > 0) {
    const ssize_t n = ::recv(fd_, at, std::min(size, piece), 0);
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

FrameSeen Peer::frame(std::size_t piece) {
  wire::Header header{};
  if (!read(header.data(), header.size(), piece)) return {};
  const wire::FrameHeader decoded = wire::decode_header(header);
  FrameSeen seen{decoded.offset.bytes(), decoded.size, {}};
  if (seen.size < 0 || seen.size > kMostBody) {
    ADD_FAILURE() << "a frame of " << seen.size << " bytes";
    return {};
  }
  seen.body.resize(static_cast<std::size_t>(seen.size));
  if (!read(seen.body.data(), seen.body.size(), piece)) return {};
  return seen;
}

std::string Peer::follow_to(std::int64_t from, std::int64_t end, bool acknowledge) {
  while (from < end) {
    const FrameSeen seen = frame();
    if (seen.offset < 0) return "the stream ended at " + std::to_string(from);
    if (seen.offset != from) {
      return "a frame at " + std::to_string(seen.offset) + " instead of " + std::to_string(from);
    }
    if (seen.body != bytes_at(from, seen.size)) {
      return "other bytes than the log's, from " + std::to_string(from);
    }
    from += seen.size;
    if (acknowledge && seen.size > 0 && !report(from)) return "a report could not be sent";
  }
  return "";
}

std::int64_t Peer::read_report() {
  wire::Report report{};
  if (!read(report.data(), report.size())) return INT64_MIN;
  return wire::decode_report(report).bytes();
}

bool Peer::send_frame(std::int64_t offset, std::int32_t size, std::span<const std::byte> body) {
  const wire::Header header = wire::encode_header({core::Offset(offset), size});
  return send(header) && send(body);
}

bool Peer::send_log(std::int64_t offset, std::int32_t size) {
  return send_frame(offset, size, bytes_at(offset, size));
}

bool Peer::has_bytes() const {
  pollfd p{fd_, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

bool Peer::wait_closed() {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n > 0) continue;
    return n == 0 || errno == ECONNRESET;
  }
}

std::string Peer::local_address() const {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

Listener::Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 64) != 0) {
    ADD_FAILURE() << "listen: " << std::strerror(errno);
  }
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  set_deadline(fd_);
}

Listener::~Listener() { ::close(fd_); }

Peer Listener::accept() {
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) {
    ADD_FAILURE() << "nobody connected: " << std::strerror(errno);
    return {};
  }
  return Peer(fd);
}

}  // namespace ha::testing
