// SPDX-License-Identifier: Apache-2.0
// Option coordinator: a set in one process that nobody promotes, with a lock service that its hosts
// share, and with the program etcd where this machine has it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>

#include "tests/unit/epoch_set.h"
#include "tests/unit/etcd_process.h"
#include "tests/unit/fake_etcd.h"
#include "tests/unit/set_engine.h"

namespace ha::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class CoordinatorTest : public EpochSet {
 protected:
  // Nobody listens there.
  static Options no_engine() { return engine_at(free_port()); }
  static Options engine_at(std::uint16_t port) {
    return {{"coordinator", "etcd:http://127.0.0.1:" + std::to_string(port)},
            {"coordinator_ttl_ms", "2000"}};
  }
  static std::string error_of(const Node& node) { return node.plugin->error().text; }
};

TEST_F(CoordinatorTest, AStartAsMasterIsAStartAsSlave) {
  make(3);
  start(a(), HA_ROLE_MASTER, no_engine());
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_SLAVE));
  EXPECT_EQ(a().plugin->check_acks(1), HA_NOT_MASTER);
}

TEST_F(CoordinatorTest, WhoAsksForARoleIsToldWhoDecides) {
  make(3);
  start_and_hold(a(), HA_ROLE_SLAVE, no_engine());
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_MASTER), HA_CONFLICT);
  EXPECT_THAT(error_of(a()), HasSubstr("option 'coordinator' decides who is master"));
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_SLAVE), HA_OK);
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_NONE), HA_OK);
  EXPECT_EQ(a().plugin->set_option("failover", "manual"), HA_OK);
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_MASTER), HA_OK);
}

TEST_F(CoordinatorTest, AnEngineThatDoesNotAnswerIsNamed) {
  make(3);
  start_and_hold(a(), HA_ROLE_SLAVE, no_engine());
  ASSERT_TRUE(a().host.wait_for_log("the coordinator does not answer"));
  EXPECT_EQ(a().plugin->set_option("pause", "true"), HA_AGAIN);
  EXPECT_THAT(error_of(a()), HasSubstr("option 'pause': the coordinator: "));
  EXPECT_EQ(a().plugin->set_option("switchover", "nobody"), HA_INVALID);
  EXPECT_THAT(error_of(a()),
              HasSubstr("'nobody' is not a node of the set: a,b,c with default_copies 2"));
  const auto status = a().plugin->status();
  EXPECT_EQ(status.at("coordinator").at("answers"), false);
  EXPECT_THAT(boost::json::serialize(status.at("warnings")),
              HasSubstr("so nobody takes over if the master fails"));
  EXPECT_EQ(a().plugin->sample("ha_coordinator_up"), 0);
  EXPECT_GT(a().plugin->sample("ha_coordinator_requests_total{result=\"failed\"}"), 0);
}

TEST_F(CoordinatorTest, OrdersNeedAnEngine) {
  make(3);
  start_and_hold(a(), HA_ROLE_SLAVE);
  EXPECT_EQ(a().plugin->set_option("pause", "true"), HA_UNSUPPORTED);
  EXPECT_EQ(a().plugin->set_option("switchover", "b"), HA_UNSUPPORTED);
  EXPECT_THAT(error_of(a()), HasSubstr("this node has no option 'coordinator'"));
}

TEST_F(CoordinatorTest, FilesThatCannotBeReadEndTheStart) {
  make(3);
  Options options = engine_at(free_port());
  options.front().second = "etcd:https://127.0.0.1:2379";
  options.emplace_back("coordinator_ca", "/nonexistent/ca.pem");
  load(a(), options);
  EXPECT_EQ(a().plugin->start(HA_ROLE_SLAVE), HA_INVALID);
  EXPECT_THAT(error_of(a()), HasSubstr("/nonexistent/ca.pem"));
}

// With etcd itself, and with what the hosts bring.
class CoordinatedSet : public CoordinatorTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "etcd" && EtcdProcess::program().empty()) {
      GTEST_SKIP() << "there is no program 'etcd' in PATH";
    }
    engine_ = make_set_engine(GetParam());
    ASSERT_EQ(engine_->start(), "");
    make(3);
    for (const auto& node : nodes_) engine_->offer_to(node->host);
    for (const auto& node : nodes_) start(*node, HA_ROLE_SLAVE, engine_->options());
  }
  // The nodes give their keys back.
  void TearDown() override { nodes_.clear(); }
  CoordinatorKeys keys() {
    if (by_hand_ == nullptr) by_hand_ = &engine_->connect("");
    CoordinatorKeys found;
    by_hand_->read(found);
    return found;
  }
  // Holds the key.
  Node* master_above(std::int64_t epoch) {
    return EpochSet::master_above(epoch, [this] { return keys().leader.value; });
  }
  // What was done, or could not be, is asked for no more.
  bool nobody_is_wanted() {
    return Instance::eventually(
        [&] { return keys().control.value.find("wanted") == std::string::npos; });
  }
  static std::int64_t epoch_of(const Node& node) { return node.plugin->snapshot().total.epoch; }
  // Its slaves may have yet to find it.
  static bool put(Node& node) {
    return Instance::eventually([&] {
      return wait_result(*node.plugin, grow(node, 100), HA_ACKS_DEFAULT, kLongMs) >= HA_OK;
    });
  }
  bool others_follow(const Node& master) {
    return Instance::eventually(
        [&] { return master.plugin->snapshot().replicas.size() == nodes_.size() - 1; });
  }

  std::unique_ptr<SetEngine> engine_;
  Coordinator* by_hand_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Engines, CoordinatedSet, ::testing::Values("etcd", "host"),
                         [](const auto& engine) { return engine.param; });

TEST_P(CoordinatedSet, ANodeTakesOverFromAMasterThatStops) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(last_role(*first).reason, HA_REASON_COORDINATOR);
  EXPECT_EQ(last_role(*first).number, 0);
  EXPECT_TRUE(
      Instance::eventually([&] { return first->plugin->sample("ha_takeovers_total") == 1; }));
  EXPECT_GT(first->plugin->sample("ha_lease_left_seconds"), 0);
  ASSERT_TRUE(put(*first));
  const std::int64_t end = first->host.end();
  const std::int64_t epoch = epoch_of(*first);
  first->plugin.reset();
  Node* const next = master_above(epoch);
  ASSERT_NE(next, nullptr);
  EXPECT_GE(next->host.end(), end);
  EXPECT_TRUE(put(*next));
}

TEST_P(CoordinatedSet, AMasterHandsOverToTheOneThatIsWanted) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(others_follow(*first));
  ASSERT_TRUE(put(*first));
  Node& wanted = first == &b() ? c() : b();
  Node& asked = first == &a() ? c() : a();
  ASSERT_TRUE(Instance::eventually(
      [&] { return asked.plugin->set_option("switchover", wanted.id) == HA_OK; }));
  EXPECT_EQ(master_above(1), &wanted);
  // First it was told that it is master no more.
  ASSERT_TRUE(first->host.wait_for_role(HA_ROLE_SLAVE, 4));
  const auto roles = first->host.roles();
  EXPECT_EQ(roles[2].role, HA_ROLE_NONE);
  EXPECT_EQ(roles[2].reason, HA_REASON_COORDINATOR);
  EXPECT_TRUE(put(wanted));
  EXPECT_TRUE(nobody_is_wanted());
}

TEST_P(CoordinatedSet, AMasterStaysWhenItsSuccessorIsNotThere) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(others_follow(*first));
  Node& gone = first == &c() ? b() : c();
  gone.plugin.reset();
  ASSERT_EQ(first->plugin->set_option("switchover", gone.id), HA_OK);
  ASSERT_TRUE(first->host.wait_for_log("cannot hand over to '" + gone.id + "'"));
  EXPECT_TRUE(put(*first));
  EXPECT_TRUE(is_master(*first));
  EXPECT_EQ(epoch_of(*first), 1);
  EXPECT_TRUE(nobody_is_wanted());
}

TEST_P(CoordinatedSet, OrdersThatCannotBeMeantChangeNothing) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  Coordinator& by_hand = engine_->connect("");
  for (const char* order : {R"({"wanted":"stranger"})", R"({"failover":7})", "nonsense"}) {
    CoordinatorKeys now;
    ASSERT_TRUE(by_hand.read(now).yes());
    ASSERT_TRUE(by_hand.set_control(order, now.control.revision).yes());
    ASSERT_TRUE(first->host.wait_for_log(order)) << order;
  }
  EXPECT_TRUE(put(*first));
  EXPECT_TRUE(is_master(*first));
}

TEST_P(CoordinatedSet, AKeyThatWasWrittenByHandHoldsUpNobody) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(others_follow(*first));
  engine_->put_by_hand("leader", "c");
  ASSERT_TRUE(Instance::eventually([&] { return keys().leader.lease != 0; }))
      << "the master takes its key back";
  const std::int64_t epoch = epoch_of(*first);
  first->plugin.reset();
  engine_->put_by_hand("leader", "c");
  EXPECT_NE(master_above(epoch), nullptr);
}

TEST_P(CoordinatedSet, AStrangerThatHoldsTheKeyIsNamed) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  Coordinator& stranger = engine_->connect("z");
  Lease lease;
  CoordinatorKeys now;
  ASSERT_TRUE(stranger.grant(milliseconds(60'000), lease).yes());
  ASSERT_TRUE(stranger.read(now).yes());
  ASSERT_TRUE(stranger.take(lease, now.leader.revision).yes());
  for (const auto& node : nodes_) {
    EXPECT_TRUE(node->host.wait_for_log("held by 'z', which is not a node of the set"));
  }
  EXPECT_TRUE(put(*first)) << "it is still master";
}

TEST_P(CoordinatedSet, NobodyTakesOverWhilePaused) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(others_follow(*first));
  ASSERT_EQ(first->plugin->set_option("pause", "true"), HA_OK);
  for (const auto& node : nodes_) ASSERT_TRUE(node->host.wait_for_log("failover is paused"));
  // By hand it goes, and the one that was demoted does not come back by itself.
  ASSERT_EQ(first->plugin->set_role(HA_ROLE_SLAVE), HA_OK);
  ASSERT_TRUE(first->host.wait_for_log("has let the coordinator's key go"));
  Node& next = first == &b() ? c() : b();
  EXPECT_EQ(promote(next), 2);
  EXPECT_EQ(master_above(1), &next);

  next.plugin.reset();
  ASSERT_TRUE(Instance::eventually([&] { return keys().leader.revision == 0; }));
  Node& left = first == &a() ? (&next == &b() ? c() : b()) : a();
  EXPECT_EQ(left.plugin->sample("ha_coordinator_paused"), 1);
  ASSERT_EQ(left.plugin->set_option("pause", "false"), HA_OK);
  EXPECT_NE(master_above(2), nullptr);
}

TEST_P(CoordinatedSet, WithoutTheEngineTheMasterGoesOn) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(others_follow(*first));
  engine_->kill();
  // Until its lease has surely ended.
  ASSERT_TRUE(
      Instance::eventually([&] { return first->plugin->sample("ha_lease_left_seconds") == 0; }));
  EXPECT_TRUE(put(*first));
  EXPECT_TRUE(is_master(*first));
  EXPECT_EQ(epoch_of(*first), 1);
}

TEST_P(CoordinatedSet, WithoutEngineAndSlavesTheMasterStepsBack) {
  Node* const first = master_above(0);
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(others_follow(*first));
  engine_->kill();
  for (const auto& node : nodes_) {
    if (node.get() != first) node->plugin.reset();
  }
  ASSERT_TRUE(first->host.wait_for_log("neither the lease nor enough copies"));
  ASSERT_TRUE(first->host.wait_for_role(HA_ROLE_NONE, 3));
  EXPECT_EQ(first->plugin->check_acks(1), HA_NOT_MASTER);
}

// ---- the set gets other nodes -----------------------------------------------------------------

class ChangedSet : public CoordinatedSet {
 protected:
  void SetUp() override {
    CoordinatedSet::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    master_ = master_above(0);
    ASSERT_NE(master_, nullptr);
    ASSERT_TRUE(others_follow(*master_));
    ASSERT_TRUE(put(*master_));
  }
  // One that only its own options name.
  Node& start_fourth() {
    Node& d = *nodes_.emplace_back(std::make_unique<Node>("d"));
    d.port = free_port();
    const std::string first = replicas_;
    replicas_ += ",d@" + address(d);
    engine_->offer_to(d.host);
    start(d, HA_ROLE_SLAVE, engine_->options());
    replicas_ = first;
    return d;
  }
  static std::string set_of(const Node& node) {
    return node.plugin->status().at("coordinator").at("set").at("text").as_string().c_str();
  }
  static bool changes(const Node& node) {
    return node.plugin->status().at("coordinator").at("set").at("changing").as_bool();
  }
  bool becomes(const Node& node, const std::string& set) {
    return Instance::eventually([&] { return set_of(node) == set; });
  }
  Node& slave() { return master_ == &b() ? c() : b(); }
  Node& other_slave() { return master_ == &a() || master_ == &b() ? c() : a(); }

  Node* master_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Engines, ChangedSet, ::testing::Values("etcd", "host"),
                         [](const auto& engine) { return engine.param; });

TEST_P(ChangedSet, ANodeIsAddedAndCounts) {
  Node& d = start_fourth();
  ASSERT_EQ(master_->plugin->set_option("add_member", "d@" + address(d)), HA_OK)
      << error_of(*master_);
  const std::string four = "version 3: a,b,c,d with default_copies 2";
  ASSERT_TRUE(becomes(*master_, four));
  for (const auto& node : nodes_) EXPECT_TRUE(becomes(*node, four)) << node->id;
  EXPECT_FALSE(changes(*master_));
  EXPECT_EQ(master_->plugin->sample("ha_set_version"), 3);
  // With d alone it is enough.
  slave().plugin.reset();
  other_slave().plugin.reset();
  EXPECT_TRUE(put(*master_));
}

TEST_P(ChangedSet, ANodeThatJoinsDoesNotCountBeforeItHasTheLog) {
  // Nobody is there.
  ASSERT_EQ(master_->plugin->set_option("add_member", "d@127.0.0.1:1"), HA_OK);
  ASSERT_TRUE(becomes(*master_, "version 1: a,b,c with default_copies 2"));
  EXPECT_TRUE(changes(*master_));
  ASSERT_TRUE(Instance::eventually([&] {
    return master_->plugin->status().at("coordinator").at("set").at("waits_for") ==
           "'d' to hold the whole log";
  }));
  EXPECT_TRUE(put(*master_));
  EXPECT_EQ(master_->plugin->set_option("remove_member", slave().id), HA_CONFLICT);
  EXPECT_EQ(master_->plugin->set_option("remove_member", "d"), HA_OK);
  EXPECT_TRUE(becomes(*master_, "version 2: a,b,c with default_copies 2"));
  EXPECT_FALSE(changes(*master_));
}

TEST_P(ChangedSet, EachNodeOfASetIsInIt) {
  for (const auto& node : nodes_) {
    const auto status = node->plugin->status();
    EXPECT_TRUE(status.at("coordinator").at("set").at("member").as_bool()) << node->id;
    EXPECT_EQ(boost::json::serialize(status.at("warnings")).find("not in the set"),
              std::string::npos)
        << node->id;
  }
}

TEST_P(ChangedSet, ANodeThatLeavesCountsNoMore) {
  Node& gone = slave();
  ASSERT_EQ(master_->plugin->set_option("remove_member", gone.id), HA_OK);
  ASSERT_TRUE(Instance::eventually(
      [&] { return set_of(*master_).starts_with("version 2: ") && !changes(*master_); }));
  EXPECT_TRUE(put(*master_));
  ASSERT_TRUE(gone.host.wait_for_log("which is not in the master's option 'replicas'"));
  const auto told = [](const Node& node) {
    return boost::json::serialize(node.plugin->status().at("warnings"))
               .find("this node is not in the set") != std::string::npos;
  };
  EXPECT_TRUE(Instance::eventually([&] { return told(gone); }));
  EXPECT_FALSE(told(*master_));
  other_slave().plugin.reset();
  const std::int64_t end = grow(*master_, 100);
  EXPECT_LT(wait_result(*master_->plugin, end, HA_ACKS_DEFAULT, 300), HA_OK)
      << "nobody is left whose copy counts";
}

TEST_P(ChangedSet, OnlyWhatCanBeDoneIsBegun) {
  const auto refused = [](Node& node, const char* option, const std::string& value,
                          const char* words) {
    EXPECT_NE(node.plugin->set_option(option, value), HA_OK) << value;
    EXPECT_THAT(error_of(node), HasSubstr(words)) << value;
  };
  refused(slave(), "add_member", "d@127.0.0.1:7", ("ask '" + master_->id + "'").c_str());
  refused(*master_, "add_member", "d", "not ID@HOST:PORT");
  refused(*master_, "add_member", "d@127.0.0.1:7,e@127.0.0.1:8", "is not one node");
  refused(*master_, "add_member", slave().id + "@127.0.0.1:7", "is in the set already");
  refused(*master_, "add_member", "d@" + address(slave()), "already");
  refused(*master_, "remove_member", "x", "'x' is not in the set");
  refused(*master_, "remove_member", master_->id, "is the master");
  EXPECT_EQ(keys().set.revision, 0);
}

TEST_P(ChangedSet, ANodeGoesByTheChangedSetAfterARestart) {
  Node& stays = other_slave();
  ASSERT_EQ(master_->plugin->set_option("remove_member", slave().id), HA_OK);
  ASSERT_TRUE(Instance::eventually([&] { return set_of(stays).starts_with("version 2: "); }));
  const std::string two = set_of(stays);
  stays.plugin.reset();
  start(stays, HA_ROLE_SLAVE, engine_->options());
  EXPECT_EQ(set_of(stays), two);
  ASSERT_TRUE(stays.host.wait_for_log("the set was changed while it ran"));
  stays.plugin.reset();
  stays.state.write("ha_set.json", "{}");
  load(stays, engine_->options());
  EXPECT_EQ(stays.plugin->start(HA_ROLE_SLAVE), HA_CORRUPT);
  EXPECT_THAT(error_of(stays), HasSubstr("ha_set.json' is damaged"));
}

// As on a full disk: a set that a node could not make durable does not count there.
TEST_P(ChangedSet, NodesThatCannotSaveTheSetHoldTheChangeUp) {
  const auto in_the_way = [](const Node& node) { return node.state.path() + "/ha_set.json.tmp"; };
  for (const Node* node : {&slave(), &other_slave()}) {
    std::filesystem::create_directory(in_the_way(*node));
  }
  ASSERT_EQ(master_->plugin->set_option("remove_member", slave().id), HA_OK);
  for (Node* node : {&slave(), &other_slave()}) {
    ASSERT_TRUE(node->host.wait_for_log("which this node does not take"));
    EXPECT_EQ(node->plugin->sample("ha_set_version"), 0);
  }
  EXPECT_TRUE(changes(*master_));
  EXPECT_TRUE(put(*master_));
  for (const Node* node : {&slave(), &other_slave()}) {
    std::filesystem::remove(in_the_way(*node));
  }
  EXPECT_TRUE(Instance::eventually([&] { return !changes(*master_); }));
  EXPECT_TRUE(put(*master_));
}

TEST_P(ChangedSet, AnEngineThatLostItIsToldTheSetAgain) {
  ASSERT_EQ(master_->plugin->set_option("remove_member", slave().id), HA_OK);
  ASSERT_TRUE(Instance::eventually(
      [&] { return set_of(*master_).starts_with("version 2: ") && !changes(*master_); }));
  const std::string kept = keys().set.value;
  engine_->put_by_hand("set", R"({"version":1,"now":["a","b"],"copies":2,"joining":"",)"
                              R"("nodes":{"a":"h:1","b":"h:2"},"master":"a","epoch":1})");
  EXPECT_TRUE(Instance::eventually([&] { return keys().set.value == kept; }));
  engine_->put_by_hand("set", "nonsense");
  EXPECT_TRUE(master_->host.wait_for_log("the coordinator's key of the set is wrong"));
  EXPECT_TRUE(put(*master_));
}

}  // namespace
}  // namespace ha::testing
