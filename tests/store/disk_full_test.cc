// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "store_fixture.h"

namespace stub::store {
namespace {

constexpr std::int64_t kSegment = 16384;

// No segment can be made at base while this lives.
class NoSegment {
 public:
  NoSegment(const std::string& dir, std::int64_t base)
      : in_the_way_(segment_path(dir, base) + kUnfinishedSuffix) {
    EXPECT_FALSE(make_directory(in_the_way_));
  }
  ~NoSegment() { std::filesystem::remove(in_the_way_); }

 private:
  const std::string in_the_way_;
};

TEST(DiskFull, AProducerGetsAnErrorAndWhatIsStoredStays) {
  const TempDir dir, after;
  Store store;
  const auto options = test_options(dir.path(), kSegment);
  store.open_or_die(options);
  store.put("t", std::string(9000, 'a'));
  // Once the next segment is prepared, let none be made after it.
  ASSERT_TRUE(eventually([&] { return !slurp(segment_path(dir.path(), kSegment)).empty(); }));
  {
    const NoSegment none(dir.path(), 2 * kSegment);
    ASSERT_FALSE(store.put("t", std::string(9000, 'b')).error);
    const LogBounds before = store.log->bounds();
    const auto refused = store.put("t", std::string(9000, 'c'));
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->status, HA_IO);
    EXPECT_EQ(refused.error->os_errno, EISDIR);
    EXPECT_NE(refused.error->text.find(segment_path(dir.path(), 2 * kSegment)), std::string::npos)
        << refused.error->text;
    EXPECT_EQ(refused.stored, 0);
    EXPECT_EQ(store.log->bounds().end, before.end);
    ASSERT_FALSE(store.put("t", "small ones still fit").error);
  }
  copy_store(dir.path(), after.path());
  ASSERT_FALSE(store.put("t", std::string(9000, 'd')).error);  // and it mends itself
  Store restarted;
  restarted.open_or_die(test_options(after.path(), kSegment));
  EXPECT_EQ(restarted.index.count("t", std::nullopt), 3);
}

TEST(DiskFull, ARunOfMessagesSaysHowManyAreStored) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path(), kSegment));
  store.put("t", "first");
  ASSERT_TRUE(eventually([&] { return !slurp(segment_path(dir.path(), kSegment)).empty(); }));
  const NoSegment none(dir.path(), 2 * kSegment);
  std::vector<NewMessage> run;
  for (int i = 0; i < 5; ++i)
    run.push_back({"t", 0, encode_record("t", 0, std::string(9000, 'x'), {}, 0)});
  const auto appended = store.log->append_messages(run);
  ASSERT_TRUE(appended.error);
  EXPECT_EQ(appended.stored, 2);
  EXPECT_EQ(appended.end, store.log->bounds().end);
  EXPECT_EQ(store.index.count("t", std::nullopt), 3);
}

TEST(DiskFull, RawBytesAreAllOrNothing) {
  const std::string raw = sample_log(30, 3000, kSegment);  // seven segments
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path(), kSegment));
  ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, 5000)));
  ASSERT_TRUE(eventually([&] { return !slurp(segment_path(dir.path(), kSegment)).empty(); }));
  {
    const FileSizeLimit limit(kSegment - 1);
    const auto error = store.log->append_raw(5000, raw.substr(5000));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->status, HA_IO);
    EXPECT_EQ(error->os_errno, EFBIG);
    EXPECT_EQ(store.log->bounds().end, 5000);
    EXPECT_EQ(store.bytes(), raw.substr(0, 5000));
    EXPECT_EQ(slurp(segment_path(dir.path(), 0)).find_first_not_of('\0', 5000), std::string::npos);
  }
  ASSERT_FALSE(store.log->append_raw(5000, raw.substr(5000)));
  EXPECT_EQ(store.bytes(), raw);
}

// What stands in a segment's file at or above a position of it.
std::size_t written_from(const std::string& path, std::size_t at) {
  return slurp(path).find_first_not_of('\0', at);
}

TEST(DiskFull, AMessageThatIsWrittenInPartLeavesNothingBehind) {
  const TempDir dir, after;
  Store store;
  store.open_or_die(test_options(dir.path(), kSegment));
  const std::int64_t end = store.put("t", "kept").end;
  ASSERT_TRUE(eventually([&] { return !slurp(segment_path(dir.path(), kSegment)).empty(); }));
  {
    const FileSizeLimit limit(static_cast<rlim_t>(end) + 2000);
    const auto refused = store.put("t", std::string(9000, 'x'));
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->status, HA_IO);
    EXPECT_EQ(refused.error->os_errno, EFBIG);
    EXPECT_NE(refused.error->text.find(segment_path(dir.path(), 0)), std::string::npos);
    EXPECT_EQ(refused.stored, 0);
    EXPECT_EQ(store.log->bounds().end, end);
    EXPECT_EQ(store.bodies("t"), std::vector<std::string>{"kept"});
    EXPECT_EQ(written_from(segment_path(dir.path(), 0), static_cast<std::size_t>(end)),
              std::string::npos);
    EXPECT_FALSE(store.log->failed());
    ASSERT_FALSE(store.put("t", "a small one fits").error);
  }
  ASSERT_FALSE(store.put("t", std::string(9000, 'x')).error);
  copy_store(dir.path(), after.path());
  Store restarted;
  restarted.open_or_die(test_options(after.path(), kSegment));
  EXPECT_EQ(restarted.bytes(), store.bytes());
}

TEST(DiskFull, ABlankRecordThatIsWrittenInPartLeavesNothingBehind) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path(), kSegment));
  const std::int64_t end = store.put("t", std::string(9000, 'a')).end;
  ASSERT_TRUE(eventually([&] { return !slurp(segment_path(dir.path(), kSegment)).empty(); }));
  {
    const FileSizeLimit limit(static_cast<rlim_t>(end) + 2000);
    ASSERT_TRUE(store.put("t", std::string(9000, 'b')).error);
    EXPECT_EQ(store.log->bounds().end, end);
    EXPECT_EQ(written_from(segment_path(dir.path(), 0), static_cast<std::size_t>(end)),
              std::string::npos);
  }
  EXPECT_EQ(store.put("t", std::string(9000, 'b')).first, kSegment);
}

TEST(DiskFull, RawBytesThatAreWrittenInPartLeaveNothingBehind) {
  const std::string raw = sample_log(10, 3000, kSegment);
  for (const bool reserved : {true, false}) {
    const TempDir dir;
    Store store;
    store.open_or_die(test_options(dir.path(), kSegment));
    ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, 5000)));
    const std::string rest = raw.substr(5000, 9000);
    const auto append = [&]() -> std::optional<Error> {
      if (!reserved) return store.log->append_raw(5000, rest);
      const auto room = store.log->reserve(5000, 9000);
      if (const auto* error = std::get_if<Error>(&room)) return *error;
      rest.copy(std::get<CommitLog::Reservation>(room).data, rest.size());
      return store.log->commit(9000);
    };
    {
      const FileSizeLimit limit(7000);
      const auto error = append();
      ASSERT_TRUE(error) << reserved;
      EXPECT_EQ(error->os_errno, EFBIG);
      EXPECT_EQ(store.log->bounds().end, 5000);
      EXPECT_EQ(store.bytes(), raw.substr(0, 5000));
      EXPECT_EQ(written_from(segment_path(dir.path(), 0), 5000), std::string::npos);
    }
    ASSERT_FALSE(append()) << reserved;
    EXPECT_EQ(store.bytes(), raw.substr(0, 14000));
  }
}

TEST(DiskFull, ASmallFileSystemFillsWithoutHarm) {
  const TempDir dir;
  if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "cannot mount a small tmpfs here: " << std::strerror(errno);
  struct Unmount {
    std::string path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{dir.path()};
  Store store;
  int told = 0;
  auto filling = test_options(dir.path(), 64 * 1024);
  filling.background_error = [&](const Error& error) { told += error.os_errno == ENOSPC ? 1 : 0; };
  store.open_or_die(filling);
  int stored = 0;
  Appended last;
  while (!(last = store.put("t", std::string(4000, 'x'))).error) ++stored;
  EXPECT_TRUE(store.put("t", std::string(4000, 'x')).error);
  EXPECT_EQ(told, 1) << "the log says it once, not for each message";
  EXPECT_TRUE(store.log->full());
  EXPECT_EQ(last.error->status, HA_IO);
  EXPECT_EQ(last.error->os_errno, ENOSPC);
  EXPECT_GT(stored, 100);
  EXPECT_FALSE(store.log->flush(store.log->bounds().end));
  store.close();
  // To the last block: what is left of the file system is given to another file.
  for (const std::size_t size : {4096u, 1u}) {
    std::ofstream other(dir.path() + "/other" + std::to_string(size), std::ios::binary);
    while (other << std::string(size, 'x') << std::flush) {
    }
  }
  Store restarted;
  restarted.open_or_die(test_options(dir.path(), 64 * 1024));
  EXPECT_EQ(restarted.index.count("t", std::nullopt), stored);
  EXPECT_EQ(restarted.bodies("t").size(), static_cast<std::size_t>(stored));
  const auto refused = restarted.put("t", std::string(4000, 'x'));
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->os_errno, ENOSPC) << refused.error->text;
  restarted.close();
  // Retention is the way out, though it cannot write down where the queues stand.
  struct Unwritable : LogObserver {
    void on_record(const RecordView&) override {}
    void on_digest(const Digest&) override {}
    void on_confirm(std::int64_t) override {}
    void on_truncate(std::int64_t, const RecordLookup&) override {}
    void on_trim(std::int64_t) override {}
    void on_reset(std::int64_t) override {}
    std::int64_t next_queue_offset(std::string_view, std::int32_t) override { return 0; }
    std::optional<Error> before_trim(std::int64_t) override {
      return Error{HA_IO, ENOSPC, "no room"};
    }
  } unwritable;
  auto options = test_options(dir.path(), 64 * 1024);
  options.retention_bytes = 256 * 1024;
  auto opened = CommitLog::open(options, unwritable);
  ASSERT_FALSE(std::holds_alternative<Error>(opened)) << std::get<Error>(opened).text;
  const auto& log = std::get<std::unique_ptr<CommitLog>>(opened);
  log->apply_retention();
  EXPECT_GT(log->bounds().min, 0);
  EXPECT_LE(log->bounds().end - log->bounds().min, 320 * 1024);
}

}  // namespace
}  // namespace stub::store
