#include "ha_plugin/wire/rocketmq_autoswitch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/core/printing.h"

namespace ha::wire::autoswitch {
namespace {

using core::EpochEntry;
using core::Offset;

template <std::size_t N>
std::vector<int> ints(const std::array<std::byte, N>& bytes) {
  std::vector<int> all;
  for (const std::byte b : bytes) all.push_back(std::to_integer<int>(b));
  return all;
}

template <std::size_t N>
std::array<std::byte, N> bytes_of(const std::array<int, N>& values) {
  std::array<std::byte, N> bytes{};
  std::transform(values.begin(), values.end(), bytes.begin(),
                 [](int value) { return static_cast<std::byte>(value); });
  return bytes;
}

// The bytes of RocketMQ brokers on the wire, both ways.
TEST(AutoSwitchCodec, WhatTheSlaveSaysHasItsGoldenBytes) {
  EXPECT_EQ(ints(encode_handshake({false, false, 2})),
            (std::vector<int>{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}));
  EXPECT_EQ(ints(encode_handshake({true, true, 2})),
            (std::vector<int>{0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2}));
  EXPECT_EQ(ints(encode_handshake({true, false, 2}))[5], 1);
  EXPECT_EQ(ints(encode_handshake({false, true, 2}))[7], 1);
  EXPECT_EQ(ints(encode_report(Offset(158))),
            (std::vector<int>{0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x9e}));
}

TEST(AutoSwitchCodec, AMastersHandshakeIsRead) {
  const Prefix prefix = decode_prefix(bytes_of<kPrefixBytes>(
      {0, 0, 0, 1, 0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0x0c, 0x58, 0, 0, 0, 2}));
  EXPECT_EQ(prefix.state, kStateHandshake);
  EXPECT_EQ(prefix.size, 24);
  EXPECT_EQ(prefix.offset, Offset(3160));
  EXPECT_EQ(prefix.epoch, 2);
  EXPECT_EQ(decode_entry(bytes_of<kEntryBytes>({0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})),
            (EpochEntry{1, Offset(0)}));
  EXPECT_EQ(decode_entry(bytes_of<kEntryBytes>({0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x06, 0x2c})),
            (EpochEntry{2, Offset(1580)}));
}

TEST(AutoSwitchCodec, AMastersTransferIsRead) {
  const Prefix prefix = decode_prefix(bytes_of<kPrefixBytes>(
      {0, 0, 0, 2, 0, 0, 0x06, 0x2c, 0, 0, 0, 0, 0, 0, 0x06, 0x2c, 0, 0, 0, 2}));
  EXPECT_EQ(prefix.state, kStateTransfer);
  EXPECT_EQ(prefix.size, 1580);
  EXPECT_EQ(prefix.offset, Offset(1580));
  EXPECT_EQ(prefix.epoch, 2);
  const TransferRest rest = decode_transfer_rest(
      bytes_of<kTransferRestBytes>({0, 0, 0, 0, 0, 0, 0x06, 0x2c, 0, 0, 0, 0, 0, 0, 0x0c, 0x58}));
  EXPECT_EQ(rest.epoch_start, Offset(1580));
  EXPECT_EQ(rest.confirm, Offset(3160));
}

TEST(AutoSwitchCodec, DecodesWhatItEncodesAtTheEdges) {
  for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{-1},
                                    std::int64_t{0x0102030405060708}, INT64_MAX, INT64_MIN}) {
    for (const std::int32_t number : {0, 2, -1, INT32_MAX, INT32_MIN}) {
      const Prefix prefix = decode_prefix(encode_prefix({number, number, Offset(offset), number}));
      EXPECT_EQ(prefix.state, number);
      EXPECT_EQ(prefix.size, number);
      EXPECT_EQ(prefix.offset, Offset(offset));
      EXPECT_EQ(prefix.epoch, number);
      const EpochEntry entry{number, Offset(offset)};
      EXPECT_EQ(decode_entry(encode_entry(entry)), entry);
    }
    const TransferRest rest =
        decode_transfer_rest(encode_transfer_rest({Offset(offset), Offset(7)}));
    EXPECT_EQ(rest.epoch_start, Offset(offset));
    EXPECT_EQ(rest.confirm, Offset(7));
  }
}

}  // namespace
}  // namespace ha::wire::autoswitch
