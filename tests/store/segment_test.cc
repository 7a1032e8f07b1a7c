// SPDX-License-Identifier: Apache-2.0
#include "store/segment.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <variant>

#include "store_fixture.h"

namespace stub::store {
namespace {

constexpr std::int64_t kSize = 8 << 20;
constexpr std::int64_t kBase = kSize;

// Bytes of disk that a file takes.
std::int64_t taken(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_blocks * 512 : -1;
}

class SegmentFile : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Segment::create(dir_.path(), kBase, kSize);
    ASSERT_TRUE(std::holds_alternative<std::shared_ptr<Segment>>(made));
    segment_ = std::get<std::shared_ptr<Segment>>(made);
  }
  void write(std::int64_t offset, std::string bytes) {
    iovec piece{bytes.data(), bytes.size()};
    ASSERT_FALSE(segment_->write(offset, {&piece, 1}));
  }

  TempDir dir_;
  std::shared_ptr<Segment> segment_;
};

TEST_F(SegmentFile, HasItsSizeAndTakesNoSpaceBeforeItIsWritten) {
  struct stat info {};
  ASSERT_EQ(::stat(segment_->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_size, kSize);
  EXPECT_FALSE(segment_->written(kBase).any());
  EXPECT_EQ(taken(segment_->path()), 0);
}

TEST_F(SegmentFile, ManyPiecesAreWrittenInOrderAndReadThroughTheMapping) {
  std::vector<std::string> parts;
  std::vector<iovec> pieces;
  std::string all;
  for (int i = 0; i < 3000; ++i) {  // more than one call takes
    parts.push_back("piece " + std::to_string(i) + ";");
    all += parts.back();
  }
  for (auto& part : parts) pieces.push_back({part.data(), part.size()});
  ASSERT_FALSE(segment_->write(kBase + 1000, pieces));
  EXPECT_EQ(std::string(segment_->at(kBase + 1000), all.size()), all);
}

TEST_F(SegmentFile, SaysWhatIsWritten) {
  write(kBase + 5000, "a");
  write(kBase + (5 << 20), std::string("\0b\0", 3));
  auto written = segment_->written(kBase);
  EXPECT_EQ(written.begin, kBase + 5000);
  EXPECT_EQ(written.end, kBase + (5 << 20) + 2);
  written = segment_->written(kBase + 5001);
  EXPECT_EQ(written.begin, kBase + (5 << 20) + 1);
  EXPECT_FALSE(segment_->written(kBase + (5 << 20) + 2).any());
}

TEST_F(SegmentFile, ZerosThatWereWrittenAreNotTakenForBytes) {
  write(kBase, std::string(1 << 20, '\0'));
  EXPECT_GT(taken(segment_->path()), 0);
  EXPECT_FALSE(segment_->written(kBase).any());
}

TEST_F(SegmentFile, ClearsFromAPositionOnAndGivesTheSpaceBack) {
  write(kBase, std::string(3 << 20, 'x'));
  const std::int64_t kept = kBase + 4097;
  const auto cleared = segment_->clear(kept);
  ASSERT_TRUE(std::holds_alternative<Segment::Written>(cleared));
  EXPECT_EQ(std::get<Segment::Written>(cleared).begin, kept);
  EXPECT_EQ(std::get<Segment::Written>(cleared).end, kBase + (3 << 20));
  EXPECT_FALSE(segment_->written(kept).any());
  EXPECT_EQ(std::string(segment_->at(kBase), 4098), std::string(4097, 'x') + '\0');
  EXPECT_LE(taken(segment_->path()), 64 << 10);
}

}  // namespace
}  // namespace stub::store
