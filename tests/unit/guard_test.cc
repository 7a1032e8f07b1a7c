// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/guard.h"

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

namespace ha {
namespace {

ha_error fresh() {
  ha_error error{};
  error.struct_size = sizeof(error);
  error.status = 12345;
  return error;
}

template <class Exception>
std::int32_t thrown(ha_error* error, const Exception& exception) {
  return guarded(error, [&]() -> Outcome { throw exception; });
}

TEST(Guard, AFailedAllocationGivesNoMemory) {
  ha_error error = fresh();
  EXPECT_EQ(thrown(&error, std::bad_alloc()), HA_NO_MEMORY);
  EXPECT_EQ(error.status, HA_NO_MEMORY);
  EXPECT_STREQ(error.text, "out of memory");
  EXPECT_EQ(guarded_code([]() -> core::Status { throw std::bad_array_new_length(); }),
            HA_NO_MEMORY);
}

TEST(Guard, ASystemErrorIsIoWithItsNumber) {
  ha_error error = fresh();
  EXPECT_EQ(thrown(&error, std::system_error(EMFILE, std::generic_category(), "eventfd")), HA_IO);
  EXPECT_EQ(error.os_errno, EMFILE);
  EXPECT_NE(std::string(error.text).find("eventfd"), std::string::npos);
}

TEST(Guard, AnythingElseIsInternal) {
  ha_error error = fresh();
  EXPECT_EQ(thrown(&error, std::runtime_error("what it said")), HA_INTERNAL);
  EXPECT_STREQ(error.text, "what it said");
  EXPECT_EQ(thrown(&error, 42), HA_INTERNAL);
  EXPECT_EQ(error.status, HA_INTERNAL);
}

TEST(Guard, AnOutcomeReachesTheCaller) {
  ha_error error = fresh();
  EXPECT_EQ(guarded(&error, [] { return Outcome{core::Status::kIo, "the words", 98}; }), HA_IO);
  EXPECT_EQ(error.status, HA_IO);
  EXPECT_EQ(error.os_errno, 98);
  EXPECT_STREQ(error.text, "the words");
  EXPECT_EQ(guarded(&error, [] { return Outcome{}; }), HA_OK);
  EXPECT_EQ(error.status, HA_OK);
  EXPECT_STREQ(error.text, "");
}

TEST(Guard, LongWordsAreCutAndEndInNul) {
  ha_error error = fresh();
  guarded(&error, [] { return Outcome{core::Status::kIo, std::string(5000, 'x'), 0}; });
  EXPECT_EQ(std::strlen(error.text), sizeof(error.text) - 1);
}

TEST(Guard, AShortOrAbsentErrorIsLeftAlone) {
  ha_error error = fresh();
  error.struct_size = sizeof(error) - 1;
  EXPECT_EQ(guarded(&error, [] { return Outcome{core::Status::kIo, "words", 1}; }), HA_IO);
  EXPECT_EQ(error.status, 12345);
  EXPECT_EQ(guarded(nullptr, [] { return Outcome{core::Status::kIo, "words", 1}; }), HA_IO);
}

}  // namespace
}  // namespace ha
