// SPDX-License-Identifier: Apache-2.0
// Consumer groups: their offsets, the file that keeps them, and the names of topics and groups.

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <set>

#include "broker/group_offsets.h"
#include "broker/names.h"
#include "broker_fixture.h"
#include "ha/ext/metadata.h"
#include "ha/plugin.h"
#include "store/file.h"

namespace stub {
namespace {

using namespace std::string_literals;
using store::TempDir;

std::int64_t nowhere(const std::string&, int) { return INT64_MAX; }

std::unique_ptr<GroupOffsets> open_groups(const std::string& dir,
                                          GroupOffsets::QueueEnd end = nowhere) {
  auto opened = GroupOffsets::open(dir, std::move(end));
  if (const auto* error = std::get_if<Error>(&opened)) throw std::runtime_error(error->text);
  return std::move(std::get<std::unique_ptr<GroupOffsets>>(opened));
}

std::string file_of(const TempDir& dir) { return dir.path() + "/config/consumerOffset.json"; }

// The files that were moved aside.
std::vector<std::string> bad_files(const TempDir& dir) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() + "/config"))
    if (entry.path().string().find(".bad-") != std::string::npos)
      out.push_back(entry.path().string());
  return out;
}

std::int64_t offset_of(Broker& broker, const std::string& group, const std::string& topic) {
  return std::get<std::int64_t>(broker.group_offset(group, topic, 0));
}

TEST(Names, FollowRocketMqsRules) {
  for (const std::string good : {"a", "A-z_0|9", "%RETRY%group", "-"}) {
    EXPECT_EQ(check_topic_name(good), std::nullopt) << good;
    EXPECT_EQ(check_group_name(good), std::nullopt) << good;
  }
  EXPECT_EQ(check_topic_name(std::string(127, 't')), std::nullopt);
  EXPECT_NE(check_topic_name(std::string(128, 't')), std::nullopt);
  EXPECT_EQ(check_group_name(std::string(255, 'g')), std::nullopt);
  EXPECT_NE(check_group_name(std::string(256, 'g')), std::nullopt);
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a@b"), std::string("a\0b", 3),
        std::string("caf\xE9"), std::string("caf\xC3\xA9"), std::string("a\"b"), std::string("a/b"),
        std::string("a.b"), std::string("\x01"), std::string("\x7F"), std::string(100'000, '!')}) {
    const auto topic = check_topic_name(bad);
    const auto group = check_group_name(bad);
    ASSERT_TRUE(topic && group) << bad;
    EXPECT_EQ(topic->status, HA_INVALID);
    EXPECT_LT(group->text.size(), 700u);
  }
  EXPECT_EQ(check_group_name("caf\xE9")->text,
            "group 'caf\\xE9' (4 bytes): a group's name must have 1 to 255 of these: letters, "
            "digits, % | _ -");
  EXPECT_EQ(check_topic_name("SELF_TEST_TOPIC"), std::nullopt);
  EXPECT_NE(check_send_topic("SELF_TEST_TOPIC")->text.find("'SELF_TEST_TOPIC'"), std::string::npos);
  EXPECT_NE(check_send_topic("a b"), std::nullopt);
  EXPECT_EQ(check_send_topic("t"), std::nullopt);
}

TEST(Names, AreJudgedWhereAGroupOrATopicIsNamed) {
  const TempDir dir;
  const Fake fake;
  const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
  EXPECT_EQ(std::get<Error>(broker->group_offset("caf\xE9", "t", 0)).status, HA_INVALID);
  EXPECT_EQ(std::get<Error>(broker->group_offset("g", "a@b", 0)).status, HA_INVALID);
  EXPECT_EQ(std::get<Error>(broker->set_group_offset("b@c", "a", 0, 0)).status, HA_INVALID);
  EXPECT_EQ(std::get<Error>(broker->set_group_offset("", "a", 0, 0)).status, HA_INVALID);
  EXPECT_EQ(std::get<Error>(broker->set_group_offset("g", std::string(128, 't'), 0, 0)).status,
            HA_INVALID);
  EXPECT_EQ(std::get<Error>(broker->set_group_offset("g", "t", 0, -1)).status, HA_INVALID);
  ConsumeQuery query;
  query.topic = "a@b";
  EXPECT_EQ(std::get<Error>(broker->consume(query)).status, HA_INVALID);
  EXPECT_FALSE(std::filesystem::exists(file_of(dir)));

  // What another broker put into the log all the same can be read.
  store::Properties none;
  std::string record = store::encode_record("a@b", 0, "odd", none, 0);
  store::place_record(record.data(), 0, 0, 0);
  void* ctx = nullptr;
  const ha_host_api& host = fake.host(0, &ctx);
  ASSERT_TRUE(std::holds_alternative<std::monostate>(broker->follow("10.0.0.9:1")));
  ASSERT_EQ(
      host.append(ctx, 0, 0, record.data(), static_cast<std::int64_t>(record.size()), nullptr),
      HA_OK);
  EXPECT_EQ(bodies(*broker, "a@b"), std::vector<std::string>{"odd"});
}

TEST(GroupOffsets, SurviveARestartAndReadRocketMqsFile) {
  const TempDir dir;
  {
    auto opened = GroupOffsets::open(dir.path(), nowhere);
    auto& groups = *std::get<std::unique_ptr<GroupOffsets>>(opened);
    EXPECT_EQ(groups.get("g", "t", 0), -1);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(groups.set("g", "t", 1, 12)));
  }
  auto again = GroupOffsets::open(dir.path(), nowhere);
  EXPECT_EQ(std::get<std::unique_ptr<GroupOffsets>>(again)->get("g", "t", 1), 12);
  const std::string path = dir.path() + "/config/consumerOffset.json";
  EXPECT_EQ(std::get<std::string>(store::read_file(path)), R"({"offsetTable":{"t@g":{"1":12}}})");
  ASSERT_FALSE(store::replace_file(
      path, "{\n\t\"offsetTable\":{\"a@b\":{0:5,1 :6\n\t\t},\"x{1:2\\\"\":{3:4}}\n}"));
  again = GroupOffsets::open(dir.path(), nowhere);
  EXPECT_EQ(std::get<std::unique_ptr<GroupOffsets>>(again)->get("b", "a", 0), 5);
  EXPECT_EQ(std::get<std::unique_ptr<GroupOffsets>>(again)->get("b", "a", 1), 6);
}

TEST(GroupOffsets, AnotherNodesTakeThePlaceOfThoseHere) {
  const TempDir here, there;
  std::int64_t end = 12;
  const auto from = open_groups(there.path());
  {
    const auto to = open_groups(here.path(), [&](const std::string&, int) { return end; });
    ASSERT_EQ(from->set("g", "t", 1, 12).index(), 0u);
    ASSERT_EQ(to->set("old", "t", 0, 3).index(), 0u);
    const auto before = to->version();
    EXPECT_EQ(to->replace("no table")->status, HA_CORRUPT);
    EXPECT_EQ(to->get("old", "t", 0), 3);
    EXPECT_EQ(to->version(), before);
    EXPECT_EQ(to->replace(from->text()), std::nullopt);
    EXPECT_EQ(to->get("g", "t", 1), 12);
    EXPECT_EQ(to->get("old", "t", 0), -1);
    EXPECT_NE(to->version(), before);
    EXPECT_EQ(to->text(), from->text());
    to->limit();
    EXPECT_EQ(to->get("g", "t", 1), 12);
    end = 7;
    to->limit();
    EXPECT_EQ(to->get("g", "t", 1), 7);
  }
  // The last thing that a node does is to store them.
  EXPECT_EQ(open_groups(here.path())->get("g", "t", 1), 7);
}

TEST(GroupOffsets, AFileThatIsNotATableIsMovedAsideAndTheBrokerStarts) {
  const std::vector<std::string> bad = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "{\"offsetTable\":7}",
                                        "{\"offsetTable\":{\"t@g\":{0:1",
                                        "{\"offsetTable\":{\"t@caf\xE9\":{0:1}}}",
                                        "{\"offsetTable\":{\"t@g\0\":{0:1}}}"s,
                                        std::string(100, '\0'),
                                        std::string(10'000, '[')};
  const TempDir dir;
  const Fake fake;
  ASSERT_FALSE(store::make_directory(dir.path() + "/config"));
  std::size_t moved = 0;
  for (const std::string& content : bad) {
    ASSERT_FALSE(store::replace_file(file_of(dir), content));
    const auto broker = open_broker(broker_options(dir.path(), Role::kMaster));
    EXPECT_FALSE(std::filesystem::exists(file_of(dir))) << content;
    EXPECT_EQ(bad_files(dir).size(), ++moved) << content;
    EXPECT_EQ(std::get<std::int64_t>(broker->group_offset("g", "t", 0)), -1);
  }
  // Nothing of them is lost.
  std::multiset<std::string> kept;
  for (const auto& path : bad_files(dir))
    kept.insert(std::get<std::string>(store::read_file(path)));
  EXPECT_EQ(kept, std::multiset<std::string>(bad.begin(), bad.end()));
  // One that the system does not give is another matter: it may be a good one.
  ASSERT_FALSE(store::make_directory(file_of(dir)));
  EXPECT_NE(std::get<Error>(GroupOffsets::open(dir.path(), nowhere)).text.find(file_of(dir)),
            std::string::npos);
}

constexpr const char* kOneGoodEntry =
    R"({"offsetTable":{"t@g":{0:5,"1":-1,"x":2,"2":1.5,"3":18446744073709551615,"99999999999":1,)"
    R"("-1":1,"":1},"a@b@c":{0:1},"@g":{0:1},"t@":{0:1},"t":{0:1},"t@g\u0000":{0:1},"t@h":7,)"
    R"("t@caf\u00e9":{0:1}},"other":{}})";

TEST(GroupOffsets, EntriesThatNoClientCouldMakeAreDropped) {
  const TempDir dir;
  ASSERT_FALSE(store::make_directory(dir.path() + "/config"));
  ASSERT_FALSE(store::replace_file(file_of(dir), kOneGoodEntry));
  const auto groups = open_groups(dir.path());
  EXPECT_EQ(groups->text(), R"({"offsetTable":{"t@g":{"0":5}}})");
  EXPECT_TRUE(bad_files(dir).empty());
  // From a master too.
  const TempDir other;
  const auto slave = open_groups(other.path());
  EXPECT_EQ(slave->replace(kOneGoodEntry), std::nullopt);
  EXPECT_EQ(slave->text(), groups->text());
}

TEST(GroupOffsets, ATopicAndAGroupAreAPair) {
  const TempDir dir;
  const auto groups = open_groups(dir.path());
  ASSERT_EQ(groups->set("c", "ab", 0, 1).index(), 0u);
  ASSERT_EQ(groups->set("bc", "a", 0, 2).index(), 0u);
  EXPECT_EQ(groups->get("c", "ab", 0), 1);
  EXPECT_EQ(groups->get("bc", "a", 0), 2);
}

TEST(GroupOffsets, OnlyGrowthIsBounded) {
  const TempDir dir;
  std::string table;
  for (std::size_t i = 0; i <= kMaxGroupEntries; ++i)
    table += (i == 0 ? "" : ",") + ("\"t@g" + std::to_string(i)) + "\":{0:1}";
  ASSERT_FALSE(store::make_directory(dir.path() + "/config"));
  ASSERT_FALSE(store::replace_file(file_of(dir), "{\"offsetTable\":{" + table + "}}"));
  const auto groups = open_groups(dir.path());
  EXPECT_EQ(groups->set("g7", "t", 0, 9).index(), 0u);
  const auto refused = groups->set("new", "t", 0, 9);
  ASSERT_TRUE(std::holds_alternative<Error>(refused));
  EXPECT_EQ(std::get<Error>(refused).status, HA_AGAIN);
  EXPECT_NE(std::get<Error>(refused).text.find("10000 pairs"), std::string::npos);
  EXPECT_NE(std::get<Error>(refused).text.find("DELETE"), std::string::npos);
  EXPECT_EQ(groups->get("new", "t", 0), -1);
  EXPECT_EQ(std::get<std::int64_t>(groups->remove("g1", std::nullopt)), 1);
  EXPECT_EQ(std::get<std::int64_t>(groups->remove("g2", std::nullopt)), 1);
  EXPECT_EQ(groups->set("new", "t", 0, 9).index(), 0u);
}

TEST(GroupOffsets, WhatCouldNotBeReplicatedIsRefused) {
  const TempDir dir;
  const std::string topic(127, 't');
  std::string table;
  std::size_t pairs = 0;
  while (table.size() < static_cast<std::size_t>(kMaxGroupBytes) - 1000) {
    std::string group = std::to_string(pairs++);
    group.resize(255, 'g');
    table += (table.empty() ? "\"" : ",\"") + topic + "@" + group + "\":{";
    for (int queue = 0; queue < 100; ++queue)
      table +=
          (queue == 0 ? "\"" : ",\"") + std::to_string(queue) + "\":" + std::to_string(INT64_MAX);
    table += "}";
  }
  ASSERT_LT(pairs, kMaxGroupEntries);
  ASSERT_FALSE(store::make_directory(dir.path() + "/config"));
  ASSERT_FALSE(store::replace_file(file_of(dir), "{\"offsetTable\":{" + table + "}}"));
  const auto groups = open_groups(dir.path());
  // All that an update can make of it still fits.
  EXPECT_LE(static_cast<std::int64_t>(groups->text().size()), groups->size().bytes);
  EXPECT_LT(groups->size().bytes, HA_METADATA_MAX_BYTES);
  std::string first = "0";
  first.resize(255, 'g');
  EXPECT_EQ(groups->set(first, topic, 0, 5).index(), 0u);
  std::optional<Error> refused;
  for (int queue = 0; queue < 100 && !refused; ++queue) {
    const auto set = groups->set("g", "t", queue, 0);
    if (const auto* error = std::get_if<Error>(&set)) refused = *error;
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, HA_AGAIN);
  EXPECT_NE(refused->text.find(std::to_string(kMaxGroupBytes)), std::string::npos);
  EXPECT_NE(refused->text.find("DELETE /v1/groups/"), std::string::npos);
  EXPECT_EQ(groups->set(first, topic, 0, 6).index(), 0u);
  EXPECT_GT(std::get<std::int64_t>(groups->remove(first, topic)), 0);
  EXPECT_EQ(groups->set("another", "t", 0, 0).index(), 0u);
}

TEST(GroupOffsets, AreDeletedByGroupAndTopicAndTheSlavesFollow) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  auto master = open_broker(broker_options(master_dir.path(), Role::kMaster));
  const auto slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  for (const char* topic : {"a", "b"})
    for (int queue = 0; queue < 2; ++queue)
      ASSERT_EQ(master->set_group_offset("g", topic, queue, 0).index(), 0u);
  ASSERT_EQ(master->set_group_offset("h", "a", 0, 0).index(), 0u);
  ASSERT_EQ(copy_metadata(fake, 0, 1), HA_OK);
  EXPECT_EQ(offset_of(*slave, "g", "b"), 0);
  EXPECT_EQ(std::get<std::int64_t>(master->delete_group_offsets("g", "a")), 2);
  EXPECT_EQ(offset_of(*master, "g", "a"), -1);
  EXPECT_EQ(offset_of(*master, "g", "b"), 0);
  EXPECT_EQ(std::get<std::int64_t>(master->delete_group_offsets("g", std::nullopt)), 2);
  EXPECT_EQ(std::get<std::int64_t>(master->delete_group_offsets("g", std::nullopt)), 0);
  EXPECT_EQ(std::get<Error>(master->delete_group_offsets("a@b", std::nullopt)).status, HA_INVALID);
  EXPECT_EQ(std::get<Error>(master->delete_group_offsets("g", "caf\xE9")).status, HA_INVALID);
  ASSERT_EQ(copy_metadata(fake, 0, 1), HA_OK);
  EXPECT_EQ(offset_of(*slave, "g", "b"), -1);
  EXPECT_EQ(offset_of(*slave, "h", "a"), 0);
  master.reset();
  EXPECT_EQ(std::get<std::string>(store::read_file(file_of(master_dir))),
            R"({"offsetTable":{"a@h":{"0":0}}})");
}

TEST(GroupOffsets, MeanTheSameOnANodeWhoseLogBeginsLater) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  const auto master = open_broker(broker_options(master_dir.path(), Role::kMaster));
  const auto slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  constexpr std::int64_t kSegment = 64 * 1024;
  std::int64_t sent = 0;
  std::int64_t end = 0;
  while (end < kSegment + kSegment / 2) {
    auto one = request("t", {std::string(1000, 'x')});
    one.queue = 0;
    end = produce(*master, one).end_offset;
    ++sent;
  }
  // The slave joins at the second segment: what lies before was deleted at the master meanwhile.
  void* ctx = nullptr;
  const ha_host_api& host = fake.host(1, &ctx);
  ASSERT_EQ(host.reset(ctx, 0, kSegment, nullptr), HA_OK);
  ASSERT_EQ(fake.replicate(0, 1), HA_OK);

  const auto last = sent - 1;
  ASSERT_EQ(master->set_group_offset("g", "t", 0, last).index(), 0u);
  EXPECT_EQ(offset_of(*master, "g", "t"), last);
  ASSERT_EQ(copy_metadata(fake, 0, 1), HA_OK);
  EXPECT_EQ(offset_of(*slave, "g", "t"), last);

  for (const auto* broker : {&master, &slave}) {
    const auto refused = (*broker)->set_group_offset("g", "t", 0, sent + 1);
    ASSERT_TRUE(std::holds_alternative<Error>(refused));
    EXPECT_EQ(std::get<Error>(refused).status, HA_RANGE);
    EXPECT_NE(std::get<Error>(refused).text.find("the end, " + std::to_string(sent)),
              std::string::npos)
        << std::get<Error>(refused).text;
    EXPECT_EQ((*broker)->set_group_offset("g", "t", 0, sent).index(), 0u);
    EXPECT_EQ(offset_of(**broker, "g", "t"), sent);
  }
  EXPECT_EQ(std::get<Error>(master->set_group_offset("g", "none", 0, 1)).status, HA_RANGE);
}

const ha_ext_metadata& metadata_of(const Fake& fake, int index, void** ctx) {
  const ha_host_api& host = fake.host(index, ctx);
  return *static_cast<const ha_ext_metadata*>(host.get_extension(*ctx, HA_EXT_METADATA));
}

std::string pending_of(const Fake& fake, int index) {
  void* ctx = nullptr;
  std::string state;
  const auto sink = [](void* user, const char* text, std::int64_t size) noexcept {
    static_cast<std::string*>(user)->append(text, static_cast<std::size_t>(size));
    return 0;
  };
  EXPECT_EQ(metadata_of(fake, index, &ctx).pending(ctx, sink, &state), HA_OK);
  return state;
}

std::int32_t merge_into(const Fake& fake, int index, const std::string& state) {
  void* ctx = nullptr;
  const auto& metadata = metadata_of(fake, index, &ctx);
  return metadata.merge(ctx, state.data(), static_cast<std::int64_t>(state.size()), nullptr);
}

std::string offset_text(const std::string& topic, const std::string& group, std::int64_t next) {
  return R"({"offsetTable":{")" + topic + "@" + group + R"(":{"0":)" + std::to_string(next) + "}}}";
}

void produce_many(Broker& broker, const std::string& topic, int count) {
  for (int i = 0; i < count; ++i) {
    auto one = request(topic, {"b"});
    one.queue = 0;
    ASSERT_EQ(produce(broker, one).status, HA_OK);
  }
}

TEST(PendingOffsets, ASlaveThatFollowsItsMasterNamesIt) {
  const TempDir dir;
  const Fake fake;
  const auto slave = open_broker(broker_options(dir.path(), Role::kSlave));
  fake.set_client_state(HA_STATE_TRANSFER);
  const auto refused = slave->set_group_offset("g", "t", 0, 0);
  ASSERT_TRUE(std::holds_alternative<Error>(refused));
  EXPECT_EQ(std::get<Error>(refused).status, HA_NOT_MASTER);
  EXPECT_NE(std::get<Error>(refused).text.find("10.0.0.1:10912"), std::string::npos);
  EXPECT_EQ(offset_of(*slave, "g", "t"), -1);
  for (const std::int32_t state : {HA_STATE_READY, HA_STATE_HANDSHAKE, HA_STATE_SUSPEND}) {
    fake.set_client_state(state);
    EXPECT_EQ(slave->set_group_offset("g", "t", 0, 0).index(), 0u) << state;
    // A deletion could not be told from what the master has and this node does not.
    EXPECT_EQ(std::get<Error>(slave->delete_group_offsets("g", std::nullopt)).status,
              HA_NOT_MASTER);
  }
  fake.set_client_state(HA_STATE_READY);
}

TEST(PendingOffsets, GoUpToTheMasterWhereTheLargerOneHolds) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  const auto master = open_broker(broker_options(master_dir.path(), Role::kMaster));
  auto slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  for (const char* topic : {"ahead", "behind"}) produce_many(*master, topic, 100);
  ASSERT_EQ(fake.replicate(0, 1), HA_OK);
  for (const char* topic : {"ahead", "behind"})
    ASSERT_EQ(master->set_group_offset("g", topic, 0, 10).index(), 0u);
  ASSERT_EQ(copy_metadata(fake, 0, 1), HA_OK);
  EXPECT_EQ(pending_of(fake, 1), "");

  // Its master is away for a while.
  ASSERT_EQ(slave->set_group_offset("g", "ahead", 0, 100).index(), 0u);
  ASSERT_EQ(slave->set_group_offset("g", "behind", 0, 5).index(), 0u);
  ASSERT_EQ(slave->set_group_offset("new", "ahead", 0, 7).index(), 0u);
  EXPECT_EQ(boost::json::parse(slave->status_json()).at("groups").at("pending"), 3);
  // Neither what the master says nor a restart makes it forget them.
  ASSERT_EQ(copy_metadata(fake, 0, 1), HA_OK);
  EXPECT_EQ(offset_of(*slave, "g", "ahead"), 100);
  slave.reset();
  slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  EXPECT_EQ(offset_of(*slave, "g", "ahead"), 100);
  EXPECT_EQ(offset_of(*slave, "new", "ahead"), 7);
  const std::string pending = pending_of(fake, 1);
  EXPECT_NE(pending, "");

  ASSERT_EQ(merge_into(fake, 0, pending), HA_OK);
  ASSERT_EQ(merge_into(fake, 0, pending), HA_OK);  // it may come twice
  for (Broker* broker : {master.get(), slave.get()}) {
    EXPECT_EQ(offset_of(*broker, "g", "ahead"), 100);
    EXPECT_EQ(offset_of(*broker, "g", "behind"), 10);
    EXPECT_EQ(offset_of(*broker, "new", "ahead"), 7);
    ASSERT_EQ(copy_metadata(fake, 0, 1), HA_OK);
  }
  EXPECT_EQ(pending_of(fake, 1), "");
  slave.reset();
  EXPECT_EQ(std::get<std::string>(store::read_file(file_of(slave_dir))).find("pendingOffsets"),
            std::string::npos);
}

TEST(PendingOffsets, StayWithASlaveThatIsPromoted) {
  const TempDir dir;
  const Fake fake;
  {
    const auto slave = open_broker(broker_options(dir.path(), Role::kSlave));
    ASSERT_EQ(slave->set_group_offset("g", "t", 0, 0).index(), 0u);
    EXPECT_NE(pending_of(fake, 0), "");
    ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->promote(false)));
    EXPECT_EQ(offset_of(*slave, "g", "t"), 0);
    EXPECT_EQ(pending_of(fake, 0), "");
  }
  EXPECT_EQ(std::get<std::string>(store::read_file(file_of(dir))), offset_text("t", "g", 0));
}

TEST(PendingOffsets, OfASlaveOfASlaveGoOnUp) {
  const TempDir dir;
  const Fake fake;
  const auto middle = open_broker(broker_options(dir.path(), Role::kSlave));
  ASSERT_EQ(merge_into(fake, 0, offset_text("t", "g", 0)), HA_OK);
  EXPECT_EQ(offset_of(*middle, "g", "t"), 0);
  EXPECT_EQ(pending_of(fake, 0), offset_text("t", "g", 0));
}

TEST(PendingOffsets, APeerThatLiesRaisesNothingBeyondTheEnd) {
  const TempDir dir;
  const Fake fake;
  const auto master = open_broker(broker_options(dir.path(), Role::kMaster));
  produce_many(*master, "t", 3);
  ASSERT_EQ(master->set_group_offset("g", "t", 0, 1).index(), 0u);
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"),
        std::string(1000, '\0'), std::string("{\"offsetTable\":[]}")})
    EXPECT_EQ(merge_into(fake, 0, bad), HA_CORRUPT) << bad;
  for (const std::string& lie :
       {offset_text("t", "g", 4), offset_text("t", "g", INT64_MAX), offset_text("none", "g", 1),
        offset_text("t", "a@b", 1), offset_text("t", "caf\\u00e9", 1), offset_text("", "g", 1),
        std::string(R"({"offsetTable":{"t@g":{"1":1,"-1":1,"70000":2}}})")}) {
    void* ctx = nullptr;
    const auto& metadata = metadata_of(fake, 0, &ctx);
    const std::uint64_t version = metadata.version(ctx);
    EXPECT_EQ(merge_into(fake, 0, lie), HA_OK) << lie;
    EXPECT_EQ(metadata.version(ctx), version) << lie;
  }
  EXPECT_EQ(offset_of(*master, "g", "t"), 1);
  EXPECT_EQ(merge_into(fake, 0, offset_text("t", "g", 3)), HA_OK);
  EXPECT_EQ(offset_of(*master, "g", "t"), 3);
  // Nor does it fill the table.
  std::string many;
  for (std::size_t i = 0; i < kMaxGroupEntries + 10; ++i)
    many += ",\"t@g" + std::to_string(i) + "\":{\"0\":3}";
  EXPECT_EQ(merge_into(fake, 0, "{\"offsetTable\":{" + many.substr(1) + "}}"), HA_OK);
  EXPECT_EQ(boost::json::parse(master->status_json()).at("groups").at("pairs"), kMaxGroupEntries);
}

TEST(PendingOffsets, OfBytesThatWereCutAreNotHandedUp) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  const auto master = open_broker(broker_options(master_dir.path(), Role::kMaster));
  const auto slave = open_broker(broker_options(slave_dir.path(), Role::kSlave));
  auto two = request("t", {"a"});
  two.queue = 0;
  const auto first = produce(*master, two);
  produce(*master, two);
  ASSERT_EQ(fake.replicate(0, 1), HA_OK);
  ASSERT_EQ(slave->set_group_offset("g", "t", 0, 2).index(), 0u);
  void* ctx = nullptr;
  const ha_host_api& host = fake.host(1, &ctx);
  ASSERT_EQ(host.truncate(ctx, 0, first.end_offset, HA_TRUNCATE_UNSAFE, nullptr), HA_OK);
  EXPECT_EQ(pending_of(fake, 1), offset_text("t", "g", 1));
}

}  // namespace
}  // namespace stub
