// SPDX-License-Identifier: Apache-2.0
// The blocks of the next flushes are written ahead while somebody waits for flushes. Nobody but the
// file system sees a difference.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "store/verify.h"
#include "store_fixture.h"

namespace stub::store {
namespace {

constexpr std::int64_t kSegment = 1 << 20;
constexpr std::int64_t kAhead = 256 << 10;
constexpr BootId kBefore{'b', 'e', 'f', 'o', 'r', 'e'};

// Bytes of a file that have blocks.
std::int64_t allocated(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return std::int64_t{info.st_blocks} * 512;
}

struct Log {
  TempDir dir;
  Store store;

  explicit Log(bool reboot = false) {
    auto options = test_options(dir.path(), kSegment);
    if (reboot) options.boot_id = kBefore;
    store.open_or_die(options);
  }
  std::string first() const { return segment_path(dir.path(), 0); }
  std::int64_t end() const { return store.log->bounds().end; }
  // One that is waited for.
  void put_durably(const std::string& body) {
    ASSERT_FALSE(store.put("t", body).error);
    ASSERT_FALSE(store.log->flush(end()));
  }
  bool zeros_beyond_end() const {
    return slurp(first()).find_first_not_of('\0', static_cast<std::size_t>(end())) ==
           std::string::npos;
  }
};

TEST(ZeroAhead, WritesTheNextBlocksOnlyWhereFlushesAreWaitedFor) {
  Log log;
  ASSERT_FALSE(log.store.put("t", std::string(1000, 'a')).error);
  ASSERT_FALSE(log.store.put("t", std::string(1000, 'b')).error);
  EXPECT_LT(allocated(log.first()), kAhead / 2);
  ASSERT_FALSE(log.store.log->flush(log.end()));
  ASSERT_FALSE(log.store.put("t", std::string(1000, 'c')).error);
  const std::int64_t ahead = allocated(log.first());
  EXPECT_GE(ahead, kAhead);
  // Those after it write in place, up to there.
  while (log.end() < kAhead - 20'000) log.put_durably(std::string(10'000, 'd'));
  EXPECT_EQ(allocated(log.first()), ahead);
  for (int i = 0; i < 3; ++i) log.put_durably(std::string(10'000, 'e'));
  EXPECT_GT(allocated(log.first()), ahead);
  EXPECT_LT(allocated(log.first()), log.end() + 2 * kAhead);
  EXPECT_TRUE(log.zeros_beyond_end());
}

TEST(ZeroAhead, ChangesNothingThatIsReadAfterAKillOrALossOfPower) {
  for (const bool reboot : {false, true}) {
    Log log(reboot);
    for (int i = 0; i < 40; ++i) log.put_durably(std::string(10'000, static_cast<char>('a' + i)));
    ASSERT_FALSE(log.store.put("t", "not flushed").error);
    EXPECT_GT(allocated(log.first()), log.end());
    const TempDir copy;
    copy_store(log.dir.path(), copy.path());
    auto options = test_options(copy.path(), 0);
    options.warning = [](const std::string& text) { ADD_FAILURE() << text; };
    EXPECT_EQ(std::get<VerifyReport>(verify(copy.path())).records, 41);
    Store next;
    next.open_or_die(options);
    EXPECT_EQ(next.bytes(), log.store.bytes());
    ASSERT_FALSE(next.put("t", "it goes on").error);
    EXPECT_EQ(next.bodies("t").back(), "it goes on");
  }
}

TEST(ZeroAhead, OfASegmentsLastBytesEndsWithIt) {
  Log log;
  while (log.end() < kSegment + 1000) log.put_durably(std::string(100'000, 'x'));
  EXPECT_EQ(slurp(log.first()).size(), static_cast<std::size_t>(kSegment));
  const std::string bytes = log.store.bytes();
  log.store.close();
  Store next;
  next.open_or_die(test_options(log.dir.path(), 0));
  EXPECT_EQ(next.bytes(), bytes);
}

TEST(ZeroAhead, ACutAndWhatFollowsItAreAsWithoutIt) {
  Log log;
  log.put_durably(std::string(1000, 'a'));
  const std::int64_t cut = log.end();
  for (int i = 0; i < 60; ++i) log.put_durably(std::string(10'000, 'b'));
  log.store.log->set_writable(false);
  ASSERT_FALSE(log.store.log->truncate(cut, true));
  EXPECT_TRUE(log.zeros_beyond_end());
  log.put_durably("after");
  EXPECT_GE(allocated(log.first()), kAhead);
  EXPECT_TRUE(log.zeros_beyond_end());
  const std::string bytes = log.store.bytes();
  log.store.close();
  Store next;
  next.open_or_die(test_options(log.dir.path(), 0));
  EXPECT_EQ(next.bytes(), bytes);
}

TEST(ZeroAhead, ADiskWithoutRoomForItTakesWhatFits) {
  Log log;
  log.put_durably("first");
  // A file that may not be written beyond a size is a disk that is full.
  const auto old_signal = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit now = old;
  now.rlim_cur = 100'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &now), 0);
  for (int i = 0; i < 40; ++i) log.put_durably(std::string(2000, 'x'));
  const auto full = log.store.log->full();
  const auto refused = log.store.put("t", std::string(50'000, 'y')).error;
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_signal);
  EXPECT_FALSE(full);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(log.zeros_beyond_end());
  log.put_durably("last");
  EXPECT_EQ(log.store.index.count("t", std::nullopt), 42);
}

}  // namespace
}  // namespace stub::store
