// SPDX-License-Identifier: Apache-2.0
// The table of states in plugin_api/README.md, where ha_check does not look.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>

#include "test_node.h"

namespace ha::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(States, AStartThatCannotListenMayBeTriedAgain) {
  TestNode first;
  first.start(HA_ROLE_MASTER);
  const std::string taken = first.address();
  MemoryLog log;
  const HostBinding host = bind_host(log);
  auto second = Instance::create(real_plugin(host), host, {{"listen", taken}}).value();

  const auto refused = second.start({.role = HA_ROLE_MASTER});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, HA_IO);
  EXPECT_EQ(refused.error().os_errno, EADDRINUSE);
  EXPECT_THAT(refused.error().text, HasSubstr(taken));

  ASSERT_TRUE(first.instance.stop(milliseconds(0)));
  const auto started = second.start({.role = HA_ROLE_MASTER});
  EXPECT_TRUE(started) << started.error().text;
  EXPECT_TRUE(log.expect_roles(1));
}

TEST(States, DestroyStopsWhatWasNotStopped) {
  std::future<std::int32_t> open;
  MemoryLog log;
  {
    const HostBinding host = bind_host(log);
    auto instance = Instance::create(real_plugin(host), host, {{"listen", "127.0.0.1:0"}}).value();
    ASSERT_TRUE(instance.start({.role = HA_ROLE_MASTER}));
    ASSERT_TRUE(log.expect_roles(1));
    TestNode slave;
    slave.start(HA_ROLE_SLAVE, instance.snapshot().value().values.listen_address);
    ASSERT_TRUE(log.expect_event(HA_REPLICA_JOINED));
    open = instance.wait_future({.end = 1'000, .acks = 2, .timeout = std::chrono::hours(1)});
  }
  EXPECT_EQ(open.get(), HA_SHUTDOWN);
}

TEST(States, CreatedAndStoppedRefuseWhatNeedsAStart) {
  TestNode node;
  EXPECT_EQ(node.instance.set_option("heartbeat_ms", "100").error().status, HA_STATE);
  node.instance.notify_appended(1);
  EXPECT_EQ(node.instance.snapshot().value().values.role, HA_ROLE_NONE);
  ASSERT_TRUE(node.instance.stop(milliseconds(0))) << "never started: nothing to stop";
  EXPECT_EQ(node.instance.start({.role = HA_ROLE_MASTER}).error().status, HA_STATE);
  EXPECT_EQ(node.instance.set_option("heartbeat_ms", "100").error().status, HA_STATE);
  EXPECT_EQ(node.instance.set_role({.role = HA_ROLE_NONE}).error().status, HA_STATE);
  EXPECT_EQ(node.instance.set_master_address("127.0.0.1:1").error().status, HA_STATE);
  EXPECT_TRUE(node.instance.status_json());
}

TEST(States, AWaitThatIsRefusedForSeveralReasonsNamesTheFirst) {
  TestNode node(Options{{"max_connections", "4"}, {"max_pending_waits", "1"}});
  const auto answer = [&](WaitRequest request) {
    return node.instance.wait(request, [](std::int32_t, std::int64_t) {});
  };
  constexpr WaitRequest kOk{.end = 1'000'000, .acks = 2, .timeout = std::chrono::hours(1)};
  const auto with = [&](auto member, auto value) {
    WaitRequest request = kOk;
    request.*member = value;
    return answer(request);
  };
  // Not a master yet: what can never be right is said first.
  EXPECT_EQ(with(&WaitRequest::end, -1), HA_INVALID);
  EXPECT_EQ(with(&WaitRequest::timeout, std::chrono::nanoseconds(0)), HA_INVALID);
  EXPECT_EQ(with(&WaitRequest::epoch, 1), HA_UNSUPPORTED);
  EXPECT_EQ(with(&WaitRequest::durability, 3), HA_INVALID);
  EXPECT_EQ(with(&WaitRequest::acks, 6), HA_INVALID) << "five copies is the most with four slaves";
  EXPECT_EQ(with(&WaitRequest::acks, HA_ACKS_QUORUM), HA_UNSUPPORTED);
  EXPECT_EQ(answer(kOk), HA_NOT_MASTER);

  node.start(HA_ROLE_MASTER);
  EXPECT_EQ(answer(kOk), HA_SLAVE_NOT_AVAILABLE);
  ASSERT_TRUE(node.instance.set_option("in_sync_replicas", "2"));
  ASSERT_TRUE(node.instance.set_option("min_in_sync_replicas", "2"));
  EXPECT_EQ(answer(kOk), HA_IN_SYNC_REPLICAS_NOT_ENOUGH);
  EXPECT_EQ(node.instance.check_acks(2), HA_IN_SYNC_REPLICAS_NOT_ENOUGH);

  TestNode slave;
  slave.start(HA_ROLE_SLAVE, node.address());
  ASSERT_TRUE(node.log.expect_event(HA_REPLICA_JOINED));
  EXPECT_EQ(answer(kOk), HA_OK);
  EXPECT_EQ(answer(kOk), HA_AGAIN);
  node.instance.stop(milliseconds(0));
  EXPECT_EQ(answer(kOk), HA_SHUTDOWN);
}

}  // namespace
}  // namespace ha::test
