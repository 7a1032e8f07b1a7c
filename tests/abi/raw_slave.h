// SPDX-License-Identifier: Apache-2.0
// A slave that speaks the wire by hand and leaves badly.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace ha::test {

class RawSlave {
 public:
  // address: "127.0.0.1:port"
  explicit RawSlave(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
      throw std::runtime_error("cannot connect to " + address);
    }
  }
  ~RawSlave() {
    if (fd_ >= 0) ::close(fd_);
  }
  RawSlave(const RawSlave&) = delete;
  RawSlave& operator=(const RawSlave&) = delete;

  void report(std::int64_t offset) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(offset >> (56 - 8 * i));
    if (::send(fd_, bytes, sizeof(bytes), MSG_NOSIGNAL) != sizeof(bytes)) {
      throw std::runtime_error("cannot send a report");
    }
  }
  // A FIN and then a reset: the next write at the other end is EPIPE, not ECONNRESET.
  void leave_broken() {
    ::shutdown(fd_, SHUT_WR);
    const linger now{1, 0};  // close sends RST
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

}  // namespace ha::test
