// SPDX-License-Identifier: Apache-2.0
#include "store/record.h"

#include <gtest/gtest.h>

#include "store/walk.h"

namespace stub::store {
namespace {

std::string hex(const std::string& bytes) {
  static const char* digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[c & 0xF];
  }
  return out;
}

TEST(Record, IsRocketMqsVersionOneByteForByte) {
  std::string record = encode_record("T", 3, "abc", {{"KEYS", "k"}}, 5);
  place_record(record.data(), 7, 0x1234, 6);
  EXPECT_EQ(hex(record),
            "00000066"          // 102 = 91 + body 3 + topic 1 + properties 7
            "daa320a7"          // magic
            "352441c2"          // crc32("abc") & 0x7fffffff
            "00000003"          // queue
            "00000000"          // flag
            "0000000000000007"  // queue offset
            "0000000000001234"  // physical offset
            "00000000"          // sysflag
            "0000000000000005"  // born
            "7f00000100000000"  // born host
            "0000000000000006"  // stored
            "7f00000100000000"  // store host
            "00000000"          // reconsume times
            "0000000000000000"  // prepared transaction
            "00000003616263"    // body
            "0154"              // topic
            "00074b455953016b02");
}

TEST(Record, ChecksumDropsTheTopBit) {
  // crc32("") is 0; crc32("a") is e8b7be43, whose top bit is set.
  EXPECT_EQ(body_crc(""), 0u);
  EXPECT_EQ(body_crc("a"), 0x68b7be43u);
}

TEST(Record, DecodesWhatItEncoded) {
  std::string record = encode_record("topic", 2, "body", {{"A", "1"}, {"B", "two"}}, 5);
  place_record(record.data(), 9, 77, 123);
  RecordView view;
  ASSERT_TRUE(decode_record(record, view));
  EXPECT_EQ(view.topic, "topic");
  EXPECT_EQ(view.body, "body");
  EXPECT_EQ(view.queue, 2);
  EXPECT_EQ(view.queue_offset, 9);
  EXPECT_EQ(view.offset, 77);
  EXPECT_EQ(view.store_time_ms, 123);
  EXPECT_EQ(view.property("B"), "two");
  EXPECT_EQ(view.property("C"), std::nullopt);
}

TEST(Record, WithItsBodyLeftOutIsTheSameAroundIt) {
  const Properties properties{{"A", "1"}};
  const std::string whole = encode_record("topic", 2, "body", properties, 5);
  const std::string around = encode_record("topic", 2, summed("body"), properties, 5);
  EXPECT_EQ(around.substr(0, kBodyAt) + "body" + around.substr(kBodyAt), whole);
  RecordView view;
  ASSERT_TRUE(decode_record(around, view, 4));
  EXPECT_EQ(view.size, static_cast<std::int64_t>(whole.size()));
  EXPECT_EQ(view.body, "");
  EXPECT_EQ(view.topic, "topic");
  EXPECT_EQ(view.property("A"), "1");
  for (const std::int64_t wrong : {0, 3, 5}) EXPECT_FALSE(decode_record(around, view, wrong));
}

TEST(Sum, OfBytesWhoseSumIsKnownIsTheSameAsOfTheBytes) {
  std::string bytes(300'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 7);
  const std::string_view all = bytes;
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 100'000, 262'144, 299'999}) {
    const std::uint32_t begin = add_to_sum(0, all.substr(0, 300'000 - size));
    EXPECT_EQ(add_to_sum(begin, summed(all.substr(300'000 - size))), add_to_sum(0, all)) << size;
  }
}

TEST(Record, SaysWhereItsBodyIs) {
  const std::string record = encode_record("topic", 2, "body", {{"KEYS", "a longer value"}}, 5);
  const auto place = body_place(record.substr(0, kMostBeforeBody), record.size());
  EXPECT_EQ(place.begin, kBodyAt);
  EXPECT_EQ(place.size, 4u);
  // A body that goes on beyond the record's end is none.
  EXPECT_EQ(body_place(record.substr(0, kMostBeforeBody), kBodyAt + 3).size, 0u);
}

TEST(Record, ReadsIpv6HostsAndWideTopics) {
  std::string v4 = encode_record("t", 0, "b", {}, 0);
  // Version 2, both hosts IPv6: 12 more bytes each, one more of topic length.
  std::string v6 = v4.substr(0, 48) + std::string(20, '\1') + v4.substr(56, 8) +
                   std::string(20, '\2') + v4.substr(72, 4 + 8 + 4 + 1) + std::string("\0\1t", 3) +
                   std::string("\0\0", 2);
  store32(v6.data(), static_cast<std::uint32_t>(v6.size()));
  store32(v6.data() + 4, kMagicV2);
  store32(v6.data() + 36, 1u << 4 | 1u << 5);
  RecordView view;
  ASSERT_TRUE(decode_record(v6, view));
  EXPECT_EQ(view.topic, "t");
  EXPECT_EQ(view.body, "b");
  EXPECT_EQ(v6.substr(body_place(v6, v6.size()).begin, body_place(v6, v6.size()).size), "b");
}

TEST(Record, InnerSizesThatDoNotAddUpAreRefused) {
  const std::string good = encode_record("topic", 0, "body", {{"K", "v"}}, 0);
  RecordView view;
  // The last bytes of the three lengths: body, topic, properties.
  for (const std::size_t length_at : {std::size_t{87}, std::size_t{92}, good.size() - 5}) {
    std::string bad = good;
    bad[length_at] ^= 0x05;
    EXPECT_FALSE(decode_record(bad, view)) << length_at;
  }
}

Item judge_all(const std::string& bytes, std::int64_t position, std::int64_t left) {
  return judge(bytes.data(), static_cast<std::int64_t>(bytes.size()), position, left,
               BodyCheck::kYes);
}

TEST(Judge, EveryPrefixOfARecordIsPartialAndTheWholeIsARecord) {
  std::string record = encode_record("topic", 0, "a body", {}, 0);
  place_record(record.data(), 0, 500, 1);
  for (std::size_t n = 0; n < record.size(); ++n)
    EXPECT_EQ(judge_all(record.substr(0, n), 500, 3000).found, Found::kPartial) << n;
  EXPECT_EQ(judge_all(record, 500, 3000).found, Found::kRecord);
}

TEST(Judge, BlankMustEndWhereTheSegmentEnds) {
  const std::string blank("\x00\x00\x00\x78\xcb\xd4\x31\x94", 8);
  EXPECT_EQ(judge_all(blank, 0, 120).found, Found::kBlank);
  EXPECT_EQ(judge_all(blank, 0, 121).found, Found::kConflict);
  EXPECT_EQ(judge_all(blank, 0, 4096).found, Found::kConflict);
}

TEST(Judge, NamesWhatIsWrong) {
  std::string record = encode_record("topic", 0, "a body", {}, 0);
  place_record(record.data(), 0, 500, 1);
  EXPECT_EQ(judge_all(record, 501, 3000).found, Found::kCorrupt);  // stands elsewhere
  std::string flipped = record;
  flipped[90] ^= 1;  // in the body
  EXPECT_EQ(judge_all(flipped, 500, 3000).found, Found::kCorrupt);
  EXPECT_EQ(judge(flipped.data(), 4096, 500, static_cast<std::int64_t>(flipped.size()) + 8,
                  BodyCheck::kNo)
                .found,
            Found::kRecord);
  EXPECT_EQ(judge_all(std::string(100, '\0'), 0, 3000).found, Found::kCorrupt);
  // One byte less than record and blank need: a log of larger segments.
  const auto size = static_cast<std::int64_t>(record.size());
  EXPECT_EQ(judge_all(record, 500, size + 8).found, Found::kRecord);
  EXPECT_EQ(judge_all(record, 500, size + 7).found, Found::kConflict);
  const Error error = fault_error(judge_all(record, 500, size + 7), 500, 4096);
  EXPECT_EQ(error.status, -9);
  EXPECT_NE(error.text.find("segment sizes differ"), std::string::npos) << error.text;
}

}  // namespace
}  // namespace stub::store
