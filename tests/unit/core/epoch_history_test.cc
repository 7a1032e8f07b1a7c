// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/epoch_history.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/core/printing.h"
#include "tests/unit/core/seed.h"

namespace ha::core {
namespace {

using ::ha::testing::announced_seed;
using Entries = std::vector<EpochEntry>;

EpochEntry entry(std::int64_t epoch, std::int64_t start) { return {epoch, Offset(start)}; }

EpochHistory history(const Entries& entries) {
  EpochHistory all;
  for (const EpochEntry& e : entries) EXPECT_TRUE(all.append(e)) << e.epoch;
  return all;
}

// RocketMQ's EpochFileCacheTest.
EpochHistory sample() { return history({entry(1, 100), entry(2, 300), entry(3, 500)}); }

TEST(EpochHistory, TakesOnlyWhatRisesInBoth) {
  EpochHistory h = history({entry(3, 500)});
  for (const EpochEntry& refused : {entry(3, 501), entry(2, 501), entry(4, 500), entry(4, 499)}) {
    EXPECT_FALSE(h.append(refused)) << refused.epoch << "@" << refused.start.bytes();
  }
  EXPECT_EQ(h.entries(), Entries{entry(3, 500)});
  EXPECT_TRUE(h.append(entry(9, 501)));
  EXPECT_EQ(h.last_epoch(), 9);

  EpochHistory fresh;
  EXPECT_FALSE(fresh.append(entry(-1, 0)));
  EXPECT_FALSE(fresh.append(entry(1, -1)));
  EXPECT_TRUE(fresh.append(entry(0, 0)));
}

TEST(EpochHistory, SaysWhoseByteItIs) {
  const EpochHistory h = sample();
  EXPECT_EQ(h.epoch_at(Offset(99)), std::nullopt);
  EXPECT_EQ(h.epoch_at(Offset(100)), entry(1, 100));
  EXPECT_EQ(h.epoch_at(Offset(299)), entry(1, 100));
  EXPECT_EQ(h.epoch_at(Offset(350)), entry(2, 300));
  EXPECT_EQ(h.epoch_at(Offset(INT64_MAX)), entry(3, 500));
  EXPECT_EQ(EpochHistory{}.epoch_at(Offset(0)), std::nullopt);
}

TEST(EpochHistory, FindsAnEpochByItsNumber) {
  const EpochHistory h = history({entry(1, 0), entry(5, 10)});
  EXPECT_EQ(h.find(1), entry(1, 0));
  EXPECT_EQ(h.find(5), entry(5, 10));
  for (const std::int64_t other : {0, 2, 6}) EXPECT_EQ(h.find(other), std::nullopt) << other;
}

TEST(EpochHistory, ACutDropsWhatStartsThere) {
  EpochHistory h = sample();
  h.truncate_suffix(Offset(501));
  EXPECT_EQ(h, sample());
  h.truncate_suffix(Offset(500));
  EXPECT_EQ(h.entries(), (Entries{entry(1, 100), entry(2, 300)}));
  // RocketMQ keeps the end of an entry whose successor was cut, and then finds nobody there.
  EXPECT_EQ(h.epoch_at(Offset(700)), entry(2, 300));
  h.truncate_suffix(Offset(150));
  EXPECT_EQ(h.entries(), Entries{entry(1, 100)});
  h.truncate_suffix(Offset(0));
  EXPECT_TRUE(h.empty());
  EXPECT_EQ(h.last_epoch(), 0);
}

TEST(EpochHistory, WhatEndsBelowTheLogsStartCanGo) {
  EpochHistory h = sample();
  h.truncate_prefix(Offset(299));
  EXPECT_EQ(h, sample());
  h.truncate_prefix(Offset(300));
  EXPECT_EQ(h.entries(), (Entries{entry(2, 300), entry(3, 500)}));
  h.truncate_prefix(Offset(10'000));
  EXPECT_EQ(h.entries(), Entries{entry(3, 500)});
}

TEST(EpochHistory, AnEpochWithoutBytesMakesRoomForTheNext) {
  EpochHistory history;
  EXPECT_TRUE(history.enter({1, Offset(0), "a"}));
  EXPECT_TRUE(history.enter({2, Offset(100), "b"}));
  EXPECT_TRUE(history.enter({4, Offset(100), "c"}));
  ASSERT_EQ(history.entries().size(), 2U);
  EXPECT_EQ(history.entries()[1], (EpochEntry{4, Offset(100), "c"}));
  EXPECT_FALSE(history.enter({4, Offset(200), "d"})) << "no epoch twice";
  EXPECT_FALSE(history.enter({5, Offset(99), "d"})) << "not before what is there";
  EXPECT_EQ(history.last_epoch(), 4);
}

TEST(EpochHistory, ALogHasEnteredWhatBeginsAtItsEndOrBelow) {
  EpochHistory history;
  history.append({1, Offset(10), "a"});
  history.append({3, Offset(100), "b"});
  for (const auto& [end, epoch] :
       {std::pair(9, 0), std::pair(10, 1), std::pair(99, 1), std::pair(100, 3)}) {
    EXPECT_EQ(history.entered_at(Offset(end)), epoch) << end;
    EXPECT_EQ(history.entered_by(Offset(end)).last_epoch(), epoch) << end;
  }
}

TEST(ConsistentPoint, IsTheSmallerEndOfTheNewestCommonEntry) {
  struct Row {
    const char* name;
    Entries master;
    std::int64_t local_end;
    std::int64_t master_end;
    std::optional<Offset> point;
  };
  const Row rows[] = {
      // EpochFileCacheTest's samples 1 to 4
      {"the last epoch began elsewhere",
       {entry(1, 100), entry(2, 300), entry(3, 450)},
       700,
       700,
       Offset(450)},
      {"the master is behind", sample().entries(), 700, 600, Offset(600)},
      {"nothing in common", {entry(1, 200), entry(2, 500)}, 700, 700, std::nullopt},
      {"the master went on",
       {entry(1, 100), entry(2, 300), entry(3, 500), entry(4, 800)},
       700,
       900,
       Offset(700)},
      // and more
      {"the master had another epoch 3",
       {entry(1, 100), entry(2, 300), entry(4, 600)},
       700,
       900,
       Offset(500)},
      {"only the first is common", {entry(1, 100), entry(9, 200)}, 700, 900, Offset(200)},
      {"the master forgot its oldest", {entry(3, 500)}, 700, 900, Offset(700)},
      {"the master's last has no bytes", sample().entries(), 700, 500, Offset(500)},
      {"the master has no history", {}, 700, 900, std::nullopt},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(find_consistent_point(sample(), Offset(row.local_end), history(row.master),
                                    Offset(row.master_end)),
              row.point)
        << row.name;
  }
  EXPECT_EQ(find_consistent_point({}, Offset(0), sample(), Offset(700)), std::nullopt);
}

// Two logs that share a beginning and then went on apart, each byte labelled with its epoch: the
// point must be where the labels first differ.
TEST(ConsistentPoint, IsWhereTwoLogsPart) {
  std::mt19937_64 random(announced_seed());
  const auto pick = [&](std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    EpochHistory common;
    std::int64_t epoch = 1;
    std::int64_t end = 0;
    for (std::int64_t i = pick(1, 5); i > 0; --i) {
      ASSERT_TRUE(common.append(entry(epoch, end)));
      epoch += pick(1, 3);
      end += pick(1, 50);
    }
    const Offset parted(end);
    // From here on one of the two goes through odd epochs, the other through even ones.
    const auto go_on = [&](EpochHistory& h, std::int64_t odd) {
      std::int64_t at = end;
      std::int64_t next = (epoch + 10) * 2 + odd;
      for (std::int64_t i = pick(0, 4); i > 0; --i) {
        EXPECT_TRUE(h.append(entry(next, at)));
        next += 2 * pick(1, 3);
        at += pick(1, 50);
      }
      return Offset(at);
    };
    EpochHistory local = common;
    EpochHistory master = common;
    const Offset local_end = go_on(local, 1);
    const Offset master_end = go_on(master, 0);
    ASSERT_EQ(find_consistent_point(local, local_end, master, master_end), parted);
    ASSERT_EQ(find_consistent_point(master, master_end, local, local_end), parted);
  }
}

}  // namespace
}  // namespace ha::core
