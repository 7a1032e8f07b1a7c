// SPDX-License-Identifier: Apache-2.0
// The demonstration, with numbers instead of pictures.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/system/lines.h"
#include "tests/system/node.h"
#include "tests/system/temp_dir.h"

namespace ha::system {
namespace {

TEST(Demo, LosesAndDoublesNothing) {
  const TempDir folder;
  const auto file = write_file(folder / "lines", numbered_lines("line", 5000, 100));
  const Outcome outcome = run({program("ha_demo"), "--json", file.string()}, {}, 2 * kDeadline);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  const json::value verdict = parse_json(outcome.output);
  EXPECT_EQ(number_at(verdict, "lost"), 0) << outcome.output;
  EXPECT_EQ(number_at(verdict, "duplicated"), 0) << outcome.output;
  EXPECT_EQ(number_at(verdict, "found"), 5000) << outcome.output;
  EXPECT_GT(number_at(verdict, "cut_bytes"), 0) << outcome.output;
  EXPECT_GT(number_at(verdict, "below_policy"), 0) << outcome.output;
  EXPECT_EQ(number_at(verdict, "below_policy_found"), number_at(verdict, "below_policy"))
      << outcome.output;
  // Where Debian's etcd is, a node took over by itself.
  if (::access("/usr/bin/etcd", X_OK) == 0) {
    EXPECT_GT(number_at(verdict, "taken_over_us"), 0) << outcome.output;
  }
  // What reached the heir without an answer before the master died is not sent again.
  EXPECT_EQ(number_at(verdict, "acknowledged") + number_at(verdict, "survived"), 5000)
      << outcome.output;
}

}  // namespace
}  // namespace ha::system
