// Segments that get their memory before they are used.
#include "store/segment.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <variant>

#include "store_fixture.h"

namespace stub::store {
namespace {

constexpr std::int64_t kSize = 8 << 20;
constexpr std::int64_t kPage = 4096;

// Minor faults of this thread while it writes a byte to each page of a new segment.
long faults_of_first_writes(Segment::Warm warm) {
  const TempDir dir;
  const auto made = Segment::create(dir.path(), 0, kSize, warm);
  if (std::get_if<Error>(&made) != nullptr) return -1;
  const auto& segment = std::get<std::shared_ptr<Segment>>(made);
  const auto faults = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
  };
  const long before = faults();
  for (std::int64_t at = 0; at < kSize; at += kPage) *segment->at(at) = 'x';
  return faults() - before;
}

TEST(Segment, WarmPagesDoNotFaultAtTheirFirstWrite) {
  const long cold = faults_of_first_writes(Segment::Warm::kNo);
  const long warm = faults_of_first_writes(Segment::Warm::kYes);
  ASSERT_GT(cold, 0);
  EXPECT_LT(warm, cold / 4) << "cold: " << cold;
}

TEST(Segment, AWarmSegmentIsAsUnwrittenAsAnother) {
  const TempDir dir;
  const auto made = Segment::create(dir.path(), 0, kSize, Segment::Warm::kYes);
  ASSERT_TRUE(std::holds_alternative<std::shared_ptr<Segment>>(made));
  EXPECT_TRUE(std::get<std::shared_ptr<Segment>>(made)->unwritten());
}

}  // namespace
}  // namespace stub::store
