// SPDX-License-Identifier: Apache-2.0
// The loader against plugins with one fault each, and the C++ wrapper over the real plugin.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "test_node.h"

namespace ha::test {
namespace {

using testing::HasSubstr;

Error refused(const std::string& name) {
  MemoryLog log;
  const auto plugin = Plugin::load(std::string(HA_FAKE_PLUGINS) + name + ".so", bind_host(log));
  if (plugin) {
    ADD_FAILURE() << name << " was loaded";
    return {};
  }
  EXPECT_THAT(plugin.error().text, HasSubstr(name + ".so'")) << "the path must be named";
  return plugin.error();
}

TEST(Loader, NamesTheFileThatIsMissing) {
  const Error error = refused("no_such_file");
  EXPECT_EQ(error.status, HA_IO);
  EXPECT_THAT(error.text, HasSubstr("No such file"));
}

TEST(Loader, RefusesAnEmptyPath) {
  MemoryLog log;
  EXPECT_EQ(Plugin::load("", bind_host(log)).error().status, HA_INVALID);
}

TEST(Loader, TellsALibraryThatIsNotAPlugin) {
  const Error error = refused("no_symbol");
  EXPECT_EQ(error.status, HA_VERSION);
  EXPECT_THAT(error.text, HasSubstr(HA_ENTRY_NAME));
  EXPECT_THAT(error.text, HasSubstr("it is not a replication plugin"));
}

TEST(Loader, TellsAPluginOfAnotherMajorVersion) {
  const Error error = refused("wrong_major");
  EXPECT_EQ(error.status, HA_VERSION);
  EXPECT_THAT(error.text, HasSubstr("major version 1 of the interface"));
  EXPECT_THAT(error.text, HasSubstr("it speaks major version 2"));
}

TEST(Loader, PassesOnWhyTheEntryRefused) {
  const Error error = refused("entry_returns_null");
  EXPECT_EQ(error.status, HA_UNSUPPORTED);
  EXPECT_THAT(error.text, HasSubstr("refused this host: this plugin needs a host with a moon"));
}

TEST(Loader, RefusesATableShorterThanAnyVersions) {
  const Error error = refused("short_table");
  EXPECT_EQ(error.status, HA_VERSION);
  EXPECT_THAT(error.text, HasSubstr("table of 24 bytes"));
}

TEST(Loader, NamesTheRequiredMemberThatIsNull) {
  const Error error = refused("null_mandatory_member");
  EXPECT_EQ(error.status, HA_VERSION);
  EXPECT_THAT(error.text, HasSubstr("'stop'"));
}

TEST(Loader, TellsStatusesThatItDoesNotKnow) {
  MemoryLog log;
  const Plugin plugin = real_plugin(bind_host(log));
  EXPECT_THAT(plugin.status_text(-99), HasSubstr("-99, taken as INTERNAL"));
  EXPECT_THAT(plugin.status_text(7), HasSubstr("7, taken as OK"));
  EXPECT_EQ(plugin.status_text(HA_FLUSH_SLAVE_TIMEOUT), "FLUSH_SLAVE_TIMEOUT");
}

// The C table's texts end in NUL: the plugin would judge another value than the one that was given.
TEST(Loader, RefusesTextsThatANulWouldCut) {
  using namespace std::string_literals;
  MemoryLog log;
  const auto binding = bind_host(log);
  const Plugin plugin = real_plugin(binding);
  const auto made = Instance::create(plugin, binding, {{"listen", "127.0.0.1:0\0x"s}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().status, HA_INVALID);
  EXPECT_THAT(made.error().text, HasSubstr("option 'listen': its value has a NUL byte"));
  EXPECT_FALSE(Instance::create(plugin, binding, {{"listen\0x"s, "127.0.0.1:0"}}));

  TestNode node;
  node.start(HA_ROLE_SLAVE);
  const auto refused = [](const Result<void>& done) { return done ? "" : done.error().text; };
  EXPECT_THAT(refused(node.instance.set_option("heartbeat_ms", "1000\0x"s)),
              HasSubstr("option 'heartbeat_ms': its value has a NUL byte at position 4"));
  EXPECT_THAT(refused(node.instance.set_master_address("127.0.0.1:1\0x"s)),
              HasSubstr("the master's address has a NUL byte"));
  EXPECT_THAT(refused(node.instance.set_role({.role = HA_ROLE_SLAVE, .master_address = "a\0:1"s})),
              HasSubstr("the master's address has a NUL byte"));
}

TEST(Loader, CreateNamesTheOptionThatIsWrong) {
  MemoryLog log;
  const auto binding = bind_host(log);
  const auto made =
      Instance::create(real_plugin(binding), binding, {{"listen_adress", "127.0.0.1:0"}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().status, HA_INVALID);
  EXPECT_THAT(made.error().text, HasSubstr("listen_adress"));
}

TEST(Loader, CreateTakesNoRequestToARunningNode) {
  MemoryLog log;
  const auto binding = bind_host(log);
  for (const auto& [key, value] :
       {std::pair{"pause", "true"}, std::pair{"pause", "false"}, std::pair{"switchover", "b"}}) {
    const auto made = Instance::create(real_plugin(binding), binding, {{key, value}});
    ASSERT_FALSE(made) << key;
    EXPECT_EQ(made.error().status, HA_INVALID);
    EXPECT_THAT(made.error().text,
                HasSubstr("option '" + std::string(key) + "' is for a node that runs"));
  }
  EXPECT_TRUE(Instance::create(real_plugin(binding), binding, {{"pause", ""}, {"switchover", ""}}));
}

TEST(Instance, WaitsInThreeWays) {
  Pair pair;
  std::int64_t end = pair.master.produce("blocking\n");
  EXPECT_EQ(pair.master.instance.wait_blocking({.end = end, .acks = 2}), HA_OK);
  EXPECT_EQ(pair.master.instance.wait_blocking({.end = end, .acks = 1}), HA_OK);

  end = pair.master.produce("future\n");
  EXPECT_EQ(pair.master.instance.wait_future({.end = end, .acks = 2}).get(), HA_OK);

  end = pair.master.produce("callback\n");
  auto told = std::make_shared<std::promise<std::pair<std::int32_t, std::int64_t>>>();
  const std::int32_t answer = pair.master.instance.wait(
      {.end = end, .acks = 2}, [told](std::int32_t status, std::int64_t upto) {
        told->set_value({status, upto});
      });
  if (answer == HA_OK) {
    EXPECT_EQ(told->get_future().get(), std::make_pair(HA_OK, end));
  } else {
    EXPECT_EQ(answer, HA_DONE);  // the slave may be that quick
  }
  EXPECT_EQ(pair.slave.log.content(), pair.master.log.content());
}

TEST(Instance, WaitsEndAtTheirDeadlineOrAreRefusedAtOnce) {
  Pair pair;
  const std::int64_t end = pair.master.produce("x\n");
  using std::chrono::milliseconds;
  EXPECT_EQ(
      pair.master.instance.wait_blocking({.end = end, .acks = 3, .timeout = milliseconds(20)}),
      HA_FLUSH_SLAVE_TIMEOUT);
  EXPECT_EQ(pair.slave.instance.wait_blocking({.end = end, .acks = 2}), HA_NOT_MASTER);
  EXPECT_EQ(pair.slave.instance.wait_future({.end = end, .acks = 2}).get(), HA_NOT_MASTER);
  EXPECT_EQ(pair.master.instance.check_acks(2), HA_OK);
  EXPECT_EQ(pair.master.instance.notify_durable(end), HA_OK);
}

TEST(Instance, StopEndsWhatWaits) {
  Pair pair;
  const std::int64_t end = pair.master.produce("x\n");
  auto open =
      pair.master.instance.wait_future({.end = end, .acks = 3, .timeout = std::chrono::hours(1)});
  const auto stopped = pair.master.instance.stop(std::chrono::milliseconds(0));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().status, HA_TIMEOUT);
  EXPECT_EQ(open.get(), HA_SHUTDOWN);
}

TEST(Instance, TellsItsStateInThreeWays) {
  Pair pair;
  const Snapshot now = pair.master.instance.snapshot().value();
  ASSERT_EQ(now.replicas.size(), 1u);
  EXPECT_EQ(now.replicas[0].state, HA_STATE_TRANSFER);
  EXPECT_EQ(now.values.role, HA_ROLE_MASTER);
  EXPECT_THAT(pair.master.instance.status_json().value(), HasSubstr("\"role\":\"master\""));
  EXPECT_THAT(pair.master.instance.metrics_text().value(), HasSubstr("# TYPE ha_"));
}

TEST(Instance, ChangesRolesMastersAndOptions) {
  TestNode node;
  node.start(HA_ROLE_SLAVE);
  EXPECT_TRUE(node.instance.set_master_address("127.0.0.1:1"));
  EXPECT_TRUE(node.instance.set_master_address(""));
  EXPECT_TRUE(node.instance.set_option("heartbeat_ms", "100"));
  EXPECT_EQ(node.instance.set_option("listen", "127.0.0.1:0").error().status, HA_STATE);
  EXPECT_EQ(node.instance.set_role({.role = HA_ROLE_MASTER, .epoch = 7}).error().status,
            HA_UNSUPPORTED);
  EXPECT_TRUE(node.instance.set_role({.role = HA_ROLE_MASTER}));
  EXPECT_TRUE(node.log.expect_roles(2));
  EXPECT_EQ(node.log.roles().back().role, HA_ROLE_MASTER);
}

TEST(Instance, MoveAssignmentEndsTheOldOneFirst) {
  // The logs outlive the nodes' instances, which change places.
  TestNode first;
  TestNode second;
  first.start(HA_ROLE_MASTER);
  second.start(HA_ROLE_MASTER);
  const std::string kept = second.address();
  first.instance = std::move(second.instance);
  EXPECT_EQ(first.address(), kept);
  EXPECT_TRUE(first.instance.stop(std::chrono::milliseconds(0)));
}

TEST(Instance, RefusesALogWithItsOwnConsensus) {
  MemoryLog log(HA_HOST_LOG_HAS_CONSENSUS);
  const auto binding = bind_host(log);
  auto instance =
      Instance::create(real_plugin(binding), binding, {{"listen", "127.0.0.1:0"}}).value();
  const auto started = instance.start({.role = HA_ROLE_MASTER});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().status, HA_STATE);
  EXPECT_THAT(started.error().text, HasSubstr("consensus"));
}

// ---- the hooks' guard ------------------------------------------------------------------------

class ThrowingLog : public MemoryLog {
 public:
  std::int32_t bounds(ha_bounds&) override { throw 42; }
  std::int32_t append(std::int64_t, std::int64_t, std::span<const std::byte>, Error&) override {
    throw std::runtime_error("the disk is on fire");
  }
  std::int32_t truncate(std::int64_t, std::int64_t, std::uint32_t, Error& error) override {
    error = {HA_IO, EIO, "no cut today"};
    return HA_IO;
  }
  std::int32_t record_floor(std::int64_t, std::int64_t&) override { throw std::bad_alloc(); }
  void role_changed(const ha_role_report&) override { throw std::runtime_error("no role for me"); }
};

TEST(HostHooks, NoExceptionCrossesIntoThePlugin) {
  ThrowingLog log;
  const HostBinding host = bind_host(log);
  ha_bounds bounds{};
  std::int64_t floor = 0;
  ha_error error = detail::empty_error();
  EXPECT_EQ(host.api.bounds(host.ctx, &bounds), HA_INTERNAL);
  EXPECT_EQ(host.api.record_floor(host.ctx, 0, &floor), HA_NO_MEMORY);
  EXPECT_EQ(host.api.append(host.ctx, 0, 0, "x", 1, &error), HA_INTERNAL);
  EXPECT_STREQ(error.text, "host hook append: the disk is on fire");
  EXPECT_EQ(host.api.truncate(host.ctx, 0, 0, 0, &error), HA_IO);
  EXPECT_STREQ(error.text, "no cut today");
  EXPECT_EQ(error.os_errno, EIO);
  const ha_role_report report{};
  host.api.role_changed(host.ctx, &report);
  EXPECT_THAT(log.lines(), HasSubstr("host hook role_changed: no role for me"));
}

TEST(HostHooks, WhatIsNotOverriddenIsAbsent) {
  MemoryLog log;
  const HostBinding host = bind_host(log);
  EXPECT_NE(host.api.pin, nullptr);
  EXPECT_NE(host.api.unpin, nullptr);
  EXPECT_NE(host.api.truncate, nullptr);
  EXPECT_EQ(host.api.reset, nullptr);
  EXPECT_EQ(host.api.flush, nullptr);
  EXPECT_EQ(host.api.confirm, nullptr);
  EXPECT_EQ(host.api.progress, nullptr);
  EXPECT_EQ(host.api.get_extension(host.ctx, HA_EXT_SEGMENT_FD), nullptr);
}

class AttachingLog : public MemoryLog {
 public:
  void thread_started(const char*) override { ++threads; }
  void thread_stopping(const char*) override { --threads; }
  std::atomic<int> threads{0};
};

TEST(HostHooks, ExtensionsAreOfferedByOverridingThem) {
  AttachingLog log;
  const HostBinding host = bind_host(log);
  EXPECT_EQ(host.api.get_extension(host.ctx, HA_EXT_APPEND_RESERVE), nullptr);
  ASSERT_NE(host.api.get_extension(host.ctx, HA_EXT_THREAD_LIFECYCLE), nullptr);
  auto instance = Instance::create(real_plugin(host), host, {{"listen", "127.0.0.1:0"}}).value();
  ASSERT_TRUE(instance.start({.role = HA_ROLE_MASTER}));
  ASSERT_TRUE(log.expect_roles(1));
  EXPECT_GT(log.threads, 0);
  ASSERT_TRUE(instance.stop(std::chrono::milliseconds(0)));
  EXPECT_EQ(log.threads, 0);
}

class LockingLog : public MemoryLog {
 public:
  std::int32_t grant_lease(std::int64_t ttl_ms, std::int64_t& lease, std::int64_t& granted_ms,
                           Error&) override {
    lease = 7;
    granted_ms = ttl_ms;
    return HA_OK;
  }
  std::int32_t renew_lease(std::int64_t lease, Error& error) override {
    error.text = "lease " + std::to_string(lease) + " has ended";
    return HA_CONFLICT;
  }
  std::int32_t revoke_lease(std::int64_t, Error&) override {
    throw std::runtime_error("no answer");
  }
  std::int32_t read_key(std::string_view key, std::string& value, std::int64_t& lease,
                        Error&) override {
    value = key == "/ha/prod/leader" ? value_ : "";
    lease = value.empty() ? 0 : 7;
    return HA_OK;
  }
  std::int32_t compare_and_set(std::string_view, std::string_view expected, std::string_view value,
                               std::int64_t, Error&) override {
    if (expected != value_) return HA_CONFLICT;
    value_ = value;
    return HA_OK;
  }

 private:
  std::string value_;
};

TEST(HostHooks, ALockServiceIsOfferedByOverridingIt) {
  LockingLog log;
  const HostBinding host = bind_host(log);
  const auto* locks =
      static_cast<const ha_ext_coordinator*>(host.api.get_extension(host.ctx, HA_EXT_COORDINATOR));
  ASSERT_NE(locks, nullptr);
  ha_error error = detail::empty_error();
  std::int64_t lease = 0;
  std::int64_t granted_ms = 0;
  EXPECT_EQ(locks->grant(host.ctx, 3000, &lease, &granted_ms, &error), HA_OK);
  EXPECT_EQ(lease, 7);
  EXPECT_EQ(granted_ms, 3000);
  EXPECT_EQ(locks->renew(host.ctx, 7, &error), HA_CONFLICT);
  EXPECT_STREQ(error.text, "lease 7 has ended");
  EXPECT_EQ(locks->revoke(host.ctx, 7, &error), HA_INTERNAL);
  EXPECT_STREQ(error.text, "host hook revoke: no answer");

  std::vector<std::string> poured;
  const ha_sink_fn sink = [](void* user, const char* text, std::int64_t size) noexcept {
    static_cast<std::vector<std::string>*>(user)->emplace_back(text, size);
    return 0;
  };
  const auto set = [&](const char* expected, const char* value) {
    return locks->compare_and_set(host.ctx, "/ha/prod/leader", expected,
                                  static_cast<std::int64_t>(std::strlen(expected)), value,
                                  static_cast<std::int64_t>(std::strlen(value)), 7, &error);
  };
  EXPECT_EQ(locks->read(host.ctx, "/ha/prod/leader", sink, &poured, &lease, &error), HA_OK);
  EXPECT_TRUE(poured.empty()) << "an absent key pours nothing";
  EXPECT_EQ(lease, 0);
  EXPECT_EQ(set("", "a"), HA_OK);
  EXPECT_EQ(set("", "b"), HA_CONFLICT);
  EXPECT_EQ(set("a", "b"), HA_OK);
  EXPECT_EQ(locks->read(host.ctx, "/ha/prod/leader", sink, &poured, &lease, &error), HA_OK);
  EXPECT_EQ(poured, std::vector<std::string>{"b"});
  EXPECT_EQ(lease, 7);

  auto made = Instance::create(real_plugin(host), host,
                               {{"listen", "127.0.0.1:0"},
                                {"replica_id", "a"},
                                {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2,c@127.0.0.1:3"},
                                {"cluster_id", "prod"},
                                {"state_dir", "/tmp"},
                                {"coordinator", "host"}});
  EXPECT_TRUE(made) << made.error().text;
}

}  // namespace
}  // namespace ha::test
