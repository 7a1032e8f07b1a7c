// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "broker_fixture.h"

namespace stub {
namespace {

using store::TempDir;

ProduceRequest delayed(const std::string& body, std::int64_t delay_ms) {
  auto out = request("t", {body});
  out.delay_ms = delay_ms;
  return out;
}

constexpr std::int64_t kHour = 3'600'000;

TEST(Schedule, DeliversWhenItIsTimeAndHidesItsOwnTopic) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  produce(*broker, delayed("much later", kHour));
  auto keyed = delayed("soon", 1);
  keyed.items[0].key = "k";
  keyed.queue = 2;
  EXPECT_EQ(produce(*broker, keyed).status, HA_OK);
  ASSERT_TRUE(wait_until_holds(*broker, "t", 1));
  ConsumeQuery query;
  query.topic = "t";
  query.queue = 2;
  const auto consumed = std::get<ConsumeResult>(broker->consume(query));
  ASSERT_EQ(consumed.messages.size(), 1u);
  EXPECT_EQ(consumed.messages[0].body, "soon");
  EXPECT_EQ(consumed.messages[0].key, "k");
  EXPECT_TRUE(bodies(*broker, "ha_stub_schedule").empty());
  EXPECT_EQ(broker->status_json().find("ha_stub_schedule"), std::string::npos);
}

TEST(Schedule, ADelayIsAtMostFortyDays) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  constexpr std::int64_t kFortyDays = 40 * 24 * kHour;
  EXPECT_EQ(produce(*broker, delayed("then", kFortyDays)).status, HA_OK);
  const auto later = produce(*broker, delayed("later", kFortyDays + 1));
  EXPECT_EQ(later.status, HA_INVALID);
  EXPECT_NE(later.text.find("allowed are 0 to 3456000000"), std::string::npos) << later.text;
}

TEST(Schedule, ASlaveDeliversNothingUntilItIsPromoted) {
  const TempDir one, two;
  const Fake fake;
  const auto master = open_broker(broker_options(one.path(), Role::kMaster));
  const auto slave = open_broker(broker_options(two.path(), Role::kSlave));
  produce(*master, delayed("a", 1));
  produce(*master, delayed("b", 1));
  ASSERT_TRUE(wait_until_holds(*master, "t", 2));
  ASSERT_EQ(fake.replicate(0, 1), HA_OK);
  EXPECT_EQ(bodies(*slave, "t").size(), 2u);
  // Both are delivered in the log it holds, so promoting it delivers neither again.
  ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->promote(false)));
  produce(*slave, delayed("c", 1));
  ASSERT_TRUE(wait_until_holds(*slave, "t", 3));
  EXPECT_EQ(bodies(*slave, "t").size(), 3u);
}

TEST(Schedule, APromotedNodeDeliversWhatItsLogDidNot) {
  const TempDir one, two;
  const Fake fake;
  auto slave = open_broker(broker_options(two.path(), Role::kSlave));
  {
    const auto master = open_broker(broker_options(one.path(), Role::kMaster));
    for (int i = 0; i < 20; ++i) produce(*master, delayed(std::to_string(i), 1));
    ASSERT_TRUE(wait_until_holds(*master, "t", 20));
  }
  // The slave got the log up to a point within the last record, which is a delivery. Further back
  // there may be a message that was scheduled late.
  std::string raw;
  {
    store::Store store;
    store.open_or_die(store::test_options(one.path(), 64 * 1024));
    raw = store.bytes();
  }
  void* ctx = nullptr;
  const ha_host_api& host = fake.host(0, &ctx);
  const auto cut = static_cast<std::int64_t>(raw.size()) - 10;
  ASSERT_EQ(host.append(ctx, 0, 0, raw.data(), cut, nullptr), HA_OK);
  const auto before = bodies(*slave, "t");
  ASSERT_LT(before.size(), 20u);
  ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->promote(false)));
  ASSERT_TRUE(wait_until_holds(*slave, "t", 20));
  // A restart finds nothing left to deliver either.
  slave.reset();
  slave = open_broker(broker_options(two.path(), Role::kMaster));
  produce(*slave, delayed("last", 1));
  ASSERT_TRUE(wait_until_holds(*slave, "t", 21));
  auto all = bodies(*slave, "t");
  ASSERT_EQ(all.size(), 21u);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
}

TEST(Schedule, GoesOnWhenTheRoleComesBack) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  produce(*broker, delayed("a", 200));  // most likely not due before the role has moved
  ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->follow("10.0.0.9:1")));
  ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->promote(false)));
  ASSERT_TRUE(wait_until_holds(*broker, "t", 1));
  EXPECT_EQ(bodies(*broker, "t"), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace stub
