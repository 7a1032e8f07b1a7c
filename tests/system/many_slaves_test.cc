// SPDX-License-Identifier: Apache-2.0
// 64 slaves on one master: what does not grow, and how copies are counted.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/peer.h"
#include "tests/system/proc_fs.h"

namespace ha::system {
namespace {

using ManySlaves = Cluster;

constexpr int kReal = 2;
constexpr int kSlaves = 64;

std::string answer_of(std::future<HttpResponse>& pending) {
  return text_at(pending.get().document(), "status");
}

std::future<HttpResponse> produce_async(const Node& node, int copies, int timeout_ms) {
  return std::async(std::launch::async, [&node, copies, timeout_ms] {
    return node.produce("T", "for " + std::to_string(copies), std::to_string(copies),
                        "&timeout_ms=" + std::to_string(timeout_ms));
  });
}

TEST_F(ManySlaves, AreServedByTheSameThreadsAndEachCountsOnce) {
  Node& master = add_master({"max_connections=128", "connections_per_address=0"});
  ASSERT_EQ(master.produce("T", "first", "1").status, 200);
  const std::size_t threads = thread_count(master.process().pid());
  for (int i = 0; i < kReal; ++i) add_slave(master, "slave" + std::to_string(i));
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < kSlaves - kReal; ++i) {
    peers.push_back(std::make_unique<Peer>(parse_address(master.ha())));
    peers.back()->report(0);
  }
  master.wait_for_replicas(kSlaves);
  EXPECT_EQ(thread_count(master.process().pid()), threads);

  const auto read_all_but = [&](std::size_t fewer) {
    const std::int64_t end = master.log_end();
    for (std::size_t i = 0; i + fewer < peers.size(); ++i) {
      peers[i]->read_until(end);
      peers[i]->report(end);
    }
  };
  const auto wait_for_end_after = [&](std::int64_t end) {
    wait_until("the message is stored", [&] { return master.log_end() > end; });
  };
  std::int64_t end = master.log_end();
  auto all = produce_async(master, kSlaves + 1, 30'000);
  wait_for_end_after(end);
  read_all_but(0);
  EXPECT_EQ(answer_of(all), "OK");
  EXPECT_EQ(thread_count(master.process().pid()), threads);

  // One slave less than was asked for.
  end = master.log_end();
  auto one_lacks = produce_async(master, kSlaves + 1, 1500);
  wait_for_end_after(end);
  read_all_but(1);
  EXPECT_EQ(answer_of(one_lacks), "FLUSH_SLAVE_TIMEOUT");
  end = master.log_end();
  auto enough = produce_async(master, kSlaves, 30'000);
  wait_for_end_after(end);
  read_all_but(1);
  EXPECT_EQ(answer_of(enough), "OK");

  peers.clear();
  master.wait_for_replicas(kReal);
  EXPECT_EQ(text_at(master.produce("T", "two are left", "3").document(), "status"), "OK");
}

TEST_F(ManySlaves, FromOneAddressAreOneCopyWhereTheAddressIsTheIdentity) {
  Node& master = add_master(
      {"max_connections=128", "connections_per_address=0", "rocketmq_replica_identity=address"});
  ASSERT_EQ(master.produce("T", "first", "1").status, 200);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(std::make_unique<Peer>(parse_address(master.ha())));
    peers.back()->report(0);
    peers.back()->read_until(master.log_end());
  }
  const std::int64_t end = master.log_end();
  auto three = produce_async(master, 3, 1000);
  wait_until("the message is stored", [&] { return master.log_end() > end; });
  for (const auto& peer : peers) {
    peer->read_until(master.log_end());
    peer->report(master.log_end());
  }
  EXPECT_EQ(answer_of(three), "FLUSH_SLAVE_TIMEOUT") << "three connections are one replica here";
  wait_until("the one replica has it all", [&] {
    return text_at(master.produce("T", "next", "1").document(), "status") == "OK";
  });
  for (const auto& peer : peers) {
    peer->read_until(master.log_end());
    peer->report(master.log_end());
  }
  EXPECT_EQ(master.connected_replicas(), 1);
}

}  // namespace
}  // namespace ha::system
