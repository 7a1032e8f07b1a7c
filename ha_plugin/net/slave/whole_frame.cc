// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/whole_frame.h"

#include <utility>

namespace ha::net {

HostResult WholeFrame::begin(std::int64_t epoch, core::Offset at, std::int64_t size) {
  epoch_ = epoch;
  at_ = at;
  have_ = 0;
  lent_ = false;
  if (host_.append_reserve().present()) {
    void* memory = nullptr;
    std::int64_t room = 0;
    if (HostResult r = host_.append_reserve().reserve(epoch, at, size, memory, room); !r.ok())
      return r;
    lent_ = room >= size;
    to_ = static_cast<std::byte*>(memory);
    if (!lent_) host_.append_reserve().drop();
  }
  if (!lent_) {
    if (buffer_.size() < static_cast<std::size_t>(size)) {
      buffer_.resize(static_cast<std::size_t>(size));
    }
    to_ = buffer_.data();
  }
  size_ = size;
  return {};
}

HostResult WholeFrame::commit() {
  HA_ASSERT(active() && have_ == size_);
  const std::int64_t size = std::exchange(size_, 0);
  return lent_ ? host_.append_reserve().commit(at_, size) : host_.append(epoch_, at_, to_, size);
}

void WholeFrame::drop() {
  if (active() && lent_) host_.append_reserve().drop();
  size_ = 0;
}

}  // namespace ha::net
