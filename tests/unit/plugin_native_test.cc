// The native protocol through a whole plugin: who may come in, what an ack is worth, what becomes
// of bytes that were changed on the way, and how a slave tells one kind of master from the other.
#include <gtest/gtest.h>

#include <future>

#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/native_peer.h"

namespace ha::testing {
namespace {

using core::Decision;
using core::Offset;
using core::Reason;

constexpr std::int64_t kLongMs = 600'000;
constexpr std::int64_t kSegment = 4096;

Options native(Options more = {}) {
  more.insert(more.begin(), {"wire", "native"});
  return more;
}

std::string address_of(const Instance& node) { return "127.0.0.1:" + std::to_string(node.port()); }

// ---- a pair of our own ---------------------------------------------------------------------

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
  ASSERT_TRUE(waits.wait_for(1));
  EXPECT_EQ(waits.ended()[0].status, HA_OK);
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

TEST_P(NativePair, ASlaveThatLacksWhatWasDeletedStartsAnew) {
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

// ---- metadata ------------------------------------------------------------------------------

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
  a.set_metadata(std::string(HA_METADATA_MAX_BYTES, 'y'));
  EXPECT_TRUE(b.wait_for_metadata(std::string(HA_METADATA_MAX_BYTES, 'y')));
  EXPECT_EQ(a.count_logs("the metadata is not replicated"), 1u);
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

// ---- durability ----------------------------------------------------------------------------

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

TEST(Native, DurableIsUnsupportedWhileOnlyRocketmqSlavesAreThere) {
  MemoryHost host;
  Instance master(host);
  master.start_master();
  EXPECT_EQ(master.check_acks(2, HA_DURABILITY_DURABLE), HA_SLAVE_NOT_AVAILABLE);
  Peer slave = Peer::to(master.port());
  ASSERT_TRUE(slave.report(0));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  EXPECT_EQ(master.check_acks(2, HA_DURABILITY_DURABLE), HA_UNSUPPORTED);
  EXPECT_EQ(master.check_acks(1, HA_DURABILITY_DURABLE), HA_OK);
  EXPECT_EQ(master.sample("ha_replica_durable_offset_bytes{id=\"127.0.0.1#1\"}"), -1);
}

// ---- who may come in -----------------------------------------------------------------------

TEST(Native, AStrangerIsToldWhyAndClosed) {
  MemoryHost host;
  Instance master(
      host,
      {{"replica_id", "a"}, {"replicas", "a@10.0.0.1:1,b@10.0.0.2:1"}, {"cluster_id", "prod"}});
  master.start_master();
  NativeSlave other_cluster(master.port());
  const auto first = other_cluster.join("b", 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->reason, Reason::kCluster);
  EXPECT_TRUE(other_cluster.peer().wait_closed());
  NativeSlave stranger(master.port());
  ASSERT_TRUE(stranger.open());
  core::Hello hello = hello_of("c", 0, 0);
  hello.cluster = "prod";
  const auto second = stranger.say(hello);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->reason, Reason::kUnknownReplica);
  EXPECT_TRUE(stranger.peer().wait_closed());
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_UNKNOWN_REPLICA));
  EXPECT_EQ(master.snapshot().total.replica_count, 0);
}

TEST(Native, ARocketmqSlaveIsNoMemberOfAConfiguredSet) {
  MemoryHost host;
  Instance master(host, {{"replica_id", "a"}, {"replicas", "a@h:1,b@h:2,c@h:3"}});
  master.start_master();
  Peer rocketmq = Peer::to(master.port());
  ASSERT_TRUE(rocketmq.report(0));
  EXPECT_TRUE(rocketmq.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_UNKNOWN_REPLICA));
}

// "All in sync" needs every replica's word, and a RocketMQ slave has none to give.
TEST(Native, DurableOnAllInSyncIsRefusedWhereOneCannotTell) {
  MemoryHost host;
  host.grow(100);
  host.set_durable(100);
  Instance master(host);
  master.start_master();
  NativeSlave tells(master.port());
  ASSERT_EQ(tells.join("b", 100)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, 100, HA_ACKS_ALL_IN_SYNC, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  ASSERT_TRUE(tells.ack(100, 99));
  ASSERT_TRUE(tells.ack(100, 100));
  ASSERT_TRUE(waits.wait_for(1));
  EXPECT_EQ(waits.ended()[0].status, HA_OK);
  Peer cannot = Peer::to(master.port());
  ASSERT_TRUE(cannot.report(100));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  EXPECT_EQ(waits.wait(master, 100, HA_ACKS_ALL_IN_SYNC, kLongMs, HA_DURABILITY_DURABLE),
            HA_UNSUPPORTED);
  EXPECT_EQ(master.check_acks(2, HA_DURABILITY_DURABLE), HA_OK);
}

TEST(Native, ASlaveOfAnotherClusterSaysSoAndGoesOnTrying) {
  MemoryHost master_host;
  MemoryHost slave_host;
  Instance master(master_host, {{"cluster_id", "prod"}});
  Instance slave(slave_host, native({{"cluster_id", "test"}, {"reconnect_max_ms", "50"}}));
  master.start_master();
  slave.start_slave(address_of(master));
  EXPECT_TRUE(slave_host.wait_for_log("the master refused this slave: its cluster is 'test'", 2));
  EXPECT_EQ(slave.snapshot().total.client_reason, HA_REASON_CLUSTER);
  EXPECT_EQ(slave_host.appends(), 0);
}

TEST(Native, ALogThatWentApartIsRefusedAndFollowingStops) {
  MemoryHost host;
  host.grow(kSegment);
  Instance master(host);
  master.start_master();
  NativeSlave other(master.port());
  const auto greeting = other.open();
  ASSERT_TRUE(greeting);
  core::Hello hello = hello_of("b", 0, 500);
  ++hello.tail_hash;
  const auto answer = other.say(hello);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reason, Reason::kDiverged);

  Listener listener;
  MemoryHost slave_host;
  slave_host.grow(100);
  Instance slave(slave_host, native());
  slave.start_slave(listener.address());
  NativeMaster refusing(listener.accept());
  ASSERT_TRUE(refusing.greet(0, 200));
  ASSERT_TRUE(refusing.answer(*answer));
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_state == HA_STATE_SUSPEND; }));
  EXPECT_EQ(slave.snapshot().total.client_reason, HA_REASON_DIVERGED);
  EXPECT_EQ(slave_host.end(), 100);
}

TEST(Native, OneNameHasOneVoteAndTheNewestConnectionHasIt) {
  MemoryHost host;
  host.grow(100);
  Instance master(host);
  master.start_master();
  NativeSlave first(master.port());
  ASSERT_EQ(first.join("b", 100, 5)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  NativeSlave second(master.port());
  ASSERT_EQ(second.join("b", 0, 6)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_REPLACED));
  EXPECT_TRUE(first.peer().wait_closed());
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  // What the older one held counts no longer.
  WaitLog waits;
  EXPECT_EQ(waits.wait(master, 100, 2, kLongMs), HA_OK);
  EXPECT_EQ(master.snapshot().total.replica_count, 1);
  // A process that was started earlier and has only now come through.
  NativeSlave late(master.port());
  EXPECT_EQ(late.join("b", 100, 5)->reason, Reason::kReplaced);
  EXPECT_TRUE(waits.ended().empty());
  ASSERT_EQ(second.follow_to(0, 0), "");
  ASSERT_TRUE(second.ack(0, 0));
  master.stop();
}

TEST(Native, AcceptSaysWhichWiresMayComeIn) {
  MemoryHost host;
  Instance master(host, {{"accept", "native"}});
  master.start_master();
  Peer rocketmq = Peer::to(master.port());
  ASSERT_TRUE(rocketmq.report(0));
  EXPECT_TRUE(rocketmq.wait_closed());
  EXPECT_TRUE(host.wait_for_log("it speaks the RocketMQ wire (option 'accept': 'native')"));
  ASSERT_EQ(master.set_option("accept", "rocketmq"), HA_OK);
  // As a RocketMQ broker, which has heard no report yet.
  Peer native_slave = Peer::to(master.port());
  ASSERT_TRUE(native_slave.send(wire::native::opening()));
  ASSERT_TRUE(native_slave.report(0));
  EXPECT_EQ(native_slave.frame().size, 0);
  Peer tls = Peer::to(master.port());
  ASSERT_TRUE(tls.send_text(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)));
  EXPECT_TRUE(tls.wait_closed());
  EXPECT_TRUE(host.wait_for_log("speaks TLS"));
}

// ---- acks ----------------------------------------------------------------------------------

class NativeAcks : public ::testing::Test {
 protected:
  NativeAcks() : master_(host_, {{"bootstrap", "earliest"}}) {
    master_.start_master();
    host_.grow(100);
    slave_.emplace(master_.port());
    EXPECT_EQ(slave_->join("b", 0)->decision, Decision::kResume);
    EXPECT_EQ(slave_->follow_to(0, 100), "");
    EXPECT_EQ(waits_.wait(master_, 200, 2, kLongMs), HA_OK);
    EXPECT_EQ(waits_.wait(master_, 100, 2, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  }
  void expect_refused(std::int32_t reason) {
    EXPECT_TRUE(slave_->peer().wait_closed());
    EXPECT_TRUE(host_.wait_for_replica(HA_REPLICA_LEFT, reason));
    EXPECT_TRUE(waits_.ended().empty());
    master_.stop();
  }

  MemoryHost host_;
  Instance master_;
  std::optional<NativeSlave> slave_;
  WaitLog waits_;
};

TEST_F(NativeAcks, MoreThanWasSentCompletesNobody) {
  ASSERT_TRUE(slave_->ack(200, 0));
  expect_refused(HA_REASON_REPORT_AHEAD);
}

TEST_F(NativeAcks, MoreDurableThanReceivedCompletesNobody) {
  host_.set_durable(100);
  ASSERT_TRUE(slave_->ack(99, 100));
  expect_refused(HA_REASON_REPORT_AHEAD);
}

TEST_F(NativeAcks, LessThanBeforeIsRefused) {
  ASSERT_TRUE(slave_->ack(50, 10));
  ASSERT_TRUE(
      Instance::eventually([&] { return master_.snapshot().replicas[0].ack_offset == 50; }));
  ASSERT_TRUE(slave_->ack(50, 9));
  expect_refused(HA_REASON_REPORT_BACKWARD);
}

TEST_F(NativeAcks, OfAnotherEpochIsRefused) {
  ASSERT_TRUE(slave_->ack(100, 100, 1));
  expect_refused(HA_REASON_EPOCH);
}

TEST_F(NativeAcks, AChangedAckIsRefused) {
  auto bytes = wire::native::encode_ack({Offset(100), Offset(100), 0});
  bytes.back() ^= std::byte{1};
  ASSERT_TRUE(slave_->peer().send(bytes));
  expect_refused(HA_REASON_CHECKSUM);
}

TEST(Native, ASilentSlaveIsGone) {
  MemoryHost host;
  Instance master(host, {{"native_heartbeat_ms", "10"},
                         {"native_housekeeping_ms", "50"},
                         {"housekeeping_ms", "3600000"}});
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.join("b", 0));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(slave.frame().size, 0);
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_HOUSEKEEPING));
}

TEST(Native, WhoOpensAndSaysNoHelloIsGone) {
  MemoryHost host;
  Instance master(host, {{"native_heartbeat_ms", "10"},
                         {"native_housekeeping_ms", "50"},
                         {"first_report_timeout_ms", "3600000"}});
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_TRUE(slave.open());
  EXPECT_TRUE(slave.peer().wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_REFUSED, HA_REASON_FIRST_REPORT_TIMEOUT));
}

// ---- the slave's side ----------------------------------------------------------------------

class NativeFollower : public ::testing::TestWithParam<bool> {
 protected:
  NativeFollower() : host_(features()) {}
  static HostFeatures features() {
    HostFeatures f;
    f.append_reserve = GetParam();
    return f;
  }
  std::unique_ptr<NativeMaster> serve(Instance& slave, std::int64_t end) {
    slave.start_slave(listener_.address());
    return accept(end);
  }
  std::unique_ptr<NativeMaster> accept(std::int64_t end) {
    auto master = std::make_unique<NativeMaster>(listener_.accept());
    const auto hello = master->greet(0, end);
    EXPECT_TRUE(hello && master->resume(*hello));
    return master;
  }

  Listener listener_;
  MemoryHost host_;
};
INSTANTIATE_TEST_SUITE_P(Append, NativeFollower, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST_P(NativeFollower, SaysWhoItIsAndWhatItHolds) {
  host_.grow(kSegment + 100);
  host_.set_durable(70);
  Instance slave(host_, native({{"replica_id", "b"}, {"cluster_id", "prod"}}));
  slave.start_slave(listener_.address());
  NativeMaster master(listener_.accept());
  const auto hello = master.greet(0, 2 * kSegment);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->replica, "b");
  EXPECT_EQ(hello->cluster, "prod");
  EXPECT_EQ(hello->segment_size, kSegment);
  EXPECT_EQ(hello->end, Offset(kSegment + 100));
  EXPECT_EQ(hello->tail_start, Offset(0));
  EXPECT_EQ(hello->tail_hash, hash_of_log(0, kSegment + 100));
  EXPECT_GT(hello->incarnation, 0u);
  ASSERT_TRUE(master.resume(*hello));
  const auto ack = master.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->received, Offset(kSegment + 100));
  EXPECT_EQ(ack->durable, Offset(70));
}

// Cut anywhere, together with what follows, in any pieces.
TEST_P(NativeFollower, FramesMayComeInAnyPieces) {
  Instance slave(host_, native());
  const auto master = serve(slave, 4 * kSegment);
  wire::native::Bytes stream;
  for (std::int64_t at = 0; at < 3000; at += 600) {
    const auto frame = native_frame(at, 600);
    stream.insert(stream.end(), frame.begin(), frame.end());
    const auto beat = native_frame(at + 600, 0);
    stream.insert(stream.end(), beat.begin(), beat.end());
  }
  for (std::size_t at = 0, piece = 1; at < stream.size(); at += piece, piece = piece % 97 + 13) {
    const auto n = std::min(piece, stream.size() - at);
    ASSERT_TRUE(master->peer().send(std::span(stream).subspan(at, n)));
  }
  ASSERT_TRUE(host_.wait_for_end(3000));
  EXPECT_EQ(host_.first_wrong_byte(), "");
  std::int64_t received = 0;
  while (received < 3000) {
    const auto ack = master->ack();
    ASSERT_TRUE(ack);
    received = ack->received.bytes();
  }
}

// It lends less than a frame: then the frame is gathered elsewhere.
TEST(Native, AHostMayLendLittle) {
  HostFeatures features;
  features.append_reserve = true;
  features.reserve_most = 100;
  MemoryHost master_host;
  MemoryHost slave_host(features);
  Instance master(master_host, {{"bootstrap", "earliest"}});
  Instance slave(slave_host, native());
  master.start_master();
  master_host.grow(kSegment + 50);
  slave.start_slave(address_of(master));
  ASSERT_TRUE(slave_host.wait_for_end(kSegment + 50));
  EXPECT_EQ(slave_host.first_wrong_byte(), "");
}

TEST(Native, AnAnswerThatDoesNotFitIsRefused) {
  for (const auto& [decision, offset] : {std::pair{Decision::kResume, std::int64_t{50}},
                                         std::pair{Decision::kReset, std::int64_t{50}}}) {
    Listener listener;
    MemoryHost host;
    host.grow(100);
    Instance slave(host, native());
    slave.start_slave(listener.address());
    NativeMaster master(listener.accept());
    ASSERT_TRUE(master.greet(0, 200));
    core::Answer answer;
    answer.decision = decision;
    answer.offset = Offset(offset);
    ASSERT_TRUE(master.answer(answer));
    EXPECT_TRUE(master.peer().wait_closed());
    EXPECT_TRUE(host.wait_for_log("the master's answer is wrong"));
    EXPECT_EQ(host.end(), 100);
  }
}

// The sentence goes into a log line, the reason into an array.
TEST(Native, WhatARefusalSaysIsTakenWithCare) {
  Listener listener;
  MemoryHost host;
  Instance slave(host, native());
  slave.start_slave(listener.address());
  NativeMaster master(listener.accept());
  ASSERT_TRUE(master.greet(0, 200));
  core::Answer answer;
  answer.reason = Reason::kRequested;  // would be this side's own
  answer.text = "two\nlines" + std::string(60'000, 'x');
  ASSERT_TRUE(master.answer(answer));
  EXPECT_TRUE(master.peer().wait_closed());
  EXPECT_TRUE(host.wait_for_log("the master refused this slave: two?lines"));
  EXPECT_EQ(slave.snapshot().total.client_reason, HA_REASON_PROTOCOL);
}

TEST(Native, SlavesOfANodeThatStartsAnewAreSentAway) {
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

// What a slave says of its log in the handshake is no ack.
TEST(Native, AReplicaCountsFromItsFirstAck) {
  MemoryHost host;
  host.grow(100);
  Instance master(host);
  master.start_master();
  NativeSlave slave(master.port());
  ASSERT_EQ(slave.join("b", 100)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, 100, 2, kLongMs), HA_OK);
  ASSERT_EQ(slave.frame().size, 0);
  EXPECT_TRUE(waits.ended().empty());
  ASSERT_TRUE(slave.ack(100, 0));
  ASSERT_TRUE(waits.wait_for(1));
  EXPECT_EQ(waits.ended()[0].status, HA_OK);
}

TEST(Native, AQuorumIsAMajorityOfTheConfiguredSet) {
  MemoryHost host;
  host.grow(100);
  Instance master(host, {{"replica_id", "a"}, {"replicas", "a@h:1,b@h:2,c@h:3,d@h:4,e@h:5"}});
  master.start_master();
  NativeSlave b(master.port());
  NativeSlave c(master.port());
  ASSERT_EQ(b.join("b", 100)->decision, Decision::kResume);
  ASSERT_TRUE(b.ack(100, 0));
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_CAUGHT_UP, HA_REASON_NONE));
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, 100, HA_ACKS_QUORUM, kLongMs), HA_OK);
  ASSERT_EQ(c.join("c", 99)->decision, Decision::kResume);
  ASSERT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  EXPECT_TRUE(waits.ended().empty());
  ASSERT_EQ(c.follow_to(99, 100), "");
  ASSERT_TRUE(c.ack(100, 0));
  ASSERT_TRUE(waits.wait_for(1));
  EXPECT_EQ(waits.ended()[0].status, HA_OK);
}

// What is durable is a copy only while its connection is open.
TEST_F(NativeAcks, ADurableCopyThatLeftIsNone) {
  host_.set_durable(0);
  ASSERT_TRUE(slave_->ack(100, 100));
  ASSERT_TRUE(Instance::eventually(
      [&] { return master_.sample("ha_replica_durable_offset_bytes{id=\"b\"}") == 100; }));
  slave_->peer().close();
  ASSERT_TRUE(host_.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_PEER_CLOSED));
  host_.set_durable(100);
  master_.notify_durable(100);
  NativeSlave other(master_.port());
  ASSERT_EQ(other.join("c", 100)->decision, Decision::kResume);
  ASSERT_TRUE(host_.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  ASSERT_TRUE(other.ack(100, 99));
  ASSERT_TRUE(Instance::eventually(
      [&] { return master_.sample("ha_replica_durable_offset_bytes{id=\"c\"}") == 99; }));
  EXPECT_TRUE(waits_.ended().empty());
  ASSERT_TRUE(other.ack(100, 100));
  ASSERT_TRUE(waits_.wait_for(1));
  EXPECT_EQ(waits_.ended()[0].end, 100);
  master_.stop();
}

TEST_P(NativeFollower, TheHostsOwnFlushIsToldAtOnce) {
  Instance slave(
      host_, native({{"native_heartbeat_ms", "600000"}, {"native_housekeeping_ms", "1800000"}}));
  const auto master = serve(slave, kSegment);
  ASSERT_TRUE(master->send_log(0, 300));
  ASSERT_TRUE(host_.wait_for_end(300));
  host_.set_durable(200);
  slave.notify_durable(200);
  std::optional<wire::native::Ack> ack;
  do {
    ack = master->ack();
    ASSERT_TRUE(ack);
  } while (ack->durable < Offset(200));
  EXPECT_EQ(ack->durable, Offset(200));
}

TEST_P(NativeFollower, NothingOfAChangedFrameIsStored) {
  Instance slave(host_, native());
  auto master = serve(slave, kSegment);
  ASSERT_TRUE(master->send_log(0, 300));
  ASSERT_TRUE(host_.wait_for_end(300));
  auto changed = native_frame(300, 200);
  changed[changed.size() - 50] ^= std::byte{4};
  ASSERT_TRUE(master->peer().send(changed));
  ASSERT_TRUE(host_.wait_for_log("its checksum is another; nothing of it was stored"));
  EXPECT_EQ(host_.end(), 300);
  EXPECT_EQ(slave.sample("ha_client_closes_total{reason=\"checksum\"}"), 1);
  // It comes back by itself and goes on.
  master = accept(kSegment);
  ASSERT_TRUE(master->send_log(300, 200));
  ASSERT_TRUE(host_.wait_for_end(500));
  EXPECT_EQ(host_.first_wrong_byte(), "");
}

TEST_P(NativeFollower, AFrameThatBreaksOffLeavesNothing) {
  Instance slave(host_, native());
  auto master = serve(slave, kSegment);
  const auto frame = native_frame(0, 500);
  ASSERT_TRUE(master->peer().send(std::span(frame).first(300)));
  master->peer().leave();
  master = accept(kSegment);
  EXPECT_EQ(host_.end(), 0);
  ASSERT_TRUE(master->send_log(0, 500));
  ASSERT_TRUE(host_.wait_for_end(500));
  EXPECT_EQ(host_.first_wrong_byte(), "");
}

TEST_P(NativeFollower, WhatDoesNotFitEndsTheConnection) {
  struct Row {
    const char* name;
    wire::native::Bytes bytes;
    std::int32_t reason;
  };
  const Row rows[] = {
      {"a gap", native_frame(10, 5), HA_REASON_OFFSET_MISMATCH},
      {"bytes again", native_frame(-1, 5), HA_REASON_OFFSET_MISMATCH},
      {"across a segment's end", native_frame(0, kSegment + 1), HA_REASON_SEGMENT_SIZE},
      {"another epoch", native_frame(0, 5, 7), HA_REASON_EPOCH},
      {"another protocol", wire::native::Bytes(100), HA_REASON_PROTOCOL},
  };
  for (const Row& row : rows) {
    MemoryHost host(features());
    Listener listener;
    Instance slave(host, native());
    slave.start_slave(listener.address());
    NativeMaster master(listener.accept());
    const auto hello = master.greet(0, kSegment);
    ASSERT_TRUE(hello) << row.name;
    ASSERT_TRUE(master.resume(*hello));
    ASSERT_TRUE(master.peer().send(row.bytes)) << row.name;
    EXPECT_TRUE(Instance::eventually([&] {
      return slave.snapshot().total.client_reason == row.reason;
    })) << row.name
        << ": " << slave.snapshot().total.client_reason;
    EXPECT_EQ(host.end(), 0) << row.name;
  }
}

TEST_P(NativeFollower, WithAckDurableNothingIsAcknowledgedBeforeItsFlush) {
  std::promise<void> disk;
  const std::shared_future<void> done = disk.get_future().share();
  host_.on_flush([done](std::int64_t end) {
    if (end > 0) done.wait();
    return HA_OK;
  });
  Instance slave(host_, native({{"ack_durable", "true"}, {"native_heartbeat_ms", "10"}}));
  const auto master = serve(slave, kSegment);
  ASSERT_TRUE(master->send_log(0, 300));
  ASSERT_TRUE(host_.wait_for_end(300));
  for (int heartbeats = 0; heartbeats < 5; ++heartbeats) {
    const auto ack = master->ack();
    if (!ack) {
      ADD_FAILURE() << "no heartbeat";
      break;
    }
    EXPECT_EQ(ack->received, Offset(0));
    EXPECT_EQ(ack->durable, Offset(0));
  }
  disk.set_value();
  std::optional<wire::native::Ack> ack;
  do {
    ack = master->ack();
    ASSERT_TRUE(ack);
  } while (ack->received < Offset(300));
  EXPECT_EQ(ack->durable, Offset(300));
}

TEST_P(NativeFollower, AMasterThatDoesNotAnswerIsTakenForARocketmqBroker) {
  host_.grow(100);
  Instance slave(host_, {{"wire", "auto"}, {"wire_probe_ms", "20"}, {"tail_check_bytes", "0"}});
  slave.start_slave(listener_.address());
  Peer master = listener_.accept();
  ASSERT_EQ(master.read_report(), -1);
  ASSERT_EQ(master.read_report(), 100);
  ASSERT_TRUE(master.send_log(100, 50));
  ASSERT_TRUE(host_.wait_for_end(150));
  EXPECT_EQ(master.read_report(), 150);
  EXPECT_TRUE(host_.wait_for_log("it is taken for a RocketMQ broker"));
}

// Once greeted it knows whom it speaks to, however long the answer takes.
TEST_P(NativeFollower, AMasterThatGreetedIsNoRocketmqBroker) {
  Instance slave(host_, {{"wire", "auto"},
                         {"wire_probe_ms", "10"},
                         {"native_heartbeat_ms", "10"},
                         {"native_housekeeping_ms", "100"}});
  slave.start_slave(listener_.address());
  NativeMaster master(listener_.accept());
  ASSERT_TRUE(master.greet(0, 0));
  EXPECT_EQ(master.peer().read_report(), INT64_MIN);
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_reason == HA_REASON_HOUSEKEEPING; }));
}

TEST_P(NativeFollower, WireNativeNeverFallsBack) {
  host_.grow(100);
  Instance slave(host_, native({{"native_heartbeat_ms", "10"},
                                {"native_housekeeping_ms", "100"},
                                {"wire_probe_ms", "10"}}));
  slave.start_slave(listener_.address());
  Peer master = listener_.accept();
  ASSERT_EQ(master.read_report(), -1);
  EXPECT_EQ(master.read_report(), INT64_MIN);
  EXPECT_TRUE(Instance::eventually(
      [&] { return slave.snapshot().total.client_reason == HA_REASON_HOUSEKEEPING; }));
}

}  // namespace
}  // namespace ha::testing
