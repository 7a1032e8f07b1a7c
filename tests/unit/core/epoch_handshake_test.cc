// SPDX-License-Identifier: Apache-2.0
// The native handshake between nodes that keep epochs: where two logs part, and who may follow
// whom.

#include <gtest/gtest.h>

#include <vector>

#include "ha_plugin/core/handshake.h"
#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

constexpr std::int64_t kSegment = 1000;

std::optional<std::uint64_t> same(Offset, Offset) { return 7; }

EpochEntry entry(std::int64_t epoch, std::int64_t start, const char* master) {
  return {epoch, Offset(start), master};
}

EpochHistory history(const std::vector<EpochEntry>& entries) {
  EpochHistory out;
  for (const EpochEntry& e : entries) EXPECT_TRUE(out.append(e));
  return out;
}

// Master of epoch 3 from 5000; its log holds [2000, 5500).
Acceptor master_of_3(const std::vector<EpochEntry>& entries = {
                         entry(1, 0, "a"), entry(2, 3000, "b"), entry(3, 5000, "c")}) {
  Acceptor self{"prod", "c", {"a", "b", "c"}, {Offset(2000), Offset(5500), kSegment}};
  self.keeps_epochs = true;
  self.epoch = 3;
  self.term = {3, "c", history(entries)};
  return self;
}

Greeting greeting_of(const Acceptor& self) {
  return {1, 1, self.log.min, self.log.end, self.epoch, history_to_tell(self.term.history)};
}

Hello hello(const Acceptor& master, std::int64_t min, std::int64_t end, const Term& term) {
  Hello h;
  h.segment_size = kSegment;
  h.cluster = "prod";
  h.replica = "a";
  h.min = Offset(min);
  h.end = Offset(end);
  EXPECT_EQ(plan_tail({h.min, h.end, kSegment}, term, greeting_of(master), h), "");
  h.tail_hash = 7;
  h.promised = term.promised;
  h.promised_to = term.promised_to;
  h.history = history_to_tell(term.history);
  return h;
}

// a, which dialled an address that is in no row.
const Expected kOfA{"a", {"a", "b", "c"}, ""};

Answer ask(std::int64_t min, std::int64_t end, const std::vector<EpochEntry>& entries) {
  const Acceptor self = master_of_3();
  const Hello h = hello(self, min, end, {0, "", history(entries)});
  const Answer answer = judge_hello(h, self, same);
  if (answer.decision != Decision::kRefuse) {
    EXPECT_EQ(check_answer(answer, h, greeting_of(self)), "");
  }
  return answer;
}

TEST(EpochHandshake, WhereTwoLogsPart) {
  struct Row {
    const char* name;
    std::int64_t min, end;
    std::vector<EpochEntry> entries;
    Decision decision;
    std::int64_t offset;
  };
  const EpochEntry one = entry(1, 0, "a");
  const EpochEntry two = entry(2, 3000, "b");
  const Row rows[] = {
      {"behind in epoch 1", 0, 2500, {one}, Decision::kResume, 2500},
      {"ends where epoch 2 begins", 0, 3000, {one}, Decision::kResume, 3000},
      {"an old master that took more than it had acknowledged",
       0,
       3700,
       {one},
       Decision::kTruncate,
       3000},
      {"the same from the next one", 0, 5200, {one, two}, Decision::kTruncate, 5000},
      {"another epoch 2", 0, 4000, {one, entry(2, 2800, "a")}, Decision::kTruncate, 2800},
      {"an epoch that its master never had",
       0,
       4000,
       {one, two, entry(4, 3500, "a")},
       Decision::kTruncate,
       3500},
      {"all of it", 0, 5500, {one, two, entry(3, 5000, "c")}, Decision::kResume, 5500},
      {"more than all, of the same epoch",
       0,
       5600,
       {one, two, entry(3, 5000, "c")},
       Decision::kTruncate,
       5500},
      {"bytes without epochs, as the master's first ones", 0, 2500, {}, Decision::kRefuse, 0},
      {"parted below what the master still holds",
       0,
       4000,
       {entry(2, 1500, "x")},
       Decision::kRefuse,
       0},
      {"holds nothing: it gets all, whatever bootstrap says", 0, 0, {}, Decision::kReset, 2000},
      {"emptied at a segment's start", 4000, 4000, {}, Decision::kResume, 4000},
  };
  for (const Row& row : rows) {
    const Answer answer = ask(row.min, row.end, row.entries);
    EXPECT_EQ(answer.decision, row.decision) << row.name << ": " << answer.text;
    EXPECT_EQ(answer.offset, Offset(row.offset)) << row.name;
    if (row.decision == Decision::kRefuse) {
      EXPECT_EQ(answer.reason, Reason::kDiverged) << row.name << ": " << answer.text;
    }
  }
}

// What was there before the nodes kept epochs is the same as far as its last bytes say so.
TEST(EpochHandshake, BytesWithoutAnEpochAreComparedAndCutWhereTheFirstEpochBegins) {
  Acceptor self = master_of_3({entry(3, 4000, "c")});
  const Hello h = hello(self, 0, 4300, {});
  EXPECT_EQ(h.tail_end, Offset(4000));
  const Answer answer = judge_hello(h, self, same);
  EXPECT_EQ(answer.decision, Decision::kTruncate);
  EXPECT_EQ(answer.offset, Offset(4000));
  const auto other = [](Offset, Offset) -> std::optional<std::uint64_t> { return 8; };
  EXPECT_EQ(judge_hello(h, self, other).reason, Reason::kDiverged);
}

TEST(EpochHandshake, OnlyAMasterIsFollowed) {
  Acceptor self = master_of_3();
  self.epoch = 0;
  Hello h;
  h.segment_size = kSegment;
  h.cluster = "prod";
  h.replica = "a";
  EXPECT_EQ(judge_hello(h, self, same).reason, Reason::kNotServing);
  EXPECT_TRUE(is_refusal(Reason::kNotServing));
}

TEST(EpochHandshake, AMasterOfAnOldEpochIsToldOfTheNewOne) {
  const Acceptor self = master_of_3();
  Hello h = hello(self, 0, 2500, {4, "b", history({entry(1, 0, "a")})});
  const Answer answer = judge_hello(h, self, same);
  EXPECT_EQ(answer.reason, Reason::kEpoch);
  EXPECT_NE(answer.text.find("'b'"), std::string::npos) << answer.text;
  EXPECT_TRUE(is_refusal(Reason::kEpoch));
  h.promised = 3;
  EXPECT_EQ(judge_hello(h, self, same).reason, Reason::kEpoch) << "3 was promised to another";
  h.promised_to = "c";
  EXPECT_EQ(judge_hello(h, self, same).decision, Decision::kResume);
}

// Two candidates can find enough nodes for one epoch where twice that many are no more than all.
TEST(EpochHandshake, ASlaveFollowsTheOneItPromisedTo) {
  const Term term{4, "b", history({entry(3, 0, "c")})};
  EXPECT_TRUE(check_master(4, "b", term, kOfA).ok());
  EXPECT_TRUE(check_master(5, "c", term, kOfA).ok());
  EXPECT_EQ(check_master(4, "c", term, kOfA).reason, Reason::kEpoch);
  EXPECT_EQ(check_master(3, "c", term, kOfA).reason, Reason::kEpoch);
  const Term holds_3{1, "c", history({entry(3, 0, "c")})};
  EXPECT_EQ(check_master(2, "c", holds_3, kOfA).reason, Reason::kEpoch);
}

// A slave that follows has promised: a stranger's word here would bind the whole set.
TEST(EpochHandshake, AMasterIsTheNodeOfTheSetThatWasDialled) {
  const Term term{4, "b", history({entry(3, 0, "c")})};
  for (const char* stranger : {"evil", "", "a"}) {
    const Refusal refusal = check_master(5, stranger, term, kOfA);
    EXPECT_EQ(refusal.reason, Reason::kUnknownReplica) << stranger;
    EXPECT_NE(refusal.text.find("option 'replicas'"), std::string::npos) << refusal.text;
  }
  Expected at_b = kOfA;
  at_b.dialled = "b";
  EXPECT_TRUE(check_master(5, "b", term, at_b).ok());
  const Refusal refusal = check_master(5, "c", term, at_b);
  EXPECT_EQ(refusal.reason, Reason::kUnknownReplica);
  EXPECT_NE(refusal.text.find("'c'"), std::string::npos) << refusal.text;
  EXPECT_NE(refusal.text.find("'b'"), std::string::npos) << refusal.text;
  EXPECT_EQ(check_master(5, "evil", term, at_b).reason, Reason::kUnknownReplica);
}

TEST(EpochHandshake, AMastersEpochIsWithinReach) {
  const Term term{4, "b", history({entry(3, 0, "c")})};
  EXPECT_TRUE(check_master(4 + kMaxEpochJump, "c", term, kOfA).ok());
  for (const std::int64_t far : {5 + kMaxEpochJump, kMaxEpoch, INT64_MAX}) {
    const Refusal refusal = check_master(far, "c", term, kOfA);
    EXPECT_EQ(refusal.reason, Reason::kEpoch) << far;
    for (const std::string& word :
         {std::to_string(far), std::string("above 4,"), std::string("'max_epoch_jump'")}) {
      EXPECT_NE(refusal.text.find(word), std::string::npos) << refusal.text;
    }
  }
  Expected wide = kOfA;
  wide.max_jump = kMaxEpoch;
  EXPECT_TRUE(check_master(kMaxEpoch, "c", term, wide).ok());
}

// Nobody of the set can be promised more than a stranger's greatest number, so that is said.
TEST(EpochHandshake, ASlaveThatPromisedAStrangerSaysHowToForget) {
  const Term term{1'000'000'000'000, "evil", history({entry(3, 0, "c")})};
  const Refusal refusal = check_master(4, "c", term, kOfA);
  EXPECT_EQ(refusal.reason, Reason::kEpoch);
  EXPECT_NE(refusal.text.find("'forget_promise' set to 1000000000000"), std::string::npos)
      << refusal.text;
  EXPECT_EQ(check_master(4, "c", {5, "b", {}}, kOfA).text.find("forget_promise"),
            std::string::npos);
}

// The two sides reckon from the same lists; a slave that says something else is not cut.
TEST(EpochHandshake, APointThatTheHistoriesDoNotSayIsRefused) {
  const Acceptor self = master_of_3();
  Hello h = hello(self, 0, 3700, {0, "", history({entry(1, 0, "a")})});
  h.tail_end = Offset(3100);
  EXPECT_EQ(judge_hello(h, self, same).reason, Reason::kProtocol);
}

TEST(EpochHandshake, HistoriesThatCannotBeAreRefused) {
  const Acceptor self = master_of_3();
  for (const auto& told :
       {std::vector{entry(1, 2600, "a")},  // beyond its end
        std::vector{entry(2, 0, "a"), entry(1, 10, "a")}, std::vector{entry(0, 0, "a")},
        std::vector(kMostEpochsTold + 1, entry(1, 0, "a"))}) {
    Hello h = hello(self, 0, 2500, {});
    h.history = told;
    EXPECT_EQ(judge_hello(h, self, same).reason, Reason::kProtocol);
    Greeting greeting = greeting_of(self);
    greeting.history = told;
    greeting.end = Offset(2500);
    EXPECT_NE(plan_tail({Offset(0), Offset(100), kSegment}, {}, greeting, h), "");
  }
  Greeting greeting = greeting_of(self);
  greeting.epoch = 4;  // not the last of its own
  Hello h;
  EXPECT_NE(plan_tail({Offset(0), Offset(100), kSegment}, {}, greeting, h), "");
}

TEST(EpochHandshake, ACutIsTakenOnlyWhereItWasComputed) {
  const Acceptor self = master_of_3();
  const Hello h = hello(self, 0, 3700, {0, "", history({entry(1, 0, "a")})});
  Answer answer = judge_hello(h, self, same);
  Greeting greeting = greeting_of(self);
  EXPECT_EQ(check_answer(answer, h, greeting), "");
  for (const std::int64_t wrong : {2999, 3001, 3700, 3800}) {
    answer.offset = Offset(wrong);
    EXPECT_NE(check_answer(answer, h, greeting), "") << wrong;
  }
  answer.offset = Offset(3000);
  greeting.epoch = 0;  // a master without epochs has no say in that
  EXPECT_NE(check_answer(answer, h, greeting), "");
  // And it does not go on where the two parted before.
  greeting.epoch = 3;
  answer.decision = Decision::kResume;
  answer.offset = h.end;
  EXPECT_NE(check_answer(answer, h, greeting), "");
}

TEST(EpochHandshake, ASlaveEntersWhatBeginsAtItsEndOrBelow) {
  const Acceptor self = master_of_3();
  const Greeting greeting = greeting_of(self);
  const EpochHistory told = history(greeting.history);
  const auto at = [&](std::int64_t end, const Term& before = {}) {
    return term_as_slave(before, greeting, "c", told, Offset(0), Offset(end));
  };
  EXPECT_EQ(at(2999).history.last_epoch(), 1);
  EXPECT_EQ(at(3000).history.last_epoch(), 2);
  EXPECT_EQ(at(5000).history, told);
  EXPECT_EQ(at(2999).promised, 3);
  EXPECT_EQ(at(2999).promised_to, "c");
  // A promise for later stands.
  EXPECT_EQ(at(2999, {5, "b", {}}).promised, 5);
  EXPECT_EQ(at(2999, {5, "b", {}}).promised_to, "b");
  // Its master has deleted the first epoch's bytes, this node has not: a slave with a log of
  // that epoch, when this node is master, is not a stranger.
  const EpochHistory trimmed = history({entry(3, 5000, "c")});
  const Term knows{3, "c", history({entry(1, 0, "a"), entry(2, 3000, "b")})};
  const auto as_slave = [&](std::int64_t min, std::int64_t end) {
    return term_as_slave(knows, greeting, "c", trimmed, Offset(min), Offset(end)).history;
  };
  EXPECT_EQ(as_slave(0, 5100), told);
  EXPECT_EQ(as_slave(0, 4000), knows.history);
  EXPECT_EQ(as_slave(0, 3000), history({entry(1, 0, "a")})) << "cut where epoch 2 began";
  EXPECT_EQ(as_slave(5000, 5000), trimmed) << "the log was emptied";
  // What lies below the log's first byte is nobody's.
  EXPECT_EQ(term_as_slave({}, greeting, "c", told, Offset(3000), Offset(5000))
                .history.entries()
                .front()
                .epoch,
            2);
}

}  // namespace
}  // namespace ha::core
