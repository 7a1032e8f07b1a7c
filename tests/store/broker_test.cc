// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <thread>

#include "broker/local_broker.h"
#include "broker_fixture.h"
#include "ha/ext/append_reserve.h"

namespace stub {
namespace {

using store::TempDir;

TEST(Broker, ProducesAndConsumesByTopicAndQueue) {
  const TempDir dir;
  const Fake fake;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  auto two = request("t", {"one", "two"});
  two.items[0].key = "k";
  const auto result = produce(*broker, two);
  EXPECT_EQ(result.status, HA_OK) << result.text;
  EXPECT_EQ(result.stored, 2);
  EXPECT_EQ(result.first_offset, 0);
  EXPECT_EQ(fake.notified(0), result.end_offset);
  ConsumeQuery query;
  query.topic = "t";
  auto consumed = std::get<ConsumeResult>(broker->consume(query));
  ASSERT_EQ(consumed.messages.size(), 2u);
  EXPECT_EQ(consumed.messages[0].key, "k");
  EXPECT_EQ(consumed.first, 0);
  EXPECT_EQ(consumed.next, result.end_offset);
  EXPECT_EQ(consumed.end, result.end_offset);
  query.queue = consumed.messages[0].queue;
  consumed = std::get<ConsumeResult>(broker->consume(query));
  EXPECT_EQ(consumed.messages[0].body, "one");
  EXPECT_EQ(consumed.next, 1);
  EXPECT_EQ(consumed.end, 1);
  query.topic = "unknown";
  EXPECT_EQ(std::get<ConsumeResult>(broker->consume(query)).end, 0);
  query.from = -1;
  EXPECT_EQ(std::get<Error>(broker->consume(query)).status, HA_INVALID);
}

TEST(Broker, AnAnswerIsBoundedButNeverEmpty) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  produce(*broker, request("t", {std::string(1000, 'a'), std::string(1000, 'b'), "c"}));
  ConsumeQuery query;
  query.topic = "t";
  query.max_bytes = 10;
  const auto consumed = std::get<ConsumeResult>(broker->consume(query));
  ASSERT_EQ(consumed.messages.size(), 1u);
  EXPECT_LT(consumed.next, consumed.end);
  query.from = consumed.next;
  EXPECT_EQ(std::get<ConsumeResult>(broker->consume(query)).messages.at(0).body,
            std::string(1000, 'b'));
}

TEST(Broker, RefusesWhatCanNeverBeRight) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  std::vector<ProduceRequest> bad{request("", {"b"}),
                                  request(std::string(128, 't'), {"b"}),
                                  request("a b", {"b"}),
                                  request("ha_stub_schedule", {"b"}),
                                  request("SCHEDULE_TOPIC_XXXX", {"b"}),
                                  request("caf\xE9", {"b"}),
                                  request(std::string("a\0b", 3), {"b"}),
                                  request("a@b", {"b"}),
                                  request("t", {}),
                                  request("t", {"b"}, -3),
                                  request("t", {std::string((4 << 20) + 1, 'x')}),
                                  request("t", {"b"}),
                                  request("t", {"b"}),
                                  request("t", {"b"}),
                                  request("t", {"b"})};
  bad[11].queue = 4;
  bad[12].delay_ms = -1;
  bad[13].items[0].key = "a\x01z";
  bad[14].timeout_ms = 0;
  for (auto& one : bad) {
    const auto result = produce(*broker, one);
    EXPECT_EQ(result.status, HA_INVALID) << result.text;
    EXPECT_FALSE(result.text.empty());
    EXPECT_EQ(result.stored, 0);
  }
  EXPECT_EQ(produce(*broker, request(std::string(127, 't'), {""})).status, HA_OK);
}

TEST(Broker, ASlaveRefusesWritesAndNamesItsMaster) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kSlave));
  const auto result = produce(*broker, request("t", {"b"}));
  EXPECT_EQ(result.status, HA_NOT_MASTER);
  EXPECT_NE(result.text.find("10.0.0.1:10912"), std::string::npos) << result.text;
  EXPECT_EQ(broker->not_ready_reason(), "");
}

TEST(Broker, AnswersWhenTheCopiesExistWithoutHoldingAThread) {
  const TempDir dir;
  const Fake fake;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  std::vector<std::int32_t> answers;
  std::int64_t end = 0;
  for (int i = 0; i < 3; ++i)
    broker->produce(request("t", {"b"}, 2), [&](ProduceResult r) {
      answers.push_back(r.status);
      end = r.end_offset;
      EXPECT_EQ(r.stored, 1);
      EXPECT_EQ(r.text.empty(), r.status == HA_OK);
    });
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(fake.waits(0), 3);
  fake.end_waits(0, HA_OK, fake.notified(0) / 3 * 2);
  EXPECT_EQ(answers, (std::vector<std::int32_t>{HA_OK, HA_OK}));
  fake.end_waits(0, HA_FLUSH_SLAVE_TIMEOUT, INT64_MAX);
  EXPECT_EQ(answers.back(), HA_FLUSH_SLAVE_TIMEOUT);
  EXPECT_EQ(end, fake.notified(0));
  const auto refused = produce(*broker, request("t", {"b"}, 3));
  EXPECT_EQ(refused.status, HA_SLAVE_NOT_AVAILABLE);
  EXPECT_EQ(refused.stored, 0);
  EXPECT_EQ(fake.notified(0), end);
}

TEST(Broker, EachRequestOfManyIsToldItsOwnTruth) {
  const TempDir dir;
  const Fake fake;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  std::vector<ProduceRequest> requests{
      request("t", {"a"}),
      request("t", {"refused"}),
      request("t", {"b", "c"}),
      request("t", {"stored", std::string(65'500, 'x'), "never"}),  // segments have 65,536 bytes
      request("u", {"d"}),
      request("t", {"e"}, 2),
  };
  requests[1].queue = 9;
  std::vector<std::optional<ProduceResult>> told(requests.size());
  std::vector<Produce> asked;
  for (std::size_t i = 0; i < requests.size(); ++i)
    asked.push_back({requests[i], [&told, i](ProduceResult r) { told[i] = std::move(r); }});
  broker->produce_all(std::move(asked));

  EXPECT_FALSE(told[5]);  // waits for a copy
  EXPECT_EQ(fake.waits(0), 1);
  fake.end_waits(0, HA_OK, INT64_MAX);
  const auto status = [&](std::size_t i) { return told[i]->status; };
  EXPECT_EQ(status(0), HA_OK);
  EXPECT_EQ(status(1), HA_INVALID);
  EXPECT_EQ(told[1]->stored, 0);
  EXPECT_EQ(status(2), HA_OK);
  EXPECT_EQ(told[2]->stored, 2);
  EXPECT_EQ(told[2]->first_offset, told[0]->end_offset);
  EXPECT_EQ(status(3), HA_INVALID);
  EXPECT_EQ(told[3]->stored, 1);
  EXPECT_EQ(told[3]->first_offset, told[2]->end_offset);
  EXPECT_EQ(status(4), HA_OK);
  EXPECT_EQ(told[4]->first_offset, told[3]->end_offset);
  EXPECT_EQ(status(5), HA_OK);
  EXPECT_EQ(told[5]->end_offset, fake.notified(0));
  EXPECT_EQ(bodies(*broker, "t"), (std::vector<std::string>{"a", "b", "c", "stored", "e"}));
  EXPECT_EQ(bodies(*broker, "u"), (std::vector<std::string>{"d"}));
}

TEST(Broker, ARequestThatAFullDiskRefusesFailsNoOther) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  ASSERT_EQ(produce(*broker, request("t", {"makes the segment"})).status, HA_OK);
  std::vector<std::int32_t> told;
  std::vector<Produce> asked;
  for (const std::size_t size : {10'000, 30'000, 5'000, 30'000, 1'000})
    asked.push_back({request("t", {std::string(size, 'x')}),
                     [&](const ProduceResult& r) { told.push_back(r.status); }});
  {
    const store::FileSizeLimit limit(20'000);
    broker->produce_all(std::move(asked));
  }
  EXPECT_EQ(told, (std::vector<std::int32_t>{HA_OK, HA_IO, HA_OK, HA_IO, HA_OK}));
  EXPECT_EQ(bodies(*broker, "t").size(), 4u);
}

TEST(Broker, ManyRequestsThatAreMoreThanOneAppendTakesAreAllStored) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  constexpr std::int64_t kRequests = 50;  // three megabytes
  std::vector<Produce> asked;
  std::int64_t end = 0;
  std::int64_t stored = 0;
  for (std::int64_t i = 0; i < kRequests; ++i)
    asked.push_back({request("t", {std::string(60'000, 'x')}), [&](const ProduceResult& r) {
                       EXPECT_GE(r.first_offset, end);
                       end = r.end_offset;
                       stored += r.stored;
                     }});
  broker->produce_all(std::move(asked));
  EXPECT_EQ(stored, kRequests);
}

TEST(Broker, ManyRequestsMakeNoMoreTopicsThanThereMayBe) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  std::vector<std::int32_t> told;
  std::vector<Produce> asked;
  for (std::size_t i = 0; i < kMaxTopics + 3; ++i)
    asked.push_back({request("t" + std::to_string(i), {"b"}),
                     [&](const ProduceResult& r) { told.push_back(r.status); }});
  broker->produce_all(std::move(asked));
  EXPECT_EQ(std::count(told.begin(), told.end(), HA_OK), static_cast<std::ptrdiff_t>(kMaxTopics));
  EXPECT_EQ(std::count(told.begin(), told.end(), HA_AGAIN), 3);
}

TEST(Broker, SyncFlushIsDurableBeforeItAnswers) {
  const TempDir dir;
  const Fake fake;
  auto options = broker_options(dir.path(), Role::kMaster);
  options.flush = FlushPolicy::kSync;
  options.flush_interval_ms = 3'600'000;
  const auto broker = open_broker(options);
  const auto result = produce(*broker, request("t", {"b"}));
  EXPECT_EQ(result.status, HA_OK);
  void* ctx = nullptr;
  ha_bounds bounds{};
  fake.host(0, &ctx).bounds(ctx, &bounds);
  EXPECT_GE(bounds.durable, result.end_offset);
}

TEST(Broker, RolesMoveAndWritesAreFenced) {
  const TempDir dir;
  const Fake fake;
  const auto broker = open_broker(broker_options(dir.path(), Role::kNone));
  EXPECT_EQ(produce(*broker, request("t", {"b"})).status, HA_NOT_MASTER);
  EXPECT_NE(broker->not_ready_reason(), "");
  ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->promote(false)));
  EXPECT_EQ(broker->role(), Role::kMaster);
  EXPECT_EQ(produce(*broker, request("t", {"b"})).status, HA_OK);
  std::int32_t waited = HA_OK;
  broker->produce(request("t", {"b"}, 2), [&](ProduceResult r) { waited = r.status; });
  ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->follow("10.0.0.9:1")));
  EXPECT_EQ(waited, HA_NOT_MASTER);
  EXPECT_EQ(broker->role(), Role::kSlave);
  const auto result = produce(*broker, request("t", {"b"}));
  EXPECT_EQ(result.status, HA_NOT_MASTER);
  EXPECT_NE(result.text.find("10.0.0.9:1"), std::string::npos);
  // A refused change leaves the role, the address and the fence as they were.
  ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->promote(false)));
  fake.refuse_roles(HA_INVALID);
  EXPECT_EQ(std::get<Error>(broker->follow("x")).text, "the fake refuses");
  fake.refuse_roles(0);
  EXPECT_EQ(produce(*broker, request("t", {"b"})).status, HA_OK);
}

TEST(Broker, NoLocalAppendHappensOnceASlavesRoleHolds) {
  const TempDir dir;
  const Fake fake;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  std::atomic<bool> over{false};
  std::vector<std::thread> producers;
  for (int i = 0; i < 2; ++i)
    producers.emplace_back([&] {
      while (!over) produce(*broker, request("t", {"body"}));
    });
  void* ctx = nullptr;
  const ha_host_api& host = fake.host(0, &ctx);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->follow("10.0.0.9:1")));
    ha_bounds before{}, after{};
    host.bounds(ctx, &before);
    std::this_thread::yield();
    host.bounds(ctx, &after);
    ASSERT_EQ(before.end, after.end);
    ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->promote(false)));
  }
  over = true;
  for (auto& producer : producers) producer.join();
}

TEST(Broker, ARoleThatThePluginChangesByItselfAnswersNoCall) {
  const TempDir dir;
  const Fake fake;
  const auto broker = open_broker(broker_options(dir.path(), Role::kSlave));
  fake.fence_after_role(true);
  const auto promoted = broker->promote(false);
  fake.fence_after_role(false);
  const auto* error = std::get_if<Error>(&promoted);
  EXPECT_EQ(error, nullptr) << error->text;
  EXPECT_EQ(broker->role(), Role::kNone);
}

TEST(Broker, AStaleEpochIsRefusedAlsoAfterARestart) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  const auto master = open_broker(broker_options(master_dir.path(), Role::kMaster));
  auto slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  produce(*master, request("t", {"one"}));
  ASSERT_EQ(fake.replicate(0, 1, 7), HA_OK);
  produce(*master, request("t", {"two"}));
  const auto refuses = [&](std::int64_t epoch) {
    void* ctx = nullptr;
    const ha_host_api& host = fake.host(1, &ctx);
    const auto* extension =
        static_cast<const ha_ext_append_reserve*>(host.get_extension(ctx, HA_EXT_APPEND_RESERVE));
    ha_error error{};
    error.struct_size = sizeof(error);
    ha_bounds bounds{};
    host.bounds(ctx, &bounds);
    void* data = nullptr;
    std::int64_t room = 0;
    EXPECT_EQ(fake.replicate(0, 1, epoch), HA_EPOCH);
    EXPECT_EQ(extension->reserve(ctx, epoch, bounds.end, 1, &data, &room, &error), HA_EPOCH);
    EXPECT_EQ(host.confirm(ctx, epoch, bounds.end), HA_EPOCH);
    EXPECT_EQ(host.reset(ctx, epoch, 0, &error), HA_EPOCH);
    EXPECT_EQ(host.truncate(ctx, epoch, 0, 0, &error), HA_EPOCH);
    EXPECT_EQ(bodies(*slave, "t"), std::vector<std::string>{"one"});
    return std::string(error.text);
  };
  const std::string text = refuses(6);
  EXPECT_NE(text.find("epoch 6 is stale: this log has seen epoch 7"), std::string::npos) << text;

  // As the master of epoch 9 this node has seen that too.
  void* ctx = nullptr;
  const ha_host_api& host = fake.host(1, &ctx);
  ha_role_report report{};
  report.struct_size = sizeof(report);
  report.role = HA_ROLE_SLAVE;
  report.epoch = 9;
  report.text = "";
  host.role_changed(ctx, &report);
  refuses(8);
  slave.reset();
  slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  refuses(8);
  EXPECT_EQ(fake.replicate(0, 1, 9), HA_OK);
  produce(*master, request("t", {"three"}));
  EXPECT_EQ(fake.replicate(0, 1, 0), HA_OK) << "0 is no epoch";
}

TEST(Broker, ReadersOfASlaveSeeWhatThePluginConfirmed) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  const auto master = open_broker(broker_options(master_dir.path(), Role::kMaster));
  auto slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  ASSERT_EQ(fake.confirm(1, 0), HA_OK);
  const auto first = produce(*master, request("t", {"one"}));
  const auto rest = produce(*master, request("t", {"two", "three"}));
  ASSERT_EQ(fake.replicate(0, 1), HA_OK);
  EXPECT_TRUE(bodies(*slave, "t").empty());
  ConsumeQuery query;
  query.topic = "t";
  EXPECT_EQ(std::get<ConsumeResult>(slave->consume(query)).end, 0);
  EXPECT_TRUE(boost::json::parse(slave->status_json()).at("topics").as_object().empty());

  std::promise<void> woken;
  slave->wait_for_messages("t", std::nullopt, 0, [&] { woken.set_value(); });
  ASSERT_EQ(fake.confirm(1, first.end_offset), HA_OK);
  EXPECT_EQ(woken.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(bodies(*slave, "t"), std::vector<std::string>{"one"});
  EXPECT_EQ(std::get<ConsumeResult>(slave->consume(query)).end, first.end_offset);
  const auto status = boost::json::parse(slave->status_json());
  EXPECT_EQ(status.at("bounds").at("confirm"), first.end_offset);
  EXPECT_EQ(status.at("whole_end"), rest.end_offset);
  EXPECT_EQ(status.at("bounded"), true);
  EXPECT_EQ(status.at("topics").at("t").at("messages"), 1);
  void* ctx = nullptr;
  ha_bounds bounds{};
  const ha_host_api& host = fake.host(1, &ctx);
  host.bounds(ctx, &bounds);
  EXPECT_EQ(bounds.confirm, first.end_offset);
  EXPECT_EQ(host.truncate(ctx, 0, first.end_offset - 1, 0, nullptr), HA_RANGE);

  // Another master, another process: still nothing that was not confirmed.
  ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->follow("10.0.0.9:1")));
  EXPECT_EQ(bodies(*slave, "t").size(), 1u);
  slave.reset();
  slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  EXPECT_EQ(bodies(*slave, "t").size(), 1u);
  // What a master holds is the log. As a slave again it shows all, until the plugin confirms.
  ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->promote(false)));
  EXPECT_EQ(bodies(*slave, "t").size(), 3u);
  ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->follow("10.0.0.9:1")));
  EXPECT_EQ(bodies(*slave, "t").size(), 3u);
  EXPECT_EQ(boost::json::parse(slave->status_json()).at("bounded"), false);
}

TEST(Broker, AStoreThatStartsAsMasterShowsAllOfIt) {
  const TempDir dir;
  const Fake fake;
  {
    const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
    ASSERT_EQ(fake.confirm(0, 0), HA_OK);
    produce(*broker, request("t", {"one"}));
    EXPECT_TRUE(bodies(*broker, "t").empty());
    // A refused change of role is none: the bound stays.
    fake.refuse_roles(HA_INVALID);
    EXPECT_TRUE(std::holds_alternative<Error>(broker->follow("x")));
    fake.refuse_roles(0);
    EXPECT_TRUE(bodies(*broker, "t").empty());
  }
  {
    const auto broker = open_broker(broker_options(dir.path(), Role::kNone));
    EXPECT_TRUE(bodies(*broker, "t").empty());
  }
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  EXPECT_EQ(bodies(*broker, "t"), std::vector<std::string>{"one"});
}

TEST(Broker, APluginThatKeepsEpochsIsGivenTheStoreForThem) {
  const TempDir dir;
  const Fake fake;
  auto options = broker_options(dir.path(), Role::kMaster);
  open_broker(options);
  EXPECT_EQ(fake.option("state_dir"), "(none)");
  EXPECT_EQ(fake.option("listen"), "0.0.0.0:10912");
  options.plugin_options = {{"wire", "rocketmq"}};
  open_broker(options);
  EXPECT_EQ(fake.option("state_dir"), "(none)");
  options.plugin_options = {{"wire", "rocketmq-autoswitch"}};
  open_broker(options);
  EXPECT_EQ(fake.option("state_dir"), dir.path());
  options.plugin_options.emplace_back("state_dir", "/elsewhere");
  open_broker(options);
  EXPECT_EQ(fake.option("state_dir"), "/elsewhere");
}

TEST(Broker, StopEndsWaitsAndLongPolls) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  std::int32_t waited = HA_OK;
  int woken = 0;
  broker->produce(request("t", {"b"}, 2), [&](ProduceResult r) { waited = r.status; });
  broker->wait_for_messages("t", std::nullopt, 5, [&] { ++woken; });
  broker->stop(0);
  EXPECT_EQ(waited, HA_SHUTDOWN);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(produce(*broker, request("t", {"b"})).status, HA_SHUTDOWN);
  EXPECT_EQ(bodies(*broker, "t"), std::vector<std::string>{"b"});
}

TEST(Broker, StatusIsJson) {
  const TempDir dir;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  const auto put = produce(*broker, request("t", {"b", "c"}));
  const auto status = boost::json::parse(broker->status_json());
  EXPECT_EQ(status.at("role"), "master");
  EXPECT_TRUE(status.at("master").is_null());
  EXPECT_EQ(status.at("whole_end"), put.end_offset);
  EXPECT_EQ(status.at("bounds").at("end"), put.end_offset);
  EXPECT_EQ(status.at("topics").at("t").at("messages"), 2);
  EXPECT_EQ(status.at("flush"), "async");
  EXPECT_EQ(status.at("store").as_string(), dir.path());
  EXPECT_EQ(status.at("ha").at("fake"), true);
  EXPECT_EQ(broker->metrics_text().rfind("fake 1\n", 0), 0u);
  EXPECT_EQ(broker->ha_address(), "127.0.0.1:1");
}

TEST(Broker, APluginThatIsNotThereIsNamed) {
  const TempDir dir;
  auto options = broker_options(dir.path(), Role::kMaster);
  options.plugin_path = "/nonexistent/plugin.so";
  const auto opened = Broker::open(options);
  ASSERT_TRUE(std::holds_alternative<Error>(opened));
  EXPECT_NE(std::get<Error>(opened).text.find("/nonexistent/plugin.so"), std::string::npos);
}

}  // namespace
}  // namespace stub
