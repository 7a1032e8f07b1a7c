// SPDX-License-Identifier: Apache-2.0
// Nodes that are known by name: a resolver that is silent or fails, names with several addresses.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "ha_plugin/net/candidate/campaign.h"
#include "ha_plugin/net/io/connector.h"
#include "ha_plugin/net/io/link_options.h"
#include "ha_plugin/net/io/resolver.h"
#include "tests/unit/epoch_set.h"
#include "tests/unit/fake_names.h"

namespace ha::testing {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::tcp;

// ---- the resolver ----------------------------------------------------------------------------

net::Resolver::Answer ask(net::Resolver& resolver, const std::string& name) {
  boost::asio::io_context context;
  net::Resolver::Answer answer;
  const auto request = resolver.resolve(name, context, [&](const auto& a) { answer = a; });
  context.run_for(kPatience);
  return answer;
}

TEST(Resolver, GivesEachAddressOnce) {
  FakeNames names;
  names.set("a.test", {"10.0.0.1", "::1", "10.0.0.1"});
  net::Resolver resolver;
  const net::Resolver::Addresses both{make_address("10.0.0.1"), make_address("::1")};
  EXPECT_EQ(ask(resolver, "a.test").addresses, both);
  EXPECT_EQ(resolver.remembered("a.test"), both);
}

TEST(Resolver, RemembersWhatAFailedLookUpNoLongerGives) {
  FakeNames names;
  net::Resolver resolver;
  names.fail("a.test");
  EXPECT_NE(ask(resolver, "a.test").error, "");
  EXPECT_TRUE(resolver.remembered("a.test").empty());
  names.set("a.test", {"10.0.0.1"});
  EXPECT_EQ(ask(resolver, "a.test").error, "");
  names.fail("a.test");
  EXPECT_NE(ask(resolver, "a.test").error, "");
  EXPECT_EQ(resolver.remembered("a.test"), net::Resolver::Addresses{make_address("10.0.0.1")});
}

TEST(Resolver, ASilentNameHoldsUpNoOtherAndIsAskedForOnce) {
  FakeNames names;
  names.silence("silent.test");
  names.set("a.test", {"10.0.0.1"});
  net::Resolver resolver;
  boost::asio::io_context context;
  bool answered = false;
  const auto first = resolver.resolve("silent.test", context, [&](const auto&) {});
  const auto second =
      resolver.resolve("silent.test", context, [&](const auto&) { answered = true; });
  EXPECT_FALSE(ask(resolver, "a.test").addresses.empty());
  EXPECT_TRUE(Instance::eventually([&] { return names.waiting() == 1; }));
  EXPECT_EQ(names.asked("silent.test"), 1);
  names.set("silent.test", {"10.0.0.2"});
  context.run_for(kPatience);
  EXPECT_TRUE(answered);
}

TEST(Resolver, IsGoneWhileALookUpStillWaits) {
  FakeNames names;
  names.silence("silent.test");
  boost::asio::io_context context;
  bool answered = false;
  {
    net::Resolver resolver;
    auto request = resolver.resolve("silent.test", context, [&](const auto&) { answered = true; });
    ASSERT_TRUE(Instance::eventually([&] { return names.waiting() == 1; }));
  }
  EXPECT_EQ(names.waiting(), 1);
  names.fail("silent.test");
  ASSERT_TRUE(Instance::eventually([&] { return names.waiting() == 0; }));
  context.run_for(kPatience);  // has nothing to wait for
  EXPECT_FALSE(answered);
}

TEST(Resolver, TheNumberOfLookUpsIsBounded) {
  FakeNames names;
  net::Resolver resolver;
  for (int i = 0; i < net::Resolver::kMostAtOnce; ++i) {
    names.silence(std::to_string(i) + ".test");
    resolver.refresh(std::to_string(i) + ".test");
  }
  names.set("a.test", {"10.0.0.1"});
  EXPECT_NE(ask(resolver, "a.test").error.find("32 look-ups"), std::string::npos);
  names.fail("0.test");
  EXPECT_TRUE(Instance::eventually([&] { return ask(resolver, "a.test").error.empty(); }));
}

// ---- one connection --------------------------------------------------------------------------

// A port of that address where somebody listens, or where nobody answers: the queue is full.
class Port {
 public:
  explicit Port(const std::string& ip, std::uint16_t port = 0, int backlog = 64) {
    const bool v6 = ip.find(':') != std::string::npos;
    fd_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const tcp::endpoint at(make_address(ip), port);
    endpoint_.resize(at.size());
    socklen_t size = static_cast<socklen_t>(endpoint_.capacity());
    open_ = ::bind(fd_, at.data(), static_cast<socklen_t>(at.size())) == 0 &&
            ::listen(fd_, backlog) == 0 && ::getsockname(fd_, endpoint_.data(), &size) == 0;
  }
  ~Port() {
    for (const int fd : clients_) ::close(fd);
    ::close(fd_);
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  bool open() const { return open_; }
  std::uint16_t number() const { return endpoint_.port(); }
  int descriptor() const { return fd_; }
  void fill() {
    for (int i = 0; i < 4; ++i) {
      clients_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      [[maybe_unused]] const int begun =
          ::connect(clients_.back(), endpoint_.data(), static_cast<socklen_t>(endpoint_.size()));
    }
  }

 private:
  int fd_ = -1;
  bool open_ = false;
  tcp::endpoint endpoint_;
  std::vector<int> clients_;
};

struct Connected {
  std::string remote;  // "" = none
  std::string failure;
};

Connected connect(net::Connector& connector, boost::asio::io_context& context,
                  const net::Address& to) {
  std::optional<Connected> result;
  connector.connect(to, [&](tcp::socket socket, const std::string& failure) {
    result = Connected{"", failure};
    if (failure.empty()) result->remote = socket.remote_endpoint().address().to_string();
  });
  EXPECT_FALSE(result) << "the answer came from within connect";
  context.restart();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!result && context.run_one_until(deadline) > 0) {
  }
  return result.value_or(Connected{"", "nothing"});
}

class Connecting : public ::testing::Test {
 protected:
  Connected connect(const std::string& host, std::uint16_t port) {
    return testing::connect(connector_, context_, {host, port});
  }
  FakeNames names_;
  boost::asio::io_context context_;
  net::Resolver resolver_;
  net::Connector connector_{context_, resolver_};
};

TEST_F(Connecting, ANumberAsksNoResolver) {
  const Port port("127.0.0.1");
  EXPECT_EQ(connect("127.0.0.1", port.number()).remote, "127.0.0.1");
  EXPECT_EQ(names_.asked(), 0);
}

// A packet that is lost again and again must not be waited for longer each time.
TEST_F(Connecting, AConnectionIsMadeForFewPackets) {
  const Port port("127.0.0.1");
  std::optional<std::pair<int, int>> found;
  connector_.connect({"127.0.0.1", port.number()}, [&](tcp::socket socket, const std::string&) {
    const auto option = [&](int name) {
      int value = 0;
      socklen_t size = sizeof(value);
      ::getsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, &size);
      return value;
    };
    found = {option(TCP_NODELAY), option(TCP_THIN_LINEAR_TIMEOUTS)};
    EXPECT_GT(net::round_trip_of(socket.native_handle()), core::Time{});
  });
  context_.run();
  EXPECT_EQ(found, std::pair(1, 1));
}

TEST_F(Connecting, AnAddressThatRefusesIsFollowedByTheNext) {
  const Port port("127.0.0.1");
  names_.set("a.test", {"::1", "127.0.0.3", "127.0.0.1"});
  EXPECT_EQ(connect("a.test", port.number()).remote, "127.0.0.1");
}

TEST_F(Connecting, AnAddressThatDoesNotAnswerIsNotWaitedFor) {
  const Port port("127.0.0.1");
  Port silent("127.0.0.9", port.number(), 0);
  ASSERT_TRUE(silent.open());
  silent.fill();
  names_.set("a.test", {"127.0.0.9", "127.0.0.1"});
  EXPECT_EQ(connect("a.test", port.number()).remote, "127.0.0.1");
}

TEST_F(Connecting, SaysWhatBecameOfEachAddress) {
  std::uint16_t closed = 0;
  {
    const Port port("127.0.0.1");
    closed = port.number();
  }
  names_.set("a.test", {"127.0.0.1", "127.0.0.3"});
  const std::string failure = connect("a.test", closed).failure;
  for (const char* one : {"127.0.0.1:", "127.0.0.3:", "refused"}) {
    EXPECT_NE(failure.find(one), std::string::npos) << failure;
  }
  names_.fail("b.test");
  EXPECT_NE(connect("b.test", closed).failure.find("cannot resolve 'b.test'"), std::string::npos);
}

TEST_F(Connecting, TheNextCallBeginsWithTheNextAddress) {
  const Port one("127.0.0.1");
  const Port two("127.0.0.3", one.number());
  ASSERT_TRUE(two.open());
  names_.set("a.test", {"127.0.0.1", "127.0.0.3"});
  EXPECT_EQ(connect("a.test", one.number()).remote, "127.0.0.1");
  EXPECT_EQ(connect("a.test", one.number()).remote, "127.0.0.3");
  EXPECT_EQ(connect("a.test", one.number()).remote, "127.0.0.1");
}

TEST_F(Connecting, WhatTheNameHadLastServesWhileTheResolverFailsOrIsSilent) {
  const Port port("127.0.0.1");
  names_.set("a.test", {"127.0.0.1"});
  EXPECT_EQ(connect("a.test", port.number()).remote, "127.0.0.1");
  names_.fail("a.test");
  EXPECT_EQ(connect("a.test", port.number()).remote, "127.0.0.1");
  names_.silence("a.test");
  EXPECT_EQ(connect("a.test", port.number()).remote, "127.0.0.1");
  EXPECT_EQ(names_.waiting(), 1);
}

TEST_F(Connecting, AnInterfaceThatIsNotThereIsNamed) {
  EXPECT_NE(connect("fe80::1%nosuch0", 1).failure.find("'nosuch0'"), std::string::npos);
}

TEST(InTurn, TheKindsAlternateAndKeepTheirOrder) {
  const auto all = [](const std::vector<const char*>& texts) {
    net::Resolver::Addresses found;
    for (const char* text : texts) found.push_back(make_address(text));
    return found;
  };
  EXPECT_EQ(net::in_turn(all({"::1", "::2", "::3", "10.0.0.1", "10.0.0.2"})),
            all({"::1", "10.0.0.1", "::2", "10.0.0.2", "::3"}));
  EXPECT_EQ(net::in_turn(all({"10.0.0.1", "::1"})), all({"10.0.0.1", "::1"}));
  EXPECT_EQ(net::in_turn({}), net::Resolver::Addresses{});
}

// ---- nodes -----------------------------------------------------------------------------------

TEST(NamedMaster, IsFollowedAgainWhileTheResolverIsSilent) {
  FakeNames names;
  names.set("master.test", {"127.0.0.1"});
  Listener listener;
  MemoryHost host;
  Instance slave(host, {{"reconnect_max_ms", "50"}});
  slave.start_slave("master.test:" + std::to_string(listener.port()));
  {
    Peer master = listener.accept();
    EXPECT_EQ(master.read_report(), 0);
    names.silence("master.test");
  }
  Peer again = listener.accept();
  EXPECT_EQ(again.read_report(), 0);
  EXPECT_EQ(names.waiting(), 1);
}

TEST(NamedMaster, StopWaitsForNoLookUp) {
  FakeNames names;
  names.silence("master.test");
  MemoryHost host;
  Instance slave(host);
  slave.start_slave("master.test:10912");
  ASSERT_TRUE(Instance::eventually([&] { return names.waiting() == 1; }));
  EXPECT_EQ(slave.set_master_address(""), HA_OK);
  EXPECT_EQ(slave.set_master_address("master.test:10913"), HA_OK);
  EXPECT_EQ(slave.stop(0), HA_OK);
  EXPECT_EQ(names.waiting(), 1) << "stop came back after the look-up";
}

TEST(NamedMaster, ASilentResolverIsNamedWhenTheDeadlineHasPassed) {
  FakeNames names;
  names.silence("master.test");
  MemoryHost host;
  Instance slave(host, {{"connect_timeout_ms", "50"}});
  slave.start_slave("master.test:10912");
  EXPECT_TRUE(host.wait_for_log("the look-up of 'master.test' has no answer yet"));
}

// As EpochSet, but each node is known as "a.test" and so on.
class NamedSet : public EpochSet {
 protected:
  void make(std::size_t count) {
    EpochSet::make(count);
    replicas_.clear();
    for (const auto& node : nodes_) {
      names_.set(node->id + ".test", {"127.0.0.1"});
      replicas_ += (replicas_.empty() ? "" : ",") + node->id + "@" + node->id +
                   ".test:" + std::to_string(node->port);
    }
  }
  FakeNames names_;
};

// The one that is dead and whose name is silent is asked first.
TEST_F(NamedSet, ADeadNodeWhoseNameIsSilentHoldsUpNoPromotion) {
  make(3);
  names_.silence("a.test");
  start(c(), HA_ROLE_SLAVE);
  start_and_hold(b(), HA_ROLE_MASTER);
  EXPECT_GE(names_.waiting(), 1);
  // And the slave, which tries the nodes in turn, finds its master.
  const std::int64_t end = grow(b(), 100);
  ASSERT_TRUE(c().host.wait_for_end(end));
  EXPECT_EQ(promote(c()), 2);
  b().plugin->stop(0);
  c().plugin->stop(0);
  EXPECT_GE(names_.waiting(), 1) << "stop came back after the look-up";
}

// A slave speaks to nobody but its master until it is promoted.
TEST_F(NamedSet, APromotionNeedsNoResolverOnceTheNamesAreKnown) {
  make(3);
  start(b(), HA_ROLE_SLAVE);
  start(c(), HA_ROLE_SLAVE);
  start_and_hold(a(), HA_ROLE_MASTER);
  const std::string answered = "master a.test:" + std::to_string(a().port) + " answered";
  ASSERT_TRUE(b().host.wait_for_log(answered));
  ASSERT_TRUE(c().host.wait_for_log(answered));
  ASSERT_TRUE(Instance::eventually([&] { return names_.waiting() == 0; }));
  for (const char* name : {"a.test", "b.test", "c.test"}) names_.silence(name);
  a().plugin.reset();
  EXPECT_EQ(promote(b()), 2);
}

TEST_F(NamedSet, ACampaignEndsWithTheNode) {
  make(3);
  names_.silence("a.test");
  names_.silence("c.test");
  start(b(), HA_ROLE_MASTER, {{"prepare_timeout_ms", "3600000"}});
  ASSERT_TRUE(Instance::eventually([&] { return names_.waiting() == 2; }));
  EXPECT_EQ(b().plugin->stop(0), HA_OK);
  EXPECT_EQ(names_.waiting(), 2) << "stop came back after the look-up";
}

// The nodes listen on IPv4 only.
TEST_F(NamedSet, NamesWithBothKindsOfAddressesMakeASet) {
  make(3);
  for (const char* name : {"a.test", "b.test", "c.test"}) names_.set(name, {"::1", "127.0.0.1"});
  start(b(), HA_ROLE_SLAVE);
  start_and_hold(a(), HA_ROLE_MASTER);
  const std::int64_t end = grow(a(), 100);
  EXPECT_TRUE(b().host.wait_for_end(end));
}

// On the first of its addresses another node listens.
TEST_F(NamedSet, AnotherNodeOnOneOfTheAddressesIsNotTheEnd) {
  make(2);
  const std::string port = std::to_string(a().port);
  start(a(), HA_ROLE_SLAVE);
  Node other("x");
  start(other, HA_ROLE_NONE,
        {{"listen", "127.0.0.3:" + port}, {"replicas", "x@127.0.0.3:" + port}});
  names_.set("a.test", {"127.0.0.3", "127.0.0.1"});
  net::Resolver resolver;
  metrics::HaMetrics metrics;
  net::TlsPolicy tls(metrics);
  const core::Prepare prepare{core::Prepare::Mode::kAsk, 1, {}, "prod", "b"};
  const auto heard = net::ask_nodes({{"a", {"a.test", static_cast<std::uint16_t>(a().port)}}},
                                    prepare, kPatience, resolver, tls);
  ASSERT_TRUE(heard.at(0).promise) << heard.at(0).text;
  EXPECT_EQ(heard.at(0).promise->id, "a");
}

}  // namespace
}  // namespace ha::testing
