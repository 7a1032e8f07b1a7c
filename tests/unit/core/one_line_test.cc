// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/one_line.h"

#include <gtest/gtest.h>

namespace ha::core {
namespace {

TEST(OneLine, WhatCannotBeShownIsAQuestionMark) {
  struct Row {
    std::string words;
    std::string line;
  };
  const Row rows[] = {
      {"", ""},
      {"it holds 'b', 100 %", "it holds 'b', 100 %"},
      {"two\nlines\r\t", "two?lines??"},
      {std::string("a\0b", 3), "a?b"},
      {"\x1b[2Jgone\x7f", "?[2Jgone?"},
      {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\xBF", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\xBF"},
      {"caf\xE9", "caf?"},
      {"\xC3", "?"},
      {"\xC0\xAF", "??"},            // '/' in two bytes
      {"\xE0\x80\xAF", "???"},       // and in three
      {"\xED\xA0\x80", "???"},       // a surrogate
      {"\xF4\x90\x80\x80", "????"},  // beyond the last character
      {"\xF8\x88\x80\x80\x80", "?????"},
      {"\xC2\x85", "??"},       // NEL ends a line
      {"\xE2\x80\xA8", "???"},  // so does LINE SEPARATOR
      {"\xE2\x80\xAE"
       "drow",
       "???drow"},  // right to left
      {"\xEF\xBB\xBFx", "???x"},
  };
  for (const Row& row : rows) EXPECT_EQ(one_line(row.words), row.line);
}

TEST(OneLine, IsCutBetweenCharacters) {
  EXPECT_EQ(one_line(std::string(60'000, 'x')), std::string(400, 'x'));
  EXPECT_EQ(one_line(std::string(399, 'x') + "\xC3\xA9"), std::string(399, 'x'));
  EXPECT_EQ(one_line(std::string(398, 'x') + "\xC3\xA9"), std::string(398, 'x') + "\xC3\xA9");
  EXPECT_EQ(one_line(std::string(500, '\n')), std::string(400, '?'));
}

}  // namespace
}  // namespace ha::core
