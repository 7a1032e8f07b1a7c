// SPDX-License-Identifier: Apache-2.0
// missing_copies = degrade in a configured set: what a master answered below policy is known to its
// slaves, and is named when it is lost.

#include <gtest/gtest.h>

#include <filesystem>

#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/term_file.h"
#include "tests/unit/epoch_set.h"

namespace ha::testing {
namespace {

using core::Offset;

class DegradedSet : public EpochSet {};

// What a master acknowledged with too few copies, its slaves can tell after its death.
TEST_F(DegradedSet, ASurvivorSaysWhatItsMasterHadAcknowledgedBelowPolicy) {
  make(3);
  const Options policy = {{"default_copies", "3"},
                          {"missing_copies", "degrade"},
                          {"degrade_after_ms", "20"},
                          {"degraded_hold_ms", "0"}};
  start(a(), HA_ROLE_MASTER, policy);
  start(b(), HA_ROLE_SLAVE, policy);
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER));
  const std::int64_t end = grow(a(), 100);
  ASSERT_TRUE(b().host.wait_for_end(end));
  EXPECT_EQ(wait_result(*a().plugin, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  const auto kept = [&] {
    DegradedState state;
    if (b().state.has("ha_degraded.json")) {
      EXPECT_EQ(parse_degraded(b().state.read("ha_degraded.json"), state), "");
    }
    return state;
  };
  ASSERT_TRUE(Instance::eventually([&] { return kept().told.has_value(); }));
  EXPECT_TRUE(kept().ranges.empty());
  // One that comes later hears of it before it gets a byte.
  NativeSlave c(a().port);
  ASSERT_NO_FATAL_FAILURE(join(c, "c", 0));
  EXPECT_TRUE(c.degraded_next());
  a().plugin->stop();
  EXPECT_EQ(promote(b()), 2);
  // The journal goes ahead of the answers, so it cannot say that nothing more was answered. What is
  // here is not held by enough nodes yet.
  const auto ranges = kept().ranges;
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_FALSE(kept().told);
  EXPECT_EQ(ranges[0].lost_from, Offset(end));
  EXPECT_EQ(ranges[1], (core::DegradedRange{ranges[0].from, Offset(end), ranges[0].since_ms}));
  EXPECT_TRUE(b().host.wait_for_log("lost: the master before had acknowledged"));
  EXPECT_GT(b().plugin->sample("ha_degraded_lost_bytes"), 0);
  EXPECT_EQ(b().plugin->status().at("degraded").at("ranges").at(0).at("lost_from"), end);
}

// Else a slave with a range of its own would take it for what enough copies hold.
TEST_F(DegradedSet, WhatAnswersBelowPolicyConfirmIsToldAfterTheirRange) {
  make(3);
  start_and_hold(
      a(), HA_ROLE_MASTER,
      {{"default_copies", "3"}, {"missing_copies", "degrade"}, {"degrade_after_ms", "20"}});
  NativeSlave c(a().port);
  ASSERT_NO_FATAL_FAILURE(join(c, "c", 0));
  EXPECT_FALSE(c.degraded_next()) << "nothing is open";
  const std::int64_t end = grow(a(), 100);
  ASSERT_EQ(c.follow_to(0, end), "");
  EXPECT_EQ(wait_result(*a().plugin, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  for (int frames = 0; !c.degraded_next(); ++frames) {
    ASSERT_LT(c.confirm(), Offset(end));
    ASSERT_LT(frames, 100);
  }
  EXPECT_EQ(c.frame().offset, end);
  EXPECT_EQ(c.confirm(), Offset(end));
}

// A crash right after the cut would take with it what only memory knows.
TEST_F(DegradedSet, NothingIsCutBeforeItIsWrittenDownWhatIsLost) {
  const Options policy = {{"default_copies", "3"},
                          {"missing_copies", "degrade"},
                          {"degrade_after_ms", "20"},
                          {"allow_unsafe_truncation", "true"}};
  start_three(policy);
  b().host.fail_append(HA_IO);
  c().plugin->stop();
  const std::int64_t end = grow(a(), 400);
  EXPECT_EQ(wait_result(*a().plugin, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  a().plugin.reset();
  ASSERT_TRUE(b().host.wait_for_log("cannot connect"));
  b().host.fail_append(HA_OK);
  promote(b(), HA_ROLE_CHANGE_FORCE);
  const std::int64_t other = grow(b(), 60);

  const std::string in_the_way = a().state.path() + "/ha_degraded.json.tmp";
  std::filesystem::create_directory(in_the_way);
  follow(a(), address(b()), policy);
  ASSERT_TRUE(a().host.wait_for_log("could not be written down"));
  EXPECT_EQ(a().host.end(), end);
  std::filesystem::remove(in_the_way);
  ASSERT_TRUE(Instance::eventually([&] { return a().host.end() == other; }));
  DegradedState kept;
  EXPECT_EQ(parse_degraded(a().state.read("ha_degraded.json"), kept), "");
  ASSERT_FALSE(kept.ranges.empty());
  EXPECT_EQ(kept.ranges.back().lost_from, Offset(0));
}

// The new master has another history and deleted all of what this log could be compared with.
TEST_F(DegradedSet, WhatAResetThrowsAwayWasLostToo) {
  make(2);
  b().host.grow(200);
  core::Term term{1, "b", {}};
  ASSERT_TRUE(term.history.append({1, Offset(0), "b"}));
  ASSERT_EQ(TermFile(StateStore(b().state.path())).save(term), "");
  // A host that was never told of a bound shows its readers all.
  ASSERT_EQ(b().host.api()->confirm(&b().host, 1, 0), HA_OK);
  b().state.write("ha_degraded.json", format_degraded({{{Offset(100), Offset(200), 7}}, {}}));
  Listener listener;
  follow(b(), listener.address());
  NativeMaster a(listener.accept());
  ASSERT_TRUE(a.greet({core::kNativeVersion,
                       core::kNativeVersion,
                       Offset(4096),
                       Offset(8192),
                       2,
                       {{2, Offset(4096), "a"}},
                       set_text()}));
  core::Answer answer;
  answer.decision = core::Decision::kReset;
  answer.offset = answer.min = Offset(4096);
  answer.end = Offset(8192);
  answer.master = "a";
  ASSERT_TRUE(a.answer(answer));
  ASSERT_TRUE(a.ack_with(4096));
  EXPECT_TRUE(b().host.wait_for_log("lost: this node had acknowledged"));
  DegradedState kept;
  ASSERT_EQ(parse_degraded(b().state.read("ha_degraded.json"), kept), "");
  ASSERT_EQ(kept.ranges.size(), 1U);
  EXPECT_EQ(kept.ranges[0].lost_from, Offset(100));
}

// This log may be one of the copies that were counted: one master's word does not empty it.
TEST_F(DegradedSet, AResetOfAConfirmedLogNeedsTheOperator) {
  make(2);
  b().host.grow(200);
  core::Term term{1, "b", {}};
  ASSERT_TRUE(term.history.append({1, Offset(0), "b"}));
  ASSERT_EQ(TermFile(StateStore(b().state.path())).save(term), "");
  ASSERT_EQ(b().host.api()->confirm(&b().host, 1, 150), HA_OK);  // as if
  Listener listener;
  follow(b(), listener.address(), {{"reconnect_max_ms", "50"}});
  const auto wants_it_emptied = [&](NativeMaster& a) {
    ASSERT_TRUE(a.greet({core::kNativeVersion,
                         core::kNativeVersion,
                         Offset(4096),
                         Offset(8192),
                         2,
                         {{2, Offset(4096), "a"}},
                         set_text()}));
    core::Answer answer;
    answer.decision = core::Decision::kReset;
    answer.offset = answer.min = Offset(4096);
    answer.end = Offset(8192);
    answer.master = "a";
    ASSERT_TRUE(a.answer(answer));
  };
  {
    NativeMaster a(listener.accept());
    wants_it_emptied(a);
    EXPECT_TRUE(a.peer().wait_closed());
  }
  EXPECT_TRUE(
      b().host.wait_for_log("it holds confirmed bytes, up to 150, so one node's word is not "
                            "enough"));
  EXPECT_EQ(b().plugin->snapshot().total.client_reason, HA_REASON_REQUEST_BELOW_MIN);
  EXPECT_EQ(b().host.end(), 200);
  EXPECT_EQ(b().host.first_wrong_byte(), "");
  EXPECT_EQ(b().plugin->sample("ha_promised_epoch"), 1) << "nor is it followed";

  ASSERT_EQ(b().plugin->set_option("allow_unsafe_truncation", "true"), HA_OK);
  NativeMaster a(listener.accept());
  wants_it_emptied(a);
  ASSERT_TRUE(a.ack_with(4096));
  EXPECT_TRUE(b().host.wait_for_log("what it held, from 0 to 200, was deleted at the master"));
}

}  // namespace
}  // namespace ha::testing
