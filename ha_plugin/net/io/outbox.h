// SPDX-License-Identifier: Apache-2.0
// Short messages on their way into a socket that need not take all of one at once.
//
// Threads: its owner's.
#pragma once

#include <cerrno>
#include <cstddef>
#include <span>
#include <vector>

#include "ha_plugin/net/io/channel.h"

namespace ha::net {

class Outbox {
 public:
  void put(std::span<const std::byte> bytes) {
    bytes_.erase(bytes_.begin(), bytes_.end() - static_cast<std::ptrdiff_t>(left_));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    left_ = bytes_.size();
  }
  void clear() { left_ = 0; }
  bool empty() const { return left_ == 0; }

  // Gives the channel what it takes just now. Returns 0, or the errno that ends the connection.
  int flush(Channel& channel) {
    const ssize_t n = channel.send(std::span(bytes_).last(left_));
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : errno;
    left_ -= static_cast<std::size_t>(n);
    return 0;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t left_ = 0;  // of the end of bytes_
};

}  // namespace ha::net
