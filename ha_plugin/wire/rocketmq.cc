#include "ha_plugin/wire/rocketmq.h"

#include <type_traits>

namespace ha::wire {
namespace {

template <class Int>
void put_big_endian(std::byte* to, Int value) {
  const auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    to[i] = static_cast<std::byte>(bits >> (8 * (sizeof(Int) - 1 - i)));
  }
}

template <class Int>
Int get_big_endian(const std::byte* from) {
  std::make_unsigned_t<Int> bits = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    bits =
        static_cast<std::make_unsigned_t<Int>>(bits << 8 | std::to_integer<std::uint8_t>(from[i]));
  }
  return static_cast<Int>(bits);
}

}  // namespace

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
