// SPDX-License-Identifier: Apache-2.0
// The bytes of RocketMQ's HA protocol, default mode, every version from 3.x to 5.x. README.md
// beside this file has the layout with a worked example.
//
//   slave -> master   report, 8 bytes: int64 BE, the slave's log end
//   master -> slave   frame, 12 bytes + body: int64 BE offset, int32 BE body size (0 = heartbeat),
//   body
//
// There is no magic number, version, checksum or length beyond that. This codec does no I/O and
// judges nothing: core decides what a value may be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/types.h"

namespace ha::wire {

inline constexpr std::size_t kReportBytes = 8;
inline constexpr std::size_t kHeaderBytes = core::kFrameHeaderBytes;

using Report = std::array<std::byte, kReportBytes>;
using Header = std::array<std::byte, kHeaderBytes>;

struct FrameHeader {
  core::Offset offset;
  std::int32_t size = 0;
};

Report encode_report(core::Offset end);
Header encode_header(const FrameHeader& header);

core::Offset decode_report(std::span<const std::byte, kReportBytes> bytes);
FrameHeader decode_header(std::span<const std::byte, kHeaderBytes> bytes);

// Gathers a fixed number of bytes out of pieces of any size.
template <std::size_t Size>
class Gather {
 public:
  // Takes what it needs from the front of `bytes` and moves it on. True = complete: read bytes(),
  // and the next take starts over.
  bool take(std::span<const std::byte>& bytes) {
    if (have_ == Size) have_ = 0;
    const std::size_t n = bytes.size() < Size - have_ ? bytes.size() : Size - have_;
    if (n == 0) return false;
    std::memcpy(buffer_.data() + have_, bytes.data(), n);
    have_ += n;
    bytes = bytes.subspan(n);
    return have_ == Size;
  }
  std::span<const std::byte, Size> bytes() const { return buffer_; }
  bool partial() const { return have_ != 0 && have_ != Size; }

 private:
  std::array<std::byte, Size> buffer_{};
  std::size_t have_ = 0;
};

using ReportGather = Gather<kReportBytes>;
using HeaderGather = Gather<kHeaderBytes>;

}  // namespace ha::wire
