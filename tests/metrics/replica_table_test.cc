// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "ha/plugin.h"
#include "metrics/ha_metrics.h"

namespace ha::metrics {
namespace {

std::string id_of(std::size_t n) {
  return "10.0." + std::to_string(n / 256) + "." + std::to_string(n % 256);
}

std::shared_ptr<ReplicaMetrics> join(HaMetrics& metrics, const std::string& id) {
  auto replica = metrics.replica(id);
  replica->connections.add(1);
  replica->connects.add();
  replica->disconnected_at_ns.set(0);
  return replica;
}

void leave(ReplicaMetrics& replica, std::int64_t now_ns) {
  replica.connections.add(-1);
  replica.closes[HA_REASON_NETWORK].add();
  replica.disconnected_at_ns.set(now_ns);
}

TEST(ReplicaTable, CountersSurviveAReconnect) {
  HaMetrics metrics;
  join(metrics, "a")->bytes_sent.add(10);
  leave(*metrics.replica("a"), 1);
  join(metrics, "a")->bytes_sent.add(5);
  ASSERT_EQ(metrics.replicas().size(), 1u);
  EXPECT_EQ(metrics.replica("a")->bytes_sent.value(), 15u);
  EXPECT_EQ(metrics.replica("a")->reconnects(), 1u);
}

TEST(ReplicaTable, IsOrderedById) {
  HaMetrics metrics;
  for (const char* id : {"c", "a", "b"}) join(metrics, id);
  std::string order;
  for (const auto& replica : metrics.replicas()) order += replica->id;
  EXPECT_EQ(order, "abc");
}

TEST(ReplicaTable, TheLongestGoneMakesRoomAndItsCountersGoOnInOther) {
  HaMetrics metrics;
  for (std::size_t i = 0; i < HaMetrics::kMaxReplicas; ++i) join(metrics, id_of(i));
  auto gone_first = metrics.replica(id_of(7));
  gone_first->bytes_sent.add(100);
  gone_first->frames_sent.add(3);
  gone_first->heartbeats_sent.add(4);
  gone_first->reports_received.add(5);
  gone_first->connects.add(2);
  leave(*metrics.replica(id_of(9)), 2'000);
  leave(*gone_first, 1'000);
  EXPECT_EQ(metrics.replica_view().other, nullptr);

  join(metrics, "newcomer");

  const auto view = metrics.replica_view();
  EXPECT_EQ(view.replicas.size(), HaMetrics::kMaxReplicas);
  for (const auto& replica : view.replicas) EXPECT_NE(replica->id, id_of(7));
  ASSERT_NE(view.other, nullptr);
  EXPECT_EQ(view.other->id, "other");
  EXPECT_EQ(view.other->bytes_sent.value(), 100u);
  EXPECT_EQ(view.other->frames_sent.value(), 3u);
  EXPECT_EQ(view.other->heartbeats_sent.value(), 4u);
  EXPECT_EQ(view.other->reports_received.value(), 5u);
  EXPECT_EQ(view.other->closes[HA_REASON_NETWORK].value(), 1u);
  EXPECT_EQ(view.other->reconnects(), 2u);

  // The next one is who left second; "other" adds up.
  metrics.replica(id_of(9))->bytes_sent.add(11);
  join(metrics, "another");
  EXPECT_EQ(metrics.replica_view().other->bytes_sent.value(), 111u);
  EXPECT_EQ(metrics.replica_view().other->reconnects(), 2u);
}

TEST(ReplicaTable, ConnectedOnesAreNeverFoldedAndNewcomersAreCountedInOther) {
  HaMetrics metrics;
  for (std::size_t i = 0; i < HaMetrics::kMaxReplicas; ++i) join(metrics, id_of(i));
  join(metrics, "one too many")->bytes_sent.add(1);
  join(metrics, "two too many")->bytes_sent.add(2);
  const auto view = metrics.replica_view();
  EXPECT_EQ(view.replicas.size(), HaMetrics::kMaxReplicas);
  ASSERT_NE(view.other, nullptr);
  EXPECT_EQ(view.other->bytes_sent.value(), 3u);
  EXPECT_EQ(view.other->reconnects(), 0u);
}

TEST(ReplicaTable, AViewStaysRightWhileAReplicaIsFolded) {
  HaMetrics metrics;
  for (std::size_t i = 0; i < HaMetrics::kMaxReplicas; ++i)
    metrics.replica(id_of(i))->bytes_sent.add(1);
  const auto sum = [](const HaMetrics::ReplicaView& view) {
    std::uint64_t result = view.other ? view.other->bytes_sent.value() : 0;
    for (const auto& replica : view.replicas) result += replica->bytes_sent.value();
    return result;
  };
  metrics.replica("first newcomer");
  const auto view = metrics.replica_view();
  metrics.replica("second newcomer");
  EXPECT_EQ(sum(view), HaMetrics::kMaxReplicas);
  EXPECT_EQ(sum(metrics.replica_view()), HaMetrics::kMaxReplicas);
}

}  // namespace
}  // namespace ha::metrics
