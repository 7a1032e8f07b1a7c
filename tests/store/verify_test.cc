// SPDX-License-Identifier: Apache-2.0
#include "store/verify.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "store_fixture.h"

namespace stub::store {
namespace {

class VerifyMarked : public testing::TestWithParam<bool> {};

TEST_P(VerifyMarked, CountsWhatIsThere) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  for (int i = 0; i < 10; ++i) store.put(i % 2 ? "a" : "b", std::string(1000, 'x'));
  const std::int64_t end = store.log->bounds().end;
  if (!GetParam()) std::filesystem::remove(dir.path() + "/commit_mark");
  const auto result = verify(dir.path());  // beside the open store
  const auto& report = std::get<VerifyReport>(result);
  EXPECT_FALSE(report.fault) << report.fault->text;
  EXPECT_EQ(report.records, 10);
  EXPECT_EQ(report.blanks, 3);
  EXPECT_EQ(report.end, end);
  EXPECT_EQ(report.bytes, end);
  EXPECT_EQ(report.tail_bytes, 0);
  EXPECT_EQ(report.segment_bytes, kTestSegment);
  EXPECT_EQ(report.topics, (std::map<std::string, std::int64_t>{{"a", 5}, {"b", 5}}));
}

TEST_P(VerifyMarked, NamesTheFirstFaultAndItsOffset) {
  const TempDir dir;
  std::int64_t second = 0;
  {
    Store store;
    store.open_or_die(test_options(dir.path()));
    second = store.put("t", "body").end;
    for (int i = 0; i < 5; ++i) store.put("t", "body");
  }
  if (!GetParam()) std::filesystem::remove(dir.path() + "/commit_mark");
  patch(segment_path(dir.path(), 0), second + 89, "X");
  const std::string before = slurp(segment_path(dir.path(), 0));
  const auto result = verify(dir.path());
  const auto& report = std::get<VerifyReport>(result);
  ASSERT_TRUE(report.fault);
  EXPECT_EQ(report.fault->offset, second);
  EXPECT_NE(report.fault->text.find("checksum"), std::string::npos) << report.fault->text;
  EXPECT_EQ(report.records, 1);
  EXPECT_EQ(slurp(segment_path(dir.path(), 0)), before);
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutMark, VerifyMarked, testing::Bool());

TEST(Verify, ATailThatHasNotFullyArrivedIsNotAFault) {
  const std::string raw = sample_log(3, 100);
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  ASSERT_FALSE(store.log->append_raw(0, raw.substr(0, raw.size() - 5)));
  const auto result = verify(dir.path());
  const auto& report = std::get<VerifyReport>(result);
  EXPECT_FALSE(report.fault);
  EXPECT_EQ(report.records, 2);
  EXPECT_EQ(report.tail_bytes, static_cast<std::int64_t>(raw.size()) - 5 - report.end);
}

TEST(Verify, AMissingSegmentIsAFault) {
  const TempDir dir;
  {
    Store store;
    store.open_or_die(test_options(dir.path()));
    for (int i = 0; i < 9; ++i) store.put("t", std::string(1000, 'x'));
  }
  std::filesystem::remove(segment_path(dir.path(), kTestSegment));
  const auto result = verify(dir.path());
  ASSERT_TRUE(std::get<VerifyReport>(result).fault);
  EXPECT_EQ(std::get<VerifyReport>(result).fault->offset, kTestSegment);
}

TEST(Verify, AStoreThatIsNotThereIsAnError) {
  const auto result = verify("/nonexistent/store");
  ASSERT_TRUE(std::holds_alternative<Error>(result));
  EXPECT_NE(std::get<Error>(result).text.find("/nonexistent/store"), std::string::npos);
}

}  // namespace
}  // namespace stub::store
