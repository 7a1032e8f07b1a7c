// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/coordinator/orders.h"

#include <gtest/gtest.h>

#include <string>

namespace ha {
namespace {

TEST(Orders, AreReadAsTheyWereWritten) {
  const std::string longest(63, 'n');
  for (const bool paused : {false, true}) {
    for (const std::string& wanted : {std::string(), std::string("broker-1.eu_x"), longest}) {
      const Orders orders{paused, wanted};
      Orders read{!paused, "other"};
      EXPECT_EQ(Orders::parse(orders.text(), read), "") << orders.text();
      EXPECT_EQ(read.paused, paused);
      EXPECT_EQ(read.wanted, wanted);
    }
  }
  EXPECT_EQ(Orders{}.text(), R"({"failover":"auto"})");
  EXPECT_EQ((Orders{true, "b"}.text()), R"({"failover":"manual","wanted":"b"})");
}

TEST(Orders, WhatIsLeftOutIsNotAskedFor) {
  for (const char* text : {"", "{}", R"({"failover":"auto"})", R"({"wanted":""})", " { } "}) {
    Orders orders{true, "b"};
    EXPECT_EQ(Orders::parse(text, orders), "") << text;
    EXPECT_FALSE(orders.paused);
    EXPECT_EQ(orders.wanted, "");
  }
}

// A newer version may have written them.
TEST(Orders, MembersThatAreNotKnownAreLeftAlone) {
  Orders orders;
  EXPECT_EQ(Orders::parse(R"({"wanted":"b","since":{"by":["x",1,null]},"failover":"manual","":0})",
                          orders),
            "");
  EXPECT_TRUE(orders.paused);
  EXPECT_EQ(orders.wanted, "b");
}

TEST(Orders, OtherThingsThanAJsonObjectAreRefused) {
  for (const std::string& text :
       {std::string("manual"), std::string("null"), std::string("[]"), std::string("\"manual\""),
        std::string("1"), std::string("{"), std::string("{}{}"), std::string("{} x"),
        std::string(R"({"failover":"manual",})"), std::string("{'failover':'manual'}"),
        std::string("\0{}", 3), std::string("{\"wanted\":\"\xff\"}"), std::string(" "),
        std::string(100'000, '['), std::string(100'000, '{')}) {
    Orders orders{true, "b"};
    EXPECT_EQ(Orders::parse(text, orders), "is not a JSON object") << text.substr(0, 40);
  }
}

TEST(Orders, ValuesOfAnotherKindAreRefused) {
  for (const char* value : {"true", "null", "1", "[]", "{}", "\"Manual\"", "\"\"", "\"off\""}) {
    Orders orders;
    EXPECT_EQ(Orders::parse(std::string("{\"failover\":") + value + "}", orders),
              "has a 'failover' that is neither auto nor manual")
        << value;
  }
  for (const char* value : {"true", "null", "1", "[\"b\"]", "{}", "\"1b\"", "\"b c\"", "\"b/c\"",
                            "\"b\\u0000\"", "\"b\\n\"", "\"\\u00e4\"", "\".b\""}) {
    Orders orders;
    EXPECT_EQ(Orders::parse(std::string("{\"wanted\":") + value + "}", orders),
              "has a 'wanted' that is not the name of a node")
        << value;
  }
}

TEST(Orders, HugeTextsAreJudgedToo) {
  Orders orders;
  EXPECT_EQ(Orders::parse("{\"wanted\":\"" + std::string(64, 'n') + "\"}", orders),
            "has a 'wanted' that is not the name of a node");
  EXPECT_EQ(Orders::parse("{\"wanted\":\"" + std::string(1 << 20, 'n') + "\"}", orders),
            "has a 'wanted' that is not the name of a node");
  EXPECT_EQ(Orders::parse("{\"x\":\"" + std::string(1 << 20, 'n') + "\",\"wanted\":\"b\"}", orders),
            "");
  EXPECT_EQ(orders.wanted, "b");
}

// The last one counts, as the parser of JSON has it.
TEST(Orders, AMemberThatStandsTwiceHasOneValue) {
  Orders orders;
  EXPECT_EQ(Orders::parse(R"({"failover":"manual","failover":"auto"})", orders), "");
  EXPECT_FALSE(orders.paused);
}

}  // namespace
}  // namespace ha
