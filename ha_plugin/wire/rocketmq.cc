// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/wire/rocketmq.h"

#include "ha_plugin/wire/big_endian.h"

namespace ha::wire {

Report encode_report(core::Offset end) {
  Report report{};
  put_big_endian(report.data(), end.bytes());
  return report;
}

Header encode_header(const FrameHeader& header) {
  Header bytes{};
  put_big_endian(bytes.data(), header.offset.bytes());
  put_big_endian(bytes.data() + sizeof(std::int64_t), header.size);
  return bytes;
}

core::Offset decode_report(std::span<const std::byte, kReportBytes> bytes) {
  return core::Offset(get_big_endian<std::int64_t>(bytes.data()));
}

FrameHeader decode_header(std::span<const std::byte, kHeaderBytes> bytes) {
  return {core::Offset(get_big_endian<std::int64_t>(bytes.data())),
          get_big_endian<std::int32_t>(bytes.data() + sizeof(std::int64_t))};
}

}  // namespace ha::wire
