// SPDX-License-Identifier: Apache-2.0
// Readers and the retention: a cursor stays with its message, and what is gone is said.

#include <algorithm>
#include <thread>

#include "broker_fixture.h"

namespace stub {
namespace {

using store::TempDir;

BrokerOptions small_log(const std::string& dir) {
  auto options = broker_options(dir, Role::kMaster);
  options.retention_bytes = 4 * options.segment_bytes;
  options.flush_interval_ms = 1;  // only what is durable goes
  options.queues_per_topic = 2;
  return options;
}

ConsumeResult read(Broker& broker, std::optional<int> queue, std::optional<std::int64_t> from,
                   std::int64_t max = 100) {
  ConsumeQuery query;
  query.topic = "t";
  query.queue = queue;
  query.from = from;
  query.max = max;
  return std::get<ConsumeResult>(broker.consume(query));
}

// Until retention has passed the cursor.
void overtake(Broker& broker, std::optional<int> queue, std::int64_t cursor) {
  ASSERT_TRUE(store::eventually([&] {
    produce(broker, request("t", {20, std::string(1000, 'x')}));
    return read(broker, queue, std::nullopt, 1).first > cursor;
  }));
}

TEST(Cursor, AQueuesReaderGetsEveryMessageOrIsToldHowManyItSkipped) {
  const TempDir dir;
  const auto broker = open_broker(small_log(dir.path()));
  produce(*broker, request("t", {20, std::string(1000, 'x')}));
  std::int64_t cursor = 0;
  std::int64_t skipped = 0;
  for (int i = 0; i < 3; ++i) {
    const auto page = read(*broker, 0, cursor, 3);
    if (page.skipped) {
      EXPECT_EQ(page.skipped->from, cursor);
      EXPECT_EQ(page.skipped->to, page.first);
      skipped += page.skipped->to - page.skipped->from;
      cursor = page.skipped->to;
    }
    ASSERT_EQ(page.messages.size(), 3U);
    for (const auto& message : page.messages) EXPECT_EQ(message.queue_offset, cursor++);
    EXPECT_EQ(page.next, cursor);
    overtake(*broker, 0, cursor);
  }
  EXPECT_GT(skipped, 0);
}

TEST(Cursor, ATopicsReaderIsToldWhichPartOfTheLogItSkipped) {
  const TempDir dir;
  const auto broker = open_broker(small_log(dir.path()));
  produce(*broker, request("t", {20, std::string(1000, 'x')}));
  const std::int64_t cursor = read(*broker, std::nullopt, 0, 5).next;
  overtake(*broker, std::nullopt, cursor);
  const auto page = read(*broker, std::nullopt, cursor, 5);
  ASSERT_TRUE(page.skipped);
  EXPECT_EQ(page.skipped->from, cursor);
  EXPECT_EQ(page.skipped->to, page.first);
  EXPECT_GE(page.messages.at(0).offset, page.first);
  // One who begins where the held part begins has skipped nothing.
  EXPECT_FALSE(read(*broker, std::nullopt, std::nullopt, 5).skipped);
}

// As `consume --follow` does, while retention runs after it.
TEST(Cursor, NothingIsMissedBesideWhatIsSaid) {
  const TempDir dir;
  const auto broker = open_broker(small_log(dir.path()));
  constexpr int kBatches = 400;
  std::thread producer([&] {
    for (int i = 0; i < kBatches; ++i) produce(*broker, request("t", {5, std::string(900, 'x')}));
    produce(*broker, request("t", {"last", "last"}));  // one a queue
  });
  std::int64_t cursor = 0;
  std::map<int, std::int64_t> due;
  bool told = false;
  for (int last = 0; last < 2;) {
    const auto page = read(*broker, std::nullopt, cursor, 7);
    if (page.skipped) told = true;
    if (page.skipped) due.clear();
    for (const auto& message : page.messages) {
      const auto expected = due.emplace(message.queue, told ? message.queue_offset : 0).first;
      ASSERT_EQ(message.queue_offset, expected->second++) << "queue " << message.queue;
      last += message.body == "last" ? 1 : 0;
    }
    ASSERT_GE(page.next, cursor);
    cursor = page.next;
    if (!page.messages.empty() || page.skipped) continue;
    std::promise<void> woken;
    const auto id =
        broker->wait_for_messages("t", std::nullopt, cursor, [&] { woken.set_value(); });
    ASSERT_EQ(woken.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    broker->cancel_wait(id);
  }
  producer.join();
}

TEST(Cursor, AReaderOfAQuietTopicIsNotOvertaken) {
  const TempDir dir;
  const auto broker = open_broker(small_log(dir.path()));
  produce(*broker, request("quiet", {"one"}));
  ConsumeQuery query;
  query.topic = "quiet";
  query.from = 0;
  ASSERT_EQ(std::get<ConsumeResult>(broker->consume(query)).messages.size(), 1U);
  ASSERT_TRUE(store::eventually([&] {
    produce(*broker, request("t", {20, std::string(1000, 'x')}));
    const auto page = std::get<ConsumeResult>(broker->consume(query));
    EXPECT_FALSE(page.skipped);
    query.from = page.next;
    return page.first > 0;
  }));
}

TEST(Cursor, BeyondTheEndItStaysUntilTheLogGetsThere) {
  const TempDir dir;
  const auto broker = open_broker(small_log(dir.path()));
  const auto end = produce(*broker, request("t", {"one"})).end_offset;
  const auto page = read(*broker, std::nullopt, end + 10);
  EXPECT_TRUE(page.messages.empty());
  EXPECT_EQ(page.next, end + 10);
  EXPECT_EQ(page.end, end);
  EXPECT_EQ(read(*broker, 0, 7).next, 7);
  EXPECT_EQ(read(*broker, 0, 7).end, 1);
}

}  // namespace
}  // namespace stub
