// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/wire/rocketmq.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/core/printing.h"

namespace ha::wire {
namespace {

using core::Offset;

template <std::size_t N>
std::vector<int> ints(const std::array<std::byte, N>& bytes) {
  std::vector<int> all;
  for (const std::byte b : bytes) all.push_back(std::to_integer<int>(b));
  return all;
}

// The bytes of a RocketMQ broker on the wire.
TEST(RocketMqCodec, ReportsHaveTheirGoldenBytes) {
  EXPECT_EQ(ints(encode_report(Offset(0))), (std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(ints(encode_report(Offset(1580))), (std::vector<int>{0, 0, 0, 0, 0, 0, 0x06, 0x2c}));
}

TEST(RocketMqCodec, HeadersHaveTheirGoldenBytes) {
  EXPECT_EQ(ints(encode_header({Offset(0), 158})),
            (std::vector<int>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x9e}));
  EXPECT_EQ(ints(encode_header({Offset(1580), 0})),
            (std::vector<int>{0, 0, 0, 0, 0, 0, 0x06, 0x2c, 0, 0, 0, 0}));
  EXPECT_EQ(ints(encode_header({Offset(std::int64_t{1} << 30), 32 * 1024})),
            (std::vector<int>{0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0x80, 0}));
}

TEST(RocketMqCodec, DecodesWhatItEncodes) {
  for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{1580}, std::int64_t{-1},
                                    std::int64_t{0x0102030405060708}, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(decode_report(encode_report(Offset(offset))), Offset(offset));
    for (const std::int32_t size : {0, 1, 158, -1, -12, INT32_MAX, INT32_MIN}) {
      const FrameHeader header = decode_header(encode_header({Offset(offset), size}));
      EXPECT_EQ(header.offset, Offset(offset));
      EXPECT_EQ(header.size, size);
    }
  }
}

// Reads a stream in pieces cut at `first` and `second`.
std::vector<Offset> gather_reports(std::span<const std::byte> stream, std::size_t first,
                                   std::size_t second) {
  ReportGather gather;
  std::vector<Offset> reports;
  const std::span<const std::byte> pieces[] = {
      stream.first(first), stream.subspan(first, second - first), stream.subspan(second)};
  for (std::span<const std::byte> piece : pieces) {
    while (gather.take(piece)) reports.push_back(decode_report(gather.bytes()));
    EXPECT_TRUE(piece.empty());
  }
  EXPECT_FALSE(gather.partial());
  return reports;
}

TEST(Gather, FindsEveryReportHoweverTheStreamIsCut) {
  std::vector<std::byte> stream;
  const std::vector<Offset> sent{Offset(0x1122334455667788), Offset(1580), Offset(0)};
  for (const Offset offset : sent) {
    const Report report = encode_report(offset);
    stream.insert(stream.end(), report.begin(), report.end());
  }
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      ASSERT_EQ(gather_reports(stream, first, second), sent) << first << ", " << second;
    }
  }
}

TEST(Gather, FindsAHeaderHoweverItIsCutAndLeavesTheBody) {
  const Header header = encode_header({Offset(0x0102030405060708), 77});
  std::vector<std::byte> stream(header.begin(), header.end());
  stream.push_back(std::byte{0xab});
  for (std::size_t cut = 0; cut < kHeaderBytes; ++cut) {
    HeaderGather gather;
    std::span<const std::byte> head(stream.data(), cut);
    ASSERT_FALSE(gather.take(head));
    ASSERT_EQ(gather.partial(), cut > 0);
    std::span<const std::byte> tail(stream.data() + cut, stream.size() - cut);
    ASSERT_TRUE(gather.take(tail));
    ASSERT_EQ(tail.size(), 1u);
    ASSERT_EQ(decode_header(gather.bytes()).size, 77);
    ASSERT_EQ(decode_header(gather.bytes()).offset, Offset(0x0102030405060708));
  }
}

TEST(Gather, OneStrayByteShiftsEverythingAfterIt) {
  // Groups of eight from the connection's first byte: there is nothing to find the frame again by.
  std::vector<std::byte> stream{std::byte{7}};
  const Report report = encode_report(Offset(1580));
  stream.insert(stream.end(), report.begin(), report.end());
  ReportGather gather;
  std::span<const std::byte> bytes(stream);
  ASSERT_TRUE(gather.take(bytes));
  EXPECT_EQ(decode_report(gather.bytes()), Offset((std::int64_t{7} << 56) | 6));
  EXPECT_FALSE(gather.take(bytes));
  EXPECT_TRUE(gather.partial());
}

}  // namespace
}  // namespace ha::wire
