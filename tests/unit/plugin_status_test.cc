// SPDX-License-Identifier: Apache-2.0
// What an instance says about itself: snapshot, status JSON and metrics tell the same story.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <future>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

TEST(Status, AMastersSnapshotAndJsonAgree) {
  MemoryHost host;
  host.start_at(4096);
  const std::int64_t end = host.grow(1000);
  Instance master(host, {{"in_sync_replicas", "2"}});
  master.start_master();
  Peer peer = Peer::to(master.port());
  ASSERT_TRUE(peer.report(4096 + 200));
  ASSERT_EQ(peer.follow_to(4096 + 200, end, false), "");
  ASSERT_TRUE(peer.report(4096 + 700));
  ASSERT_TRUE(Instance::eventually([&] {
    const auto seen = master.snapshot();
    return seen.replicas.size() == 1 && seen.replicas[0].lag_bytes == 300;
  }));

  const SnapshotSeen seen = master.snapshot();
  EXPECT_EQ(seen.total.role, HA_ROLE_MASTER);
  EXPECT_EQ(seen.total.epoch, 0);
  EXPECT_EQ(seen.total.in_sync_count, 2);
  EXPECT_EQ(seen.total.bounds.min, 4096);
  EXPECT_EQ(seen.total.bounds.end, end);
  EXPECT_EQ(seen.total.bounds.segment_size, 4096);
  EXPECT_EQ(seen.total.metrics_port, 0);
  EXPECT_STREQ(seen.total.master_address, "");
  const ha_replica_status& replica = seen.replicas[0];
  EXPECT_EQ(replica.struct_size, sizeof(replica));
  EXPECT_EQ(replica.state, HA_STATE_TRANSFER);
  EXPECT_EQ(replica.start_offset, 4296);
  EXPECT_EQ(replica.sent_offset, end);
  EXPECT_EQ(replica.ack_offset, 4796);
  EXPECT_GE(replica.lag_ms, 0);
  EXPECT_EQ(replica.in_sync, 1u);
  EXPECT_STREQ(replica.id, "127.0.0.1#1");
  EXPECT_EQ(replica.address, peer.local_address());

  const auto json = master.status();
  EXPECT_EQ(json.at("role").as_string(), "master");
  EXPECT_EQ(json.at("bounds").at("end").as_int64(), end);
  EXPECT_EQ(json.at("in_sync_count").as_int64(), 2);
  EXPECT_EQ(json.at("listen_address").as_string(), seen.total.listen_address);
  const auto& one = json.at("replicas").at(0);
  EXPECT_EQ(one.at("id").as_string(), "127.0.0.1#1");
  EXPECT_EQ(one.at("connected").as_bool(), true);
  EXPECT_EQ(one.at("state").as_string(), "transfer");
  EXPECT_EQ(one.at("ack_offset").as_int64(), 4796);
  EXPECT_EQ(one.at("in_flight_bytes").as_int64(), 300);
  EXPECT_TRUE(json.at("warnings").as_array().empty());
  // RocketMQ's HARuntimeInfo, in its names.
  const auto& info = json.at("ha_runtime_info");
  EXPECT_EQ(info.at("master").as_bool(), true);
  EXPECT_EQ(info.at("masterCommitLogMaxOffset").as_int64(), end);
  EXPECT_EQ(info.at("inSyncSlaveNums").as_int64(), 1);
  const auto& link = info.at("haConnectionInfo").at(0);
  EXPECT_EQ(link.at("addr").as_string(), peer.local_address());
  EXPECT_EQ(link.at("slaveAckOffset").as_int64(), 4796);
  EXPECT_EQ(link.at("diff").as_int64(), 300);
  EXPECT_EQ(link.at("inSync").as_bool(), true);
  EXPECT_EQ(link.at("transferFromWhere").as_int64(), end);
}

TEST(Status, AReplicaThatLeftStandsInTheJsonWithTheReason) {
  MemoryHost host;
  Instance master(host);
  master.start_master();
  {
    Peer peer = master.join(0);
    ASSERT_TRUE(peer.report(77));  // never sent
    ASSERT_TRUE(peer.wait_closed());
  }
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_REPORT_AHEAD));
  EXPECT_EQ(master.snapshot().total.replica_count, 0);
  const auto json = master.status();
  const auto& gone = json.at("replicas").at(0);
  EXPECT_EQ(gone.at("connected").as_bool(), false);
  EXPECT_EQ(gone.at("state").as_string(), "shutdown");
  EXPECT_EQ(gone.at("last_close_reason").as_string(), "report_ahead");
  EXPECT_TRUE(json.at("ha_runtime_info").at("haConnectionInfo").as_array().empty());
}

TEST(Status, ASlaveTellsOfItsLink) {
  Listener listener;
  MemoryHost host;
  Instance slave(host);
  Peer master = slave.follow(listener, 0);
  ASSERT_TRUE(master.send_log(0, 64));
  ASSERT_EQ(master.read_report(), 64);
  const SnapshotSeen seen = slave.snapshot();
  EXPECT_EQ(seen.total.role, HA_ROLE_SLAVE);
  EXPECT_EQ(seen.total.client_state, HA_STATE_TRANSFER);
  EXPECT_EQ(seen.total.in_sync_count, 0);
  EXPECT_GT(seen.total.client_last_read_ms, 1'600'000'000'000);
  EXPECT_GT(seen.total.client_last_write_ms, 1'600'000'000'000);
  EXPECT_EQ(seen.total.master_address, listener.address());
  const auto json = slave.status();
  EXPECT_EQ(json.at("role").as_string(), "slave");
  EXPECT_EQ(json.at("client").at("bytes_received").as_int64(), 64);
  EXPECT_EQ(json.at("client").at("master_address").as_string(), listener.address());
  const auto& info = json.at("ha_runtime_info").at("haClientRuntimeInfo");
  EXPECT_EQ(info.at("masterAddr").as_string(), listener.address());
  EXPECT_EQ(info.at("maxOffset").as_int64(), 64);
  EXPECT_EQ(info.at("isActivated").as_bool(), true);
}

TEST(Status, AnIoThreadThatAHookHoldsUpShows) {
  MemoryHost host;
  Instance master(host);
  std::promise<void> held;
  std::promise<void> release;
  std::atomic<bool> first{true};
  host.on_replica([&](const ha_replica_event&) {
    if (!first.exchange(false)) return;
    held.set_value();
    release.get_future().wait();
  });
  master.start_master();
  Peer peer = Peer::to(master.port());
  ASSERT_TRUE(peer.report(0));
  held.get_future().wait();
  const std::int64_t before = master.snapshot().total.io_turn_age_ms;
  // More than one tick: a thread that turns never comes this far.
  EXPECT_TRUE(
      Instance::eventually([&] { return master.snapshot().total.io_turn_age_ms > before + 2000; }));
  release.set_value();
  EXPECT_TRUE(
      Instance::eventually([&] { return master.snapshot().total.io_turn_age_ms < before + 2000; }));
  master.stop();
  EXPECT_EQ(master.snapshot().total.io_turn_age_ms, 0);
}

// With slaves attached and one copy asked for, somebody believes in a safety that is not there.
TEST(Status, AMasterThatNeedsNoCopiesSaysSo) {
  MemoryHost host;
  Instance master(host);
  master.start_master();
  EXPECT_GE(host.count_logs("wait for nobody"), 1u);
  // A host shows this text for as long as the role lasts; the option may change before.
  EXPECT_EQ(host.roles().back().text, "this node became master");
  EXPECT_TRUE(master.status().at("warnings").as_array().empty());
  Peer peer = master.join(0);
  EXPECT_EQ(master.status().at("warnings").as_array().size(), 1u);
  ASSERT_EQ(master.set_option("in_sync_replicas", "2"), HA_OK);
  EXPECT_TRUE(master.status().at("warnings").as_array().empty());
}

TEST(Status, WaitsAreCountedByTheirResult) {
  MemoryHost host;
  Instance master(host);
  master.start_master();
  WaitLog waits;
  EXPECT_EQ(waits.wait(master, 1, 2, 1000), HA_SLAVE_NOT_AVAILABLE);
  EXPECT_EQ(waits.wait(master, 1, 1, 1000), HA_DONE);
  const auto json = master.status();
  const auto& results = json.at("waits").at("results");
  EXPECT_EQ(results.at("SLAVE_NOT_AVAILABLE").to_number<int>(), 1);
  EXPECT_EQ(results.at("OK").to_number<int>(), 1);
}

TEST(Status, ASmallerSnapshotIsFilledAsFarAsItGoes) {
  MemoryHost host;
  Instance master(host);
  master.start_master();
  Peer a = master.join(0);
  Peer b = master.join(0, 2);
  ha_snapshot small;
  std::memset(&small, 0x5a, sizeof(small));
  small.struct_size = offsetof(ha_snapshot, client_state);
  small.replica_stride = 24;  // up to sent_offset
  alignas(8) std::array<unsigned char, 2 * 24 + 8> room;
  room.fill(0x5a);
  small.replicas = reinterpret_cast<ha_replica_status*>(room.data());
  small.replica_capacity = 2;
  EXPECT_EQ(master.api().snapshot(master.get(), &small), HA_OK);
  EXPECT_EQ(small.replica_count, 2);
  EXPECT_EQ(small.role, HA_ROLE_MASTER);
  EXPECT_EQ(small.client_state, 0x5a5a5a5a);
  for (std::size_t i = 0; i < 2; ++i) {
    std::uint32_t size = 0;
    std::memcpy(&size, room.data() + i * 24, sizeof(size));
    EXPECT_EQ(size, 24u);
  }
  EXPECT_EQ(room[48], 0x5a) << "wrote past the host's array";

  small.replica_capacity = 0;
  small.replicas = nullptr;
  EXPECT_EQ(master.api().snapshot(master.get(), &small), HA_OK);
  EXPECT_EQ(small.replica_count, 2);
  small.struct_size = 8;
  EXPECT_EQ(master.api().snapshot(master.get(), &small), HA_INVALID);
}

TEST(Status, ASinkThatRefusesEndsTheCallWithIo) {
  MemoryHost host;
  Instance master(host);
  const auto refuse = [](void*, const char*, std::int64_t) noexcept -> std::int32_t { return 1; };
  EXPECT_EQ(master.api().status_json(master.get(), refuse, nullptr), HA_IO);
  EXPECT_EQ(master.api().metrics_text(master.get(), refuse, nullptr), HA_IO);
  EXPECT_EQ(master.api().status_json(master.get(), nullptr, nullptr), HA_INVALID);
}

TEST(Status, CodesHaveNames) {
  MemoryHost host;
  Instance master(host);
  EXPECT_STREQ(master.api().status_text(HA_OK), "OK");
  EXPECT_STREQ(master.api().status_text(HA_FLUSH_SLAVE_TIMEOUT), "FLUSH_SLAVE_TIMEOUT");
  EXPECT_STREQ(master.api().status_text(-12345), "UNKNOWN");
  EXPECT_STREQ(master.api().reason_text(HA_REASON_NOT_SERVING), "not_serving");
  EXPECT_STREQ(master.api().reason_text(1234), "unknown");
  EXPECT_STREQ(master.api().event_text(HA_REPLICA_CAUGHT_UP), "caught_up");
  EXPECT_STREQ(master.api().event_text(-1), "unknown");
  EXPECT_EQ(master.api().get_extension(master.get(), "ha.plugin.nothing/1"), nullptr);
}

}  // namespace
}  // namespace ha::testing
