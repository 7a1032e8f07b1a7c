// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/learner.h"

#include <gtest/gtest.h>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

using Entries = std::vector<EpochEntry>;

constexpr std::int64_t kSegment = 4096;

EpochEntry entry(std::int64_t epoch, std::int64_t start) { return {epoch, Offset(start)}; }

EpochHistory history(const Entries& entries) {
  EpochHistory all;
  for (const EpochEntry& e : entries) EXPECT_TRUE(all.append(e)) << e.epoch;
  return all;
}

LogBounds log(std::int64_t min, std::int64_t end) { return {Offset(min), Offset(end), kSegment}; }

MasterHandshake master(const Entries& entries, std::int64_t end) {
  return {entries, entries.empty() ? -1 : entries.back().epoch, Offset(end)};
}

FrameLabel label(std::int64_t epoch, std::int64_t start, std::int64_t confirm = 0) {
  return {epoch, Offset(start), Offset(confirm)};
}

// One that follows a master with these entries, its log being [0, end) of it.
Learner following(const Entries& entries, std::int64_t end) {
  Learner learner;
  EpochHistory stored = history(entries);
  EXPECT_EQ(learner.on_handshake(master(entries, end), stored, log(0, end)).reason, Reason::kNone);
  return learner;
}

TEST(LearnerHandshake, WhatNoMasterSendsIsRefused) {
  struct Row {
    const char* name;
    MasterHandshake master;
    const char* words;
  };
  Entries many;
  for (std::int64_t i = 1; i <= 1001; ++i) many.push_back(entry(i, i));
  const Row rows[] = {
      {"none", master({}, 900), "names no epoch"},
      {"1001", master(many, 2000), "1001 epochs"},
      {"an epoch twice", master({entry(1, 0), entry(1, 5)}, 900), "does not rise"},
      {"a start twice", master({entry(1, 5), entry(2, 5)}, 900), "does not rise"},
      {"a falling epoch", master({entry(3, 0), entry(2, 5)}, 900), "does not rise"},
      {"a negative epoch", master({entry(-3, 0)}, 900), "does not rise"},
      {"a negative start", master({entry(1, -1)}, 900), "does not rise"},
      {"beyond its end", master({entry(1, 0), entry(2, 901)}, 900), "beyond its log's end 900"},
      {"another last epoch", {{entry(1, 0)}, 2, Offset(900)}, "its epoch is 2"},
      {"a negative end", {{entry(1, 0)}, 1, Offset(-1)}, "beyond its log's end -1"},
  };
  for (const Row& row : rows) {
    for (const LogBounds& bounds : {log(0, 0), log(0, 100)}) {
      Learner learner;
      const auto answer = learner.on_handshake(row.master, history({entry(1, 0)}), bounds);
      EXPECT_EQ(answer.reason, Reason::kEpoch) << row.name;
      EXPECT_NE(answer.text.find(row.words), std::string::npos) << row.name << ": " << answer.text;
      EXPECT_EQ(answer.end, bounds.end) << row.name;
    }
  }
  many.pop_back();
  Learner learner;
  EXPECT_EQ(learner.on_handshake(master(many, 1000), {}, log(0, 0)).reason, Reason::kNone);
}

TEST(LearnerHandshake, FindsWhereTheLogMustEnd) {
  const Entries ours{entry(1, 0), entry(2, 300), entry(3, 500)};
  struct Row {
    const char* name;
    MasterHandshake master;
    LogBounds log;
    Reason reason;
    std::int64_t end;
    Entries history;
  };
  const Row rows[] = {
      {"the master went on", master(ours, 900), log(0, 700), Reason::kNone, 700, ours},
      {"at the same end", master(ours, 700), log(0, 700), Reason::kNone, 700, ours},
      {"the master is behind", master(ours, 600), log(0, 700), Reason::kNone, 600, ours},
      {"a newer epoch began earlier",
       master({entry(1, 0), entry(2, 300), entry(4, 450)}, 900),
       log(0, 700),
       Reason::kNone,
       450,
       {entry(1, 0), entry(2, 300)}},
      {"the same epoch began elsewhere",
       master({entry(1, 0), entry(3, 450)}, 900),
       log(0, 700),
       Reason::kNone,
       300,
       {entry(1, 0)}},
      {"the master's last has no bytes",
       master(ours, 500),
       log(0, 700),
       Reason::kNone,
       500,
       {entry(1, 0), entry(2, 300)}},
      // Entries that begin at the end or beyond prove nothing: here only 1 counts.
      {"entries without bytes",
       master({entry(1, 0), entry(2, 300)}, 900),
       log(0, 300),
       Reason::kNone,
       300,
       {entry(1, 0)}},
      {"nothing in common", master({entry(9, 0)}, 900), log(0, 700), Reason::kDiverged, 700, {}},
      {"only entries without bytes in common",
       master({entry(3, 500)}, 900),
       log(0, 500),
       Reason::kDiverged,
       500,
       {}},
      {"in common only below the log's start",
       master({entry(1, 0), entry(9, 200)}, 9000),
       log(kSegment, 2 * kSegment),
       Reason::kDiverged,
       2 * kSegment,
       {}},
  };
  for (const Row& row : rows) {
    Learner learner;
    const auto answer = learner.on_handshake(row.master, history(ours), row.log);
    EXPECT_EQ(answer.reason, row.reason) << row.name << ": " << answer.text;
    EXPECT_EQ(answer.end, Offset(row.end)) << row.name;
    if (row.reason == Reason::kNone) {
      EXPECT_EQ(learner.history().entries(), row.history) << row.name;
      EXPECT_EQ(learner.position(answer.end), answer.end) << row.name;
    } else {
      EXPECT_NE(answer.text.find("empty this store"), std::string::npos) << answer.text;
    }
  }
}

TEST(LearnerHandshake, AnEmptyLogHasNoHistoryAndAsksForNothing) {
  for (const std::int64_t at : {std::int64_t{0}, 3 * kSegment}) {
    Learner learner;
    const auto answer = learner.on_handshake(master({entry(7, 50)}, 900),
                                             history({entry(1, 0), entry(2, 10)}), log(at, at));
    EXPECT_EQ(answer.reason, Reason::kNone);
    EXPECT_EQ(answer.end, Offset(at));
    EXPECT_TRUE(learner.history().empty());
    EXPECT_EQ(learner.position(Offset(at)), Offset(0));
  }
}

TEST(LearnerHandshake, ALogThatIsCutToNothingStartsFromScratch) {
  for (const std::int64_t min : {std::int64_t{0}, kSegment}) {
    Learner learner;
    const Entries ours{entry(1, 0), entry(2, min + 50)};
    const auto answer =
        learner.on_handshake(master({entry(1, 0)}, min), history(ours), log(min, min + 100));
    EXPECT_EQ(answer.reason, Reason::kNone);
    EXPECT_EQ(answer.end, Offset(min));
    EXPECT_TRUE(learner.history().empty());
    EXPECT_EQ(learner.position(answer.end), Offset(0));
    EXPECT_EQ(learner.on_frame(label(1, 0), Offset(3 * kSegment), 10, log(min, min)).reset, true);
  }
}

TEST(LearnerHandshake, BytesWithoutHistoryAreNotBelieved) {
  Learner learner;
  const auto answer = learner.on_handshake(master({entry(1, 0)}, 900), {}, log(0, 100));
  EXPECT_EQ(answer.reason, Reason::kDiverged);
  EXPECT_NE(answer.text.find("epoch file"), std::string::npos) << answer.text;
}

TEST(LearnerHandshake, EpochsBelowTheLogsStartAreForgotten) {
  const Entries all{entry(1, 0), entry(2, 300), entry(3, kSegment), entry(4, kSegment + 5)};
  Learner learner;
  ASSERT_EQ(learner.on_handshake(master(all, 9000), history(all), log(kSegment, 9000)).reason,
            Reason::kNone);
  // 2 ends where the log starts, and is kept as RocketMQ does.
  EXPECT_EQ(learner.history().entries().front(), entry(2, 300));
}

TEST(LearnerFrames, AnEmptyLogTakesAnyHeartbeatAndStartsAtASegment) {
  for (const std::int64_t at : {std::int64_t{0}, 3 * kSegment}) {
    Learner learner;
    ASSERT_EQ(learner.on_handshake(master({entry(1, 0)}, 90000), {}, log(at, at)).reason,
              Reason::kNone);
    for (const std::int64_t offset :
         {std::int64_t{-1}, std::int64_t{0}, std::int64_t{77}, 5 * kSegment, INT64_MAX}) {
      const FrameVerdict verdict = learner.on_frame(label(1, 0), Offset(offset), 0, log(at, at));
      EXPECT_EQ(verdict.reason, Reason::kNone) << offset;
      EXPECT_FALSE(verdict.reset) << offset;
    }
    EXPECT_FALSE(learner.enter_epochs(Offset(90000)));
    EXPECT_EQ(learner.position(Offset(at)), Offset(0));
    EXPECT_EQ(learner.on_frame(label(1, 0), Offset(kSegment + 1), 10, log(at, at)).reason,
              Reason::kSegmentSize);
    EXPECT_EQ(learner.on_frame(label(1, 0), Offset(-1), 10, log(at, at)).reason,
              Reason::kOffsetMismatch);
    const FrameVerdict first = learner.on_frame(label(1, 0), Offset(3 * kSegment), 10, log(at, at));
    EXPECT_EQ(first.reason, Reason::kNone);
    EXPECT_EQ(first.reset, at == 0);
    EXPECT_TRUE(learner.enter_epochs(Offset(3 * kSegment + 10)));
    EXPECT_EQ(learner.position(Offset(3 * kSegment)), Offset(3 * kSegment));
    // From the first byte on it is a log like any other.
    EXPECT_EQ(
        learner.on_frame(label(1, 0), Offset(5 * kSegment), 0, log(3 * kSegment, 3 * kSegment + 10))
            .reason,
        Reason::kOffsetMismatch);
  }
}

TEST(LearnerFrames, AnEmptiedLogMayBeToldToStartAt0) {
  Learner learner;
  const LogBounds empty = log(3 * kSegment, 3 * kSegment);
  ASSERT_EQ(learner.on_handshake(master({entry(1, 0)}, 900), {}, empty).reason, Reason::kNone);
  EXPECT_TRUE(learner.on_frame(label(1, 0), Offset(0), 10, empty).reset);
}

TEST(LearnerFrames, OffsetsAndSizesAreJudgedAsInDefaultMode) {
  const auto judge = [](std::int64_t offset, std::int64_t size) {
    Learner learner = following({entry(1, 0)}, 100);
    return learner.on_frame(label(1, 0), Offset(offset), size, log(0, 100)).reason;
  };
  EXPECT_EQ(judge(100, 50), Reason::kNone);
  EXPECT_EQ(judge(100, 0), Reason::kNone);
  EXPECT_EQ(judge(101, 0), Reason::kOffsetMismatch);
  EXPECT_EQ(judge(99, 50), Reason::kOffsetMismatch);
  EXPECT_EQ(judge(100, kSegment - 99), Reason::kSegmentSize);
  EXPECT_EQ(judge(100, -1), Reason::kFrameSize);
  EXPECT_EQ(judge(100, INT32_MAX), Reason::kFrameSize);
}

TEST(LearnerFrames, LabelsMustFitWhatIsKnown) {
  struct Row {
    const char* name;
    FrameLabel label;
    std::int64_t size;
    Reason reason;
  };
  const Row rows[] = {
      {"the known epoch", label(5, 50), 10, Reason::kNone},
      {"a known epoch before it", label(3, 0), 10, Reason::kNone},
      {"its start is another", label(5, 51), 10, Reason::kEpoch},
      {"an older one's start is another", label(3, 1), 10, Reason::kEpoch},
      {"between the known", label(4, 20), 10, Reason::kEpoch},
      {"older than the known", label(2, 0), 10, Reason::kEpoch},
      {"negative", label(-1, 60), 10, Reason::kEpoch},
      {"newer, but starts with the last", label(6, 50), 10, Reason::kEpoch},
      {"newer, but starts before the last", label(6, 49), 10, Reason::kEpoch},
      {"newer, and starts below 0", label(6, -1), 10, Reason::kEpoch},
      {"newer, from here", label(6, 100), 10, Reason::kNone},
      // The frame that is cut at an epoch's end has the next one's label.
      {"newer, from the frame's end", label(6, 110), 10, Reason::kNone},
      {"newer, from beyond the frame's end", label(6, 111), 10, Reason::kEpoch},
      // Bytes of it came under the old label before.
      {"newer, from what is held already", label(6, 51), 10, Reason::kNone},
      {"newer, on a heartbeat", label(6, 100), 0, Reason::kNone},
      {"newer, beyond a heartbeat", label(6, 101), 0, Reason::kEpoch},
  };
  for (const Row& row : rows) {
    Learner learner = following({entry(3, 0), entry(5, 50)}, 100);
    const FrameVerdict verdict = learner.on_frame(row.label, Offset(100), row.size, log(0, 100));
    EXPECT_EQ(verdict.reason, row.reason) << row.name;
    EXPECT_EQ(verdict.text.empty(), row.reason == Reason::kNone) << row.name;
  }
}

TEST(LearnerFrames, BytesThatBelongToNoEpochAreNotTaken) {
  Learner learner;
  ASSERT_EQ(learner.on_handshake(master({entry(5, 100)}, 900), {}, log(0, 0)).reason,
            Reason::kNone);
  EXPECT_EQ(learner.on_frame(label(5, 100), Offset(0), 50, log(0, 0)).reason, Reason::kEpoch);
}

TEST(LearnerFrames, NoMoreEpochsThanAMasterCanHave) {
  Entries known;
  for (std::int64_t i = 1; i <= 999; ++i) known.push_back(entry(i, i - 1));
  Learner learner = following(known, 1000);
  EXPECT_EQ(learner.on_frame(label(1000, 1000), Offset(1000), 1, log(0, 1000)).reason,
            Reason::kNone);
  EXPECT_EQ(learner.on_frame(label(1001, 1001), Offset(1001), 1, log(0, 1001)).reason,
            Reason::kEpoch);
}

TEST(LearnerEpochs, AreEnteredBeforeTheirFirstByte) {
  Learner learner;
  const Entries told{entry(1, 0), entry(2, 100), entry(4, 300)};
  ASSERT_EQ(learner.on_handshake(master(told, 900), {}, log(0, 0)).reason, Reason::kNone);
  // [0, 100) is labelled with the epoch after it.
  ASSERT_EQ(learner.on_frame(label(2, 100), Offset(0), 100, log(0, 0)).reason, Reason::kNone);
  EXPECT_TRUE(learner.enter_epochs(Offset(100)));
  EXPECT_EQ(learner.history().entries(), Entries{entry(1, 0)});
  EXPECT_FALSE(learner.enter_epochs(Offset(100)));
  EXPECT_TRUE(learner.enter_epochs(Offset(101)));
  EXPECT_EQ(learner.history().entries(), (Entries{entry(1, 0), entry(2, 100)}));
  EXPECT_FALSE(learner.enter_epochs(Offset(300)));
  // A new one, after two that were known.
  ASSERT_EQ(learner.on_frame(label(9, 350), Offset(300), 60, log(0, 300)).reason, Reason::kNone);
  EXPECT_TRUE(learner.enter_epochs(Offset(360)));
  EXPECT_EQ(learner.history().entries(),
            (Entries{entry(1, 0), entry(2, 100), entry(4, 300), entry(9, 350)}));
}

TEST(LearnerConfirm, FollowsTheMasterAsFarAsTheLogGoesAndNeverBack) {
  Learner learner = following({entry(1, 0)}, 100);
  EXPECT_EQ(learner.confirm(Offset(100)), std::nullopt);
  const auto say = [&](std::int64_t confirm) {
    ASSERT_EQ(learner.on_frame(label(1, 0, confirm), Offset(100), 0, log(0, 100)).reason,
              Reason::kNone);
  };
  say(-1);
  EXPECT_EQ(learner.confirm(Offset(100)), Offset(0));  // also when it is nothing
  EXPECT_EQ(learner.confirm(Offset(100)), std::nullopt);
  say(70);
  EXPECT_EQ(learner.confirm(Offset(100)), Offset(70));
  say(60);
  EXPECT_EQ(learner.confirm(Offset(100)), std::nullopt);
  say(INT64_MAX);
  EXPECT_EQ(learner.confirm(Offset(100)), Offset(100));
  EXPECT_EQ(learner.confirm(Offset(130)), Offset(130));
  EXPECT_EQ(learner.confirm(Offset(120)), std::nullopt);
}

}  // namespace
}  // namespace ha::core
