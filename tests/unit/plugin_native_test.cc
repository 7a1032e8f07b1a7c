// SPDX-License-Identifier: Apache-2.0
// Nodes of our own kind among themselves: log bytes, metadata, durable copies.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"

namespace ha::testing {
namespace {

using core::Decision;
using core::Offset;

constexpr std::int64_t kLongMs = 600'000;
constexpr std::int64_t kSegment = 4096;

class NativePair : public ::testing::TestWithParam<bool> {
 protected:
  static HostFeatures features(bool reserve) {
    HostFeatures f;
    f.append_reserve = reserve;
    return f;
  }
  MemoryHost master_host_;
  MemoryHost slave_host_{features(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Append, NativePair, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST_P(NativePair, BytesGoOverAndWaitsEnd) {
  Instance master(master_host_,
                  {{"replica_id", "a"}, {"cluster_id", "prod"}, {"bootstrap", "earliest"}});
  Instance slave(slave_host_, {{"wire", "auto"}, {"replica_id", "b"}, {"cluster_id", "prod"}});
  master.start_master();
  const std::int64_t end = master_host_.grow(3 * kSegment + 100);
  slave.start_slave(address_of(master));
  ASSERT_TRUE(slave_host_.wait_for_end(end));
  EXPECT_EQ(slave_host_.first_wrong_byte(), "");
  ASSERT_TRUE(master_host_.wait_for_replica(HA_REPLICA_CAUGHT_UP, HA_REASON_NONE));
  EXPECT_EQ(master_host_.replicas()[0].id, "b");
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end + 50, 2, kLongMs), HA_OK);
  master.notify(master_host_.grow(50));
  EXPECT_EQ(waits.first_status(), HA_OK);
  const auto status = master.status();
  EXPECT_EQ(status.at("replicas").at(0).at("wire"), "native");
  EXPECT_EQ(status.at("replicas").at(0).at("id"), "b");
}

TEST_P(NativePair, ASlaveThatWasAwayGoesOnWhereItStood) {
  Instance master(master_host_, {{"bootstrap", "earliest"}});
  master.start_master();
  master_host_.grow(kSegment + 10);
  {
    Instance slave(slave_host_, native());
    slave.start_slave(address_of(master));
    ASSERT_TRUE(slave_host_.wait_for_end(kSegment + 10));
  }
  const std::int64_t appends = slave_host_.appends();
  master_host_.grow(700);
  Instance slave(slave_host_, native());
  slave.start_slave(address_of(master));
  ASSERT_TRUE(slave_host_.wait_for_end(kSegment + 710));
  EXPECT_GT(slave_host_.appends(), appends);
  EXPECT_EQ(slave_host_.first_wrong_byte(), "");
  EXPECT_EQ(slave_host_.count_logs("this log starts at"), 0u);
}

TEST_P(NativePair, AnEmptySlaveStartsWhereTheMasterSays) {
  master_host_.start_at(2 * kSegment);
  master_host_.grow(2 * kSegment + 5);
  Instance master(master_host_);
  master.start_master();
  Instance slave(slave_host_, native());
  slave.start_slave(address_of(master));
  ASSERT_TRUE(slave_host_.wait_for_end(4 * kSegment + 5));
  EXPECT_EQ(slave_host_.min(), 4 * kSegment);
  EXPECT_EQ(slave_host_.first_wrong_byte(), "");
}

TEST_P(NativePair, ASlaveThatLacksWhatWasDeletedStartsAgain) {
  slave_host_.grow(kSegment);
  master_host_.start_at(2 * kSegment);
  master_host_.grow(kSegment + 5);
  const std::pair<std::string, std::string> cluster{"cluster_id", "prod"};
  Instance master(master_host_, {{"bootstrap", "earliest"}, cluster});
  master.start_master();
  Instance slave(slave_host_, native({cluster}));
  slave.start_slave(address_of(master));
  ASSERT_TRUE(slave_host_.wait_for_end(3 * kSegment + 5));
  EXPECT_EQ(slave_host_.min(), 2 * kSegment);
  EXPECT_TRUE(slave_host_.wait_for_log("was deleted at the master"));
}

HostFeatures with_metadata() {
  HostFeatures features;
  features.metadata = true;
  return features;
}

TEST(NativeMetadata, ReachesSlavesAndTheirSlaves) {
  MemoryHost a(with_metadata());
  MemoryHost b(with_metadata());
  MemoryHost c(with_metadata());
  a.set_metadata("of the master");
  b.set_metadata("of the slave, and older");
  Instance master(a);
  Instance slave(b, native());
  Instance slaves_slave(c, native());
  master.start_master();
  slave.start_slave(address_of(master));
  slaves_slave.start_slave(address_of(slave));
  EXPECT_TRUE(b.wait_for_metadata("of the master"));
  EXPECT_TRUE(c.wait_for_metadata("of the master"));
  const std::string large(std::size_t{1} << 20, 'x');
  a.set_metadata(large);
  EXPECT_TRUE(b.wait_for_metadata(large));
  EXPECT_TRUE(c.wait_for_metadata(large));
  a.set_metadata("");
  EXPECT_TRUE(c.wait_for_metadata(""));
  // The log goes its own way meanwhile.
  master.notify(a.grow(5000));
  ASSERT_TRUE(c.wait_for_end(5000));
  EXPECT_EQ(c.first_wrong_byte(), "");
}

TEST(NativeMetadata, TooMuchOfItIsNotSentAndSaidOnce) {
  MemoryHost a(with_metadata());
  MemoryHost b(with_metadata());
  a.set_metadata("small");
  Instance master(a);
  Instance slave(b, native());
  master.start_master();
  slave.start_slave(address_of(master));
  ASSERT_TRUE(b.wait_for_metadata("small"));
  a.set_metadata(std::string(HA_METADATA_MAX_BYTES + 1, 'x'));
  EXPECT_TRUE(a.wait_for_log("the metadata is not replicated"));
  EXPECT_EQ(master.sample("ha_metadata_failed"), 1);
  EXPECT_NE(boost::json::serialize(master.status().at("warnings")).find("is not replicated"),
            std::string::npos);
  a.set_metadata(std::string(HA_METADATA_MAX_BYTES, 'y'));
  EXPECT_TRUE(b.wait_for_metadata(std::string(HA_METADATA_MAX_BYTES, 'y')));
  EXPECT_EQ(a.count_logs("the metadata is not replicated"), 1u);
  EXPECT_EQ(master.sample("ha_metadata_failed"), 0);
  EXPECT_EQ(boost::json::serialize(master.status().at("warnings")).find("is not replicated"),
            std::string::npos);
}

TEST(NativeMetadata, WhatASlaveTookInGoesUpToItsMaster) {
  MemoryHost a(with_metadata());
  MemoryHost b(with_metadata());
  a.set_metadata("state");
  b.set_pending("of an older time");
  Instance master(a);
  Instance slave(b, native());
  master.start_master();
  slave.start_slave(address_of(master));
  EXPECT_TRUE(a.wait_for_merged("of an older time"));
  // More of it, larger than a read; and the log goes its own way.
  const std::string large(300'000, 'x');
  b.set_pending(large);
  EXPECT_TRUE(a.wait_for_merged(large));
  master.notify(a.grow(5000));
  ASSERT_TRUE(b.wait_for_end(5000));
  EXPECT_EQ(b.first_wrong_byte(), "");
}

TEST(NativeMetadata, AHostWithoutPendingHandsNothingUpAndTakesNothing) {
  HostFeatures old = with_metadata();
  old.hands_up = false;
  MemoryHost a(old);
  MemoryHost b(with_metadata());
  MemoryHost c(old);
  a.set_metadata("state");
  b.set_pending("pending");
  c.set_pending("never asked for");
  Instance master(a);
  Instance slave(b, native());
  Instance slaves_slave(c, native());
  master.start_master();
  slave.start_slave(address_of(master));
  slaves_slave.start_slave(address_of(slave));
  EXPECT_TRUE(b.wait_for_metadata("state"));
  EXPECT_TRUE(c.wait_for_metadata("state"));
  a.set_metadata("later");
  EXPECT_TRUE(c.wait_for_metadata("later"));
  EXPECT_TRUE(a.merged().empty());
  EXPECT_TRUE(b.merged().empty());
}

TEST(NativeMetadata, APeersPendingIsMergedOncePerTickAndBounded) {
  MemoryHost host(with_metadata());
  Instance master(host);
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.join("", 0));
  const auto first = wire::native::encode_pending("first");
  const auto last = wire::native::encode_pending("last");
  wire::native::Bytes flood;
  for (int i = 0; i < 1000; ++i) flood.insert(flood.end(), first.begin(), first.end());
  flood.insert(flood.end(), last.begin(), last.end());
  slave.peer().send(flood);
  EXPECT_TRUE(host.wait_for_merged("last"));
  EXPECT_LT(host.merged().size(), 1000u);
}

TEST(NativeMetadata, AHostThatRefusesItOrHasNoneStillGetsTheLog) {
  MemoryHost a(with_metadata());
  MemoryHost refusing(with_metadata());
  MemoryHost without;
  a.set_metadata("state");
  refusing.refuse_metadata();
  Instance master(a);
  Instance first(refusing, native());
  Instance second(without, native());
  master.start_master();
  first.start_slave(address_of(master));
  second.start_slave(address_of(master));
  EXPECT_TRUE(refusing.wait_for_log("the master's metadata was not taken"));
  const std::int64_t end = a.grow(100);
  master.notify(end);
  EXPECT_TRUE(refusing.wait_for_end(end));
  EXPECT_TRUE(without.wait_for_end(end));
}

TEST_P(NativePair, ADurableWaitIsForTheMastersCopyToo) {
  Instance master(master_host_, {{"bootstrap", "earliest"}});
  Instance slave(slave_host_, native({{"ack_durable", "true"}}));
  master.start_master();
  const std::int64_t end = master_host_.grow(100);
  slave.start_slave(address_of(master));
  ASSERT_TRUE(Instance::eventually(
      [&] { return master.sample("ha_replica_durable_offset_bytes{id=\"127.0.0.1#1\"}") == 100; }));
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, 1, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  ASSERT_TRUE(waits.wait_for(1));  // the slave's copy is the one
  ASSERT_EQ(waits.wait(master, end, 2, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_ALL_IN_SYNC, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  ASSERT_EQ(waits.wait(master, end, 2, kLongMs, HA_DURABILITY_RECEIVED), HA_DONE);
  // A later wait that needs less ends first: the two before wait for the master's disk.
  ASSERT_EQ(waits.wait(master, end + 10, 2, kLongMs), HA_OK);
  master.notify(master_host_.grow(10));
  ASSERT_TRUE(waits.wait_for(2));
  EXPECT_EQ(waits.ended()[1].end, end + 10);
  master_host_.set_durable(end);
  master.notify_durable(end);
  ASSERT_TRUE(waits.wait_for(4));
  for (const auto& ended : waits.ended()) EXPECT_EQ(ended.status, HA_OK);
}

TEST_P(NativePair, ADurableWaitIsForTheSlavesFlush) {
  Instance master(master_host_, {{"bootstrap", "earliest"}, {"default_durability", "durable"}});
  Instance slave(slave_host_, native({{"native_heartbeat_ms", "10"}}));
  master.start_master();
  const std::int64_t end = master_host_.grow(100);
  master_host_.set_durable(end);
  slave.start_slave(address_of(master));
  ASSERT_TRUE(Instance::eventually([&] {
    return master.snapshot().replicas.size() == 1 &&
           master.snapshot().replicas[0].ack_offset == end;
  }));
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, 2, kLongMs), HA_OK);
  ASSERT_EQ(waits.wait(master, end, HA_ACKS_ALL_IN_SYNC, kLongMs), HA_OK);
  ASSERT_TRUE(Instance::eventually([&] { return master.snapshot().total.pending_waits == 2; }));
  slave_host_.set_durable(end);  // heartbeats tell
  ASSERT_TRUE(waits.wait_for(2));
  for (const auto& ended : waits.ended()) EXPECT_EQ(ended.status, HA_OK);
}

TEST(Native, SlavesOfANodeThatStartsAgainAreSentAway) {
  MemoryHost host;
  host.grow(kSegment);
  Listener listener;
  Instance middle(host, native({{"cluster_id", "prod"}}));
  middle.start_slave(listener.address());
  NativeMaster master(listener.accept());
  ASSERT_TRUE(master.greet(2 * kSegment, 3 * kSegment));
  NativeSlave below(middle.port());
  ASSERT_TRUE(below.open());
  core::Hello hello = hello_of("c", 0, kSegment);
  hello.cluster = "prod";
  ASSERT_EQ(below.say(hello)->decision, Decision::kResume);
  core::Answer answer;
  answer.decision = Decision::kReset;
  answer.offset = answer.min = Offset(2 * kSegment);
  answer.end = Offset(3 * kSegment);
  ASSERT_TRUE(master.answer(answer));
  EXPECT_TRUE(below.peer().wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_TRUNCATED));
}

}  // namespace
}  // namespace ha::testing
