// SPDX-License-Identifier: Apache-2.0
// Slaves of slaves, and slaves that would follow themselves.
#include <gtest/gtest.h>

#include <memory>

#include "ha_plugin/core/handshake.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"

namespace ha::testing {
namespace {

using Root = core::Upstream::Root;

TEST(Upstream, ANodeIsFoundAtAnyPlaceOfTheWay) {
  EXPECT_EQ(core::check_upstream({Root::kMaster, {1, 2, 3}}, 4), "");
  EXPECT_EQ(core::check_upstream({}, 4), "");
  EXPECT_NE(core::check_upstream({Root::kMaster, {4}}, 4).find("this node itself"),
            std::string::npos);
  EXPECT_NE(core::check_upstream({Root::kUnknown, {1, 4}}, 4).find("follows this one:"),
            std::string::npos);
  EXPECT_NE(core::check_upstream({Root::kUnknown, {1, 2, 4}}, 4).find("over 1 more"),
            std::string::npos);
}

TEST(Upstream, TheWireBringsItBackAndRefusesGarbage) {
  using wire::native::Reader;
  const core::Upstream told{Root::kNobody, {1, ~std::uint64_t{0}}};
  const auto read = [](const wire::native::Bytes& bytes, Reader& reader) {
    std::span<const std::byte> left(bytes);
    while (!left.empty()) {
      if (const auto found = reader.take(left); found != Reader::Found::kNothing) return found;
    }
    return Reader::Found::kNothing;
  };
  Reader reader(Reader::Side::kSlave);
  EXPECT_EQ(read(wire::native::encode_upstream(told), reader), Reader::Found::kBadType)
      << "GREETING comes first";
  reader.restart();
  ASSERT_EQ(read(wire::native::encode_greeting({}), reader), Reader::Found::kGreeting);
  EXPECT_EQ(read(wire::native::encode_upstream(told), reader), Reader::Found::kUpstream);
  EXPECT_EQ(reader.upstream(), told);
  const core::Upstream longest{Root::kMaster, std::vector<std::uint64_t>(core::kMostUpstream + 9)};
  EXPECT_EQ(read(wire::native::encode_upstream(longest), reader), Reader::Found::kUpstream);
  EXPECT_EQ(reader.upstream().incarnations.size(), core::kMostUpstream);
  EXPECT_EQ(read(wire::native::encode_upstream({static_cast<Root>(3), {}}), reader),
            Reader::Found::kBadBody);
}

boost::json::value link_of(const Instance& node) { return node.status().at("client"); }

bool looped(const Instance& node) {
  const auto link = link_of(node);
  return link.at("last_reason") == "loop" && link.at("state") == "suspend";
}

class OnEachWire : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Loop, OnEachWire, ::testing::Values("native", "auto", "rocketmq"));

TEST_P(OnEachWire, ANodeThatFollowsItselfSaysSo) {
  for (const std::string listen : {"127.0.0.1:0", "0.0.0.0:0"}) {
    MemoryHost host;
    Instance node(host, {{"wire", GetParam()}, {"listen", listen}});
    node.start_slave("");
    ASSERT_EQ(node.set_master_address(address_of(node).c_str()), HA_OK);
    ASSERT_TRUE(Instance::eventually([&] { return looped(node); })) << listen;
    const auto words = link_of(node).at("last_words").as_string();
    EXPECT_NE(words.find("this node listens there itself"), std::string::npos) << words;
  }
}

struct Slave {
  explicit Slave(const std::string& master = "")
      : plugin(host, native({{"reconnect_max_ms", "100"}})) {
    plugin.start_slave(master);
  }
  void follow(const Slave& other) {
    EXPECT_EQ(plugin.set_master_address(address_of(other.plugin).c_str()), HA_OK);
  }
  bool follows() const { return link_of(plugin).at("state") == "transfer"; }

  MemoryHost host;
  Instance plugin;
};

TEST(Loop, TwoSlavesInACircleAreTold) {
  Slave a;
  Slave b;
  a.follow(b);
  ASSERT_TRUE(Instance::eventually([&] { return a.follows(); }));
  EXPECT_TRUE(a.host.wait_for_log("follows nobody"));
  b.follow(a);
  EXPECT_TRUE(Instance::eventually([&] { return looped(a.plugin) || looped(b.plugin); }));
}

// All at once: a node that heard of the others too early is told what has changed.
TEST(Loop, ThreeSlavesInACircleAreTold) {
  Slave a;
  Slave b;
  Slave c;
  a.follow(b);
  b.follow(c);
  c.follow(a);
  EXPECT_TRUE(Instance::eventually(
      [&] { return looped(a.plugin) || looped(b.plugin) || looped(c.plugin); }));
}

TEST(Loop, AChainBelowAMasterIsAllowed) {
  MemoryHost host;
  Instance master(host, native());
  master.start_master();
  Slave near(address_of(master));
  Slave far(address_of(near.plugin));
  const std::int64_t end = host.grow(100);
  master.notify(end);
  ASSERT_TRUE(far.host.wait_for_end(end));
  EXPECT_TRUE(far.host.wait_for_log("is itself a slave"));
  EXPECT_NE(link_of(far.plugin).at("last_reason"), "loop");
  EXPECT_NE(link_of(near.plugin).at("last_reason"), "loop");
}

// Over a proxy, say, where the address tells nothing.
TEST(Loop, ANodeKnowsItselfByItsIncarnationToo) {
  Listener listener;
  MemoryHost host;
  Instance slave(host, native());
  slave.start_slave(listener.address());
  NativeMaster master(listener.accept());
  const auto hello = master.greet(0, 0);
  ASSERT_TRUE(hello);
  ASSERT_TRUE(
      master.peer().send(wire::native::encode_upstream({Root::kNobody, {hello->incarnation}})));
  EXPECT_TRUE(Instance::eventually([&] { return looped(slave); }));
}

// ---- what a slave says of itself while it does not follow -------------------------------------

TEST(NotFollowing, LastsUntilTheLinkHasHeld) {
  MemoryHost host;
  Instance master(host, native());
  master.start_master();
  Slave slave(address_of(master));
  ASSERT_TRUE(Instance::eventually(
      [&] { return slave.follows() && link_of(slave.plugin).at("not_following_ms") == 0; }));
  const std::string address = address_of(master);
  master.stop(0);
  ASSERT_TRUE(Instance::eventually(
      [&] { return link_of(slave.plugin).at("not_following_ms").as_int64() > 0; }));
  ASSERT_TRUE(Instance::eventually([&] {
    return link_of(slave.plugin).at("last_words").as_string().find("network: cannot connect") == 0;
  }));
  EXPECT_EQ(link_of(slave.plugin).at("refused"), false);
  EXPECT_EQ(slave.plugin.set_master_address(""), HA_OK);
  EXPECT_EQ(link_of(slave.plugin).at("not_following_ms"), 0);
}

TEST(NotFollowing, KeepsTheMastersWords) {
  Listener listener;
  MemoryHost host;
  Instance slave(host, native());
  slave.start_slave(listener.address());
  NativeMaster master(listener.accept());
  ASSERT_TRUE(master.greet(100, 200));
  core::Answer no;
  no.reason = core::Reason::kRequestBelowMin;
  no.text = "those bytes were deleted here";
  ASSERT_TRUE(master.answer(no));
  ASSERT_TRUE(Instance::eventually([&] { return link_of(slave).at("refused") == true; }));
  EXPECT_EQ(link_of(slave).at("last_words"),
            "request_below_min: the master refused this slave: those bytes were deleted here");
}

}  // namespace
}  // namespace ha::testing
