// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/term_file.h"

#include <gtest/gtest.h>

#include "tests/unit/state_dir.h"

namespace ha {
namespace {

using core::Offset;
using core::Term;
using testing::StateDir;

Term some_term() {
  Term term;
  term.promised = 7;
  term.promised_to = "b";
  term.history.append({2, Offset(0), "a"});
  term.history.append({6, Offset(4096), "c"});
  return term;
}

TEST(TermFile, WhatWasSavedIsLoaded) {
  const StateDir dir;
  const TermFile file(StateStore(dir.path()));
  Term loaded = some_term();
  EXPECT_EQ(file.load(loaded), "");
  EXPECT_EQ(loaded, Term{}) << "nothing was saved yet";
  EXPECT_EQ(file.save(some_term()), "");
  EXPECT_EQ(file.load(loaded), "");
  EXPECT_EQ(loaded, some_term());
  EXPECT_FALSE(dir.has("ha_term.json.tmp"));
}

// A node that forgot a promise could give it again: whatever is not whole is an error.
TEST(TermFile, ADamagedFileIsNotTakenForEmpty) {
  const std::string text = format_term(some_term());
  Term out;
  ASSERT_EQ(parse_term(text, out), "");
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_NE(parse_term(changed, out), "") << i;
    EXPECT_NE(parse_term(text.substr(0, i), out), "") << i;
  }
  const StateDir dir;
  dir.write("ha_term.json", "{}");
  EXPECT_NE(TermFile(StateStore(dir.path())).load(out).find("is damaged"), std::string::npos);
}

TEST(TermFile, ADirectoryThatIsGoneIsNamed) {
  const std::string failed = TermFile(StateStore("/nonexistent")).save(some_term());
  EXPECT_NE(failed.find("cannot create '/nonexistent/ha_term.json.tmp'"), std::string::npos)
      << failed;
}

}  // namespace
}  // namespace ha
