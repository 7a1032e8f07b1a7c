// SPDX-License-Identifier: Apache-2.0
#include "http/text.h"

#include <gtest/gtest.h>

using namespace std::string_literals;

namespace stub::http {
namespace {

TEST(Text, KnowsWellFormedUtf8) {
  for (const auto& good : {""s, "plain"s, "\0"s, "\x7F"s, "\xC3\xA9"s, "\xE2\x82\xAC"s,
                           "\xED\x9F\xBF"s, "\xF0\x9F\x98\x80"s, "\xF4\x8F\xBF\xBF"s}) {
    EXPECT_TRUE(is_utf8(good)) << in_quotes(good);
  }
  for (const auto& bad : {"\x80"s, "\xC3"s, "\xC0\xAF"s, "\xC1\xBF"s, "\xE0\x9F\xBF"s,
                          "\xED\xA0\x80"s, "\xE2\x82"s, "\xF0\x8F\xBF\xBF"s, "\xF4\x90\x80\x80"s,
                          "\xF5\x80\x80\x80"s, "\xFF"s, "ok\xE2\x28\xA1"s}) {
    EXPECT_FALSE(is_utf8(bad)) << in_quotes(bad);
  }
}

TEST(Text, Base64HasTheRfcsVectors) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xFF\xFE\x00"s, "//4A"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Text, Base64RefusesWhatIsNotBase64) {
  for (const auto& bad :
       {"Zg", "Zg=", "Zg===", "=Zg=", "Z===", "====", "Zm 9v", "Zm9v\n", "Zm9-", "Zg==Zg=="}) {
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
  }
}

TEST(Text, QuotesValuesForErrorTexts) {
  EXPECT_EQ(in_quotes("a b"), "'a b'");
  EXPECT_EQ(in_quotes("\n\xFF"), "'\\x0A\\xFF'");
  EXPECT_EQ(in_quotes(std::string(200, 'x')), "'" + std::string(100, 'x') + "...'");
}

TEST(Text, JsonStringsAreAlwaysUtf8) {
  EXPECT_EQ(json_string("a\"\\\n"), "\"a\\\"\\\\\\n\"");
  EXPECT_EQ(json_string("x\xFFy"), "\"x\xEF\xBF\xBDy\"");
}

}  // namespace
}  // namespace stub::http
