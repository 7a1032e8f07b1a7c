// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>

#include "store_fixture.h"

namespace stub::store {
namespace {

TEST(Append, BlankFillIsRocketMqsGoldenBytes) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  // Leave exactly 120 bytes: the golden blank record of 0x78.
  store.put("t", std::string(static_cast<std::size_t>(kTestSegment - 120 - 92), 'x'));
  ASSERT_EQ(store.log->bounds().end, kTestSegment - 120);
  const auto next = store.put("t", std::string(30, 'y'));
  EXPECT_EQ(next.first, kTestSegment);
  const std::string file = slurp(segment_path(dir.path(), 0));
  ASSERT_EQ(file.size(), static_cast<std::size_t>(kTestSegment));
  EXPECT_EQ(file.substr(kTestSegment - 120, 8), std::string("\x00\x00\x00\x78\xcb\xd4\x31\x94", 8));
}

TEST(Append, ARecordFitsWhenEightBytesRemain) {
  for (const int spare : {8, 7}) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path()));
    store.put("t", "first");
    const std::int64_t left = kTestSegment - store.log->bounds().end;
    const auto put = store.put("t", std::string(static_cast<std::size_t>(left - 92 - spare), 'x'));
    ASSERT_FALSE(put.error);
    EXPECT_EQ(put.first, spare == 8 ? 97 : kTestSegment) << spare;
  }
}

TEST(Append, AMessageLargerThanASegmentIsRefusedWithWords) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  const auto put = store.put("t", std::string(kTestSegment, 'x'));
  ASSERT_TRUE(put.error);
  EXPECT_EQ(put.error->status, HA_INVALID);
  EXPECT_NE(put.error->text.find("4096"), std::string::npos);
  EXPECT_EQ(store.log->bounds().end, 0);
}

TEST(Append, ASegmentSizeThatCannotBeIsRefused) {
  const TempDir dir;
  for (const std::int64_t size : {-4096L, 4095L, 4097L, 1L << 40}) {
    Store store;
    const auto error = store.open(test_options(dir.path(), size));
    ASSERT_TRUE(error) << size;
    EXPECT_EQ(error->status, HA_INVALID);
    EXPECT_NE(error->text.find(std::to_string(size)), std::string::npos);
  }
}

TEST(Append, OnlyTheRoleThatMayWriteDoes) {
  const TempDir dir;
  const std::string raw = sample_log(2);
  Store store;
  store.open_or_die(test_options(dir.path()));
  NewMessage message{"t", 0, encode_record("t", 0, "b", {}, 0)};
  EXPECT_EQ(store.log->append_messages({&message, 1}).error->status, HA_NOT_MASTER);
  ASSERT_FALSE(store.log->append_raw(0, raw));
  store.log->set_writable(true);
  EXPECT_EQ(store.log->append_raw(store.log->bounds().end, raw)->status, HA_STATE);
  ASSERT_FALSE(store.log->append_messages({&message, 1}).error);
  store.log->set_writable(false);
  EXPECT_EQ(store.log->append_messages({&message, 1}).error->status, HA_NOT_MASTER);
}

TEST(AppendRaw, SplitAtEveryByteGivesTheSameLogAndNoHalfRecordIsSeen) {
  const std::string raw = sample_log(24, 300);  // three segments, two blanks
  ASSERT_GT(raw.size(), 2u * kTestSegment);
  // Every split of the first segment's end, and a stride elsewhere (coprime to the record's size).
  for (std::size_t split = 1; split < raw.size(); split += split < 900 ? 1 : 7) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path()));
    ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, split))) << split;
    const LogBounds bounds = store.log->bounds();
    ASSERT_EQ(bounds.end, static_cast<std::int64_t>(split));
    ASSERT_LE(bounds.confirm, bounds.end);
    for (const auto& topic : store.index.topics())
      for (const auto offset : store.index.range(topic.topic, std::nullopt, 0, 100).offsets)
        ASSERT_LT(offset, bounds.confirm);
    ASSERT_FALSE(store.log->append_raw(bounds.end, raw.substr(split))) << split;
    ASSERT_EQ(store.bytes(), raw) << split;
    ASSERT_EQ(store.bodies("topic-0").size() + store.bodies("topic-1").size() +
                  store.bodies("topic-2").size(),
              24u);
  }
}

TEST(AppendRaw, ByteByByteARecordAppearsWithItsLastByte) {
  const std::string raw = sample_log(14, 300);  // crosses into the second segment
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  std::int64_t position = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    ASSERT_FALSE(store.log->append_raw(static_cast<std::int64_t>(i), raw.substr(i, 1))) << i;
    const auto available = static_cast<std::int64_t>(i + 1) - position;
    const Item item = judge(raw.data() + position, available, position,
                            kTestSegment - position % kTestSegment, BodyCheck::kYes);
    if (item.found != Found::kPartial && available == item.size) position += item.size;
    ASSERT_EQ(store.log->bounds().confirm, position) << i;
  }
  EXPECT_EQ(position, static_cast<std::int64_t>(raw.size()));
}

TEST(AppendRaw, AChangedBodyIsFoundWhereverItsRecordIsSplit) {
  const std::string raw = sample_log(2, 300);
  const auto first = static_cast<std::size_t>(load32(raw.data()));
  for (const std::size_t changed : {kBodyAt, kBodyAt + 150, kBodyAt + 299}) {
    std::string bad = raw;
    bad[first + changed] ^= 0x10;
    for (std::size_t split = first + 1; split < raw.size(); ++split) {
      const TempDir dir;
      Store store;
      store.open_or_die(test_options(dir.path()));
      const std::size_t once = std::min(split, first + split % 113);  // or in three pieces
      ASSERT_FALSE(store.log->append_raw(0, bad.substr(0, once)));
      ASSERT_FALSE(
          store.log->append_raw(static_cast<std::int64_t>(once), bad.substr(once, split - once)));
      const std::int64_t end = store.log->bounds().end;
      const auto error = store.log->append_raw(end, bad.substr(static_cast<std::size_t>(end)));
      ASSERT_TRUE(error) << changed << ", " << split;
      EXPECT_EQ(error->status, HA_CORRUPT) << error->text;
      EXPECT_EQ(store.log->bounds().end, end);
    }
  }
}

// Else a loss of power would cut what is whole: the log's sum says what is.
TEST(AppendRaw, TheLogsSumHasLargeBodiesHoweverTheyCome) {
  constexpr std::int64_t kSegment = 1 << 20;
  const auto expect_whole = [&](const TempDir& dir, const std::string& log) {
    const TempDir after;
    copy_store(dir.path(), after.path());
    std::vector<std::string> warnings;
    auto options = test_options(after.path(), 0);  // the machine was started again
    options.warning = [&](const std::string& text) { warnings.push_back(text); };
    Store next;
    next.open_or_die(options);
    EXPECT_TRUE(next.bytes() == log);
    EXPECT_EQ(warnings, std::vector<std::string>());
  };
  const TempDir master_dir, slave_dir;
  Store master, slave;
  auto options = test_options(master_dir.path(), kSegment);
  options.boot_id = BootId{'b', 'e', 'f', 'o', 'r', 'e'};
  master.open_or_die(options);
  master.log->set_writable(true);
  std::vector<NewMessage> run;
  const std::vector<std::string> bodies{std::string(100'000, 'a'), std::string(10'000, 'b'),
                                        std::string(10, 'b'),      std::string(300'000, 'c'),
                                        std::string(200'000, 'd'), std::string(70'000, 'e')};
  for (const std::string& body : bodies) {
    NewMessage message;
    message.topic = "t";
    message.left_out = summed(body);
    message.record = encode_record("t", 0, message.left_out, {}, 0);
    run.push_back(std::move(message));
  }
  ASSERT_FALSE(master.log->append_messages(run).error);
  const std::string log = master.bytes();
  expect_whole(master_dir, log);

  options.store_dir = slave_dir.path();
  slave.open_or_die(options);
  for (std::size_t at = 0, i = 0; at < log.size(); ++i) {
    const std::size_t size = std::min<std::size_t>(log.size() - at, i % 2 == 0 ? 70'000 : 200'000);
    ASSERT_FALSE(slave.log->append_raw(static_cast<std::int64_t>(at), log.substr(at, size)));
    at += size;
  }
  expect_whole(slave_dir, log);
}

TEST(AppendRaw, OfARecordThatWasCutTheNewFirstHalfCounts) {
  const std::string raw = sample_log(1, 300);
  std::string other = raw;
  other[kBodyAt] ^= 0x10;
  for (const std::int64_t cut : {0, 50, 120}) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path()));
    const auto from = static_cast<std::size_t>(cut);
    ASSERT_FALSE(store.log->append_raw(0, other.substr(0, 200)));
    ASSERT_FALSE(store.log->truncate(cut, true));
    ASSERT_FALSE(store.log->append_raw(cut, raw.substr(from, 200 - from)));
    const auto error = store.log->append_raw(200, raw.substr(200));
    // What was not cut is wrong, and is read again.
    EXPECT_EQ(error.has_value(), from > kBodyAt) << cut;
  }
}

TEST(AppendRaw, OffsetMustBeTheEnd) {
  const std::string raw = sample_log(3);
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  EXPECT_EQ(store.log->append_raw(1, raw)->status, HA_RANGE);
  ASSERT_FALSE(store.log->append_raw(0, raw));
  EXPECT_EQ(store.log->append_raw(0, raw)->status, HA_RANGE);
}

TEST(AppendRaw, BytesOfALogWithOtherSegmentsAreAConflictAndNothingIsStored) {
  for (const std::int64_t theirs : {std::int64_t{8192}, std::int64_t{16384}}) {
    for (const bool larger : {true, false}) {
      const std::string raw = sample_log(60, 200, larger ? theirs : kTestSegment);
      const TempDir dir;
      Store store;
      store.open_or_die(test_options(dir.path(), larger ? kTestSegment : theirs));
      const auto error = store.log->append_raw(0, raw);
      ASSERT_TRUE(error);
      EXPECT_EQ(error->status, HA_CONFLICT) << error->text;
      EXPECT_NE(error->text.find("segment sizes differ"), std::string::npos) << error->text;
      EXPECT_EQ(store.log->bounds().end, 0);
      EXPECT_TRUE(store.index.topics().empty());
      const std::string file = slurp(segment_path(dir.path(), 0));
      EXPECT_EQ(file.find_first_not_of('\0'), std::string::npos);
    }
  }
}

TEST(AppendRaw, EveryFlippedByteThatMattersIsCorruptAndNothingIsStored) {
  const std::string raw = sample_log(2, 50);
  const auto first = static_cast<std::size_t>(load32(raw.data()));
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  // Magic, checksum, physical offset, body, and all the lengths of the second record.
  std::vector<std::size_t> places;
  for (std::size_t i = 4; i < 12; ++i) places.push_back(i);
  for (std::size_t i = 28; i < 36; ++i) places.push_back(i);
  for (std::size_t i = 84; i < 88 + 50 + 1; ++i) places.push_back(i);
  for (const std::size_t place : places) {
    std::string bad = raw;
    bad[first + place] = static_cast<char>(bad[first + place] ^ 0x10);
    const auto error = store.log->append_raw(0, bad);
    ASSERT_TRUE(error) << place;
    EXPECT_EQ(error->status, HA_CORRUPT) << place << ": " << error->text;
    ASSERT_EQ(store.log->bounds().end, 0) << place;
    ASSERT_TRUE(store.index.topics().empty());
  }
  const std::string file = slurp(segment_path(dir.path(), 0));
  EXPECT_EQ(file.find_first_not_of('\0'), std::string::npos);
  EXPECT_FALSE(store.log->append_raw(0, raw));
}

TEST(Reserve, OnlyWhatIsCommittedBecomesPartOfTheLog) {
  const std::string raw = sample_log(3, 100);
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  auto reserved = store.log->reserve(0, 1 << 20);
  auto& room = std::get<CommitLog::Reservation>(reserved);
  EXPECT_EQ(room.room, kTestSegment);  // inside one segment
  EXPECT_EQ(std::get<Error>(store.log->reserve(0, 1)).status, HA_STATE);
  EXPECT_EQ(store.log->append_raw(0, raw)->status, HA_STATE);
  std::memcpy(room.data, raw.data(), raw.size());
  EXPECT_EQ(store.log->bounds().end, 0);
  ASSERT_FALSE(store.log->commit(static_cast<std::int64_t>(raw.size())));
  EXPECT_EQ(store.bytes(), raw);
  EXPECT_EQ(store.log->commit(1)->status, HA_STATE);
}

TEST(Reserve, DroppedAndRefusedBytesLeaveZeros) {
  const std::string raw = sample_log(3, 100);
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (const bool drop : {true, false}) {
    auto reserved = store.log->reserve(0, 2000);
    char* data = std::get<CommitLog::Reservation>(reserved).data;
    std::memcpy(data, raw.data(), raw.size());
    data[raw.size() - 1] ^= 1;  // the last record's properties would end elsewhere
    if (drop)
      store.log->drop_reservation();
    else
      EXPECT_EQ(store.log->commit(static_cast<std::int64_t>(raw.size()))->status, HA_CORRUPT);
    EXPECT_EQ(store.log->bounds().end, 0);
    EXPECT_EQ(slurp(segment_path(dir.path(), 0)).find_first_not_of('\0'), std::string::npos);
  }
  EXPECT_FALSE(store.log->append_raw(0, raw));
}

// The first bytes are appended, the rest is in a reservation that is open.
void append_and_reserve(Store& store, const std::string& raw, std::size_t first) {
  ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, first)));
  auto reserved = store.log->reserve(static_cast<std::int64_t>(first), 4096);
  std::memcpy(std::get<CommitLog::Reservation>(reserved).data, raw.data() + first,
              raw.size() - first);
}

TEST(Reserve, NothingIsWrittenBeforeItIsCommitted) {
  const std::string raw = sample_log(6, 100);
  const auto half = static_cast<std::size_t>(load32(raw.data())) + 50;  // inside a record
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  append_and_reserve(store, raw, half);
  EXPECT_EQ(slurp(segment_path(dir.path(), 0)).find_first_not_of('\0', half), std::string::npos);
  ASSERT_FALSE(store.log->commit(static_cast<std::int64_t>(raw.size() - half)));
  EXPECT_EQ(store.bytes(), raw);
  EXPECT_EQ(store.bodies("topic-1").size(), 2u);
}

TEST(Reserve, AnOpenReservationDoesNotSurviveAKill) {
  const std::string raw = sample_log(6, 100);
  const auto half = static_cast<std::size_t>(load32(raw.data()));
  const TempDir dir, after;
  Store store;
  store.open_or_die(test_options(dir.path()));
  append_and_reserve(store, raw, half);
  copy_store(dir.path(), after.path());
  Store restarted;
  restarted.open_or_die(test_options(after.path()));
  EXPECT_EQ(restarted.log->bounds().end, static_cast<std::int64_t>(half));
  const std::string file = slurp(segment_path(after.path(), 0));
  EXPECT_EQ(file.find_first_not_of('\0', half), std::string::npos);
}

TEST(Append, ARunOfMessagesIsNumberedPerQueueAndCrossesSegments) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "before", 1);
  std::vector<NewMessage> run;
  for (int i = 0; i < 20; ++i) {
    const char* topic = i % 4 == 3 ? "u" : "t";
    run.push_back({topic, i % 2, encode_record(topic, i % 2, std::string(500, 'x'), {}, 1)});
  }
  const auto appended = store.log->append_messages(run);
  ASSERT_FALSE(appended.error);
  EXPECT_EQ(appended.stored, 20);
  EXPECT_EQ(appended.end, store.log->bounds().end);
  std::map<std::pair<std::string, int>, std::vector<std::int64_t>> offsets;
  for (const std::string topic : {"t", "u"})
    for (const auto at : store.index.range(topic, std::nullopt, 0, 100).offsets)
      store.log->with_record(at, [&](const RecordView& record) {
        offsets[{topic, record.queue}].push_back(record.queue_offset);
      });
  const std::vector<std::int64_t> ten{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ((offsets[{"t", 0}]), ten);
  EXPECT_EQ((offsets[{"t", 1}]), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ((offsets[{"u", 1}]), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(Segments, TheFirstOneIsMadeBeforeAMessageAsksForIt) {
  const TempDir dir;
  for (int start = 0; start < 3; ++start) {
    Store store;
    store.open_or_die(test_options(dir.path()));
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(segment_path(dir.path(), 0)); }));
    // And no start adds one to an empty store.
    EXPECT_FALSE(std::filesystem::exists(segment_path(dir.path(), kTestSegment)));
  }
}

TEST(Segments, AnAlmostEmptyStoreTakesAlmostNoSpaceAlsoAfterARestart) {
  const TempDir dir;
  for (int start = 1; start < 4; ++start) {
    Store store;
    store.open_or_die(test_options(dir.path(), kDefaultSegmentBytes));
    ASSERT_FALSE(store.put("t", "body").error);
    EXPECT_EQ(store.bodies("t").size(), static_cast<std::size_t>(start));
    struct stat info {};
    ASSERT_EQ(::stat(segment_path(dir.path(), 0).c_str(), &info), 0);
    EXPECT_EQ(info.st_size, kDefaultSegmentBytes);
    EXPECT_LE(info.st_blocks * 512, 1 << 20);
  }
}

TEST(Segments, NothingIsWrittenThroughTheirMapping) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (int i = 0; i < 9; ++i) store.put("t", std::string(1000, 'x'));
  std::istringstream maps(slurp("/proc/self/maps"));
  int found = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(dir.path() + "/commitlog/") == std::string::npos) continue;
    ++found;
    EXPECT_NE(line.find(" r--s "), std::string::npos) << line;
  }
  EXPECT_GE(found, 3);
}

TEST(Segments, TheNextOneIsAllocatedAheadAndFound) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  store.put("t", "one");
  EXPECT_TRUE(eventually([&] { return !slurp(segment_path(dir.path(), kTestSegment)).empty(); }));
  for (int i = 0; i < 20; ++i) ASSERT_FALSE(store.put("t", std::string(1000, 'x')).error);
  EXPECT_EQ(store.bodies("t").size(), 21u);
}

TEST(Store, TwoCannotHaveItOpen) {
  const TempDir dir;
  Store first, second;
  first.open_or_die(test_options(dir.path()));
  const auto error = second.open(test_options(dir.path()));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, HA_STATE);
  EXPECT_NE(error->text.find("open in another process"), std::string::npos) << error->text;
  first.close();
  EXPECT_FALSE(second.open(test_options(dir.path())));
}

}  // namespace
}  // namespace stub::store
