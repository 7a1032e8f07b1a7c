// SPDX-License-Identifier: Apache-2.0
// A frame's body that becomes part of the log as a whole or not at all: it is received straight
// into the host's memory when the host lends enough (extension append-reserve), else into a buffer,
// and stays out of the log until commit.
//
// Threads: the I/O thread only. Lifecycle: begin, then fill until nothing is left, then commit; or
// drop at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ha_plugin/core/assert.h"
#include "ha_plugin/host/host.h"

namespace ha::net {

class WholeFrame {
 public:
  explicit WholeFrame(const Host& host) : host_(host) {}

  HostResult begin(std::int64_t epoch, core::Offset at, std::int64_t size);
  bool active() const { return size_ > 0; }
  std::int64_t size() const { return size_; }

  // Where the bytes that are still missing go.
  std::span<std::byte> room() const {
    return {to_ + have_, static_cast<std::size_t>(size_ - have_)};
  }
  void filled(std::int64_t bytes) {
    have_ += bytes;
    HA_ASSERT(have_ <= size_);
  }

  // REQUIRES: room() is empty.
  HostResult commit();
  void drop();

 private:
  const Host& host_;
  std::int64_t epoch_ = 0;
  core::Offset at_;
  std::int64_t size_ = 0;  // 0 = not active
  std::int64_t have_ = 0;
  std::byte* to_ = nullptr;
  bool lent_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace ha::net
