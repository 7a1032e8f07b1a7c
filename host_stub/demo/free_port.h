// SPDX-License-Identifier: Apache-2.0
// A port of 127.0.0.1 that is free, held until it goes out of scope.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "ha/plugin.h"
#include "store/error.h"

namespace stub::demo {

class FreePort {
 public:
  static Result<std::unique_ptr<FreePort>> take() {
    std::unique_ptr<FreePort> port(new FreePort);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    if (port->fd_ < 0 || ::bind(port->fd_, reinterpret_cast<sockaddr*>(&at), size) != 0 ||
        ::getsockname(port->fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
      const int error = errno;
      return Error{HA_IO, error, std::string("cannot get a free port: ") + std::strerror(error)};
    }
    port->number_ = ntohs(at.sin_port);
    return port;
  }
  ~FreePort() {
    if (fd_ >= 0) ::close(fd_);
  }
  FreePort(const FreePort&) = delete;
  FreePort& operator=(const FreePort&) = delete;

  int number() const { return number_; }

 private:
  FreePort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

  int fd_;
  int number_ = 0;
};

}  // namespace stub::demo
