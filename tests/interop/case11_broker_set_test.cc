// SPDX-License-Identifier: Apache-2.0
// Case 11: three unmodified brokers that are a set (haPlugin.replicas). Their roles change while
// they run, by ha_stub's commands.

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>

#include "tests/interop/broker_set.h"
#include "tests/system/command.h"
#include "tests/system/http.h"
#include "tests/system/tcp.h"

namespace ha::interop {
namespace {

using system::Outcome;
using system::stub;
using system::wait_until;

class Case11BrokerSet : public BrokerSet {};

// What nobody but the old master held is shown to no consumer, and is gone when it comes back.
TEST_P(Case11BrokerSet, AMasterIsKilledAndComesBack) {
  promote(0);
  wait_for_puts();
  ASSERT_EQ(put("early", 200), (Driver::Outcomes{{"SEND_OK", 200}}));

  broker(1).kill();
  broker(2).kill();
  EXPECT_EQ(put("alone", 400, 0, 100), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 400}}));
  ASSERT_GT(bound(0, "end") - bound(0, "confirm"), kSmallSegment);
  const Manifest early = produced_without("alone");
  EXPECT_EQ(difference(early, driver().consume(name_server().address(), "T", early.size())), "");
  EXPECT_LT(bound(0, "confirm"), bound(0, "end"));
  broker(0).kill();
  broker(0).start();
  // RocketMQ's recovery knows nothing of confirmed messages.
  EXPECT_LT(bound(0, "confirm"), bound(0, "end"));
  broker(0).kill();
  broker(1).start();
  broker(2).start();

  promote(1);
  wait_for_puts();
  ASSERT_EQ(put("late", 200), (Driver::Outcomes{{"SEND_OK", 200}}));
  broker(0).start();
  expect_same(1, 0);
  expect_same(1, 2);
  EXPECT_TRUE(broker(0).java().has_logged("cut the log"));
  EXPECT_EQ(role(0), "slave");
  const Manifest all = produced_without("alone");
  EXPECT_EQ(difference(all, driver().consume(name_server().address(), "T", all.size())), "");

  // All three again: the one that came back can lead.
  promote(0);
  wait_for_puts();
  expect_same(0, 1);
}

// Nothing that was acknowledged is lost when the master dies under load, or is moved, and nothing
// is there twice.
TEST_P(Case11BrokerSet, TheMasterDiesUnderLoadAndIsMoved) {
  promote(0);
  wait_for_puts();
  int sent = 0;
  int master = 0;
  for (const bool dies : {true, false}) {
    auto load = std::async(std::launch::async, [&] {
      put("load", 4000, sent);
      sent += 4000;
    });
    promote(master);  // it is that already
    if (dies) {
      const int dead = master;
      broker(dead).kill();
      master = promote_another(dead);
      load.get();
      broker(dead).start();
    } else {
      load.get();
      // One that lacks something is refused, and does not follow while it asks.
      wait_until(
          "all hold the log",
          [&] { return bound(0, "end") == bound(1, "end") && bound(1, "end") == bound(2, "end"); },
          {}, kJavaDeadline);
      master = promote_another(master);
    }
    wait_for_puts();
  }
  expect_all_once(master);
}

// Delayed messages, transactions and pop are the master's own work: the new one takes it up.
TEST_P(Case11BrokerSet, WhatOnlyAMasterDoesGoesOn) {
  promote(0);
  wait_for_puts();
  const Driver::Outcomes twenty = {{"SEND_OK", 20}};
  const auto send = [&](Driver::Produce what) {
    what.count = 20;
    what.max = 100;
    EXPECT_EQ(driver().produce(name_server().address(), what), twenty);
  };
  send({.prefix = "half", .half = true});
  send({.prefix = "delayed", .delay_level = 3});
  broker(0).kill();
  promote(1);
  wait_for_puts();
  send({.prefix = "plain"});
  const auto all = driver().produced().size() + 40;
  const auto got = driver().consume_keys(name_server().address(), "T", all);
  for (int i = 0; i < 20; ++i) {
    for (const char* prefix : {"half-", "delayed-", "plain-"}) {
      EXPECT_EQ(got.count(prefix + std::to_string(i)), 1U) << prefix << i;
    }
  }
  EXPECT_EQ(driver().consume_keys(name_server().address(), "T", all, &broker(1)), got);
}

TEST_P(Case11BrokerSet, WhoMayAskAndWhatTheyHear) {
  system::Http door(system::parse_address(door_[0]));
  EXPECT_EQ(door.get("/healthz").status, 200);
  EXPECT_EQ(door.get("/nothing").status, 404);
  EXPECT_EQ(door.post("/v1/promote?force=maybe").status, 400);
  EXPECT_EQ(door.post("/v1/follow", "{}").status, 400);
  EXPECT_EQ(door.put("/v1/options/listen", R"({"value":"127.0.0.1:1"})").status, 409);
  EXPECT_EQ(door.put("/v1/options/heartbeat_ms", R"({"value":"700"})").status, 200);
  EXPECT_NE(door.get("/metrics").body.find("ha_role"), std::string::npos);
  promote(0);
  const Outcome status = stub({"status", "--broker", url(0)});
  EXPECT_EQ(status.exit_code, 0) << status.errors;
  EXPECT_NE(status.output.find("master"), std::string::npos);
  // As a proxy on this machine would pass it on.
  EXPECT_NE(ask(0, "POST /v1/demote HTTP/1.1\r\nX-Forwarded-For: 10.0.0.9\r\n").find(" 403 "),
            std::string::npos);
  EXPECT_EQ(role(0), "master");
  EXPECT_EQ(stub({"demote", "--broker", url(0)}).exit_code, 0);
  EXPECT_EQ(role(0), "slave");
}

// Nobody without the token, on this machine either; and a file that others can read is no secret.
TEST_P(Case11BrokerSet, ATokenIsAskedFor) {
  const std::string token(32, 't');
  const std::string file = (folder_.path() / "token").string();
  std::ofstream(file) << token << '\n';
  broker(0).stop();
  broker(0).options().more.emplace_back("haPlugin.control_token_file", file);
  try {
    broker(0).start();
    ADD_FAILURE() << "it started with a token file of mode 644";
  } catch (const system::Failure& failure) {
    EXPECT_NE(std::string(failure.what()).find("is open to others"), std::string::npos)
        << failure.what();
  }
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  broker(0).start();
  EXPECT_NE(ask(0, "POST /v1/promote HTTP/1.1\r\n").find(" 401 "), std::string::npos);
  EXPECT_NE(ask(0, "POST /v1/promote HTTP/1.1\r\nAuthorization: Bearer wrong\r\n").find(" 403 "),
            std::string::npos);
  EXPECT_EQ(role(0), "slave");
  const Outcome done = stub({"promote", "--broker", url(0), "--token-file", file});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
}

// Bytes that are no message, on either port, end their connection and nothing else.
TEST_P(Case11BrokerSet, GarbageHurtsNobody) {
  promote(0);
  wait_for_puts();
  for (const std::string& address : {listen_[0], listen_[1], door_[0]}) {
    for (const std::string& bytes : {std::string(4096, '\0'), std::string(4096, '\xff'),
                                     std::string("GET / HTTP/9\r\n\r\n")}) {
      system::Tcp peer(system::parse_address(address));
      peer.try_send(bytes);
    }
  }
  EXPECT_EQ(put("m", 100), (Driver::Outcomes{{"SEND_OK", 100}}));
  EXPECT_EQ(role(0), "master");
}

// A set with an etcd (option coordinator) of one member.
class Case11SetWithEtcd : public Case11BrokerSet {
 protected:
  Properties also() override {
    const std::string url = "http://127.0.0.1:" + std::to_string(free_ports(1));
    const std::string peer = "http://127.0.0.1:" + std::to_string(free_ports(1));
    etcd_.emplace(std::vector<std::string>{
        "etcd", "--data-dir=" + (folder_.path() / "etcd").string(), "--listen-client-urls=" + url,
        "--advertise-client-urls=" + url, "--listen-peer-urls=" + peer,
        "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer});
    // A busy machine is not a master that is gone. One that is killed is replaced at once all the
    // same.
    return {{"haPlugin.coordinator", "etcd:" + url}, {"haPlugin.coordinator_ttl_ms", "10000"}};
  }
  // dead: the broker that cannot be asked; -1 = all can.
  int wait_for_master(int dead = -1) {
    int master = -1;
    wait_until(
        "a broker is master",
        [&] {
          for (int i = 0; i < kNodes; ++i) {
            if (i != dead && role(i) == "master") master = i;
          }
          return master >= 0;
        },
        {}, kJavaDeadline);
    return master;
  }

 private:
  std::optional<system::Process> etcd_;
};

TEST_P(Case11SetWithEtcd, NobodyPromotes) {
  const int first = wait_for_master();
  wait_for_puts();
  auto load = std::async(std::launch::async, [&] { put("load", 4000); });
  broker(first).kill();
  const int second = wait_for_master(first);
  load.get();
  wait_for_puts();
  broker(first).start();

  const Outcome promoted = stub({"promote", "--broker", url(first)});
  EXPECT_NE(promoted.exit_code, 0);
  EXPECT_NE(promoted.errors.find("'coordinator' decides who is master"), std::string::npos)
      << promoted.errors;
  Outcome moved;
  wait_until(
      "the master is moved",
      [&] {  // AGAIN, where etcd was too slow
        moved =
            stub({"switchover", "--broker", url(second), "--to", "b-" + std::to_string(first + 1)});
        return moved.exit_code == 0;
      },
      [&] { return moved.errors; }, kJavaDeadline);
  wait_until(
      "it is master", [&] { return role(first) == "master"; }, {}, kJavaDeadline);
  wait_for_puts();
  const Outcome table = stub({"cluster", "--broker", url(0) + "," + url(1) + "," + url(2)});
  EXPECT_EQ(table.exit_code, 0) << table.errors;
  EXPECT_NE(table.output.find("holder     b-" + std::to_string(first + 1)), std::string::npos)
      << table.output;
  expect_all_once(first);
}

// While producers go on. The one that left is a broker still, and follows again when it is back.
TEST_P(Case11SetWithEtcd, ABrokerLeavesTheSetAndComesBack) {
  const int master = wait_for_master();
  wait_for_puts();
  const int other = (master + 1) % kNodes;
  const std::string name = "b-" + std::to_string(other + 1);
  auto load = std::async(std::launch::async, [&] { put("load", 4000); });
  const Outcome left = stub({"members", "remove", name, "--broker", url(master)});
  EXPECT_EQ(left.exit_code, 0) << left.errors;
  EXPECT_EQ(left.output.find(name), std::string::npos) << left.output;
  const Outcome back =
      stub({"members", "add", name + "@" + listen_[static_cast<std::size_t>(other)], "--broker",
            url(master)});
  EXPECT_EQ(back.exit_code, 0) << back.errors;
  EXPECT_NE(back.output.find("b-1,b-2,b-3 with"), std::string::npos) << back.output;
  load.get();
  wait_for_puts();
  expect_all_once(master);
}

HA_INTEROP_SUITE_WITH(Case11BrokerSet, testing::ValuesIn(kControllerVersions));
HA_INTEROP_SUITE_WITH(Case11SetWithEtcd, testing::ValuesIn(kControllerVersions));

}  // namespace
}  // namespace ha::interop
