// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/handshake.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

constexpr std::int64_t kSegment = 1000;
constexpr std::uint64_t kSameBytes = 7;

Acceptor acceptor() { return {"prod", "a", {}, {Offset(2000), Offset(5500), kSegment}}; }

const Greeting kGreeting{kNativeVersion, kNativeVersion, Offset(2000), Offset(5500)};

Hello hello(std::int64_t min, std::int64_t end) {
  Hello h;
  h.segment_size = kSegment;
  h.cluster = "prod";
  h.replica = "b";
  h.min = Offset(min);
  h.end = Offset(end);
  EXPECT_EQ(plan_tail({h.min, h.end, kSegment}, {}, kGreeting, h), "");
  h.tail_hash = kSameBytes;
  return h;
}

std::optional<std::uint64_t> same(Offset, Offset) { return kSameBytes; }

TEST(Handshake, WhatBecomesOfALog) {
  struct Row {
    const char* name;
    std::int64_t min, end;
    Bootstrap bootstrap;
    Decision decision;
    std::int64_t offset;
    Reason reason;
  };
  const auto last = Bootstrap::kLatestSegment;
  const auto first = Bootstrap::kEarliest;
  const Row rows[] = {
      {"goes on in the middle", 0, 3000, last, Decision::kResume, 3000, Reason::kNone},
      {"holds all", 2000, 5500, last, Decision::kResume, 5500, Reason::kNone},
      {"ends where the master begins", 0, 2000, last, Decision::kResume, 2000, Reason::kNone},
      {"begins later than the master", 4000, 4500, last, Decision::kResume, 4500, Reason::kNone},
      {"empty, wants the last segment", 0, 0, last, Decision::kReset, 5000, Reason::kNone},
      {"empty, wants all", 0, 0, first, Decision::kReset, 2000, Reason::kNone},
      {"was reset and got nothing yet", 4000, 4000, last, Decision::kResume, 4000, Reason::kNone},
      {"lacks what was deleted", 0, 1999, first, Decision::kReset, 2000, Reason::kNone},
      {"was reset elsewhere and got nothing", 1000, 1000, first, Decision::kReset, 2000,
       Reason::kNone},
      {"was reset beyond and got nothing", 6000, 6000, first, Decision::kReset, 2000,
       Reason::kNone},
      {"ahead", 0, 5501, last, Decision::kRefuse, 0, Reason::kRequestAboveEnd},
  };
  for (const Row& row : rows) {
    Acceptor self = acceptor();
    self.bootstrap = row.bootstrap;
    const Answer answer = judge_hello(hello(row.min, row.end), self, same);
    EXPECT_EQ(answer.decision, row.decision) << row.name << ": " << answer.text;
    EXPECT_EQ(answer.reason, row.reason) << row.name;
    EXPECT_EQ(answer.offset, Offset(row.offset)) << row.name;
    EXPECT_EQ(answer.text.empty(), row.reason == Reason::kNone) << row.name;
    EXPECT_EQ(answer.min, Offset(2000));
    EXPECT_EQ(answer.end, Offset(5500));
    EXPECT_EQ(answer.master, "a");
  }
}

TEST(Handshake, AnEmptySlaveOfAnEmptyMasterGoesOnAtZero) {
  Acceptor self = acceptor();
  self.log = {Offset(0), Offset(0), kSegment};
  const Answer answer = judge_hello(hello(0, 0), self, same);
  EXPECT_EQ(answer.decision, Decision::kResume);
  EXPECT_EQ(answer.offset, Offset(0));
}

TEST(Handshake, OtherBytesAreDivergedAndUnreadableOnesAreNot) {
  std::pair<Offset, Offset> asked;
  const auto other = [&](Offset begin, Offset end) -> std::optional<std::uint64_t> {
    asked = {begin, end};
    return kSameBytes + 1;
  };
  EXPECT_EQ(judge_hello(hello(0, 3000), acceptor(), other).reason, Reason::kDiverged);
  EXPECT_EQ(asked, (std::pair{Offset(2000), Offset(3000)}));
  const auto none = [](Offset, Offset) { return std::optional<std::uint64_t>{}; };
  EXPECT_EQ(judge_hello(hello(0, 3000), acceptor(), none).reason, Reason::kHostError);
}

// A slave that keeps quiet about its bytes is not believed.
TEST(Handshake, ATailIsAskedOfEachSlaveThatHasOne) {
  Hello h = hello(0, 3000);
  h.tail_start = h.tail_end;
  EXPECT_EQ(judge_hello(h, acceptor(), same).reason, Reason::kProtocol);
  h.tail_start = Offset(1999);  // deleted since the greeting
  EXPECT_EQ(judge_hello(h, acceptor(), same).reason, Reason::kRequestBelowMin);
}

TEST(Handshake, BoundsThatContradictEachOtherAreRefused) {
  for (const auto& [min, end, tail] :
       {std::array<std::int64_t, 3>{-1, 3000, 2000}, std::array<std::int64_t, 3>{3000, 2999, 2999},
        std::array<std::int64_t, 3>{2500, 3000, 2499},
        std::array<std::int64_t, 3>{0, 3000, 3001}}) {
    Hello h = hello(0, 3000);
    h.min = Offset(min);
    h.end = Offset(end);
    h.tail_start = Offset(tail);
    h.tail_end = std::max(h.tail_start, Offset(end));
    EXPECT_EQ(judge_hello(h, acceptor(), same).reason, Reason::kProtocol) << min << " " << end;
  }
}

TEST(Handshake, NoTailIsReadBeyondTheAgreedMebibyte) {
  Acceptor self = acceptor();
  self.log = {Offset(0), Offset(4 * kTailBytes), kSegment};
  Hello h = hello(0, 3 * kTailBytes);
  h.tail_end = h.end;
  h.tail_start = Offset(2 * kTailBytes);
  EXPECT_EQ(judge_hello(h, self, same).decision, Decision::kResume);
  h.tail_start = Offset(2 * kTailBytes - 1);
  const auto never = [](Offset, Offset) -> std::optional<std::uint64_t> {
    ADD_FAILURE() << "it was read";
    return std::nullopt;
  };
  EXPECT_EQ(judge_hello(h, self, never).reason, Reason::kProtocol);
}

// Whatever it says, a HELLO costs its master at most one look at the log, and none before it is
// known to come from a node that belongs here.
TEST(Handshake, AHelloIsHashedOnceAtMost) {
  int looks = 0;
  const auto counted = [&](Offset begin, Offset end) -> std::optional<std::uint64_t> {
    ++looks;
    EXPECT_LE(end - begin, kTailBytes);
    return kSameBytes;
  };
  const auto looks_at = [&](const Hello& h, const Acceptor& self) {
    looks = 0;
    judge_hello(h, self, counted);
    return looks;
  };
  Acceptor self = acceptor();
  self.replicas = {"a", "b"};
  EXPECT_EQ(looks_at(hello(0, 3000), self), 1);
  Hello wrong = hello(0, 3000);
  ++wrong.tail_hash;
  EXPECT_EQ(looks_at(wrong, self), 1);
  for (const auto& spoil : std::vector<void (*)(Hello&)>{
           [](Hello& h) { h.cluster = "test"; }, [](Hello& h) { h.replica = "evil"; },
           [](Hello& h) { h.replica = "a"; }, [](Hello& h) { h.set = "a"; },
           [](Hello& h) { ++h.segment_size; }, [](Hello& h) { h.oldest_version = 9; },
           [](Hello& h) { h.end = Offset(9000); }}) {
    Hello h = hello(0, 3000);
    spoil(h);
    EXPECT_EQ(looks_at(h, self), 0);
  }
}

// A refusal is what a stranger tries first: it must not teach him the names that open the door.
TEST(Handshake, ARefusalTellsAStrangerNoName) {
  Acceptor self = acceptor();
  self.cluster = "secret";
  self.id = "alpha";
  self.replicas = {"alpha", "beta"};
  self.set = "alpha,beta with default_copies 2";
  self.keeps_epochs = true;
  self.epoch = 3;
  self.term = {3, "alpha", {}};
  const auto is_silent = [](const Answer& answer) {
    for (const char* name : {"secret", "alpha", "beta"}) {
      EXPECT_EQ(answer.text.find(name), std::string::npos) << answer.text;
    }
    EXPECT_EQ(answer.master, "");
    EXPECT_EQ(answer.min, Offset(0));
    EXPECT_EQ(answer.end, Offset(0));
  };
  Hello h = hello(0, 3000);
  h.cluster = "guess";
  h.replica = "beta";
  h.promised = 9;
  h.promised_to = "beta";
  const Answer other_cluster = judge_hello(h, self, same);
  EXPECT_EQ(other_cluster.reason, Reason::kCluster);
  is_silent(other_cluster);
  h.cluster = "secret";
  h.replica = "guess";
  h.set = "guess";
  const Answer no_member = judge_hello(h, self, same);
  EXPECT_EQ(no_member.reason, Reason::kUnknownReplica);
  is_silent(no_member);
  h.replica = "beta";
  const Answer member = judge_hello(h, self, same);
  EXPECT_EQ(member.reason, Reason::kSetDiffers);
  EXPECT_NE(member.text.find("alpha,beta"), std::string::npos) << "a member is told more";
}

TEST(Handshake, ALogWithConfirmedBytesIsNotEmptiedOnOneNodesWord) {
  Answer answer;
  answer.decision = Decision::kReset;
  answer.offset = Offset(5000);
  const Hello h = hello(1000, 1900);
  EXPECT_EQ(check_reset(answer, h, Offset(0)), "");
  EXPECT_EQ(check_reset(answer, h, Offset(1000)), "")
      << "what is confirmed lies below its first byte";
  EXPECT_EQ(check_reset(answer, hello(1900, 1900), Offset(1900)), "") << "it is empty";
  const std::string no = check_reset(answer, h, Offset(1001));
  for (const char* word : {"ends at 1900", "go on at 5000", "confirmed bytes, up to 1001",
                           "'allow_unsafe_truncation'", "empty the slave's store"}) {
    EXPECT_NE(no.find(word), std::string::npos) << no;
  }
}

TEST(Handshake, WhoMayNotComeInIsToldWhy) {
  Hello h = hello(0, 3000);
  h.cluster = "test";
  const Answer other_cluster = judge_hello(h, acceptor(), same);
  EXPECT_EQ(other_cluster.reason, Reason::kCluster);
  EXPECT_NE(other_cluster.text.find("another cluster"), std::string::npos) << other_cluster.text;
  EXPECT_EQ(other_cluster.aside, ": its is 'test', the master's 'prod'") << "for its own log";

  h = hello(0, 3000);
  h.replica = "a";
  EXPECT_EQ(judge_hello(h, acceptor(), same).reason, Reason::kUnknownReplica);

  h = hello(0, 3000);
  Acceptor self = acceptor();
  self.replicas = {"a", "b"};
  EXPECT_EQ(judge_hello(h, self, same).decision, Decision::kResume);
  for (const char* stranger : {"c", ""}) {
    h.replica = stranger;
    EXPECT_EQ(judge_hello(h, self, same).reason, Reason::kUnknownReplica) << stranger;
    EXPECT_EQ(judge_hello(h, acceptor(), same).decision, Decision::kResume) << stranger;
  }

  h = hello(0, 3000);
  h.segment_size = kSegment + 1;
  EXPECT_EQ(judge_hello(h, acceptor(), same).reason, Reason::kSegmentSize);

  h = hello(0, 3000);
  h.oldest_version = kNativeVersion + 1;
  h.newest_version = kNativeVersion + 2;
  EXPECT_EQ(judge_hello(h, acceptor(), same).reason, Reason::kVersion);
  h.oldest_version = kNativeVersion - 1;
  EXPECT_EQ(judge_hello(h, acceptor(), same).decision, Decision::kResume);
}

// Who counts by another list, or for another number of copies, is no copy of what is promised here.
TEST(Handshake, NodesWithDifferentSetsDoNotFollowEachOther) {
  const std::string three = set_text({"c", "a", "b"}, 2);
  EXPECT_EQ(three, set_text({"a", "b", "c"}, 2)) << "the order says nothing";
  for (const std::string& other :
       {set_text({"a", "b"}, 2), set_text({"a", "b", "c"}, 3), set_text({}, 1)}) {
    Acceptor self = acceptor();
    self.replicas = {"a", "b", "c"};
    self.set = three;
    Hello h = hello(0, 3000);
    h.set = other;
    const Answer answer = judge_hello(h, self, same);
    EXPECT_EQ(answer.reason, Reason::kSetDiffers);
    EXPECT_TRUE(is_refusal(answer.reason));
    EXPECT_NE(answer.text.find("the slave's set is " + (other.empty() ? "none" : other)),
              std::string::npos)
        << answer.text;
    EXPECT_NE(answer.text.find("the master's is " + three), std::string::npos) << answer.text;
    h.set = three;
    EXPECT_EQ(judge_hello(h, self, same).decision, Decision::kResume);

    // A master that lets it in all the same is not followed.
    Answer wrong;
    wrong.decision = Decision::kResume;
    wrong.offset = h.end;
    Greeting greeting = kGreeting;
    greeting.set = other;
    EXPECT_NE(check_answer(wrong, h, greeting).find(three), std::string::npos);
  }
}

TEST(Handshake, TheTailIsTheEndOfWhatBothHold) {
  const auto tail = [](std::int64_t min, std::int64_t end, const Greeting& master) {
    Hello h;
    EXPECT_EQ(plan_tail({Offset(min), Offset(end), kSegment}, {}, master, h), "");
    return std::pair(h.tail_start.bytes(), h.tail_end.bytes());
  };
  EXPECT_EQ(tail(0, 3000, kGreeting), (std::pair(2000L, 3000L)));
  EXPECT_EQ(tail(2500, 3000, kGreeting), (std::pair(2500L, 3000L)));
  EXPECT_EQ(tail(0, 1000, kGreeting), (std::pair(1000L, 1000L)));  // nothing in common
  EXPECT_EQ(tail(0, 5501, kGreeting), (std::pair(2000L, 5500L)));  // will be refused
  EXPECT_EQ(tail(6000, 6500, kGreeting), (std::pair(6000L, 6000L)));
  EXPECT_EQ(tail(0, 0, kGreeting), (std::pair(0L, 0L)));
  const Greeting large{kNativeVersion, kNativeVersion, Offset(0), Offset(10 * kTailBytes)};
  EXPECT_EQ(tail(0, 3 * kTailBytes, large), (std::pair(2 * kTailBytes, 3 * kTailBytes)));
}

// Where no cluster is named, nothing but its bytes says that a log is this one's.
TEST(Handshake, ALogThatHoldsSomethingIsEmptiedOnlyWithinANamedCluster) {
  Acceptor self = acceptor();
  self.cluster = "";
  Hello h = hello(0, 1999);
  h.cluster = "";
  EXPECT_EQ(judge_hello(h, self, same).reason, Reason::kRequestBelowMin);
  h = hello(0, 0);
  h.cluster = "";
  EXPECT_EQ(judge_hello(h, self, same).decision, Decision::kReset);
}

TEST(Handshake, ARefusalSpeaksOfTheOtherSideOnly) {
  for (const Reason own :
       {Reason::kNone, Reason::kRequested, Reason::kShutdown, Reason::kRoleChanged,
        Reason::kNetwork, Reason::kHousekeeping, static_cast<Reason>(200)}) {
    EXPECT_FALSE(is_refusal(own)) << static_cast<int>(own);
  }
  EXPECT_TRUE(is_refusal(Reason::kDiverged));
  EXPECT_TRUE(is_refusal(Reason::kReplaced));
}

TEST(Handshake, AnAnswerHasToFitWhatWasSaid) {
  Hello h = hello(0, 3000);
  Answer answer{Decision::kResume,
                Reason::kNone,
                kNativeVersion,
                Offset(3000),
                Offset(2000),
                Offset(9500),
                "",
                ""};
  EXPECT_EQ(check_answer(answer, h, kGreeting), "");
  answer.offset = Offset(2999);
  EXPECT_NE(check_answer(answer, h, kGreeting), "");
  answer.decision = Decision::kReset;
  for (const std::int64_t wrong : {2999, -1000, 0, 1000, 3000, 10'000}) {
    answer.offset = Offset(wrong);
    EXPECT_NE(check_answer(answer, h, kGreeting), "") << wrong;
  }
  for (const std::int64_t right : {4000, 9000}) {
    answer.offset = Offset(right);
    EXPECT_EQ(check_answer(answer, h, kGreeting), "") << right;
  }
  h.cluster = "";
  EXPECT_NE(check_answer(answer, h, kGreeting), "");  // it holds something
  h.end = h.min;
  EXPECT_EQ(check_answer(answer, h, kGreeting), "");
  h = hello(0, 3000);
  answer.version = kNativeVersion + 1;
  EXPECT_NE(check_answer(answer, h, kGreeting), "");
  answer.decision = Decision::kRefuse;
  EXPECT_EQ(check_answer(answer, h, kGreeting), "");
}

TEST(Handshake, Names) {
  for (const char* good : {"", "a", "broker-1.eu_west", "Z9"}) EXPECT_EQ(check_name(good), "");
  for (const char* bad : {"1a", "127.0.0.1", "-a", "a b", "a#1", "\xc3\xa4", "a/b"}) {
    EXPECT_NE(check_name(bad), "") << bad;
  }
  EXPECT_EQ(check_name(std::string(63, 'a')), "");
  EXPECT_NE(check_name(std::string(64, 'a')), "");
}

}  // namespace
}  // namespace ha::core
