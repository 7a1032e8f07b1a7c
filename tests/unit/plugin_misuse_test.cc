// SPDX-License-Identifier: Apache-2.0
// Hosts whose hooks say what is not so. Nothing is acknowledged that is not in the log, and the
// host's log says which hook it was.

#include <gtest/gtest.h>

#include <string>

#include "ha_plugin/host/host.h"
#include "tests/unit/native_peer.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

using core::Offset;

struct Liar {
  const char* name;
  const char* wire;
  const char* hook;
  std::int64_t stored;
};

class LyingAppend : public ::testing::TestWithParam<Liar> {
 protected:
  static HostFeatures features() {
    HostFeatures features;
    features.append_reserve = std::string(GetParam().hook) == "commit";
    return features;
  }
  bool is_native() const { return std::string(GetParam().wire) == "native"; }
  // A master sends 100 bytes at 0 to a host that lies; the furthest that is acknowledged.
  std::int64_t acknowledged(Peer peer) const {
    std::int64_t most = 0;
    if (is_native()) {
      NativeMaster master(std::move(peer));
      const auto hello = master.greet(0, 100);
      EXPECT_TRUE(hello && master.resume(*hello) && master.send_log(0, 100));
      while (const auto ack = master.ack()) most = std::max(most, ack->received.bytes());
      return most;
    }
    EXPECT_EQ(peer.read_report(), 0);
    EXPECT_TRUE(peer.send_log(0, 100));
    for (std::int64_t report = peer.read_report(); report >= 0; report = peer.read_report()) {
      most = std::max(most, report);
    }
    return most;
  }
};

TEST_P(LyingAppend, IsNotAcknowledged) {
  MemoryHost host(features());
  host.lie(GetParam().hook, GetParam().stored);
  Listener listener;
  Instance slave(host, {{"wire", GetParam().wire}, {"reconnect_max_ms", "50"}});
  slave.start_slave(listener.address());
  EXPECT_EQ(acknowledged(listener.accept()), 0);
  ASSERT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_reason == HA_REASON_HOST_MISUSE; }));
  EXPECT_EQ(slave.snapshot().total.client_state, HA_STATE_SUSPEND);
  EXPECT_TRUE(host.wait_for_log("host hook '" + std::string(GetParam().hook) +
                                "' answered OK, but the log ends at " +
                                std::to_string(GetParam().stored) + " and not at 100"));
  EXPECT_GE(host.count_level(HA_LOG_HOST_MISUSE), 1U);

  // Mended, it goes on where its log really ends.
  host.lie("");
  ASSERT_EQ(slave.set_master_address(listener.address().c_str()), HA_OK);
  Peer peer = listener.accept();
  if (is_native()) {
    NativeMaster master(std::move(peer));
    const auto hello = master.greet(0, 100);
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->end, Offset(GetParam().stored));
    ASSERT_TRUE(master.resume(*hello));
    ASSERT_TRUE(master.send_log(GetParam().stored, 100 - GetParam().stored));
    EXPECT_TRUE(master.ack_with(100));
  } else {
    const std::int64_t from = peer.read_report();
    ASSERT_LE(from, GetParam().stored) << "some of what it holds is compared";
    ASSERT_TRUE(peer.send_log(from, static_cast<std::int32_t>(100 - from)));
  }
  EXPECT_TRUE(host.wait_for_end(100));
  EXPECT_EQ(host.first_wrong_byte(), "");
}

INSTANTIATE_TEST_SUITE_P(Wires, LyingAppend,
                         ::testing::Values(Liar{"NativeNothing", "native", "append", 0},
                                           Liar{"NativeLess", "native", "append", 60},
                                           Liar{"NativeCommitNothing", "native", "commit", 0},
                                           Liar{"NativeCommitLess", "native", "commit", 60},
                                           Liar{"RocketmqNothing", "rocketmq", "append", 0},
                                           Liar{"RocketmqLess", "rocketmq", "append", 60}),
                         [](const auto& row) { return std::string(row.param.name); });

// Each hook whose answer can be looked at, once.
TEST(Misuse, AFalseAnswerIsNotOk) {
  HostFeatures features;
  features.append_reserve = true;
  MemoryHost memory(features);
  memory.grow(5000);
  const Host host(memory.api(), &memory);
  const auto bytes = bytes_at(5000, 10);
  std::size_t said = 0;
  const auto expect_misuse = [&](const HostResult& result, const char* hook) {
    EXPECT_TRUE(result.misuse) << hook;
    EXPECT_EQ(result.status, core::Status::kInternal) << hook;
    EXPECT_NE(result.text.find(std::string("host hook '") + hook), std::string::npos)
        << result.text;
    EXPECT_EQ(memory.count_level(HA_LOG_HOST_MISUSE), ++said) << hook;
  };
  memory.lie("append");
  expect_misuse(host.append(0, Offset(5000), bytes.data(), 10), "append");
  void* room_at = nullptr;
  std::int64_t room = 0;
  ASSERT_TRUE(host.append_reserve().reserve(0, Offset(5000), 10, room_at, room).ok());
  memory.lie("commit");
  expect_misuse(host.append_reserve().commit(Offset(5000), 10), "commit");
  memory.lie("truncate");
  expect_misuse(host.truncate(0, Offset(4000)), "truncate");
  memory.lie("reset");
  expect_misuse(host.reset(0, Offset(8192)), "reset");
  memory.lie("");
  EXPECT_TRUE(host.append(0, Offset(5000), bytes.data(), 10).ok());
  EXPECT_TRUE(host.truncate(0, Offset(4000)).ok());
  EXPECT_TRUE(host.reset(0, Offset(8192)).ok());
  EXPECT_EQ(memory.count_level(HA_LOG_HOST_MISUSE), said);
}

// Hooks that answer OK with what cannot be; a table of their own, since no test host has such.
TEST(Misuse, AnImpossibleAnswerIsMisuse) {
  MemoryHost memory;
  memory.grow(5000);
  ha_host_api table = *memory.api();
  table.read = [](void*, std::int64_t, void*, std::int64_t size, std::int64_t* got) noexcept {
    *got = size + 1;
    return HA_OK;
  };
  table.pin = [](void*, std::int64_t, std::int64_t, ha_span* out) noexcept {
    *out = {nullptr, 0, 0};
    return HA_OK;
  };
  table.record_floor = [](void*, std::int64_t offset, std::int64_t* out) noexcept {
    *out = offset + 1;
    return HA_OK;
  };
  const Host host(&table, &memory);
  char buffer[10];
  std::int64_t got = 0;
  EXPECT_EQ(host.read(Offset(0), buffer, 10, got), core::Status::kInternal);
  ha_span span{};
  EXPECT_EQ(host.pin(Offset(0), 10, span), core::Status::kInternal);
  Offset floor;
  EXPECT_TRUE(host.record_floor(Offset(10), floor).misuse);
  EXPECT_EQ(memory.count_level(HA_LOG_HOST_MISUSE), 3U);
}

TEST(Misuse, ACutThatWasNotMadeGivesNoRole) {
  HostFeatures features;
  features.record_size = 100;
  MemoryHost host(features);
  host.grow(1042);
  host.lie("truncate");
  Instance node(host);
  ASSERT_EQ(node.start(HA_ROLE_MASTER), HA_OK);
  ASSERT_TRUE(Instance::eventually([&] { return !host.roles().empty(); }));
  EXPECT_EQ(host.roles()[0].role, HA_ROLE_NONE);
  EXPECT_NE(host.roles()[0].text.find("'truncate' answered OK, but the log ends at 1042"),
            std::string::npos)
      << host.roles()[0].text;
  EXPECT_LT(host.roles()[0].status, 0);
}

TEST(Misuse, AFlushThatMadeNothingDurableIsNotAcknowledged) {
  MemoryHost host;
  host.lie("flush");
  Listener listener;
  Instance slave(host, native({{"ack_durable", "true"}}));
  slave.start_slave(listener.address());
  NativeMaster master(listener.accept());
  const auto hello = master.greet(0, 100);
  ASSERT_TRUE(hello && master.resume(*hello) && master.send_log(0, 100));
  std::int64_t most = 0;
  while (const auto ack = master.ack()) most = std::max(most, ack->received.bytes());
  EXPECT_EQ(most, 0);
  EXPECT_TRUE(host.wait_for_log("host hook 'flush' answered OK for all below 100"));
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_reason == HA_REASON_HOST_MISUSE; }));
}

// At every turn: it is said once until it is well again.
TEST(Misuse, BoundsThatCannotBeAreNotUsed) {
  MemoryHost host;
  host.grow(100);
  Instance node(host);
  node.start_master();
  ASSERT_TRUE(Instance::eventually([&] { return node.snapshot().total.bounds.end == 100; }));
  std::size_t said = 0;
  for (const ha_bounds& bad : {ha_bounds{-1, 100, 0, 0, 4096}, ha_bounds{200, 100, 100, 100, 4096},
                               ha_bounds{0, 100, 0, 0, -4096}}) {
    const std::int64_t before = host.end();
    host.answer_bounds(bad);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(node.set_option("busy_poll_us", "0"), HA_OK) << "a turn";
    EXPECT_EQ(host.count_level(HA_LOG_HOST_MISUSE), ++said);
    EXPECT_EQ(node.snapshot().total.bounds.end, before) << "the last good answer";
    host.answer_bounds({});
    const std::int64_t end = host.grow(1);
    node.notify(end);
    ASSERT_TRUE(Instance::eventually([&] { return node.snapshot().total.bounds.end == end; }));
  }
}

// Its slaves hold what is gone, and would be sent other bytes for the same offsets.
TEST(Misuse, AMasterWhoseLogGoesBackStepsDown) {
  MemoryHost host;
  host.grow(100);
  Instance node(host);
  node.start_master();
  Peer peer = Peer::to(node.port());
  ASSERT_TRUE(peer.report(100));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_CAUGHT_UP, HA_REASON_NONE));
  WaitLog waits;
  ASSERT_EQ(waits.wait(node, 200, 2, 600'000), HA_OK);
  host.cut(60);
  node.notify(60);
  EXPECT_EQ(waits.first_status(), HA_NOT_MASTER);
  EXPECT_TRUE(peer.wait_closed());
  ASSERT_TRUE(host.wait_for_role(HA_ROLE_NONE, 2));
  EXPECT_EQ(host.roles()[1].reason, HA_REASON_HOST_MISUSE);
  EXPECT_NE(host.roles()[1].text.find("went back from 100 to 60"), std::string::npos)
      << host.roles()[1].text;
  EXPECT_EQ(node.check_acks(1), HA_NOT_MASTER);
  ASSERT_EQ(node.set_role(HA_ROLE_MASTER), HA_OK);
  EXPECT_TRUE(host.wait_for_role(HA_ROLE_MASTER, 3)) << "the host may say that it is mended";
}

TEST(Misuse, ASlaveWhoseLogWasChangedBesideThePluginStops) {
  MemoryHost host;
  Listener listener;
  Instance slave(host, native());
  slave.start_slave(listener.address());
  NativeMaster master(listener.accept());
  const auto hello = master.greet(0, 200);
  ASSERT_TRUE(hello && master.resume(*hello) && master.send_log(0, 100));
  ASSERT_TRUE(master.ack_with(100));
  host.cut(60);
  ASSERT_TRUE(master.send_log(100, 100));
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_reason == HA_REASON_HOST_MISUSE; }));
  EXPECT_TRUE(host.wait_for_log("the log ends at 60 and not at 100"));
}

}  // namespace
}  // namespace ha::testing
