// SPDX-License-Identifier: Apache-2.0
#include "tests/system/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace ha::system {
namespace {

std::string errno_text() { return std::generic_category().message(errno); }

// A socket belongs for ever to the network namespace that its thread was in when it was made.
Descriptor make_socket(int network) {
  if (network < 0) return Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (setns(network, CLONE_NEWNET) != 0) throw Failure("setns: " + errno_text());
  Descriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (setns(home.get(), CLONE_NEWNET) != 0) throw Failure("setns back: " + errno_text());
  return made;
}

}  // namespace

Address parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  Address address;
  if (colon != std::string_view::npos) {
    address.host = text.substr(0, colon);
    const auto [end, error] =
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), address.port);
    if (error == std::errc{} && end == text.data() + text.size()) return address;
  }
  throw Failure("'" + std::string(text) + "' is no ADDRESS:PORT");
}

Tcp::Tcp(const Address& address, int network) : peer_(address.text()) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(address.port));
  if (inet_pton(AF_INET, address.host.c_str(), &to.sin_addr) != 1) {
    throw Failure("'" + address.host + "' is no IPv4 address");
  }
  socket_ = make_socket(network);
  if (!socket_) throw Failure("socket: " + errno_text());
  const timeval limit{std::chrono::seconds(kDeadline).count(), 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    throw Failure("cannot connect to " + peer_ + ": " + errno_text());
  }
}

bool Tcp::try_send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Tcp::send(std::string_view bytes) {
  if (!try_send(bytes)) throw Failure("cannot send to " + peer_ + ": " + errno_text());
}

std::string Tcp::receive(std::size_t most, std::chrono::milliseconds deadline) {
  pollfd ready{socket_.get(), POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(deadline.count())) == 0) {
    throw Failure(peer_ + " sent nothing within " + std::to_string(deadline.count()) + " ms");
  }
  std::string bytes(most, '\0');
  const ssize_t n = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  return bytes;
}

std::string Tcp::receive_exactly(std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const std::string more = receive(size - bytes.size());
    if (more.empty()) {
      throw Failure(peer_ + " closed after " + std::to_string(bytes.size()) + " of " +
                    std::to_string(size) + " bytes");
    }
    bytes += more;
  }
  return bytes;
}

void Tcp::drain() {
  const auto end = Clock::now() + kDeadline;
  while (!receive().empty()) {
    if (Clock::now() >= end) throw Failure(peer_ + " does not end the connection");
  }
}

}  // namespace ha::system
