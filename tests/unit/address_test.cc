// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/config/address.h"

#include <gtest/gtest.h>

#include <string>

namespace ha::net {
namespace {

std::string refusal(std::string_view text, bool allow_port_0 = false) {
  Address address{"unchanged", 1};
  std::string said = parse_address(text, allow_port_0, address);
  EXPECT_EQ(address.text(), "unchanged:1") << text << " was taken";
  return said;
}

TEST(Address, ReadsWhatItShows) {
  for (const char* text : {"10.0.0.7:10912", "[::1]:10912", "broker-a:65535", "[fe80::1:2]:1",
                           "[fe80::1%eth0]:10912", "[fe80::1%2]:1", "a_b.example.:1"}) {
    Address address;
    EXPECT_EQ(parse_address(text, false, address), "");
    EXPECT_EQ(address.text(), text);
  }
  Address address;
  EXPECT_EQ(parse_address("[::]:0", true, address), "");
  EXPECT_EQ(address.host, "::");
  EXPECT_EQ(address.port, 0);
}

TEST(Address, KnowsANumberFromAName) {
  for (const char* number : {"10.0.0.7", "::1", "fe80::1%eth0"}) {
    EXPECT_TRUE((Address{number, 1}.is_number())) << number;
  }
  for (const char* name : {"broker-a", "10.0.0.7.example", "999.0.0.1"}) {
    EXPECT_FALSE((Address{name, 1}.is_number())) << name;
  }
}

TEST(Address, SaysWhatIsWrong) {
  EXPECT_NE(refusal("10.0.0.7").find("no port"), std::string::npos);
  EXPECT_NE(refusal("").find("no port"), std::string::npos);
  EXPECT_NE(refusal(":10912").find("no host"), std::string::npos);
  EXPECT_NE(refusal("::1:10912").find("needs brackets"), std::string::npos);
  EXPECT_NE(refusal("[::1").find("brackets"), std::string::npos);
  EXPECT_NE(refusal("[10.0.0.7]:1").find("not an IPv6"), std::string::npos);
  EXPECT_NE(refusal("[]:1").find("not an IPv6"), std::string::npos);
  for (const char* bad : {"[fe80::1%]:1", "[fe80::1%a/b]:1", "[fe80::1%sixteen.letters.]:1"}) {
    EXPECT_NE(refusal(bad).find("not an IPv6"), std::string::npos) << bad;
  }
  for (const char* bad : {"caf\xc3\xa9:1", "a b:1", "a@b:1", "http//a:1", "fe80%eth0:1"}) {
    EXPECT_NE(refusal(bad).find("letters"), std::string::npos) << bad;
  }
  EXPECT_NE(refusal(std::string("a\0b:1", 5)).find("letters"), std::string::npos);
  for (const char* bad : {"a:", "a:x", "a:65536", "a:-1", "a:+1", "a: 1", "a:1 "}) {
    EXPECT_NE(refusal(bad).find("65535"), std::string::npos) << bad;
  }
  EXPECT_NE(refusal("a:0").find("port 0"), std::string::npos);
  EXPECT_NE(refusal(std::string(254, 'a') + ":1").find("253"), std::string::npos);
}

// Of IPv6 one machine has a network of 64 bits, but one address of the link.
TEST(Address, AnOriginIsWhatOneMachineHas) {
  EXPECT_EQ(origin_of("10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(origin_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(origin_of("2001:db8:1:2::"), origin_of("2001:db8:1:2:ffff::1"));
  EXPECT_NE(origin_of("2001:db8:1:2::1"), origin_of("2001:db8:1:3::1"));
  EXPECT_EQ(origin_of("fe80::1%eth0"), "fe80::1%eth0");
}

AllowList allow(std::string_view text) {
  AllowList list;
  EXPECT_EQ(AllowList::parse(text, list), "");
  return list;
}

TEST(AllowList, EmptyAllowsEverybody) {
  EXPECT_TRUE(allow("").allows("10.0.0.7"));
  EXPECT_TRUE(allow(" ").allows("::1"));
}

TEST(AllowList, AnAddressAllowsItself) {
  const AllowList list = allow("10.0.0.7, fd00::7");
  EXPECT_TRUE(list.allows("10.0.0.7"));
  EXPECT_TRUE(list.allows("fd00::7"));
  EXPECT_FALSE(list.allows("10.0.0.8"));
  EXPECT_FALSE(list.allows("fd00::8"));
}

TEST(AllowList, PrefixesOfEveryLength) {
  EXPECT_TRUE(allow("10.0.0.0/8").allows("10.255.255.255"));
  EXPECT_FALSE(allow("10.0.0.0/8").allows("11.0.0.0"));
  EXPECT_TRUE(allow("192.168.4.0/22").allows("192.168.7.255"));
  EXPECT_FALSE(allow("192.168.4.0/22").allows("192.168.8.0"));
  EXPECT_TRUE(allow("10.0.0.4/31").allows("10.0.0.5"));
  EXPECT_FALSE(allow("10.0.0.4/31").allows("10.0.0.6"));
  EXPECT_TRUE(allow("0.0.0.0/0").allows("203.0.113.9"));
  EXPECT_FALSE(allow("0.0.0.0/0").allows("2001:db8::1"));
  EXPECT_TRUE(allow("2001:db8::/33").allows("2001:db8:7fff::1"));
  EXPECT_FALSE(allow("2001:db8::/33").allows("2001:db8:8000::1"));
  EXPECT_TRUE(allow("::/0").allows("2001:db8::1"));
  // Host bits are not looked at: people write the address they have.
  EXPECT_TRUE(allow("10.1.2.3/8").allows("10.9.9.9"));
}

TEST(AllowList, AMappedAddressCountsAsIpv4) {
  EXPECT_TRUE(allow("10.0.0.0/8").allows("::ffff:10.1.2.3"));
  EXPECT_FALSE(allow("10.0.0.0/8").allows("::ffff:11.1.2.3"));
  EXPECT_TRUE(allow("::ffff:10.0.0.0/104").allows("10.1.2.3"));
}

// A link-local peer's address comes with the interface that it was seen on.
TEST(AllowList, AnInterfaceNameDoesNotHideTheAddress) {
  EXPECT_TRUE(allow("fe80::/10").allows("fe80::1%eth0"));
  EXPECT_FALSE(allow("fd00::/8").allows("fe80::1%eth0"));
}

TEST(AllowList, WhatIsNotAnAddressIsNotAllowed) {
  EXPECT_FALSE(allow("0.0.0.0/0,::/0").allows("broker-a"));
  EXPECT_FALSE(allow("0.0.0.0/0,::/0").allows(""));
}

TEST(AllowList, RefusesABadNetworkAndKeepsTheOldList) {
  for (const char* bad : {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "10.0.0/8",
                          "broker-a", "10.0.0.1;10.0.0.2", "10.0.0.1,,x", "10.0.0.0/8/8"}) {
    AllowList list = allow("10.0.0.7");
    EXPECT_NE(AllowList::parse(bad, list).find("CIDR"), std::string::npos) << bad;
    EXPECT_EQ(list.text(), "10.0.0.7");
  }
}

TEST(AllowList, ShowsWhatItWasGiven) {
  EXPECT_EQ(allow(" 10.0.0.0/8 , fd00::/8").text(), "10.0.0.0/8,fd00::/8");
}

}  // namespace
}  // namespace ha::net
