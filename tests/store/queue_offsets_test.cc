// SPDX-License-Identifier: Apache-2.0
// Queues whose messages are all gone go on where they were: after a restart, on a slave that joined
// late, and when the file that says so is lost.

#include "broker/queue_offsets.h"

#include <filesystem>

#include "broker_fixture.h"
#include "ha/ext/metadata.h"
#include "store/file.h"

namespace stub {
namespace {

using store::TempDir;

constexpr std::int64_t kOld = 20;  // messages of the topic that goes

BrokerOptions small_log(const std::string& dir, Role role = Role::kMaster) {
  auto options = broker_options(dir, role);
  options.retention_bytes = 2 * options.segment_bytes;
  options.flush_interval_ms = 1;
  return options;
}

std::string file_of(const TempDir& dir) { return dir.path() + "/config/queueOffsets.json"; }

ConsumeResult read(Broker& broker, const std::string& topic) {
  ConsumeQuery query;
  query.topic = topic;
  query.queue = 0;
  return std::get<ConsumeResult>(broker.consume(query));
}

ProduceResult put(Broker& broker, const std::string& topic, const std::vector<std::string>& all) {
  auto what = request(topic, all);
  what.queue = 0;
  return produce(broker, what);
}

// The queue offset that the next message of the topic gets.
std::int64_t next(Broker& broker, const std::string& topic) {
  EXPECT_EQ(put(broker, topic, {"next"}).status, HA_OK);
  return read(broker, topic).messages.back().queue_offset;
}

// Messages of "old" that retention has taken, while others are there.
std::unique_ptr<Broker> without_old(const BrokerOptions& options) {
  auto broker = open_broker(options);
  put(*broker, "old", std::vector<std::string>(kOld, "x"));
  EXPECT_TRUE(store::eventually([&] {
    put(*broker, "other", std::vector<std::string>(20, std::string(1000, 'x')));
    return read(*broker, "old").first == kOld;
  }));
  return broker;
}

const ha_ext_metadata& metadata(const Fake& fake, int index, void** ctx) {
  const ha_host_api& api = fake.host(index, ctx);
  return *static_cast<const ha_ext_metadata*>(api.get_extension(*ctx, HA_EXT_METADATA));
}

// What the plugin does when a slave has joined: the master's state goes over.
std::int32_t join(const Fake& fake, int from, int to) {
  void* ctx = nullptr;
  const ha_host_api& master = fake.host(from, &ctx);
  ha_replica_event joined{};
  joined.event = HA_REPLICA_JOINED;
  joined.id = "slave";
  joined.address = "10.0.0.2:10912";
  master.replica_changed(ctx, &joined);
  std::string state;
  const ha_sink_fn append = [](void* user, const char* data,
                               std::int64_t size) noexcept -> std::int32_t {
    static_cast<std::string*>(user)->append(data, static_cast<std::size_t>(size));
    return HA_OK;
  };
  const auto& told = metadata(fake, from, &ctx);
  EXPECT_EQ(told.read(ctx, append, &state), HA_OK);
  const auto& slave = metadata(fake, to, &ctx);
  return slave.write(ctx, state.data(), static_cast<std::int64_t>(state.size()), nullptr);
}

TEST(QueueOffsets, GoOnAfterARestartWhenRetentionTookAll) {
  const TempDir dir, killed;
  {
    const auto broker = without_old(small_log(dir.path()));
    store::copy_store(dir.path(), killed.path());
    EXPECT_EQ(next(*broker, "old"), kOld);
  }
  const auto broker = open_broker(small_log(killed.path()));
  EXPECT_EQ(read(*broker, "old").end, kOld);
  EXPECT_EQ(read(*broker, "old").next, kOld);
  EXPECT_EQ(next(*broker, "old"), kOld);
  EXPECT_EQ(next(*broker, "new"), 0);
}

TEST(QueueOffsets, AreTakenOverByASlaveThatJoinedLate) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  const auto master = without_old(small_log(master_dir.path()));
  auto slave = open_broker(small_log(slave_dir.path(), Role::kSlave));
  void* ctx = nullptr;
  ha_bounds bounds{};
  fake.host(0, &ctx).bounds(ctx, &bounds);
  const std::int64_t start = bounds.end - bounds.end % bounds.segment_size;
  ASSERT_GT(start, 0);
  ASSERT_EQ(fake.host(1, &ctx).reset(ctx, 0, start, nullptr), HA_OK);
  ASSERT_EQ(join(fake, 0, 1), HA_OK);
  ASSERT_EQ(fake.replicate(0, 1), HA_OK);
  // It says the same as its master, also when it starts again alone.
  EXPECT_EQ(read(*slave, "other").end, read(*master, "other").end);
  for (const bool again : {false, true}) {
    if (again) slave.reset();
    if (again) slave = open_broker(small_log(slave_dir.path(), Role::kSlave));
    ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->promote(false)));
    EXPECT_EQ(next(*slave, "old"), again ? kOld + 1 : kOld);
    EXPECT_EQ(next(*slave, again ? "newer" : "new"), 0);
  }
}

TEST(QueueOffsets, ASlaveKnowsThemBeforeItHasAllOfTheLog) {
  const TempDir master_dir, slave_dir;
  const Fake fake;
  const auto master = without_old(small_log(master_dir.path()));
  const auto slave = open_broker(small_log(slave_dir.path(), Role::kSlave));
  void* ctx = nullptr;
  ha_bounds bounds{};
  fake.host(0, &ctx).bounds(ctx, &bounds);
  ASSERT_EQ(fake.host(1, &ctx).reset(ctx, 0, bounds.min, nullptr), HA_OK);
  ASSERT_EQ(join(fake, 0, 1), HA_OK);
  ASSERT_TRUE(std::holds_alternative<std::monostate>(slave->promote(false)));
  EXPECT_EQ(next(*slave, "old"), kOld);
}

TEST(QueueOffsets, ALostOrDamagedFileCostsNumbersAndNeverGivesOneTwice) {
  const std::vector<std::string> contents{
      "",
      "{",
      "[]",
      "{\"min\":1}",
      R"({"min":-1,"end":0,"unknown":0,"next":{}})",
      R"({"min":0,"end":0,"unknown":0,"next":{}})",  // of an earlier time
      R"({"min":99999999,"end":99999999,"unknown":0,"next":{"old":{"x":1}}})",
      R"({"min":99999999,"end":99999999,"unknown":0,"next":{"%4":{"0":1}}})",
      R"({"min":99999999,"end":99999999,"unknown":0,"next":{"old":{"0":9223372036854775807}}})"};
  const TempDir dir;
  without_old(small_log(dir.path())).reset();
  for (std::size_t i = 0; i <= contents.size(); ++i) {
    const TempDir copy;
    store::copy_store(dir.path(), copy.path());
    if (i < contents.size())
      ASSERT_FALSE(store::replace_file(file_of(copy), contents[i]));
    else
      std::filesystem::remove(file_of(copy));
    const auto broker = open_broker(small_log(copy.path()));
    const auto lowest = next(*broker, "old");
    EXPECT_GE(lowest, kOld) << i;
    EXPECT_EQ(next(*broker, "old"), lowest + 1) << i;
    EXPECT_EQ(next(*broker, "new"), lowest) << "what is not known begins where none can have been";
  }
}

TEST(QueueOffsets, AFileThatCannotBeWrittenKeepsTheMessages) {
  const TempDir dir;
  auto options = small_log(dir.path());
  const auto broker = open_broker(options);
  // A directory stands where the file would be.
  std::filesystem::create_directories(file_of(dir) + "/x");
  put(*broker, "old", std::vector<std::string>(kOld, "x"));
  for (int i = 0; i < 30; ++i)
    put(*broker, "other", std::vector<std::string>(20, std::string(1000, 'x')));
  EXPECT_EQ(read(*broker, "old").messages.size(), static_cast<std::size_t>(kOld));
  std::filesystem::remove_all(file_of(dir));
  EXPECT_TRUE(store::eventually([&] {
    put(*broker, "other", std::vector<std::string>(20, std::string(1000, 'x')));
    return read(*broker, "old").first == kOld;
  }));
}

TEST(QueueOffsets, TheTextHoldsAnyName) {
  const store::QueueCounters counters{
      4096,
      8192,
      7,
      {{std::string("a\0\"%\xFF b", 7), {{0, 1}, {65535, 1LL << 40}}}, {"t", {{3, 4}}}}};
  store::QueueCounters back;
  EXPECT_EQ(parse_queue_counters(encode_queue_counters(counters), back), "");
  EXPECT_EQ(back, counters);
}

}  // namespace
}  // namespace stub
