// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/wire/rocketmq_autoswitch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
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

template <class Bytes>
void add(std::vector<std::byte>& stream, const Bytes& bytes) {
  stream.insert(stream.end(), bytes.begin(), bytes.end());
}

// A handshake of two entries and two transfers, the second a heartbeat; the body is 3 bytes.
std::vector<std::byte> a_stream() {
  std::vector<std::byte> stream;
  add(stream, encode_prefix({kStateHandshake, 24, Offset(3160), 2}));
  add(stream, encode_entry({1, Offset(0)}));
  add(stream, encode_entry({2, Offset(1580)}));
  add(stream, encode_prefix({kStateTransfer, 3, Offset(3160), 2}));
  add(stream, encode_transfer_rest({Offset(1580), Offset(3000)}));
  add(stream, std::array<std::byte, 3>{});
  add(stream, encode_prefix({kStateTransfer, 0, Offset(3163), 2}));
  add(stream, encode_transfer_rest({Offset(1580), Offset(3163)}));
  return stream;
}

// What is found in a stream that comes in pieces, as one line of text.
std::string read_all(std::span<const std::byte> stream, std::size_t first, std::size_t second) {
  MasterReader reader;
  std::string found;
  std::size_t body = 0;
  const std::span<const std::byte> pieces[] = {
      stream.first(first), stream.subspan(first, second - first), stream.subspan(second)};
  for (std::span<const std::byte> piece : pieces) {
    while (!piece.empty()) {
      const std::size_t skip = std::min(body, piece.size());
      body -= skip;
      piece = piece.subspan(skip);
      if (piece.empty()) break;
      switch (reader.take(piece)) {
        case MasterReader::Found::kNothing:
          break;
        case MasterReader::Found::kHandshake:
          found += "handshake " + std::to_string(reader.handshake().end.bytes());
          for (const EpochEntry& e : reader.handshake().entries) {
            found += " " + std::to_string(e.epoch) + "@" + std::to_string(e.start.bytes());
          }
          break;
        case MasterReader::Found::kTransfer:
          found += ", " + std::to_string(reader.prefix().size) + " at " +
                   std::to_string(reader.prefix().offset.bytes()) + " of " +
                   std::to_string(reader.label().epoch) + "@" +
                   std::to_string(reader.label().epoch_start.bytes()) + " confirmed " +
                   std::to_string(reader.label().confirm.bytes());
          body = static_cast<std::size_t>(reader.prefix().size);
          break;
        default:
          return found + ", bad";
      }
    }
  }
  return found;
}

TEST(MasterReader, FindsEveryMessageHoweverTheStreamIsCut) {
  const std::vector<std::byte> stream = a_stream();
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      ASSERT_EQ(read_all(stream, first, second),
                "handshake 3160 1@0 2@1580, 3 at 3160 of 2@1580 confirmed 3000, 0 at 3163 of "
                "2@1580 confirmed 3163")
          << first << ", " << second;
    }
  }
}

MasterReader::Found found_in(const std::vector<Prefix>& prefixes) {
  MasterReader reader;
  MasterReader::Found found{};
  for (const Prefix& prefix : prefixes) {
    const PrefixBytes bytes = encode_prefix(prefix);
    std::span<const std::byte> left(bytes);
    found = reader.take(left);
    EXPECT_TRUE(left.empty());
  }
  return found;
}

TEST(MasterReader, TheHandshakeComesFirstAndOnce) {
  const Prefix handshake{kStateHandshake, 0, Offset(10), 1};
  const Prefix transfer{kStateTransfer, 0, Offset(10), 1};
  EXPECT_EQ(found_in({handshake}), MasterReader::Found::kHandshake);
  EXPECT_EQ(found_in({handshake, transfer}), MasterReader::Found::kNothing);
  EXPECT_EQ(found_in({transfer}), MasterReader::Found::kBadState);
  EXPECT_EQ(found_in({handshake, handshake}), MasterReader::Found::kBadState);
  for (const std::int32_t state : {0, 3, 4, -1, INT32_MAX}) {
    EXPECT_EQ(found_in({{state, 0, Offset(10), 1}}), MasterReader::Found::kBadState);
    EXPECT_EQ(found_in({handshake, {state, 0, Offset(10), 1}}), MasterReader::Found::kBadState);
  }
}

TEST(MasterReader, AHandshakesSizeIsWholeEntriesAndBounded) {
  for (const std::int32_t size : {-12, -1, 1, 11, 13, 12'001, 12'012, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(found_in({{kStateHandshake, size, Offset(10), 1}}), MasterReader::Found::kBadSize)
        << size;
  }
  EXPECT_EQ(found_in({{kStateHandshake, 12'000, Offset(10), 1}}), MasterReader::Found::kNothing);
}

}  // namespace
}  // namespace ha::wire::autoswitch
