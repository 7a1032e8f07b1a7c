// SPDX-License-Identifier: Apache-2.0
// Growth in both directions: tables and structs that are longer or shorter than the other side's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "test_node.h"

namespace ha::test {
namespace {

using testing::HasSubstr;

// What a later version may have put behind a struct: the reader must not take it for anything.
template <class T>
struct Longer {
  T known{};
  unsigned char unknown[64];
  Longer() {
    std::memset(unknown, 0xA5, sizeof(unknown));
    known.struct_size = sizeof(Longer);
  }
};

const ha_plugin_api& api() {
  static MemoryLog log;
  static const Plugin plugin = real_plugin(bind_host(log));
  return plugin.api();
}

ha_create_params params_for(void* ctx) {
  static constexpr ha_option kOption = {"listen", "127.0.0.1:0"};
  ha_create_params params{};
  params.struct_size = sizeof(params);
  params.option_stride = sizeof(kOption);
  params.options = &kOption;
  params.option_count = 1;
  params.host_ctx = ctx;
  return params;
}

// Runs an instance of this host table as a master for one wait, and ends it.
void expect_runs(const ha_host_api& table, MemoryLog& log) {
  const HostBinding host = bind_host(log);
  const ha_create_params params = params_for(host.ctx);
  ha_error error = detail::empty_error();
  ha_instance* instance = nullptr;
  ASSERT_EQ(api().create(&table, &params, &instance, &error), HA_OK) << error.text;
  Longer<ha_role_change> role;
  role.known.role = HA_ROLE_MASTER;
  role.known.number = 5;
  EXPECT_EQ(api().start(instance, &role.known, &error), HA_OK) << error.text;
  EXPECT_TRUE(log.expect_roles(1));
  EXPECT_EQ(log.roles()[0].number, 5);
  Longer<ha_wait_request> wait;
  wait.known.acks = 1;
  wait.known.timeout_ns = 1'000'000'000;
  wait.known.fn = [](void*, std::int32_t, std::int64_t) noexcept {};
  EXPECT_EQ(api().wait_replicated(instance, &wait.known), HA_DONE);
  EXPECT_EQ(api().stop(instance, 0, &error), HA_OK) << error.text;
  api().destroy(instance);
}

TEST(Growth, PluginRunsAHostOfALaterVersion) {
  MemoryLog log;
  Longer<ha_host_api> later;
  later.known = bind_host(log).api;
  later.known.struct_size = sizeof(later);
  expect_runs(later.known, log);
}

TEST(Growth, PluginRunsAHostOfAnEarlierVersion) {
  MemoryLog log;
  ha_host_api earlier = bind_host(log).api;
  earlier.struct_size = offsetof(ha_host_api, get_extension);
  // In such a host other things lie here: called, they would crash.
  std::memset(&earlier.get_extension, 0xA5, sizeof(earlier.get_extension));
  expect_runs(earlier, log);
}

TEST(Growth, PluginNamesTheRequiredMemberThatAShortHostLacks) {
  MemoryLog log;
  HostBinding host = bind_host(log);
  host.api.struct_size = offsetof(ha_host_api, log);
  const auto plugin = Plugin::load(HA_TEST_PLUGIN, host);
  ASSERT_FALSE(plugin);
  EXPECT_EQ(plugin.error().status, HA_VERSION);
  EXPECT_THAT(plugin.error().text, HasSubstr("'log'"));
  EXPECT_THAT(plugin.error().text, HasSubstr(std::to_string(sizeof(ha_host_api))));
  EXPECT_THAT(plugin.error().text, HasSubstr(std::to_string(offsetof(ha_host_api, log))));
}

TEST(Growth, PluginNamesEachRequiredMemberThatIsNull) {
  MemoryLog log;
  const auto refusal = [&](auto member) {
    HostBinding host = bind_host(log);
    host.api.*member = nullptr;
    const auto plugin = Plugin::load(HA_TEST_PLUGIN, host);
    return plugin ? "loaded" : plugin.error().text;
  };
  EXPECT_THAT(refusal(&ha_host_api::bounds), HasSubstr("'bounds'"));
  EXPECT_THAT(refusal(&ha_host_api::record_floor), HasSubstr("'record_floor'"));
  EXPECT_THAT(refusal(&ha_host_api::read), HasSubstr("'read'"));
  EXPECT_THAT(refusal(&ha_host_api::append), HasSubstr("'append'"));
  EXPECT_THAT(refusal(&ha_host_api::role_changed), HasSubstr("'role_changed'"));
  EXPECT_THAT(refusal(&ha_host_api::log), HasSubstr("'log'"));
  EXPECT_THAT(refusal(&ha_host_api::unpin), HasSubstr("'unpin'"));
  EXPECT_THAT(refusal(&ha_host_api::pin), HasSubstr("'pin'"));
}

TEST(Growth, PluginTakesLongerOptionsAndParams) {
  MemoryLog log;
  struct LaterOption {
    ha_option known;
    const char* unknown;
  } const options[] = {{{"listen", "127.0.0.1:0"}, "x"}, {{"heartbeat_ms", "123"}, "y"}};
  const HostBinding host = bind_host(log);
  Longer<ha_create_params> params;
  params.known.option_stride = sizeof(LaterOption);
  params.known.options = &options[0].known;
  params.known.option_count = 2;
  params.known.host_ctx = host.ctx;
  ha_error error = detail::empty_error();
  ha_instance* instance = nullptr;
  EXPECT_EQ(api().create(&host.api, &params.known, &instance, &error), HA_OK) << error.text;
  api().destroy(instance);
}

TEST(Growth, PluginFillsLongerAndShorterSnapshots) {
  Pair pair;
  const std::int64_t end = pair.master.produce("x\n");
  ASSERT_EQ(pair.master.instance.wait_blocking({.end = end, .acks = 2}), HA_OK);

  struct LaterReplica {
    ha_replica_status known;
    unsigned char unknown[24];
  } replicas[2];
  std::memset(replicas, 0xA5, sizeof(replicas));
  Longer<ha_snapshot> later;
  later.known.replica_stride = sizeof(LaterReplica);
  later.known.replicas = &replicas[0].known;
  later.known.replica_capacity = 2;
  ASSERT_EQ(api().snapshot(pair.master.instance.handle(), &later.known), HA_OK);
  EXPECT_EQ(later.known.replica_count, 1);
  EXPECT_EQ(replicas[0].known.struct_size, sizeof(ha_replica_status));
  EXPECT_EQ(replicas[0].known.ack_offset, end);
  for (const unsigned char byte : replicas[0].unknown) EXPECT_EQ(byte, 0xA5);
  for (const unsigned char byte : later.unknown) EXPECT_EQ(byte, 0xA5);

  // An earlier host's replicas end before `in_sync`.
  constexpr std::size_t kEarlier = offsetof(ha_replica_status, in_sync);
  alignas(ha_replica_status) unsigned char earlier[2 * kEarlier];
  std::memset(earlier, 0xA5, sizeof(earlier));
  ha_snapshot now{};
  now.struct_size = sizeof(now);
  now.replica_stride = kEarlier;
  now.replicas = reinterpret_cast<ha_replica_status*>(earlier);
  now.replica_capacity = 2;
  ASSERT_EQ(api().snapshot(pair.master.instance.handle(), &now), HA_OK);
  EXPECT_EQ(now.replicas->struct_size, kEarlier);
  EXPECT_EQ(now.replicas->ack_offset, end);
  for (std::size_t i = kEarlier; i < sizeof(earlier); ++i) EXPECT_EQ(earlier[i], 0xA5);
}

TEST(Growth, PluginRefusesStructsOfNoVersion) {
  TestNode node;
  ha_role_change role{};
  role.struct_size = offsetof(ha_role_change, master_address);
  ha_error error = detail::empty_error();
  EXPECT_EQ(api().start(node.instance.handle(), &role, &error), HA_INVALID);
  EXPECT_THAT(error.text, HasSubstr("struct_size"));
  ha_wait_request wait{};
  wait.struct_size = offsetof(ha_wait_request, user);
  EXPECT_EQ(api().wait_replicated(node.instance.handle(), &wait), HA_INVALID);
}

TEST(Growth, LoaderTakesAPluginOfALaterVersion) {
  MemoryLog log;
  const auto plugin = Plugin::load(HA_FAKE_PLUGINS "longer_table.so", bind_host(log));
  ASSERT_TRUE(plugin) << plugin.error().text;
  EXPECT_EQ(plugin->api().struct_size, sizeof(ha_plugin_api) + 32);
  EXPECT_EQ(plugin->name(), "fake");
}

TEST(Growth, LoaderTakesAPluginOfAnEarlierVersion) {
  MemoryLog log;
  const HostBinding host = bind_host(log);
  const auto plugin = Plugin::load(HA_FAKE_PLUGINS "shorter_table.so", host);
  ASSERT_TRUE(plugin) << plugin.error().text;
  EXPECT_EQ(plugin->api().get_extension, nullptr);
  auto instance = Instance::create(*plugin, host, {}).value();
  EXPECT_EQ(instance.get_extension("ha.plugin.anything/1"), nullptr);
  EXPECT_EQ(instance.notify_durable(1), HA_UNSUPPORTED);
}

TEST(Growth, AShortRoleReportIsReadAsFarAsItGoes) {
  MemoryLog log;
  const HostBinding host = bind_host(log);
  ha_role_report report{};
  report.struct_size = offsetof(ha_role_report, number);
  report.role = HA_ROLE_SLAVE;
  report.text = "of version 1.4";
  report.number = 0x0BAD;  // in such a plugin other things lie here
  host.api.role_changed(host.ctx, &report);
  EXPECT_EQ(log.roles()[0].role, HA_ROLE_SLAVE);
  EXPECT_EQ(log.roles()[0].number, 0);
}

}  // namespace
}  // namespace ha::test
