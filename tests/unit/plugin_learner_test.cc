// SPDX-License-Identifier: Apache-2.0
// A learner of a RocketMQ master in controller mode, which the test plays.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "ha_plugin/wire/rocketmq_autoswitch.h"
#include "tests/unit/autoswitch_master.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/state_dir.h"

namespace ha::testing {
namespace {

constexpr std::int64_t kSegment = 4096;
constexpr const char* kFile = "epochFileCheckpoint";

Options learner(const StateDir& dir, const Options& more = {}) {
  Options options{{"wire", "rocketmq-autoswitch"}, {"state_dir", dir.path()}};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// A learner on its way to a master that the test plays.
struct Following {
  explicit Following(const HostFeatures& features = {}) : host(features) {}
  void start(const Options& more = {}) {
    slave.emplace(host, learner(dir, more));
    slave->start_slave(listener.address());
  }
  std::int32_t state() const { return slave->snapshot().total.client_state; }
  std::int32_t reason() const { return slave->snapshot().total.client_reason; }
  bool suspended() const {
    return Instance::eventually([&] { return state() == HA_STATE_SUSPEND; });
  }

  Listener listener;
  StateDir dir;
  MemoryHost host;
  std::optional<Instance> slave;
};

class LearnerTest : public ::testing::Test, protected Following {
 protected:
  using Following::Following;
};
using LearnerWire = LearnerTest;
using LearnerLog = LearnerTest;
using LearnerCut = LearnerTest;
using LearnerFaults = LearnerTest;
using LearnerConfirm = LearnerTest;
using LearnerStatus = LearnerTest;

// The two ways in which bytes reach the host.
class Learner : public LearnerTest, public ::testing::WithParamInterface<bool> {
 protected:
  Learner() : LearnerTest({.append_reserve = GetParam()}) {}
};
INSTANTIATE_TEST_SUITE_P(Append, Learner, ::testing::Bool(), [](const auto& chosen) {
  return std::string(chosen.param ? "reserve" : "append");
});

TEST_F(LearnerWire, GreetsOnceAndWaitsForTheAnswer) {
  // Heartbeats would come every 20 ms if any came.
  start({{"heartbeat_ms", "20"}, {"housekeeping_ms", "200"}});
  AutoswitchMaster master(listener);
  EXPECT_EQ(master.handshake(),
            (std::vector<int>{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40}));
  std::byte more{};
  EXPECT_FALSE(master.peer().read(&more, 1)) << "it said more than its handshake";
  EXPECT_TRUE(host.wait_for_log("housekeeping"));
}

TEST_F(LearnerWire, SaysWhatTheOptionsSay) {
  start({{"rocketmq_broker_id", "77"}, {"rocketmq_sync_from_last_file", "true"}});
  AutoswitchMaster master(listener);
  EXPECT_EQ(master.handshake(),
            (std::vector<int>{0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 77}));
}

TEST_P(Learner, AnEmptyLogIsFilledAndKnowsItsEpochs) {
  start();
  AutoswitchMaster master(listener);
  // The answer comes byte by byte.
  for (const std::byte& b : master.answer_bytes({epoch(1, 0), epoch(2, 1580)}, 3160)) {
    ASSERT_TRUE(master.peer().send({&b, 1}));
  }
  ASSERT_EQ(master.read_report(), 0);
  ASSERT_TRUE(master.data(epoch(1, 0), 0, 1500));
  EXPECT_EQ(master.read_report(), 1500);
  EXPECT_EQ(dir.read(kFile), file_of({epoch(1, 0)}));
  // The rest of epoch 1 has the label of epoch 2, as RocketMQ sends it.
  ASSERT_TRUE(master.data(epoch(2, 1580), 1500, 80));
  EXPECT_EQ(master.read_report(), 1580);
  EXPECT_EQ(dir.read(kFile), file_of({epoch(1, 0)}));
  ASSERT_TRUE(master.data(epoch(2, 1580), 1580, 1580));
  EXPECT_EQ(master.read_report(), 3160);
  EXPECT_EQ(dir.read(kFile), file_of({epoch(1, 0), epoch(2, 1580)}));
  EXPECT_EQ(dir.read(std::string(kFile) + ".bak"), file_of({epoch(1, 0)}));
  EXPECT_EQ(host.first_wrong_byte(), "");
  EXPECT_EQ(host.end(), 3160);
  EXPECT_EQ(state(), HA_STATE_TRANSFER);
}

TEST_P(Learner, AnEpochIsOnDiskBeforeItsFirstByteIsStored) {
  start();
  const Epochs told{epoch(1, 0), epoch(2, 100), epoch(4, 300)};
  std::string wrong;
  std::int64_t stores = 0;
  host.on_append([&](std::int64_t offset, std::int64_t size) {
    ++stores;
    const std::string text = dir.read(kFile);
    for (const auto& e : told) {
      const std::string line =
          "\n" + std::to_string(e.epoch) + "-" + std::to_string(e.start.bytes()) + "\n";
      if (e.start.bytes() < offset + size && text.find(line) == std::string::npos) {
        wrong = "bytes up to " + std::to_string(offset + size) + " with this on disk: " + text;
      }
    }
  });
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(1, 0), epoch(2, 100)}, 300), 0);
  ASSERT_TRUE(master.data(epoch(2, 100), 0, 100));
  ASSERT_TRUE(master.data(epoch(2, 100), 100, 150));
  // Epoch 4 begins during the connection.
  ASSERT_TRUE(master.data(epoch(4, 300), 250, 50));
  ASSERT_TRUE(master.data(epoch(4, 300), 300, 500));
  ASSERT_TRUE(host.wait_for_end(800));
  EXPECT_EQ(dir.read(kFile), file_of(told));
  host.on_append(nullptr);
  EXPECT_EQ(wrong, "");
  EXPECT_GE(stores, 4);
}

// A master that was elected once more goes on with the old label for a while.
TEST_P(Learner, BytesOfANewEpochMayHaveComeUnderTheOldLabel) {
  start();
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(1, 0)}, 500), 0);
  ASSERT_TRUE(master.data(epoch(1, 0), 0, 800));
  EXPECT_EQ(master.read_report(), 800);
  ASSERT_TRUE(master.heartbeat(epoch(2, 500), 800, 17));
  ASSERT_TRUE(host.wait_for_confirm(17));
  EXPECT_EQ(dir.read(kFile), file_of({epoch(1, 0), epoch(2, 500)}));
  EXPECT_EQ(slave->snapshot().total.epoch, 2);
}

TEST_P(Learner, ALostConnectionIsTakenUpWhereItEnded) {
  start();
  const Epochs told{epoch(1, 0), epoch(2, 60)};
  std::int64_t at = 0;
  for (int i = 0; i < 4; ++i) {
    AutoswitchMaster master(listener);
    ASSERT_EQ(master.first_report(told, 1000), at);
    // The header promises 100 bytes and 60 come.
    ASSERT_TRUE(master.header(epoch(2, 60), at, 100));
    ASSERT_TRUE(master.peer().send(bytes_at(at, 60)));
    at += 60;
    ASSERT_TRUE(host.wait_for_end(at));
    if (i % 2 == 0) master.peer().reset();
  }
  EXPECT_EQ(host.first_wrong_byte(), "");
  EXPECT_EQ(host.count_logs("cut the log"), 0u);
  EXPECT_EQ(dir.read(kFile), file_of(told));
}

TEST_P(Learner, AnEmptyLogStartsWhereTheMastersFirstBytesAre) {
  start();
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(3, 100)}, 4 * kSegment), 0);
  // An empty RocketMQ master says -1; neither moves this log.
  ASSERT_TRUE(master.heartbeat(epoch(3, 100), -1));
  ASSERT_TRUE(master.heartbeat(epoch(3, 100), 3 * kSegment));
  ASSERT_TRUE(host.wait_for_confirm(0));
  ASSERT_TRUE(master.data(epoch(3, 100), 2 * kSegment, 50));
  ASSERT_TRUE(host.wait_for_end(2 * kSegment + 50));
  EXPECT_EQ(host.min(), 2 * kSegment);
  EXPECT_EQ(host.first_wrong_byte(), "");
  EXPECT_EQ(slave->sample("ha_client_heartbeats_received_total"), 2);
}

// The store was emptied and the file forgotten: its epochs are of another life.
TEST_F(LearnerLog, AnEmptyLogForgetsTheFileBesideIt) {
  dir.write(kFile, file_of({epoch(1, 0), epoch(2, 500)}));
  dir.write(std::string(kFile) + ".bak", file_of({epoch(1, 0)}));
  start();
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(7, 0)}, 900), 0);
  EXPECT_FALSE(dir.has(kFile));
  EXPECT_FALSE(dir.has(std::string(kFile) + ".bak"));
  ASSERT_TRUE(master.data(epoch(7, 0), 0, 600));
  ASSERT_EQ(master.read_report(), 600);
  EXPECT_EQ(dir.read(kFile), file_of({epoch(7, 0)}));
}

TEST_F(LearnerCut, TheLogIsCutToWhatBothHistoriesProve) {
  const std::string before = file_of({epoch(1, 0), epoch(2, 500), epoch(3, 800)});
  dir.write(kFile, before);
  host.grow(1000);
  std::string file_at_cut = "no cut";
  host.on_truncate([&](std::int64_t) { file_at_cut = dir.read(kFile); });
  start();
  AutoswitchMaster master(listener);
  // A slave of this slave, served in default mode.
  Peer below = Peer::to(slave->port());
  ASSERT_TRUE(below.report(900));
  ASSERT_EQ(below.follow_to(900, 1000), "");

  const Epochs told{epoch(1, 0), epoch(2, 500), epoch(5, 700)};
  EXPECT_EQ(master.first_report(told, 900), 700);
  EXPECT_EQ(host.end(), 700);
  // The log first: bytes without their entry would be taken for those of epoch 2.
  EXPECT_EQ(file_at_cut, before);
  EXPECT_EQ(dir.read(kFile), file_of({epoch(1, 0), epoch(2, 500)}));
  EXPECT_TRUE(host.wait_for_log("cut the log from 1000 to 700"));
  EXPECT_TRUE(below.wait_closed());
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_TRUNCATED));
  ASSERT_TRUE(master.data(epoch(5, 700), 700, 200));
  EXPECT_EQ(master.read_report(), 900);
  EXPECT_EQ(dir.read(kFile), file_of(told));
  EXPECT_EQ(host.first_wrong_byte(), "");
}

TEST_F(LearnerCut, ALogThatIsAheadOfItsMasterIsCutToTheMastersEnd) {
  dir.write(kFile, file_of({epoch(1, 0)}));
  host.grow(1000);
  start();
  AutoswitchMaster master(listener);
  EXPECT_EQ(master.first_report({epoch(1, 0)}, 600), 600);
  EXPECT_EQ(host.end(), 600);
  EXPECT_EQ(dir.read(kFile), file_of({epoch(1, 0)}));
}

// As after a crash between the cut and the save: the file cannot be written once the log is cut.
TEST_F(LearnerCut, ACrashAfterTheCutLosesNothingAndClaimsNothing) {
  const std::string before = file_of({epoch(1, 0), epoch(2, 500)});
  dir.write(kFile, before);
  std::filesystem::create_directory(dir.path() + "/" + kFile + ".tmp");
  host.grow(1000);
  start({{"reconnect_max_ms", "60"}});
  const Epochs told{epoch(1, 0), epoch(9, 400)};
  {
    AutoswitchMaster master(listener);
    ASSERT_TRUE(master.answer(told, 900));
    EXPECT_TRUE(master.wait_closed());
  }
  EXPECT_TRUE(host.wait_for_log("Is a directory"));
  EXPECT_EQ(reason(), HA_REASON_HOST_ERROR);
  EXPECT_EQ(host.end(), 400);
  EXPECT_EQ(dir.read(kFile), before);
  dir.remove(std::string(kFile) + ".tmp");
  AutoswitchMaster master(listener);
  EXPECT_EQ(master.first_report(told, 900), 400);
  EXPECT_EQ(dir.read(kFile), file_of({epoch(1, 0)}));
  ASSERT_TRUE(master.data(epoch(9, 400), 400, 500));
  EXPECT_EQ(master.read_report(), 900);
  EXPECT_EQ(dir.read(kFile), file_of(told));
}

struct Hopeless {
  const char* name;
  std::int64_t min;
  std::int64_t end;
  Epochs stored;
  bool can_truncate;
  std::int64_t confirmed;
  Epochs master;
  const char* words;
};

TEST_F(LearnerFaults, ALogThatCannotBeJoinedStopsTheSlaveForGood) {
  const Hopeless cases[] = {
      {"no history", 0, 100, {}, true, 0, {epoch(1, 0)}, "no history of epochs"},
      {"nothing in common", 0, 100, {epoch(1, 0)}, true, 0, {epoch(2, 0)}, "no epoch in common"},
      {"in common only below the start",
       kSegment,
       kSegment + 10,
       {epoch(1, 0)},
       true,
       0,
       {epoch(1, 0), epoch(2, 50)},
       "the same only below 50"},
      {"readers saw what must go",
       0,
       100,
       {epoch(1, 0)},
       true,
       60,
       {epoch(1, 0), epoch(2, 50)},
       "readers have seen it"},
      {"the host cannot cut",
       0,
       100,
       {epoch(1, 0)},
       false,
       0,
       {epoch(1, 0), epoch(2, 50)},
       "no hook 'truncate'"},
  };
  for (const Hopeless& c : cases) {
    SCOPED_TRACE(c.name);
    Following one({.truncate = c.can_truncate});
    if (!c.stored.empty()) one.dir.write(kFile, file_of(c.stored));
    const std::string file = one.dir.read(kFile);
    one.host.start_at(c.min);
    one.host.grow(c.end - c.min);
    ASSERT_EQ(one.host.table().confirm(&one.host, 0, c.confirmed), HA_OK);
    one.start({{"reconnect_max_ms", "50"}});
    AutoswitchMaster master(one.listener);
    ASSERT_TRUE(master.answer(c.master, 9000));
    EXPECT_TRUE(master.wait_closed());
    EXPECT_TRUE(one.host.wait_for_log(c.words));
    EXPECT_TRUE(one.host.wait_for_log("not trying again"));
    EXPECT_TRUE(one.suspended());
    EXPECT_EQ(one.reason(), HA_REASON_DIVERGED);
    EXPECT_EQ(one.host.end(), c.end);
    EXPECT_EQ(one.host.appends(), 0);
    EXPECT_EQ(one.dir.read(kFile), file);
    EXPECT_EQ(one.slave->sample("ha_protocol_violations_total{reason=\"diverged\"}"), 1);
  }
}

// What the message says an operator can do.
TEST_F(LearnerFaults, TheMissingFileMayBePutThereAndFollowingGoesOn) {
  host.grow(100);
  start();
  {
    AutoswitchMaster master(listener);
    ASSERT_TRUE(master.answer({epoch(1, 0)}, 900));
    EXPECT_TRUE(master.wait_closed());
  }
  EXPECT_TRUE(suspended());
  dir.write(kFile, file_of({epoch(1, 0)}));
  ASSERT_EQ(slave->set_master_address(listener.address().c_str()), HA_OK);
  AutoswitchMaster master(listener);
  EXPECT_EQ(master.first_report({epoch(1, 0)}, 900), 100);
}

struct BadStream {
  const char* name;
  std::function<void(AutoswitchMaster&)> say;
  std::int32_t reason;
};

// Sent to a learner whose log is [0, 100) of epochs 3 from 0 and 5 from 50.
TEST_F(LearnerFaults, WhatAMasterMayNotSayEndsTheConnectionAndStoresNothing) {
  const Epochs told{epoch(3, 0), epoch(5, 50)};
  const auto after = [&](std::function<bool(AutoswitchMaster&)> say) {
    return [told, say](AutoswitchMaster& m) {
      ASSERT_TRUE(m.answer(told, 200));
      ASSERT_EQ(m.read_report(), 100);
      ASSERT_TRUE(say(m));
    };
  };
  const auto greeting = [](std::int32_t state, std::int32_t size, std::int32_t last) {
    return [=](AutoswitchMaster& m) {
      ASSERT_TRUE(
          m.peer().send(wire::autoswitch::encode_prefix({state, size, core::Offset(200), last})));
    };
  };
  Epochs many;
  for (std::int64_t i = 1; i <= 1001; ++i) many.push_back(epoch(i, i));
  const BadStream cases[] = {
      {"a handshake of negative size", greeting(1, -12, 5), HA_REASON_FRAME_SIZE},
      {"of a part of an entry", greeting(1, 13, 5), HA_REASON_FRAME_SIZE},
      {"of 1001 entries", [&](AutoswitchMaster& m) { m.answer(many, 2000); }, HA_REASON_FRAME_SIZE},
      {"of 2 GiB", greeting(1, INT32_MAX, 5), HA_REASON_FRAME_SIZE},
      {"of no entry", greeting(1, 0, -1), HA_REASON_EPOCH},
      {"whose epochs fall",
       [](AutoswitchMaster& m) {
         m.answer({epoch(5, 0), epoch(3, 50)}, 200);
       },
       HA_REASON_EPOCH},
      {"whose epoch begins beyond its end",
       [](AutoswitchMaster& m) {
         m.answer({epoch(3, 0), epoch(5, 201)}, 200);
       },
       HA_REASON_EPOCH},
      {"a transfer instead of a handshake", greeting(2, 0, 5), HA_REASON_PROTOCOL},
      {"a header of default mode", greeting(0, 100, 0), HA_REASON_PROTOCOL},
      {"a second handshake", after([&](AutoswitchMaster& m) { return m.answer(told, 200); }),
       HA_REASON_PROTOCOL},
      {"a state that there is none of",
       after([](AutoswitchMaster& m) { return m.header(epoch(5, 50), 100, 0, 0, 7); }),
       HA_REASON_PROTOCOL},
      {"a heartbeat elsewhere",
       after([](AutoswitchMaster& m) { return m.heartbeat(epoch(5, 50), 101); }),
       HA_REASON_OFFSET_MISMATCH},
      {"bytes elsewhere", after([](AutoswitchMaster& m) { return m.data(epoch(5, 50), 99, 10); }),
       HA_REASON_OFFSET_MISMATCH},
      {"a negative size",
       after([](AutoswitchMaster& m) { return m.header(epoch(5, 50), 100, -36); }),
       HA_REASON_FRAME_SIZE},
      {"a size over the limit",
       after([](AutoswitchMaster& m) { return m.header(epoch(5, 50), 100, 4 << 20); }),
       HA_REASON_FRAME_SIZE},
      {"the known epoch with another start",
       after([](AutoswitchMaster& m) { return m.data(epoch(5, 51), 100, 10); }), HA_REASON_EPOCH},
      {"an older epoch that it did not tell",
       after([](AutoswitchMaster& m) { return m.data(epoch(4, 20), 100, 10); }), HA_REASON_EPOCH},
      {"a new epoch that begins before the last",
       after([](AutoswitchMaster& m) { return m.data(epoch(6, 40), 100, 10); }), HA_REASON_EPOCH},
      {"a new epoch that begins beyond the frame",
       after([](AutoswitchMaster& m) { return m.data(epoch(6, 111), 100, 10); }), HA_REASON_EPOCH},
  };
  for (const BadStream& c : cases) {
    SCOPED_TRACE(c.name);
    Following one;
    one.dir.write(kFile, file_of(told));
    one.host.grow(100);
    one.start({{"reconnect_max_ms", "3600000"}});
    AutoswitchMaster master(one.listener);
    c.say(master);
    EXPECT_TRUE(master.wait_closed());
    EXPECT_TRUE(Instance::eventually([&] { return one.reason() == c.reason; })) << one.reason();
    // But for a frame's size, which a passing fault may be: the longest pause comes first.
    if (c.reason != HA_REASON_FRAME_SIZE) {
      EXPECT_TRUE(one.suspended());
    }
    EXPECT_EQ(one.host.appends(), 0);
    EXPECT_EQ(one.host.end(), 100);
    EXPECT_EQ(one.dir.read(kFile), file_of(told));
  }
}

TEST_F(LearnerFaults, SegmentsOfAnotherSizeStopTheSlaveForGood) {
  start();
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(1, 0)}, 9000), 0);
  ASSERT_TRUE(master.data(epoch(1, 0), kSegment + 8, 10));
  EXPECT_TRUE(master.wait_closed());
  EXPECT_TRUE(host.wait_for_log("same segment size"));
  EXPECT_TRUE(suspended());
}

// The epoch cannot be made durable, so its bytes are not taken; when it can, they are.
TEST_F(LearnerFaults, NoByteIsTakenWhoseEpochCannotBeSaved) {
  std::filesystem::create_directory(dir.path() + "/" + kFile + ".tmp");
  start({{"reconnect_max_ms", "60"}});
  {
    AutoswitchMaster master(listener);
    ASSERT_EQ(master.first_report({epoch(1, 0)}, 900), 0);
    ASSERT_TRUE(master.data(epoch(1, 0), 0, 100));
    EXPECT_TRUE(master.wait_closed());
  }
  EXPECT_TRUE(host.wait_for_log("host_error"));
  EXPECT_EQ(host.appends(), 0);
  dir.remove(std::string(kFile) + ".tmp");
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(1, 0)}, 900), 0);
  ASSERT_TRUE(master.data(epoch(1, 0), 0, 100));
  EXPECT_EQ(master.read_report(), 100);
}

TEST_F(LearnerFaults, ADamagedFileIsToldAtTheStart) {
  dir.write(kFile, "2\n1\n7-7000\n8-8000\n");
  slave.emplace(host, learner(dir));
  EXPECT_EQ(slave->start(HA_ROLE_SLAVE, ""), HA_CORRUPT);
  EXPECT_NE(std::string(slave->error().text).find(dir.path()), std::string::npos);
  EXPECT_NE(std::string(slave->error().text).find("checksum"), std::string::npos);
  dir.remove(kFile);
  EXPECT_EQ(slave->start(HA_ROLE_SLAVE, ""), HA_OK);
}

TEST_F(LearnerConfirm, ReadersSeeWhatTheMasterConfirmedAndThisLogHolds) {
  start();
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(1, 0)}, 900), 0);
  ASSERT_TRUE(master.data(epoch(1, 0), 0, 300, 200));
  ASSERT_EQ(master.read_report(), 300);
  ASSERT_TRUE(master.data(epoch(1, 0), 300, 100, 5000));
  ASSERT_EQ(master.read_report(), 400);
  ASSERT_TRUE(master.heartbeat(epoch(1, 0), 400, 100));  // a master's mistake: never back
  ASSERT_TRUE(master.data(epoch(1, 0), 400, 50, 100));
  ASSERT_EQ(master.read_report(), 450);
  const std::vector<std::int64_t> told = host.confirms();
  EXPECT_EQ(told.front(), 0) << "before the first byte";
  EXPECT_EQ(told.back(), 450);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_NE(std::find(told.begin(), told.end(), 200), told.end());
  EXPECT_NE(std::find(told.begin(), told.end(), 400), told.end());
  EXPECT_EQ(slave->status().at("client").at("master_confirm").as_int64(), 5000);
}

TEST_F(LearnerConfirm, AHostThatCannotConfirmEndsTheConnection) {
  host.fail_confirm(HA_IO);
  start();
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(1, 0)}, 900), 0);
  ASSERT_TRUE(master.heartbeat(epoch(1, 0), 0));
  EXPECT_TRUE(master.wait_closed());
  EXPECT_TRUE(host.wait_for_log("host hook 'confirm' answered IO"));
}

TEST_F(LearnerConfirm, AHostWithoutTheHookIsToldOnceWhatItsReadersSee) {
  Following one({.confirm = false});
  one.start();
  for (std::int64_t at = 0; at < 30; at += 10) {
    AutoswitchMaster master(one.listener);
    ASSERT_EQ(master.first_report({epoch(1, 0)}, 900), at);
    ASSERT_TRUE(master.data(epoch(1, 0), at, 10));
    ASSERT_EQ(master.read_report(), at + 10);
  }
  EXPECT_EQ(one.host.count_logs("no hook 'confirm'"), 1u);
}

TEST_F(LearnerStatus, TellsTheEpochsHereAndThere) {
  dir.write(kFile, file_of({epoch(1, 0), epoch(2, 50), epoch(3, 100)}));
  host.grow(100);
  start();
  EXPECT_EQ(slave->snapshot().total.epoch, 2);  // 3 has no bytes
  AutoswitchMaster master(listener);
  ASSERT_EQ(master.first_report({epoch(1, 0), epoch(2, 50), epoch(4, 300)}, 900), 100);
  EXPECT_EQ(slave->snapshot().total.epoch, 2);
  EXPECT_EQ(slave->sample("ha_epoch"), 2);
  const auto json = slave->status();
  EXPECT_EQ(json.at("epoch").as_int64(), 2);
  EXPECT_EQ(json.at("epochs").as_array().size(), 2u);
  EXPECT_EQ(json.at("epochs").at(1).at("start").as_int64(), 50);
  EXPECT_EQ(json.at("client").at("master_epochs").at(2).at("epoch").as_int64(), 4);
  EXPECT_EQ(json.at("client").at("master_confirm").as_int64(), -1);
}

TEST(LearnerRole, ALearnerBecomesNoMaster) {
  StateDir dir;
  MemoryHost host;
  host.grow(100);
  dir.write(kFile, file_of({epoch(1, 0)}));
  {
    Instance slave(host, learner(dir));
    EXPECT_EQ(slave.start(HA_ROLE_MASTER), HA_UNSUPPORTED);
    EXPECT_NE(std::string(slave.error().text).find("'wire': 'rocketmq'"), std::string::npos);
    slave.start_slave("");
    EXPECT_EQ(slave.set_role(HA_ROLE_MASTER), HA_UNSUPPORTED);
    EXPECT_EQ(slave.set_role(HA_ROLE_NONE), HA_OK);
    EXPECT_TRUE(host.wait_for_role(HA_ROLE_NONE, 2));
    EXPECT_EQ(slave.set_option("wire", "rocketmq"), HA_STATE);
    EXPECT_EQ(slave.set_option("state_dir", dir.path()), HA_STATE);
    EXPECT_EQ(slave.set_option("rocketmq_sync_from_last_file", "true"), HA_OK);
  }
  // On purpose, with the default wire, it does.
  MemoryHost again;
  again.grow(100);
  Instance master(again, {{"state_dir", dir.path()}});
  master.start_master();
  Peer peer = Peer::to(master.port());
  ASSERT_TRUE(peer.report(40));
  EXPECT_EQ(peer.follow_to(40, 100), "");
}

}  // namespace
}  // namespace ha::testing
