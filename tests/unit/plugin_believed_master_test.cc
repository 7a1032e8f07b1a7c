// SPDX-License-Identifier: Apache-2.0
// Whom a slave of a configured set believes to be master, and what heals a set that believed a
// stranger.

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "ha_plugin/state/term_file.h"
#include "tests/unit/epoch_set.h"

namespace ha::testing {
namespace {

using core::Offset;
using core::Reason;

// Whatever a stranger at a member's address says, nothing of it is promised, entered or cut.
TEST_F(EpochSet, AMasterThatIsNotTheNodeThatWasDialledIsNotBelieved) {
  make(3);
  b().host.grow(200);
  Listener as_a;
  replicas_ = "a@" + as_a.address() + ",b@" + address(b()) + ",c@" + address(c());
  follow(b(), as_a.address(), {{"reconnect_max_ms", "50"}});
  struct Row {
    const char* name;
    std::int64_t epoch;
    const char* words;
    std::int32_t reason;
  };
  const Row rows[] = {
      {"evil", 1, "calls itself 'evil', which is not another node", HA_REASON_UNKNOWN_REPLICA},
      {"c", 1, "gives that address to 'a'", HA_REASON_UNKNOWN_REPLICA},
      {"b", 1, "calls itself 'b', which is not another node", HA_REASON_UNKNOWN_REPLICA},
      {"a", core::kMaxEpochJump + 1, "option 'max_epoch_jump' of the slave to 1048577",
       HA_REASON_EPOCH},
  };
  for (const Row& row : rows) {
    NativeMaster master(as_a.accept());
    const auto hello = master.greet({core::kNativeVersion,
                                     core::kNativeVersion,
                                     Offset(0),
                                     Offset(300),
                                     row.epoch,
                                     {{row.epoch, Offset(200), row.name}},
                                     set_text()});
    ASSERT_TRUE(hello) << row.name;
    EXPECT_EQ(hello->promised, 0);
    core::Answer answer;
    answer.decision = core::Decision::kResume;
    answer.offset = hello->end;
    answer.master = row.name;
    ASSERT_TRUE(master.answer(answer));
    EXPECT_TRUE(b().host.wait_for_log(row.words)) << row.name;
    EXPECT_EQ(b().plugin->snapshot().total.client_reason, row.reason) << row.name;
  }
  EXPECT_EQ(b().plugin->sample("ha_promised_epoch"), 0);
  EXPECT_FALSE(b().state.has("ha_term.json"));

  // An operator who knows better says so, while it runs.
  ASSERT_EQ(b().plugin->set_option("max_epoch_jump", "1048577"), HA_OK);
  NativeMaster master(as_a.accept());
  const std::int64_t far = core::kMaxEpochJump + 1;
  const auto hello = master.greet({core::kNativeVersion,
                                   core::kNativeVersion,
                                   Offset(0),
                                   Offset(300),
                                   far,
                                   {{far, Offset(200), "a"}},
                                   set_text()});
  ASSERT_TRUE(hello);
  core::Answer answer;
  answer.decision = core::Decision::kResume;
  answer.offset = hello->end;
  answer.master = "a";
  ASSERT_TRUE(master.answer(answer));
  ASSERT_TRUE(master.ack_with(200));
  EXPECT_EQ(b().plugin->sample("ha_promised_epoch"), static_cast<double>(far));
}

// An address that is in no row of the list, as an operator may name one, may be any member's.
TEST_F(EpochSet, AnAddressOfNoRowMayBeAnyMembers) {
  make(2);
  b().host.grow(200);
  Listener elsewhere;
  follow(b(), elsewhere.address());
  for (const char* name : {"evil", "a"}) {
    NativeMaster master(elsewhere.accept());
    const auto hello = master.greet({core::kNativeVersion,
                                     core::kNativeVersion,
                                     Offset(0),
                                     Offset(300),
                                     1,
                                     {{1, Offset(200), name}},
                                     set_text()});
    ASSERT_TRUE(hello) << name;
    core::Answer answer;
    answer.decision = core::Decision::kResume;
    answer.offset = hello->end;
    answer.master = name;
    ASSERT_TRUE(master.answer(answer));
    if (name == std::string("evil")) {
      EXPECT_TRUE(b().host.wait_for_log("calls itself 'evil'"));
    } else {
      EXPECT_TRUE(master.ack_with(200));
    }
  }
}

// As an older version took it from a stranger: one number at which the set is stuck.
TEST_F(EpochSet, ASetThatPromisedAStrangerIsHealedByItsOperator) {
  for (const std::int64_t far : {std::int64_t{1'000'000'000'000}, INT64_MAX}) {
    nodes_.clear();
    replicas_.clear();
    start_three();
    const std::int64_t end = spread(a(), 500);
    for (const auto& node : nodes_) node->plugin.reset();
    for (Node* node : {&b(), &c()}) {
      core::Term term;
      ASSERT_EQ(TermFile(StateStore(node->state.path())).load(term), "");
      term.promised = far;
      term.promised_to = "evil";
      // A slave enters its master's epoch before it has a byte of it.
      if (node == &c() && !core::is_epoch(far)) {
        ASSERT_TRUE(term.history.append({far, Offset(end), "evil"}));
      }
      ASSERT_EQ(TermFile(StateStore(node->state.path())).save(term), "");
    }
    const std::string words = "option 'forget_promise' set to " + std::to_string(far);
    start(a(), HA_ROLE_SLAVE);
    if (core::is_epoch(far)) {
      start(b(), HA_ROLE_SLAVE);
      start(c(), HA_ROLE_SLAVE);
      const RoleSeen told = refused(a());
      EXPECT_EQ(told.reason, HA_REASON_NO_QUORUM);
      EXPECT_NE(told.text.find(words), std::string::npos) << told.text;
    } else {
      for (Node* node : {&b(), &c()}) {
        load(*node);
        EXPECT_EQ(node->plugin->start(HA_ROLE_SLAVE), HA_CORRUPT);
        const std::string text = node->plugin->error().text;
        EXPECT_NE(text.find("ha_term.json"), std::string::npos) << text;
        EXPECT_NE(text.find(words), std::string::npos) << text;
      }
    }
    for (const auto& node : nodes_) node->plugin.reset();

    // A true promise is not forgotten, whoever asks for that.
    load(a(), {{"forget_promise", "1"}});
    EXPECT_EQ(a().plugin->start(HA_ROLE_SLAVE), HA_CORRUPT);
    EXPECT_NE(std::string(a().plugin->error().text).find("holds bytes of epoch 1"),
              std::string::npos)
        << a().plugin->error().text;
    for (const auto& node : nodes_) {
      start(*node, HA_ROLE_SLAVE, {{"forget_promise", std::to_string(far)}});
    }
    for (Node* node : {&b(), &c()}) {
      EXPECT_TRUE(node->host.wait_for_log("the promise of it to 'evil' is forgotten"));
      EXPECT_EQ(node->plugin->sample("ha_promised_epoch"), 1);
    }
    EXPECT_EQ(promote(b()), core::is_epoch(far) ? 3 : 2) << "2 was promised to a meanwhile";
    EXPECT_GE(wait_result(*b().plugin, spread(b(), 100), 3, kLongMs), HA_OK);
  }
}

}  // namespace
}  // namespace ha::testing
