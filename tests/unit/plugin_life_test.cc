// SPDX-License-Identifier: Apache-2.0
// An instance's life: create, start, roles, stop, and what is refused when.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <future>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

extern "C" const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host,
                                                   ha_error* error) noexcept;

namespace ha::testing {
namespace {

TEST(Create, NamesTheBadOptionItsValueAndTheNearest) {
  MemoryHost host;
  ha_error error{};
  error.struct_size = sizeof(error);
  const ha_plugin_api* api = ha_plugin_entry_v1(host.api(), &error);
  ASSERT_NE(api, nullptr);
  const auto create = [&](const char* key, const char* value) {
    const ha_option option{key, value};
    ha_create_params params{};
    params.struct_size = sizeof(params);
    params.option_stride = sizeof(option);
    params.options = &option;
    params.option_count = 1;
    params.host_ctx = &host;
    auto* instance = reinterpret_cast<ha_instance*>(8);
    const std::int32_t status = api->create(host.api(), &params, &instance, &error);
    if (status == HA_OK) {
      api->destroy(instance);
    } else {
      EXPECT_EQ(instance, nullptr);
    }
    return status;
  };
  EXPECT_EQ(create("hearbeat_ms", "5"), HA_INVALID);
  EXPECT_NE(std::string(error.text).find("'heartbeat_ms'"), std::string::npos) << error.text;
  EXPECT_EQ(create("heartbeat_ms", "5s"), HA_INVALID);
  EXPECT_NE(std::string(error.text).find("'5s'"), std::string::npos) << error.text;
  EXPECT_EQ(create("heartbeat_ms", "15000"), HA_INVALID);  // does not fit housekeeping_ms
  EXPECT_EQ(create("heartbeat_ms", nullptr), HA_INVALID);
  EXPECT_EQ(create(nullptr, "5"), HA_INVALID);
  EXPECT_EQ(create("heartbeat_ms", "50"), HA_OK);
}

TEST(Entry, NamesTheMemberThatIsMissing) {
  MemoryHost host;
  ha_error error{};
  error.struct_size = sizeof(error);
  ha_host_api table = *host.api();
  table.unpin = nullptr;
  EXPECT_EQ(ha_plugin_entry_v1(&table, &error), nullptr);
  EXPECT_EQ(error.status, HA_VERSION);
  EXPECT_NE(std::string(error.text).find("'unpin'"), std::string::npos) << error.text;
  table = *host.api();
  table.struct_size =
      offsetof(ha_host_api, log);  // an older host's, where a required one is absent
  EXPECT_EQ(ha_plugin_entry_v1(&table, &error), nullptr);
  EXPECT_NE(std::string(error.text).find("'log'"), std::string::npos) << error.text;
  EXPECT_EQ(ha_plugin_entry_v1(nullptr, &error), nullptr);
  EXPECT_EQ(error.status, HA_INVALID);
}

TEST(Life, CallsInTheWrongStateAreRefused) {
  MemoryHost host;
  Instance node(host);
  EXPECT_EQ(node.set_role(HA_ROLE_MASTER), HA_STATE);
  EXPECT_EQ(node.set_master_address("127.0.0.1:1"), HA_STATE);
  EXPECT_EQ(node.set_option("heartbeat_ms", "100"), HA_STATE);
  EXPECT_EQ(node.check_acks(1), HA_NOT_MASTER);
  node.start_master();
  EXPECT_EQ(node.start(HA_ROLE_MASTER), HA_STATE);
  EXPECT_EQ(node.set_master_address("127.0.0.1:1"), HA_STATE);
  EXPECT_EQ(node.stop(0), HA_OK);
  EXPECT_EQ(node.stop(0), HA_OK);
  EXPECT_EQ(node.start(HA_ROLE_MASTER), HA_STATE);
  EXPECT_EQ(node.set_role(HA_ROLE_MASTER), HA_STATE);
  EXPECT_EQ(node.check_acks(1), HA_SHUTDOWN);
  EXPECT_EQ(node.snapshot().total.role, HA_ROLE_NONE);
  node.notify(0);
}

TEST(Life, AnInstanceThatNeverStartedCanBeStoppedAndDestroyed) {
  MemoryHost host;
  Instance node(host);
  EXPECT_EQ(node.stop(1000), HA_OK);
  node.api().destroy(nullptr);
}

TEST(Life, RolesEpochsAndAddressesThatCannotBeAreRefused) {
  MemoryHost host;
  Instance node(host);
  EXPECT_EQ(node.start(7), HA_INVALID);
  EXPECT_EQ(node.start(HA_ROLE_MASTER, "127.0.0.1:1"), HA_INVALID);
  EXPECT_EQ(node.start(HA_ROLE_SLAVE, "nonsense"), HA_INVALID);
  ha_role_change change{};
  change.struct_size = sizeof(change);
  change.role = HA_ROLE_MASTER;
  change.epoch = 1;
  EXPECT_EQ(node.api().start(node.get(), &change, nullptr), HA_UNSUPPORTED);
  change.epoch = 0;
  change.struct_size = 8;
  EXPECT_EQ(node.api().start(node.get(), &change, nullptr), HA_INVALID);
  EXPECT_EQ(node.api().start(node.get(), nullptr, nullptr), HA_INVALID);
  EXPECT_EQ(node.stop(-1), HA_INVALID);
  EXPECT_TRUE(host.roles().empty());
}

TEST(Life, ALogWithItsOwnConsensusIsRefused) {
  HostFeatures features;
  features.flags = HA_HOST_LOG_HAS_CONSENSUS;
  MemoryHost host(features);
  Instance node(host);
  EXPECT_EQ(node.start(HA_ROLE_MASTER), HA_STATE);
  EXPECT_NE(std::string(node.error().text).find("consensus"), std::string::npos);
}

TEST(Life, AFailedStartMayBeTriedAgain) {
  auto taken = std::make_unique<Listener>();
  MemoryHost host;
  Instance node(host, {{"listen", taken->address()}});
  EXPECT_EQ(node.start(HA_ROLE_MASTER), HA_IO);
  taken.reset();
  node.start_master();
}

TEST(Life, MetricsPortInUseIsIoAndNamesTheOption) {
  Listener taken;
  MemoryHost host;
  Instance node(host, {{"metrics_listen", taken.address()}});
  EXPECT_EQ(node.start(HA_ROLE_MASTER), HA_IO);
  EXPECT_NE(std::string(node.error().text).find("'metrics_listen'"), std::string::npos)
      << node.error().text;
  EXPECT_NE(std::string(node.error().text).find(taken.address()), std::string::npos)
      << node.error().text;
}

TEST(Life, TwoInstancesAreIndependent) {
  MemoryHost a;
  MemoryHost b;
  Instance one(a);
  Instance two(b);
  one.start_master();
  two.start_master();
  EXPECT_NE(one.port(), two.port());
  EXPECT_EQ(one.stop(0), HA_OK);
  Peer peer = Peer::to(two.port());
  ASSERT_TRUE(peer.report(0));
  EXPECT_TRUE(b.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
}

TEST(Roles, AreToldOnAThreadThatIsNotTheIoThread) {
  MemoryHost host;
  // The I/O thread must go on serving while the host takes its time to enter the role.
  std::promise<void> let_go;
  std::shared_future<void> gate = let_go.get_future().share();
  host.on_role([gate](const ha_role_report& report) {
    if (report.role == HA_ROLE_MASTER) gate.wait();
  });
  Instance node(host);
  ASSERT_EQ(node.start(HA_ROLE_MASTER), HA_OK);
  EXPECT_TRUE(Instance::eventually([&] { return node.snapshot().total.role == HA_ROLE_MASTER; }));
  Peer peer = Peer::to(node.port());
  ASSERT_TRUE(peer.report(0));
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  let_go.set_value();
  ASSERT_TRUE(host.wait_for_role(HA_ROLE_MASTER));
  EXPECT_EQ(host.roles()[0].thread, "ha-control");
  EXPECT_EQ(host.roles()[0].reason, HA_REASON_REQUESTED);
}

TEST(Roles, EachAcceptedChangeIsToldOnceAndInOrder) {
  MemoryHost host;
  Listener nobody;
  Instance node(host);
  ASSERT_EQ(node.start(HA_ROLE_NONE), HA_OK);
  const std::int32_t roles[] = {HA_ROLE_MASTER, HA_ROLE_SLAVE, HA_ROLE_NONE, HA_ROLE_SLAVE,
                                HA_ROLE_MASTER};
  for (const std::int32_t role : roles) {
    ASSERT_EQ(node.set_role(role, role == HA_ROLE_SLAVE ? nobody.address() : ""), HA_OK);
  }
  ASSERT_EQ(node.stop(0), HA_OK);
  const std::vector<RoleSeen> seen = host.roles();
  ASSERT_EQ(seen.size(), 6u);
  EXPECT_EQ(seen[0].role, HA_ROLE_NONE);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(seen[i + 1].role, roles[i]) << i;
}

TEST(Roles, LeavingMasterEndsWaitsAndConnections) {
  MemoryHost host;
  host.grow(100);
  Instance node(host);
  node.start_master();
  Peer peer = node.join(100);
  WaitLog waits;
  ASSERT_EQ(waits.wait(node, 200, 2, 600'000), HA_OK);
  ASSERT_EQ(waits.wait(node, 300, 2, 600'000), HA_OK);
  ASSERT_EQ(node.set_role(HA_ROLE_NONE), HA_OK);
  ASSERT_TRUE(waits.wait_for(2));
  for (const auto& e : waits.ended()) EXPECT_EQ(e.status, HA_NOT_MASTER);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_ROLE_CHANGED));
  ASSERT_TRUE(host.wait_for_role(HA_ROLE_NONE, 2));
  EXPECT_EQ(waits.wait(node, 200, 2, 600'000), HA_NOT_MASTER);
  EXPECT_EQ(node.check_acks(1), HA_NOT_MASTER);
  EXPECT_EQ(node.snapshot().total.in_sync_count, 0);
  EXPECT_EQ(node.snapshot().total.replica_count, 0);
}

// Else this node alone would hold it, and no slave could take over. The last of the roles is slave.
void expect_the_rest_is_sent(const std::vector<std::int32_t>& roles) {
  MemoryHost host;
  host.grow(1000);
  Instance node(host);
  node.start_master();
  Peer slave = node.join(1000);
  WaitLog waits;
  const std::int64_t end = host.grow(500);  // and the plugin does not hear of it
  ASSERT_EQ(waits.wait(node, end, 2, 600'000), HA_OK);
  for (const std::int32_t role : roles) ASSERT_EQ(node.set_role(role), HA_OK);
  EXPECT_EQ(slave.follow_to(1000, end), "");
  EXPECT_EQ(waits.first_status(), HA_OK);
  EXPECT_TRUE(slave.wait_closed());
  EXPECT_TRUE(host.wait_for_role(HA_ROLE_SLAVE, 1 + roles.size()));
}

TEST(Roles, LeavingMasterGivesSlavesTheRestOfTheLogFirst) {
  expect_the_rest_is_sent({HA_ROLE_SLAVE});
}

TEST(Roles, LeavingMasterGivesSlavesTheRestAlsoWhenAnotherRoleIsAskedForBehindIt) {
  expect_the_rest_is_sent({HA_ROLE_NONE, HA_ROLE_SLAVE});
}

TEST(Roles, LeavingMasterWaitsForAFlushThatAProducerWaitsFor) {
  MemoryHost host;
  Instance node(host);
  node.start_master();
  node.notify(host.grow(500));
  WaitLog waits;
  ASSERT_EQ(waits.wait(node, 500, 1, 600'000, HA_DURABILITY_DURABLE), HA_OK);
  const std::int64_t looked = host.bounds_calls();
  ASSERT_EQ(node.set_role(HA_ROLE_SLAVE), HA_OK);
  ASSERT_TRUE(Instance::eventually([&] { return host.bounds_calls() >= looked + 8; }));
  host.set_durable(500);
  node.notify_durable(500);
  EXPECT_EQ(waits.first_status(), HA_OK);
  EXPECT_TRUE(host.wait_for_role(HA_ROLE_SLAVE, 2));
}

TEST(Roles, LeavingMasterDoesNotWaitForASlaveThatIsSilent) {
  MemoryHost host;
  host.grow(1000);
  Instance node(host);
  node.start_master();
  Peer slave = node.join(1000);
  node.notify(host.grow(500));
  ASSERT_EQ(node.set_role(HA_ROLE_SLAVE), HA_OK);
  EXPECT_TRUE(host.wait_for_role(HA_ROLE_SLAVE, 2));
}

TEST(Roles, ASlaveCanBePromotedAndAMasterCanFollow) {
  MemoryHost a;
  MemoryHost b;
  a.grow(5000);
  Instance one(a, {{"bootstrap", "earliest"}});
  Instance two(b, {{"bootstrap", "earliest"}});
  one.start_master();
  two.start_slave("127.0.0.1:" + std::to_string(one.port()));
  ASSERT_TRUE(b.wait_for_end(5000));
  ASSERT_EQ(two.set_role(HA_ROLE_MASTER), HA_OK);
  ASSERT_TRUE(b.wait_for_role(HA_ROLE_MASTER, 2));
  ASSERT_EQ(one.set_role(HA_ROLE_SLAVE, "127.0.0.1:" + std::to_string(two.port())), HA_OK);
  ASSERT_TRUE(a.wait_for_role(HA_ROLE_SLAVE, 2));
  two.notify(b.grow(777));
  EXPECT_TRUE(a.wait_for_end(5777));
  EXPECT_EQ(a.first_wrong_byte(), "");
}

TEST(Roles, TakingARoleCutsTheLogToItsLastWholeRecord) {
  HostFeatures features;
  features.record_size = 100;
  MemoryHost host(features);
  host.grow(1042);
  Instance node(host);
  node.start_master();
  EXPECT_EQ(host.end(), 1000);
  EXPECT_EQ(host.count_logs("cut the log from 1042 to 1000"), 1u);
}

TEST(Roles, ALogThatCannotBeCutLeavesTheNodeWithoutARole) {
  HostFeatures features;
  features.record_size = 100;
  features.truncate = false;
  MemoryHost host(features);
  host.grow(1042);
  Instance node(host);
  ASSERT_EQ(node.start(HA_ROLE_MASTER), HA_OK);
  ASSERT_TRUE(host.wait_for_log("cannot become"));
  ASSERT_EQ(node.stop(0), HA_OK);
  const auto seen = host.roles();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].role, HA_ROLE_NONE);
  EXPECT_EQ(seen[0].status, HA_UNSUPPORTED);
  EXPECT_EQ(seen[0].reason, HA_REASON_HOST_ERROR);
  EXPECT_NE(seen[0].text.find("truncate"), std::string::npos) << seen[0].text;
  EXPECT_EQ(host.end(), 1042);
}

TEST(Roles, ASlaveThatCouldNotBecomeOneHasNoMastersAddress) {
  HostFeatures features;
  features.record_size = 100;
  features.truncate = false;
  MemoryHost host(features);
  host.grow(1042);
  Listener nobody;
  Instance node(host);
  ASSERT_EQ(node.start(HA_ROLE_SLAVE, nobody.address()), HA_OK);
  ASSERT_TRUE(host.wait_for([&] { return true; }));
  ASSERT_TRUE(host.wait_for_log("cannot become"));
  EXPECT_TRUE(Instance::eventually([&] { return host.roles().size() == 1; }));
  EXPECT_EQ(node.set_master_address(nobody.address().c_str()), HA_STATE);
}

TEST(Stop, PendingWaitsEndWithShutdownAndTheCallerHears) {
  MemoryHost host;
  Instance node(host);
  node.start_master();
  Peer peer = node.join(0);
  WaitLog waits;
  ASSERT_EQ(waits.wait(node, 200, 2, 600'000), HA_OK);
  EXPECT_EQ(node.stop(10), HA_TIMEOUT);
  EXPECT_NE(std::string(node.error().text).find("10 ms"), std::string::npos);
  ASSERT_EQ(waits.ended().size(), 1u);
  EXPECT_EQ(waits.ended()[0].status, HA_SHUTDOWN);
  EXPECT_EQ(waits.wait(node, 200, 2, 600'000), HA_SHUTDOWN);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_SHUTDOWN));
  EXPECT_EQ(host.threads(), 0);
}

// The drain is for those who are nearly there.
TEST(Stop, WaitsThatEndDuringTheDrainEndWell) {
  MemoryHost host;
  host.grow(100);
  Instance node(host);
  node.start_master();
  Peer peer = Peer::to(node.port());
  ASSERT_TRUE(peer.report(0));
  ASSERT_EQ(peer.follow_to(0, 100, false), "");
  WaitLog waits;
  ASSERT_EQ(waits.wait(node, 100, 2, 600'000), HA_OK);
  auto stopping = std::async(std::launch::async, [&] { return node.stop(600'000); });
  ASSERT_TRUE(Instance::eventually([&] { return node.check_acks(1) == HA_SHUTDOWN; }));
  ASSERT_TRUE(peer.report(100));
  EXPECT_EQ(stopping.get(), HA_OK);
  ASSERT_EQ(waits.ended().size(), 1u);
  EXPECT_EQ(waits.ended()[0].status, HA_OK);
}

// Nobody waits for these bytes; they must be on the other node all the same.
TEST(Stop, TheDrainEndsWhenTheReplicasHoldTheLog) {
  MemoryHost host;
  host.grow(100);
  Instance node(host);
  node.start_master();
  Peer peer = Peer::to(node.port());
  ASSERT_TRUE(peer.report(0));
  ASSERT_EQ(peer.follow_to(0, 100, false), "");
  auto stopping = std::async(std::launch::async, [&] { return node.stop(600'000); });
  ASSERT_TRUE(Instance::eventually([&] { return node.check_acks(1) == HA_SHUTDOWN; }));
  ASSERT_TRUE(peer.report(60));
  ASSERT_TRUE(peer.report(100));
  EXPECT_EQ(stopping.get(), HA_OK);
  EXPECT_EQ(host.count_logs("are not yet with"), 0U);
}

TEST(Stop, WhatReplicasLackInTheEndIsSaid) {
  MemoryHost host;
  host.grow(100);
  Instance node(host);
  node.start_master();
  Peer peer = node.join(0);
  EXPECT_EQ(node.stop(1), HA_OK);
  EXPECT_EQ(host.count_logs("this node stops at 100, and the newest bytes"), 1U);
  EXPECT_EQ(host.count_logs("(100 bytes)"), 1U);
}

TEST(Stop, DestroyStopsWhatWasNotStopped) {
  MemoryHost host;
  WaitLog waits;
  {
    Instance node(host);
    node.start_master();
    Peer peer = node.join(0);
    ASSERT_EQ(waits.wait(node, 200, 2, 600'000), HA_OK);
  }
  ASSERT_EQ(waits.ended().size(), 1u);
  EXPECT_EQ(waits.ended()[0].status, HA_SHUTDOWN);
}

// Such a call would wait for the thread that it is made on.
TEST(Callbacks, ControlCallsFromAPluginThreadAreRefused) {
  MemoryHost host;
  std::atomic<Instance*> node{nullptr};
  std::atomic<int> refused{0};
  const auto try_all = [&] {
    Instance* n = node.load();
    if (n == nullptr) return;
    ha_role_change change{};
    change.struct_size = sizeof(change);
    const ha_plugin_api& api = n->api();
    refused += api.start(n->get(), &change, nullptr) == HA_STATE;
    refused += api.set_role(n->get(), &change, nullptr) == HA_STATE;
    refused += api.set_master_address(n->get(), nullptr, nullptr) == HA_STATE;
    refused += api.set_option(n->get(), "heartbeat_ms", "100", nullptr) == HA_STATE;
    refused += api.stop(n->get(), 0, nullptr) == HA_STATE;
  };
  host.on_replica([&](const ha_replica_event& event) {
    if (event.event == HA_REPLICA_JOINED) try_all();
  });
  host.on_role([&](const ha_role_report&) { try_all(); });
  Instance instance(host);
  node = &instance;
  instance.start_master();
  EXPECT_EQ(refused, 5);
  Peer peer = instance.join(0);
  EXPECT_EQ(refused, 10);
  WaitLog waits;
  waits.on_end(try_all);
  ASSERT_EQ(waits.wait(instance, 200, 2, 1), HA_OK);
  ASSERT_TRUE(waits.wait_for(1));
  EXPECT_EQ(refused, 15);
  node = nullptr;
}

TEST(Callbacks, MayCallWhatAnyThreadMay) {
  MemoryHost host;
  Instance node(host);
  node.start_master();
  Peer peer = node.join(0);
  WaitLog second;
  WaitLog first;
  first.on_end([&] {
    node.notify(0);
    EXPECT_EQ(node.check_acks(2), HA_OK);
    EXPECT_EQ(node.snapshot().total.role, HA_ROLE_MASTER);
    EXPECT_FALSE(node.metrics().empty());
    EXPECT_EQ(second.wait(node, 500, 2, 1), HA_OK);
  });
  ASSERT_EQ(first.wait(node, 200, 2, 1), HA_OK);
  EXPECT_EQ(second.first_status(), HA_FLUSH_SLAVE_TIMEOUT);
}

TEST(SetOption, ChangesWhatMayChangeAndRefusesTheRest) {
  MemoryHost host;
  Instance node(host);
  node.start_master();
  EXPECT_EQ(node.set_option("max_connections", "5"), HA_STATE);
  EXPECT_NE(std::string(node.error().text).find("max_connections"), std::string::npos);
  EXPECT_EQ(node.set_option("no_such", "5"), HA_INVALID);
  EXPECT_EQ(node.set_option("heartbeat_ms", "x"), HA_INVALID);
  EXPECT_EQ(node.set_option("heartbeat_ms", "10000"), HA_INVALID);  // housekeeping_ms is 20000
  EXPECT_EQ(node.set_option("housekeeping_ms", "30000"), HA_OK);
  EXPECT_EQ(node.set_option("heartbeat_ms", "10000"), HA_OK);
  EXPECT_EQ(node.check_acks(HA_ACKS_DEFAULT), HA_OK);
  EXPECT_EQ(node.set_option("in_sync_replicas", "2"), HA_OK);
  EXPECT_EQ(node.check_acks(HA_ACKS_DEFAULT), HA_SLAVE_NOT_AVAILABLE);
  EXPECT_EQ(node.set_option("min_in_sync_replicas", "2"), HA_OK);
  EXPECT_EQ(node.check_acks(HA_ACKS_DEFAULT), HA_IN_SYNC_REPLICAS_NOT_ENOUGH);
}

TEST(SetOption, ALowerHeartbeatReachesConnectionsThatAreOpen) {
  MemoryHost host;
  Instance node(host, {{"heartbeat_ms", "600000"}, {"housekeeping_ms", "3600000"}});
  node.start_master();
  Peer peer = Peer::to(node.port());
  ASSERT_TRUE(peer.report(0));
  ASSERT_EQ(peer.frame().size, 0);  // the greeting
  ASSERT_EQ(node.set_option("heartbeat_ms", "10"), HA_OK);
  EXPECT_EQ(peer.frame().size, 0);
  EXPECT_EQ(peer.frame().size, 0);
}

}  // namespace
}  // namespace ha::testing
