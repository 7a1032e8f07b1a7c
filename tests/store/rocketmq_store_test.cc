// SPDX-License-Identifier: Apache-2.0
// Stores that a RocketMQ broker wrote: what this one makes of them, and that it leaves them be.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "store/verify.h"
#include "store_fixture.h"

namespace stub::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kCompressed = 1, kPrepared = 4, kCommitted = 8, kRolledBack = 12;
constexpr std::uint32_t kBornV6 = 16, kStoreV6 = 32;

std::string big_endian(std::uint64_t value, std::size_t size) {
  std::string out(8, '\0');
  store64(out.data(), value);
  return out.substr(8 - size);
}

struct Written {
  std::string topic;
  std::string body;
  std::string properties;
  std::int64_t queue_offset = 0;
  std::uint32_t sys_flag = 0;
  bool wide_topic = false;  // message version 2
};

std::string encode(const Written& m, std::size_t offset) {
  const auto host = [](bool v6) { return std::string(v6 ? 16 : 4, '\x20') + big_endian(10911, 4); };
  std::string out = big_endian(m.wide_topic ? kMagicV2 : kMagicV1, 4);
  out += big_endian(body_crc(m.body), 4);
  out += big_endian(0, 4) + big_endian(0, 4);  // queue, FLAG
  out += big_endian(static_cast<std::uint64_t>(m.queue_offset), 8) + big_endian(offset, 8);
  out += big_endian(m.sys_flag, 4) + big_endian(1'700'000'000'000, 8);
  out += host(m.sys_flag & kBornV6) + big_endian(1'700'000'000'001, 8);
  out += host(m.sys_flag & kStoreV6) + big_endian(0, 4) + big_endian(0, 8);
  out += big_endian(m.body.size(), 4) + m.body;
  out += big_endian(m.topic.size(), m.wide_topic ? 2 : 1) + m.topic;
  out += big_endian(m.properties.size(), 2) + m.properties;
  return big_endian(out.size() + 4, 4) + out;
}

const std::vector<Written> kMessages = {
    {"t", "plain",
     "TAGS\x01"
     "a\x02",
     0},
    {"t", "", "", 1},
    {"t", "odd properties", "no separator at all", 2},
    {"t", "RocketMQ 5 may leave the last separator out", "KEYS\x01k\x02UNIQ_KEY\x01x", 3},
    {"t", "open half, as old brokers stored it", "", 0, kPrepared},
    {"t", "rolled back", "", 0, kRolledBack},
    {"t", "committed", "", 4, kCommitted},
    {"RMQ_SYS_TRANS_HALF_TOPIC", "half", "REAL_TOPIC\x01t\x02", 0},
    {"SCHEDULE_TOPIC_XXXX", "later",
     "DELAY\x01"
     "3\x02REAL_TOPIC\x01t\x02",
     0},
    {"t", "a zip", "", 5, kCompressed | (7u << 8)},
    {"t", "from afar", "", 6, kBornV6},
    {"t", "from afar and stored there", "", 7, kBornV6 | kStoreV6},
    {std::string(200, 'w'), "version 2", "", 0, 0, true},
    {"w", "version 2, short", "", 0, 0, true},
};

// The store of a broker that was killed: no mark, the next segment made ahead, its other files.
struct RocketMqStore {
  TempDir dir;
  std::int64_t end = 0;

  RocketMqStore() {
    for (const char* name : {"commitlog", "config", "consumequeue/t/0", "index"})
      fs::create_directories(dir.path() + "/" + name);
    std::string log;
    for (const auto& message : kMessages) log += encode(message, log.size());
    end = static_cast<std::int64_t>(log.size());
    log.resize(kTestSegment);
    file("commitlog/" + Segment::file_name(0), log);
    file("commitlog/" + Segment::file_name(kTestSegment), std::string(kTestSegment, '\0'));
    file("consumequeue/t/0/" + Segment::file_name(0), std::string(6000, '\0'));
    file("index/20260101120000000", std::string(400, 'i'));
    file("config/topics.json", "{\"topicConfigTable\":{}}");
    file("checkpoint", std::string(4096, '\x01'));
    file("timerwheel", std::string(100, 't'));
    file("abort", "");
    file("lock", "lock");
  }
  void file(const std::string& name, const std::string& content) const {
    EXPECT_FALSE(replace_file(dir.path() + "/" + name, content));
  }
  // Every file but those of the given names: its size and checksum.
  std::map<std::string, std::string> look(const std::vector<std::string>& apart = {}) const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(dir.path())) {
      const std::string name = entry.path().lexically_relative(dir.path());
      if (std::find(apart.begin(), apart.end(), name) != apart.end()) continue;
      const std::string content = entry.is_directory() ? "" : slurp(entry.path());
      out[name] = std::to_string(content.size()) + " " + std::to_string(body_crc(content));
    }
    return out;
  }
  // When each file and directory was last written to.
  std::map<std::string, fs::file_time_type> times() const {
    std::map<std::string, fs::file_time_type> out{{"", fs::last_write_time(dir.path())}};
    for (const auto& entry : fs::recursive_directory_iterator(dir.path()))
      out[entry.path().lexically_relative(dir.path())] = entry.last_write_time();
    return out;
  }
};

TEST(RocketMqStore, IsVerifiedAndNotTouched) {
  const RocketMqStore rocketmq;
  const auto before = rocketmq.look();
  const auto times = rocketmq.times();
  const auto result = verify(rocketmq.dir.path());
  const auto& report = std::get<VerifyReport>(result);
  EXPECT_FALSE(report.fault) << report.fault->text;
  EXPECT_EQ(report.records, static_cast<std::int64_t>(kMessages.size()));
  EXPECT_EQ(report.end, rocketmq.end);
  EXPECT_EQ(report.segment_bytes, kTestSegment);
  EXPECT_EQ(report.topics.at("t"), 10);
  EXPECT_EQ(report.topics.at(std::string(200, 'w')), 1);
  EXPECT_EQ(rocketmq.look(), before);
  EXPECT_TRUE(rocketmq.times() == times);
}

TEST(RocketMqStore, RecordsBeyondItsEndAreAFault) {
  const RocketMqStore rocketmq;
  patch(segment_path(rocketmq.dir.path(), kTestSegment), 0,
        encode({"t", "stray", ""}, kTestSegment));
  const auto result = verify(rocketmq.dir.path());
  const auto& report = std::get<VerifyReport>(result);
  ASSERT_TRUE(report.fault);
  EXPECT_EQ(report.fault->offset, rocketmq.end);
  EXPECT_NE(report.fault->text.find(segment_path(rocketmq.dir.path(), kTestSegment)),
            std::string::npos);
}

TEST(RocketMqStore, IsServedAndKeepsItsFiles) {
  const RocketMqStore rocketmq;
  const std::string ahead = segment_path(rocketmq.dir.path(), kTestSegment);
  const auto before = rocketmq.look({"lock"});
  for (int start = 0; start < 2; ++start) {
    Store store;
    store.open_or_die(test_options(rocketmq.dir.path(), 0));
    EXPECT_EQ(store.log->bounds().end, rocketmq.end);
    // Consumers get what RocketMQ's would: no open half, nothing that was rolled back.
    EXPECT_EQ(store.bodies("t", 0).size(), 8u);
    EXPECT_EQ(store.bodies(std::string(200, 'w')), std::vector<std::string>{"version 2"});
    EXPECT_EQ(store.bodies("SCHEDULE_TOPIC_XXXX").size(), 1u);
    EXPECT_EQ(store.index.next_queue_offset("t", 0), 8);
    EXPECT_EQ(store.index.schedule().pending(), 0u);
    store.close();
    EXPECT_EQ(rocketmq.look({"lock", "commit_mark"}), before);
  }
  Store store;
  store.open_or_die(test_options(rocketmq.dir.path(), 0));
  for (int i = 0; i < 5; ++i) ASSERT_FALSE(store.put("t", std::string(1000, 'x')).error);
  EXPECT_EQ(store.index.next_queue_offset("t", 0), 13);
  const std::string log = store.bytes();
  store.close();
  EXPECT_NE(slurp(ahead), std::string(kTestSegment, '\0'));
  Store again;
  again.open_or_die(test_options(rocketmq.dir.path()));
  EXPECT_EQ(again.bytes(), log);
}

TEST(RocketMqStore, ASegmentThatHasANameButNoSizeDoesNotCount) {
  const RocketMqStore rocketmq;
  rocketmq.file("commitlog/" + Segment::file_name(2 * kTestSegment), "");
  rocketmq.file("commitlog/123", "a stranger's file");
  const auto result = verify(rocketmq.dir.path());
  ASSERT_TRUE(std::holds_alternative<VerifyReport>(result)) << std::get<Error>(result).text;
  EXPECT_FALSE(std::get<VerifyReport>(result).fault);
  Store store;
  const auto error = store.open(test_options(rocketmq.dir.path(), 0));
  ASSERT_FALSE(error) << error->text;
  EXPECT_EQ(store.log->bounds().end, rocketmq.end);
}

TEST(RocketMqStore, WhatRocketMqAppendsAfterUsIsPartOfTheLog) {
  const RocketMqStore rocketmq;
  {
    Store store;
    store.open_or_die(test_options(rocketmq.dir.path(), 0));
  }
  EXPECT_NE(slurp(rocketmq.dir.path() + "/lock"), "lock");
  // Its broker starts on the store, takes a message and ends.
  patch(rocketmq.dir.path() + "/lock", 0, "lock");
  patch(segment_path(rocketmq.dir.path(), 0), rocketmq.end,
        encode({"u", "later", ""}, static_cast<std::size_t>(rocketmq.end)));
  EXPECT_EQ(std::get<VerifyReport>(verify(rocketmq.dir.path())).topics["u"], 1);
  Store store;
  store.open_or_die(test_options(rocketmq.dir.path(), 0));
  EXPECT_EQ(store.bodies("u"), std::vector<std::string>{"later"});
}

TEST(RocketMqStore, IsNotOpenedWhileRocketMqHasIt) {
  const RocketMqStore rocketmq;
  // Java's FileChannel.tryLock(0, 1, false).
  const Descriptor fd(::open((rocketmq.dir.path() + "/lock").c_str(), O_RDWR | O_CLOEXEC));
  struct flock byte {};
  byte.l_type = F_WRLCK;
  byte.l_len = 1;
  ASSERT_EQ(::fcntl(fd.get(), F_SETLK, &byte), 0);
  Store store;
  auto error = store.open(test_options(rocketmq.dir.path(), 0));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, HA_STATE);
  EXPECT_NE(error->text.find("open in another process (a RocketMQ broker)"), std::string::npos)
      << error->text;
  byte.l_type = F_UNLCK;
  ASSERT_EQ(::fcntl(fd.get(), F_SETLK, &byte), 0);
  ASSERT_FALSE(store.open(test_options(rocketmq.dir.path(), 0)));
  byte.l_type = F_WRLCK;
  EXPECT_EQ(::fcntl(fd.get(), F_SETLK, &byte), -1);  // and the other way round
}

}  // namespace
}  // namespace stub::store
