// SPDX-License-Identifier: Apache-2.0
#include "http/raw_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace stub::test {
namespace {

constexpr int kPatienceMs = 20'000;

}  // namespace

RawSocket::RawSocket(const std::string& address) {
  const auto colon = address.rfind(':');
  const auto port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (address.front() == '[') {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = port;
    inet_pton(AF_INET6, address.substr(1, colon - 2).c_str(), &v6->sin6_addr);
    size = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = port;
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &v4->sin_addr);
    size = sizeof *v4;
  }
  fd_ = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

RawSocket::~RawSocket() {
  if (fd_ >= 0) ::close(fd_);
}

RawSocket::RawSocket(RawSocket&& other) noexcept
    : fd_(other.fd_), ended_(other.ended_), input_(std::move(other.input_)) {
  other.fd_ = -1;
}

bool RawSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void RawSocket::shut_sending() { ::shutdown(fd_, SHUT_WR); }

void RawSocket::receive_little() {
  const int bytes = 4096;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

bool RawSocket::fill() {
  pollfd waiting{fd_, POLLIN, 0};
  if (::poll(&waiting, 1, kPatienceMs) <= 0) return false;
  char buffer[65536];
  const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
  if (n <= 0) {
    ended_ = true;
    return false;
  }
  input_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

std::optional<std::string> take_answer(std::string& input) {
  constexpr std::string_view kLength = "Content-Length: ";
  const auto end = input.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  const auto field = input.find(kLength);
  std::size_t size = end + 4;
  if (field < end) size += std::strtoul(input.c_str() + field + kLength.size(), nullptr, 10);
  if (input.size() < size) return std::nullopt;
  auto answer = input.substr(0, size);
  input.erase(0, size);
  if (input.empty()) input.shrink_to_fit();
  return answer;
}

std::string RawSocket::read_answer() {
  while (true) {
    if (auto answer = take_answer(input_)) return *std::move(answer);
    if (!fill()) return std::move(input_);
  }
}

std::string RawSocket::read_all() {
  while (fill()) {
  }
  return std::move(input_);
}

int status_of(std::string_view answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(std::string(answer.substr(9, 3)).c_str()) : 0;
}

std::string body_of(std::string_view answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string_view::npos ? "" : std::string(answer.substr(end + 4));
}

}  // namespace stub::test
