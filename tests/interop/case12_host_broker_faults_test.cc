// SPDX-License-Identifier: Apache-2.0
// Case 12: unmodified brokers with the plugin when a slave's disk is full, when two share a JVM,
// under the JVM's checks of JNI, and what RocketMQ's store expects of an HA service.

#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "tests/interop/disk_faults.h"
#include "tests/interop/host_broker.h"

namespace ha::interop {
namespace {

using system::wait_until;

// A small disk. Only this process and its children see it, so it is gone with them.
class SmallDisk {
 public:
  SmallDisk(const std::filesystem::path& where, std::int64_t bytes) : where_(where) {
    std::filesystem::create_directories(where_);
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", where_.c_str(), "tmpfs", 0, size(bytes).c_str()) != 0) {
      refused_ = std::generic_category().message(errno);
    }
  }
  ~SmallDisk() {
    if (refused_.empty()) ::umount2(where_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& refused() const { return refused_; }  // "" = it is there
  bool resize(std::int64_t bytes) const {
    return ::mount("tmpfs", where_.c_str(), "tmpfs", MS_REMOUNT, size(bytes).c_str()) == 0;
  }

 private:
  static std::string size(std::int64_t bytes) { return "size=" + std::to_string(bytes); }

  std::filesystem::path where_;
  std::string refused_;
};

class Case12HostBrokerFaults : public HostBroker {
 protected:
  // Messages of up to 1 MiB each, about 10 kB on average.
  Driver::Outcomes put_large(const std::string& prefix, int count) {
    return driver().produce(name_server().address(),
                            {.prefix = prefix, .count = count, .threads = 8});
  }
  // Reads from the beginning of a queue of T; the broker's code, 0 = there is something.
  int pull(const Broker& broker) {
    constexpr int kPullMessage = 11;
    return driver()
        .call(broker.address(), kPullMessage,
              {{"consumerGroup", "readers"},
               {"topic", "T"},
               {"queueId", "0"},
               {"queueOffset", "0"},
               {"maxMsgNums", "1"},
               {"sysFlag", "4"},
               {"commitOffset", "0"},
               {"suspendTimeoutMillis", "0"},
               {"subscription", "*"},
               {"expressionType", "TAG"},
               {"subVersion", "0"}})
        .code;
  }
  // Waits until a slave has taken more of the log than that, and returns how far it is.
  std::int64_t wait_for_more(const Broker& slave, std::int64_t than) {
    std::int64_t now = 0;
    wait_until(
        "the slave takes more of the log",
        [&] { return (now = driver().max_offset(slave)) > than; }, {}, kJavaDeadline);
    return now;
  }
  void start_container(Java& java, const Broker& first, const Broker& second,
                       const std::string& ready) {
    const auto file = java.folder() / "container.conf";
    std::ofstream(file) << "listenPort=" << free_ports(3) + 2
                        << "\nnamesrvAddr=" << name_server().address()
                        << "\nbrokerConfigPaths=" << first.write_configuration().string() << ":"
                        << second.write_configuration().string() << "\n";
    java.prepend(plugin_jar());
    java.start({"org.apache.rocketmq.container.BrokerContainerStartup", "-c", file.string()},
               ready);
  }
};

TEST_P(Case12HostBrokerFaults, ASlaveWhoseDiskIsFullGoesOnWhenThereIsSpace) {
  constexpr std::int64_t kSmall = std::int64_t{2} << 20;
  const SmallDisk disk(folder_.path() / "b1/store/commitlog", kSmall);
  if (!disk.refused().empty()) GTEST_SKIP() << "no mount for a small disk: " << disk.refused();
  Broker& master = add_broker(sync_master(true));
  create_topic(master, "T", 4);
  // RocketMQ's own guard deletes old files of a disk that is nearly full.
  Broker& slave = add_slave(master, true, {{"cleanFileForciblyEnable", "false"}});
  wait_for_a_copy();

  int batch = 0;
  wait_until(
      "the slave says that its disk is full",
      [&] {
        put_large("fill" + std::to_string(batch++), 20);
        return slave.java().has_logged("cannot write to the commit log");
      },
      {}, kJavaDeadline);
  EXPECT_EQ(put_large("full", 1), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 1}}));
  EXPECT_LT(driver().max_offset(slave), driver().max_offset(master));
  EXPECT_TRUE(slave.java().process().running());

  ASSERT_TRUE(disk.resize(2 * kSegmentBytes));
  wait_for_a_copy();
  ASSERT_EQ(put("again", 50), stored(50));
  expect_same(master, slave);
}

// A disk that fails for a while. What the slave could not write it does not acknowledge, and it
// goes on serving what it holds.
TEST_P(Case12HostBrokerFaults, ASlaveWhoseDiskFailsGoesOnWhenItWorksAgain) {
  const DiskFaults faults(folder_.path());
  Broker& master = add_broker(sync_master(true));
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, true, {}, {}, faults.environment());
  wait_for_a_copy();
  ASSERT_EQ(put("early", 50), stored(50));

  faults.set("pwrite EIO");
  EXPECT_EQ(put("alone", 2), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 2}}));
  const std::string file = (slave.store() / "commitlog/00000000000000000000").string();
  EXPECT_TRUE(slave.java().has_logged("cannot write to the commit log '" + file + "' at offset"));
  EXPECT_TRUE(slave.java().has_logged("(Input/output error)"));
  EXPECT_LT(driver().max_offset(slave), driver().max_offset(master));
  EXPECT_EQ(pull(slave), 0);

  faults.set("");
  wait_for_a_copy();
  ASSERT_EQ(put("again", 50), stored(50));
  expect_same(master, slave);
  const Manifest all = driver().produced();
  master.kill();
  EXPECT_EQ(difference(all, driver().consume(name_server().address(), "T", all.size())), "");
}

// The kernel forgets what it could not bring to the disk, and calls the next sync a success. So the
// slave writes that once more before it acknowledges it.
TEST_P(Case12HostBrokerFaults, WhatASlavesDiskLostIsWrittenAgainBeforeItsAck) {
  const DiskFaults faults(folder_.path());
  Broker& master = add_broker(sync_master(true));
  create_topic(master, "T", 4);
  Broker& slave =
      add_slave(master, true, {{"haPlugin.ack_durable", "true"}}, {}, faults.environment());
  wait_for_a_copy();
  ASSERT_EQ(put("early", 20), stored(20));
  expect_same(master, slave);
  const std::int64_t durable = driver().max_offset(slave);

  faults.set("fdatasync EIO");
  EXPECT_EQ(put("alone", 2), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 2}}));
  EXPECT_TRUE(slave.java().has_logged("durable (fdatasync) (Input/output error)"));
  EXPECT_EQ(pull(slave), 0);
  faults.set("");
  wait_for_a_copy();
  expect_same(master, slave);

  const auto calls = faults.calls();
  const std::string failed = "fdatasync 0 0 " + std::to_string(EIO);
  const auto first = std::find(calls.begin(), calls.end(), failed);
  const auto worked = std::find(first, calls.end(), "fdatasync 0 0 0");
  ASSERT_NE(worked, calls.end());
  const auto last = std::find(std::make_reverse_iterator(worked), calls.rend(), failed).base();
  EXPECT_TRUE(std::any_of(last, worked, [&](const std::string& call) {
    return call.starts_with("pwrite " + std::to_string(durable) + " ");
  }));
}

// RocketMQ's own flush fails. The slave has what was acknowledged.
TEST_P(Case12HostBrokerFaults, AMasterWhoseDiskFailsLosesNothing) {
  const DiskFaults faults(folder_.path());
  BrokerOptions options = sync_master(true);
  options.environment = faults.environment();
  options.more.emplace_back("flushDiskType", "SYNC_FLUSH");
  options.more.emplace_back("syncFlushTimeout", "2000");
  Broker& master = add_broker(options);
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, true);
  wait_for_a_copy();
  ASSERT_EQ(put("early", 50), stored(50));

  faults.set("msync EIO");
  // 5.3.3 counts that flush as done.
  const std::string outcome = version() == "5.3.3" ? "SEND_OK" : "FLUSH_DISK_TIMEOUT";
  EXPECT_EQ(put("meanwhile", 4), (Driver::Outcomes{{outcome, 4}}));
  EXPECT_TRUE(master.java().has_logged("Error occurred when force data to disk"));
  faults.set("");
  wait_for_a_copy();
  ASSERT_EQ(put("again", 50), stored(50));
  expect_same(master, slave);

  faults.set("msync EIO");
  put("last", 4);
  const Manifest all = driver().produced();
  master.kill();
  EXPECT_EQ(difference(all, driver().consume(name_server().address(), "T", all.size())), "");
}

// What RocketMQ's store expects of an HA service; StoreDriver.java has the checks.
TEST_P(Case12HostBrokerFaults, StoresWithoutABrokerFindWhatTheyExpect) {
  Java java(version(), folder_.path() / "stores", "stores");
  java.prepend(plugin_jar());
  java.start({"interop.StoreDriver", (java.folder() / "stores").string()}, "checks");
  std::vector<std::string> results;
  while (const auto line = java.process().read_line(kJavaDeadline)) {
    if (line->starts_with("ok ") || line->starts_with("FAILED ")) results.push_back(*line);
  }
  EXPECT_EQ(results, (std::vector<std::string>{
                         "ok a service that was not started can be shut down",
                         "ok the real listen port is written back",
                         "ok an address from before the start is used",
                         "ok the same address again does not reconnect",
                         "ok an acknowledged message is on the slave at once",
                         "ok both report the connection",
                         "ok the connection goes with the slave",
                         "ok a put without a slave ends for want of time",
                         "ok a second shutdown does no harm",
                         "ok a store that was shut down can be destroyed",
                     }));
  EXPECT_EQ(java.process().wait(kJavaDeadline), 0);
  EXPECT_TRUE(java.has_logged("ha_plugin replicates the commit log"));
}

// One version, to save time.
class Case12HostBrokerFaultsOnce : public Case12HostBrokerFaults {};

// Of a small message most bytes are properties, which no checksum of RocketMQ covers: what was
// received of one must not count as the whole after a restart.
TEST_P(Case12HostBrokerFaultsOnce, EitherSideEndsInTheMiddleOfCatchingUp) {
  // So slow that the slave cannot be done before the master ends.
  Broker& master = add_broker({.role = "ASYNC_MASTER",
                               .plugin = true,
                               .more = {{"haPlugin.max_transfer_bytes_per_s", "16384"}}});
  create_topic(master, "T", 4);
  ASSERT_EQ(driver().produce(name_server().address(),
                             {.prefix = "before", .count = 20000, .max = 1, .threads = 8}),
            stored(20000));
  Broker& slave = add_slave(master, true);

  wait_for_more(slave, 0);
  EXPECT_EQ(slave.stop(), kTerminated);
  slave.start();
  wait_for_more(slave, driver().max_offset(slave));
  slave.kill();
  slave.start();
  const std::int64_t held = wait_for_more(slave, driver().max_offset(slave));
  EXPECT_LT(held, driver().max_offset(master));
  EXPECT_EQ(master.stop(), kTerminated);

  master.options().more.emplace_back("haPlugin.max_transfer_bytes_per_s", "0");
  master.start();
  wait_for_a_copy();
  ASSERT_EQ(put("after", 50), stored(50));
  expect_same(master, slave);
}

// RocketMQ's container runs several brokers in one JVM. Here each holds one group's master and the
// other group's slave.
TEST_P(Case12HostBrokerFaultsOnce, BrokersThatShareAJvmEachReplicate) {
  const auto prepare = [&](BrokerOptions options) -> Broker& {
    options.plugin = true;
    brokers_.push_back(std::make_unique<Broker>(version(), folder_.path(), name_server().address(),
                                                std::move(options)));
    return *brokers_.back();
  };
  const auto prepare_master = [&](const std::string& group) -> Broker& {
    BrokerOptions options = sync_master(true);
    options.name = group + "0";
    options.broker_name = group;
    return prepare(std::move(options));
  };
  const auto prepare_slave = [&](const std::string& group, const Broker& master) -> Broker& {
    return prepare({.name = group + "1",
                    .broker_name = group,
                    .id = 1,
                    .role = "SLAVE",
                    .more = {{"haMasterAddress", master.ha()}}});
  };
  Broker& x0 = prepare_master("x");
  Broker& y0 = prepare_master("y");
  Broker& x1 = prepare_slave("x", x0);
  Broker& y1 = prepare_slave("y", y0);
  Java one(version(), folder_.path() / "one", "one");
  Java two(version(), folder_.path() / "two", "two");
  start_container(one, x0, y1, "Broker [y-1] boot success");
  start_container(two, y0, x1, "Broker [x-1] boot success");

  for (const auto& [master, slave, topic] : {std::tie(x0, x1, "X"), std::tie(y0, y1, "Y")}) {
    create_topic(master, topic, 4);
    wait_for_a_copy(topic);
    EXPECT_EQ(put("m", 100, topic), stored(100));
    expect_same(master, slave);
  }
  EXPECT_EQ(one.stop(), kTerminated);
  EXPECT_EQ(put("alone", 1, "Y"), (Driver::Outcomes{{"FLUSH_SLAVE_TIMEOUT", 1}}));
}

TEST_P(Case12HostBrokerFaultsOnce, FindsNoFaultInOurUseOfJni) {
  // Complaints go to standard error, a file: nobody reads the pipe of standard output meanwhile.
  const std::vector<std::string> jvm = {"-Xcheck:jni", "-XX:+DisplayVMOutputToStderr"};
  BrokerOptions options = sync_master(true);
  options.jvm = jvm;
  Broker& master = add_broker(options);
  create_topic(master, "T", 4);
  Broker& slave = add_slave(master, true, {}, jvm);
  wait_for_a_copy();
  ASSERT_EQ(put("m", 300), stored(300));
  expect_same(master, slave);
  for (Broker* broker : {&slave, &master}) {
    EXPECT_EQ(broker->stop(), kTerminated);
    EXPECT_EQ(jni_faults(broker->java().said()), "") << broker->name();
  }
}

HA_INTEROP_SUITE_WITH(Case12HostBrokerFaults, testing::ValuesIn(kControllerVersions));
HA_INTEROP_SUITE_WITH(Case12HostBrokerFaultsOnce, testing::Values("5.5.0"));

}  // namespace
}  // namespace ha::interop
