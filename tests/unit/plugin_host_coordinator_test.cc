// SPDX-License-Identifier: Apache-2.0
// Option coordinator=host: hosts whose lock service loses answers, says nonsense, or hangs.
// plugin_coordinator_test.cc has what holds with any engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/unit/epoch_set.h"
#include "tests/unit/memory_locks.h"

namespace ha::testing {
namespace {

using ::testing::HasSubstr;
using Call = std::function<std::int32_t()>;

// Where a hook stays until the test lets it go on.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    if (open_) return;
    ++held_;
    changed_.notify_all();
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return open_; }));
  }
  bool wait_for_one() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return held_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int held_ = 0;
};

class HostedSet : public EpochSet {
 protected:
  // The nodes give their keys back.
  void TearDown() override {
    gate_.open();
    nodes_.clear();
  }
  void start_set() {
    make(3);
    for (const auto& node : nodes_) node->host.offer(locks_);
  }
  void start_nodes() {
    for (const auto& node : nodes_) start(*node, HA_ROLE_SLAVE, options());
  }
  static Options options() { return {{"coordinator", "host"}, {"coordinator_ttl_ms", "2000"}}; }
  std::string holder() {
    std::string value;
    std::int64_t lease = 0;
    locks_.read("/ha/prod/leader", value, lease);
    return value;
  }
  // Holds the key.
  Node* master_above(std::int64_t epoch) {
    return EpochSet::master_above(epoch, [this] { return holder(); });
  }
  static bool put(Node& node) {
    return Instance::eventually([&] {
      return wait_result(*node.plugin, grow(node, 100), HA_ACKS_DEFAULT, kLongMs) >= HA_OK;
    });
  }
  static double lease_left(const Node& node) {
    return node.plugin->sample("ha_lease_left_seconds");
  }

  MemoryLocks locks_;
  Gate gate_;
};

TEST_F(HostedSet, AHostThatDoesNotOfferItIsRefused) {
  make(1);
  load(a());
  const ha_plugin_api& api = a().plugin->api();
  const ha_option options[] = {{"coordinator", "host"},
                               {"cluster_id", "prod"},
                               {"replica_id", "a"},
                               {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2,c@127.0.0.1:3"},
                               {"state_dir", a().state.path().c_str()}};
  ha_create_params params{};
  params.struct_size = sizeof(params);
  params.option_stride = sizeof(ha_option);
  params.options = options;
  params.option_count = std::size(options);
  params.host_ctx = &a().host;
  const auto create = [&](ha_error& error) {
    error = {};
    error.struct_size = sizeof(error);
    ha_instance* instance = nullptr;
    const std::int32_t status = api.create(a().host.api(), &params, &instance, &error);
    EXPECT_EQ(instance != nullptr, status == HA_OK);
    api.destroy(instance);
    return status;
  };
  ha_error error{};
  EXPECT_EQ(create(error), HA_UNSUPPORTED);
  EXPECT_THAT(error.text, HasSubstr("needs a host with extension 'ha.host.coordinator/1'"));
  a().host.offer(locks_);
  EXPECT_EQ(create(error), HA_OK) << error.text;
}

TEST_F(HostedSet, OnlyTheThreadHaCoordAsks) {
  start_set();
  start_nodes();
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_EQ(first->plugin->set_option("pause", "true"), HA_OK);
  first->plugin.reset();
  EXPECT_EQ(first->host.coordinator_threads(), std::set<std::string>{"ha-coord"});
  EXPECT_NE(holder(), first->id) << "it gave the key back";
}

// Of each node's first calls of each hook one is lost, two are done and not heard of, and one is
// answered with nonsense.
TEST_F(HostedSet, LostAnswersAndNonsenseCostTimeOnly) {
  start_set();
  for (const auto& node : nodes_) {
    auto count = std::make_shared<std::map<std::string, int>>();  // used by one thread
    node->host.on_coordinator([count](const std::string& hook, const Call& call) {
      switch (++(*count)[hook]) {
        case 1:
          return HA_TIMEOUT;
        case 2:
          call();
          return HA_TIMEOUT;
        case 3:
          call();
          return -4711;
        case 4:
          return 42;
        default:
          return call();
      }
    });
  }
  start_nodes();
  std::int64_t epoch = 0;
  for (int i = 0; i < 2; ++i) {
    Node* const master = master_above(epoch);
    ASSERT_NE(master, nullptr);
    EXPECT_TRUE(put(*master));
    epoch = master->plugin->snapshot().total.epoch;
    if (i == 0) master->plugin.reset();
  }
}

TEST_F(HostedSet, AHookThatHangsStopsNobodyButItsOwnLease) {
  start_set();
  start_nodes();
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(put(*first));
  const std::int64_t epoch = first->plugin->snapshot().total.epoch;
  first->host.on_coordinator([this](const std::string&, const Call& call) {
    gate_.pass();
    return call();
  });
  ASSERT_TRUE(gate_.wait_for_one());
  // The thread that hangs is not asked whether the lease holds.
  ASSERT_TRUE(Instance::eventually([&] { return lease_left(*first) == 0; }));
  ASSERT_TRUE(Instance::eventually([&] { return holder().empty(); }));
  EXPECT_TRUE(put(*first)) << "its slaves hear it";
  EXPECT_TRUE(is_master(*first));
  gate_.open();
  ASSERT_TRUE(Instance::eventually([&] { return holder() == first->id; })) << "it takes it again";
  EXPECT_EQ(first->plugin->snapshot().total.epoch, epoch);
}

TEST_F(HostedSet, AStopWaitsForTheHookAndNoneFollows) {
  start_set();
  start_nodes();
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  const auto calls = std::make_shared<std::atomic<int>>(0);
  first->host.on_coordinator([this, calls](const std::string&, const Call&) {
    ++*calls;
    gate_.pass();
    return HA_TIMEOUT;
  });
  ASSERT_TRUE(gate_.wait_for_one());
  // Opens when the lease has ended, which is later than stop would give up.
  std::atomic<bool> opened{false};
  std::thread opener([&] {
    EXPECT_TRUE(Instance::eventually([&] { return holder() != first->id; }));
    opened = true;
    gate_.open();
  });
  first->plugin->stop();
  EXPECT_TRUE(opened);
  const int when_stopped = *calls;
  opener.join();
  first->plugin.reset();
  EXPECT_EQ(*calls, when_stopped);
}

// The lease is counted from before the call that renewed it, however late the answer is.
TEST_F(HostedSet, AnAnswerAfterTheLeasesEndDoesNotProlongIt) {
  start_set();
  start_nodes();
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  struct Seen {
    std::atomic<bool> late{false};    // the answer was given
    std::atomic<bool> looked{false};  // and this is the next call
    std::atomic<double> left{-1};
  };
  const auto seen = std::make_shared<Seen>();
  first->host.on_coordinator([this, first, seen](const std::string& hook, const Call& call) {
    if (seen->late && !seen->looked) {
      seen->left = lease_left(*first);
      seen->looked = true;
    }
    const std::int32_t status = call();
    if (hook == "renew" && status == HA_OK) {
      gate_.pass();
      seen->late = true;
    }
    return status;
  });
  ASSERT_TRUE(gate_.wait_for_one());
  ASSERT_TRUE(Instance::eventually([&] { return holder().empty(); }));
  gate_.open();
  ASSERT_TRUE(Instance::eventually([&] { return seen->looked.load(); }));
  EXPECT_EQ(seen->left, 0);
  ASSERT_TRUE(Instance::eventually([&] { return holder() == first->id; }));
}

}  // namespace
}  // namespace ha::testing
