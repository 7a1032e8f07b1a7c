// SPDX-License-Identifier: Apache-2.0
// Attacks from the network and from a member's address. Each must have no effect, which is more
// than that it is refused.
#include <gmock/gmock.h>

#include "tests/unit/attacks.h"

namespace ha::testing {
namespace {

using core::Decision;
using core::Offset;
using core::Prepare;
using core::Reason;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::native::Bytes;

constexpr std::size_t kSlots = 8;

// Half of them begin to speak, and none says who it is.
class Crowd {
 public:
  void fill(std::int64_t port, std::span<const std::byte> words) {
    for (std::size_t i = 0; i < kSlots; ++i) {
      peers_.push_back(Peer::to(port));
      if (i % 2 == 0) peers_.back().send(words);
    }
  }

 private:
  std::vector<Peer> peers_;
};

class Crowded : public Attacks {
 protected:
  // Fills a's port with connections before its slaves come, while they follow, and while it votes.
  void crowd(std::span<const std::byte> words, const std::function<Options(Node&)>& options) {
    make(3);
    Options few = options(a());
    few.emplace_back("max_connections", std::to_string(kSlots));
    few.emplace_back("connections_per_address", "0");
    load(a(), few);
    a().plugin->start_forced_master();
    Crowd crowd;
    crowd.fill(a().port, words);
    for (Node* node : {&b(), &c()}) follow(*node, address(a()), options(*node));
    spread(a(), 1000);
    crowd.fill(a().port, words);
    EXPECT_TRUE(Instance::eventually(
        [&] { return a().plugin->sample("ha_connections_accepted_total") >= 2 * kSlots + 2; }));
    EXPECT_FALSE(any_left(a()));
    c().plugin.reset();
    crowd.fill(a().port, words);
    EXPECT_EQ(promote(b()), 2) << "the voter answers";
    EXPECT_EQ(a().host.count_logs("refused: option 'max_connections'"), 0U) << "nor for a moment";
  }
};

// Everybody who reaches the port may speak.
class OpenSet : public Crowded {};

// With option tls=require: a key file, or certificates of which one was stolen.
class ClosedSet : public Crowded, public ::testing::WithParamInterface<const char*> {
 protected:
  bool has_certificates() const { return std::string(GetParam()) == "certificates"; }
  Options closed(Node& node, const Options& more = {}) {
    Options all = has_certificates() ? with_certificate(node, "URI:ha:prod/" + node.id, "require")
                                     : with_keys(node, "require");
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void start_closed() {
    make(3);
    start(a(), HA_ROLE_MASTER, closed(a()));
    for (Node* node : {&b(), &c()}) follow(*node, address(a()), closed(*node));
    ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER));
    spread(a(), 1000);
  }
  // Any node of the set, which dials what it likes.
  Way thief_of_keys() {
    return {"who has the key file",
            context_of({"", "", "", "", c().state.path() + "/cluster.key"}, "c"), true};
  }
  // Who is not the node of that id. robbed: whose key one of them has.
  std::vector<Way> others_than(const std::string& id, Node& robbed) {
    std::vector<Way> all = {{"somebody without TLS", nullptr}};
    all.push_back(has_certificates() ? forger(id) : guesser(id));
    if (has_certificates()) all.push_back(thief(robbed));
    return all;
  }
  // Each of them in the place of that node, saying this to everybody.
  void each_impostor(const std::string& id, const std::vector<Bytes>& words,
                     const std::function<void(Impostor&, Road&)>& attack) {
    Node& robbed = id == "c" ? b() : c();
    closed(robbed);
    for (const Way& way : others_than(id, robbed)) {
      SCOPED_TRACE(way.who);
      Impostor impostor(words);
      Road road(impostor.port(), way.proof, Road::Tls::kFromCaller);
      make_with(3, id, road);
      attack(impostor, road);
      for (const auto& node : nodes_) node->plugin.reset();
      if (way.proof) {
        EXPECT_EQ(impostor.heard(), 0U) << "it is told nothing";
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(All, ClosedSet, ::testing::Values("keys", "certificates"),
                         [](const auto& shown) { return std::string(shown.param); });

// ---- who connects ----------------------------------------------------------------------------

TEST_P(ClosedSet, AStolenNameNeitherVotesNorAcknowledges) {
  make(3);
  load(a(), closed(a(), {{"missing_copies", "block"}}));
  closed(c());
  a().plugin->start_forced_master();
  const std::int64_t end = grow(a(), 100);
  a().host.set_durable(end);
  a().plugin->notify_durable(end);
  WaitLog waits;
  ASSERT_EQ(waits.wait(*a().plugin, end, 2, kLongMs, HA_DURABILITY_DURABLE), HA_OK);
  const auto steal = [&](const Way& way) {
    Road road(a().port, way.proof);
    NativeSlave false_b(road.port());
    core::Hello hello = hello_as("b");
    hello.incarnation = UINT64_MAX;
    false_b.peer().send(wire::native::opening());
    false_b.peer().send(wire::native::encode_hello(hello));
    false_b.ack(end, end, 1);
    EXPECT_TRUE(false_b.peer().wait_closed()) << way.who;
  };
  for (const Way& way : others_than("b", c())) steal(way);
  EXPECT_TRUE(waits.ended().empty());
  EXPECT_EQ(a().plugin->snapshot().replicas.size(), 0U);

  follow(b(), address(a()), closed(b(), {{"ack_durable", "true"}}));
  EXPECT_EQ(waits.first_status(), HA_OK) << "the true b has the vote";
  const std::string true_b = a().plugin->snapshot().replicas.at(0).address;
  for (const Way& way : others_than("b", c())) steal(way);
  EXPECT_TRUE(a().plugin->only_connection_is(true_b));
  EXPECT_FALSE(any_left(a()));
}

TEST_P(ClosedSet, NobodyElseFencesAMaster) {
  start_closed();
  const std::size_t roles = a().host.roles().size();
  for (Node* node : {&a(), &b(), &c()}) {
    const std::string name = node == &b() ? "a" : "b";
    for (const Way& way : others_than(name, c())) {
      SCOPED_TRACE(way.who + " at " + node->id);
      for (const auto mode : {Prepare::Mode::kPromise, Prepare::Mode::kForce}) {
        Road road(node->port, way.proof);
        NativeCandidate candidate(road.port());
        const auto promise = candidate.ask(prepare_as(name, mode, 2));
        EXPECT_EQ(promise.has_value(), way.member);
        EXPECT_FALSE(promise && promise->granted);
        EXPECT_TRUE(!promise || promise->reason == Reason::kIdentity) << promise->text;
      }
    }
  }
  for (const auto& node : nodes_) EXPECT_EQ(known(*node), 1) << node->id;
  EXPECT_EQ(a().host.roles().size(), roles);
  EXPECT_FALSE(any_left(a())) << "its slaves stay";
  EXPECT_GE(wait_result(*a().plugin, spread(a(), 10), 3, kLongMs), HA_OK);
}

TEST_P(ClosedSet, NobodyElsesPromiseMakesAMasterAskAgain) {
  start_closed();
  const std::size_t roles = a().host.roles().size();
  for (const Way& way : others_than("b", c())) {
    Road road(a().port, way.proof);
    NativeSlave slave(road.port());
    core::Hello hello = hello_as("b");
    hello.promised = 100;
    hello.promised_to = "c";
    slave.peer().send(wire::native::opening());
    slave.peer().send(wire::native::encode_hello(hello));
    EXPECT_TRUE(slave.peer().wait_closed()) << way.who;
  }
  EXPECT_GE(wait_result(*a().plugin, spread(a(), 10), 3, kLongMs), HA_OK);
  EXPECT_EQ(known(a()), 1);
  EXPECT_EQ(a().host.roles().size(), roles);
  EXPECT_FALSE(any_left(a()));
}

TEST_P(ClosedSet, AStrangerReadsNothing) {
  start_closed();
  for (Node* node : {&a(), &b()}) {
    const core::Hello hello = hello_as(node == &b() ? "a" : "b");
    for (const Way& way : others_than(hello.replica, c())) {
      SCOPED_TRACE(way.who);
      Road road(node->port, way.proof);
      for (const std::byte opening : {std::byte{0}, std::byte{0xFF}}) {
        if (way.member && opening != std::byte{0}) continue;
        Peer stranger = Peer::to(road.port());
        stranger.send(Bytes(8, opening));
        stranger.send(wire::native::encode_hello(hello));
        std::byte byte{};
        EXPECT_FALSE(stranger.read(&byte, 1));
      }
      if (!way.member) continue;
      // Who has a member's key is greeted as that member, and reads no log as another.
      NativeSlave robber(road.port());
      ASSERT_TRUE(robber.open());
      const auto answer = robber.say(hello);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->reason, Reason::kIdentity) << answer->text;
      EXPECT_EQ(robber.frame().offset, -1);
    }
  }
}

TEST_P(ClosedSet, AStrangerDoesNotCountAsACopyWithoutASet) {
  make(3);
  closed(c());
  Instance master(a().host, without_set("a", closed(a(), {{"missing_copies", "block"}})));
  master.start_master();
  const std::int64_t end = a().host.grow(100);
  master.notify(end);
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, 2, kLongMs), HA_OK);
  core::Hello hello = hello_of("b", 0, 0);
  hello.cluster = "prod";
  for (const Way& way : others_than("b", c())) {
    {
      Road road(master.port(), way.proof);
      NativeSlave native(road.port());
      native.peer().send(wire::native::opening());
      native.peer().send(wire::native::encode_hello(hello));
      native.ack(end, end);
      EXPECT_TRUE(native.peer().wait_closed()) << way.who;
    }
    if (way.member) continue;  // the RocketMQ wire has no names to lie about
    Road road(master.port(), way.proof);
    Peer rocketmq = Peer::to(road.port());
    rocketmq.report(0);
    rocketmq.report(end);
    EXPECT_TRUE(rocketmq.wait_closed()) << way.who;
  }
  EXPECT_TRUE(waits.ended().empty());
  Instance slave(b().host, without_set("b", closed(b())));
  slave.start_slave(address_of(master));
  EXPECT_EQ(waits.first_status(), HA_OK);
}

// A name for each connection would do what it takes three nodes for.
TEST_F(Attacks, OneStolenKeyIsOneCopyOnWhateverWire) {
  make(3);
  with_certificate(c(), "URI:ha:prod/c", "require");
  Options options = without_set("a", with_certificate(a(), "URI:ha:prod/a", "require"));
  options.emplace_back("missing_copies", "block");
  Instance master(a().host, options);
  master.start_master();
  const std::int64_t end = a().host.grow(100);
  master.notify(end);
  WaitLog waits;
  ASSERT_EQ(waits.wait(master, end, 3, kLongMs), HA_OK);
  const Way way = thief(c());
  Road road(master.port(), way.proof);
  NativeSlave native(road.port());
  const auto greeting = native.open();
  ASSERT_TRUE(greeting);
  core::Hello hello = hello_of("c", 0, end);
  hello.cluster = "prod";
  ASSERT_EQ(native.say(hello)->decision, Decision::kResume);
  ASSERT_TRUE(native.ack(end, end));
  std::vector<Peer> rocketmq;
  for (std::size_t i = 0; i < 2; ++i) {
    rocketmq.push_back(Peer::to(road.port()));
    ASSERT_TRUE(rocketmq.back().report(end));
    ASSERT_TRUE(a().host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, i + 2));
  }
  EXPECT_GE(wait_result(master, end, 2, kLongMs), HA_OK);
  EXPECT_TRUE(waits.ended().empty());
  Instance slave(b().host, without_set("b", with_certificate(b(), "URI:ha:prod/b", "require")));
  slave.start_slave(address_of(master));
  EXPECT_EQ(waits.first_status(), HA_OK);
}

// ---- who sits at a member's address ----------------------------------------------------------

TEST_P(ClosedSet, AnImpostorMasterHasNoSlave) {
  make(3);
  for (const bool resets : {true, false}) {
    const auto words = resets ? master_words("a", 1, Decision::kReset, 4096)
                              : master_words("a", 1, Decision::kResume, 0);
    each_impostor("a", words, [&](Impostor& master, Road& road) {
      if (resets) b().host.grow(200);
      follow(b(), road.address(), closed(b()));
      EXPECT_TRUE(b().host.wait_for_log("link to master"));
      EXPECT_TRUE(Instance::eventually([&] { return master.callers() > 1; }));
      EXPECT_EQ(b().host.end(), resets ? 200 : 0);
      EXPECT_EQ(b().host.count_logs("answered"), 0U);
      EXPECT_EQ(known(b()), 0);
      EXPECT_FALSE(b().state.has("ha_term.json"));
    });
  }
}

TEST_F(OpenSet, AnImpostorMasterEmptiesNoLogAndPoisonsNoEpoch) {
  struct Row {
    const char* name;
    std::int64_t epoch;
    Decision decision;
    const char* words;
  };
  const Row rows[] = {
      {"evil", 1, Decision::kReset, "calls itself 'evil'"},
      {"c", 1, Decision::kReset, "gives that address to 'a'"},
      {"a", 1, Decision::kReset, "it holds confirmed bytes"},
      {"evil", kFar, Decision::kReset, "calls itself 'evil'"},
      {"a", kFar, Decision::kReset, "option 'max_epoch_jump'"},
      {"a", kFar + 1, Decision::kReset, "link to master"},
      {"a", INT64_MAX, Decision::kReset, "link to master"},
      {"a", -1, Decision::kReset, "link to master"},
  };
  make(3);
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.name) + " " + std::to_string(row.epoch));
    Impostor master(master_words(row.name, row.epoch, row.decision, 4096));
    make_with(3, "a", master);
    b().host.grow(200);
    ASSERT_EQ(b().host.api()->confirm(&b().host, 0, 150), HA_OK);
    follow(b(), master.address());
    EXPECT_TRUE(b().host.wait_for_log(row.words));
    EXPECT_TRUE(Instance::eventually([&] { return master.callers() > 1; }));
    EXPECT_EQ(b().host.end(), 200);
    EXPECT_EQ(b().host.min(), 0);
    EXPECT_EQ(known(b()), 0);
    EXPECT_EQ(b().plugin->sample("ha_epoch"), 0);
    EXPECT_FALSE(b().state.has("ha_term.json"));
  }
}

TEST_P(ClosedSet, AnImpostorsPromiseDoesNotCount) {
  make(3);
  each_impostor("c", voter_words(promise_of("c", true)), [&](Impostor& voter, Road&) {
    start_and_hold(a(), HA_ROLE_SLAVE, closed(a()));
    const RoleSeen told = refused(a());
    EXPECT_EQ(told.reason, HA_REASON_NO_QUORUM) << told.text;
    EXPECT_THAT(told.text, HasSubstr("1 of 3 nodes granted it"));
    EXPECT_TRUE(Instance::eventually([&] { return voter.callers() > 0; }));
    EXPECT_EQ(known(a()), 0);
  });
}

// One that could say that it holds more would keep the set without a master.
TEST_P(ClosedSet, AnImpostorsPositionBlocksNoPromotion) {
  make(3);
  core::Promise promise = promise_of("c", false);
  promise.reason = Reason::kBehind;
  promise.known = 1000;
  promise.position = {1000, Offset(1 << 30)};
  each_impostor("c", voter_words(promise), [&](Impostor&, Road&) {
    for (Node* node : {&a(), &b()}) start_and_hold(*node, HA_ROLE_SLAVE, closed(*node));
    EXPECT_EQ(promote(a()), 1);
  });
}

TEST_F(OpenSet, AnImpostorOfAnotherNameHasNoVote) {
  for (const char* name : {"evil", "b", "a", ""}) {
    Impostor voter(voter_words(promise_of(name, true)));
    make_with(3, "c", voter);
    start_and_hold(a(), HA_ROLE_SLAVE);
    const RoleSeen told = refused(a());
    EXPECT_EQ(told.reason, HA_REASON_NO_QUORUM) << name;
    EXPECT_THAT(told.text, HasSubstr("'c' did not answer")) << name;
    EXPECT_TRUE(Instance::eventually([&] { return voter.callers() > 0; }));
    EXPECT_EQ(known(a()), 0) << name;
  }
}

TEST_F(OpenSet, NoEpochOutOfReachIsPromisedEnteredOrCountedFrom) {
  for (const std::int64_t epoch : {kFar, INT64_MAX, std::int64_t{-1}}) {
    core::Promise promise = promise_of("c", false);
    promise.reason = Reason::kEpoch;
    promise.known = epoch;
    Impostor voter(voter_words(promise));
    make_with(3, "c", voter);
    for (Node* node : {&a(), &b()}) start_and_hold(*node, HA_ROLE_SLAVE);
    EXPECT_EQ(promote(a()), 1);
    ASSERT_TRUE(b().host.wait_for_end(grow(a(), 100)));
    const std::size_t roles = a().host.roles().size();
    for (const auto mode : {Prepare::Mode::kPromise, Prepare::Mode::kForce}) {
      NativeCandidate candidate(a().port);
      const auto answer = candidate.ask(prepare_as("b", mode, epoch));
      EXPECT_FALSE(answer && answer->granted) << epoch;
    }
    NativeSlave slave(a().port);
    core::Hello hello = hello_as("b");
    hello.promised = epoch;
    hello.promised_to = "b";
    slave.peer().send(wire::native::opening());
    slave.peer().send(wire::native::encode_hello(hello));
    EXPECT_TRUE(slave.peer().wait_closed());
    EXPECT_GE(wait_result(*a().plugin, grow(a(), 10), 2, kLongMs), HA_OK);
    for (Node* node : {&a(), &b()}) EXPECT_EQ(known(*node), 1) << epoch;
    EXPECT_EQ(a().host.roles().size(), roles);
  }
}

// ---- slots -----------------------------------------------------------------------------------

TEST_F(OpenSet, SilentConnectionsKeepNoMemberOut) {
  crowd(wire::native::opening(), [](Node&) { return Options(); });
}

TEST_P(ClosedSet, SilentConnectionsKeepNoMemberOut) {
  std::vector<std::byte> hello(11);  // how a ClientHello begins
  hello[0] = std::byte{0x16};
  hello[1] = std::byte{0x03};
  hello[3] = std::byte{0x02};
  crowd(hello, [this](Node& node) { return closed(node); });
}

// ---- what is written and told ----------------------------------------------------------------

constexpr char kForged[] = "no\n2026-01-01 [info] FORGED\x1b[2J";

TEST_F(OpenSet, NoPeersWordsMakeALineOfTheirOwn) {
  core::Promise promise = promise_of("c", false);
  promise.reason = Reason::kHostError;
  promise.text = kForged;
  Impostor voter(voter_words(promise));
  make_with(3, "c", voter);
  start_and_hold(a(), HA_ROLE_SLAVE);
  EXPECT_THAT(refused(a()).text, HasSubstr("FORGED"));
  // As names, in a set, as a slave and as a candidate.
  const auto say = [&](const Bytes& message) {
    NativeSlave stranger(a().port);
    ASSERT_TRUE(stranger.open());
    stranger.peer().send(message);
    EXPECT_TRUE(stranger.peer().wait_closed());
  };
  for (std::string core::Hello::*which : {&core::Hello::replica, &core::Hello::cluster,
                                          &core::Hello::promised_to, &core::Hello::set}) {
    core::Hello hello = hello_as("b");
    hello.*which = kForged;
    say(wire::native::encode_hello(hello));
  }
  for (std::string Prepare::*which : {&Prepare::candidate, &Prepare::cluster, &Prepare::set}) {
    Prepare prepare = prepare_as("b", Prepare::Mode::kAsk, 1);
    prepare.*which = kForged;
    say(wire::native::encode_prepare(prepare));
  }
  expect_one_line(a());

  core::Answer answer;
  answer.reason = Reason::kHostError;
  answer.text = kForged;
  std::vector<Bytes> words = master_words("a", 1, Decision::kResume, 0);
  words[1] = wire::native::encode_answer(answer);
  Impostor master(words);
  make_with(3, "a", master);
  follow(b(), master.address());
  EXPECT_TRUE(b().host.wait_for_log("FORGED"));
  expect_one_line(b());
}

TEST_P(ClosedSet, WhatAPeerProvesItselfWithMakesNoLineOfItsOwn) {
  start_closed();
  // Another authority's name, and the name of the node that a key is for.
  const Way way = has_certificates() ? forger("b") : thief_of_keys();
  Road road(a().port, way.proof, Road::Tls::kToTarget, has_certificates() ? "a" : kForged);
  Peer stranger = Peer::to(road.port());
  stranger.send(wire::native::opening());
  EXPECT_TRUE(stranger.wait_closed());
  EXPECT_TRUE(a().host.wait_for_log("FORGED"));
  expect_one_line(a());
}

TEST_F(OpenSet, ARefusalNamesNeitherTheClusterNorItsMembers) {
  MemoryHost host;
  StateDir state;
  Instance master(host, native({{"replica_id", "alpha-node"},
                                {"replicas", "alpha-node@127.0.0.1:1,beta-node@127.0.0.1:2"},
                                {"state_dir", state.path()},
                                {"cluster_id", "treasury"}}));
  host.grow(100);
  master.start_forced_master();
  const auto tells_nothing = [](const std::string& text) {
    EXPECT_FALSE(text.empty());
    EXPECT_THAT(text, Not(AnyOf(HasSubstr("alpha"), HasSubstr("beta"), HasSubstr("treasury"))));
  };
  // The second has guessed the cluster's name.
  for (const std::string cluster : {"prod", "treasury"}) {
    for (const std::string set : {"x,y with default_copies 2", ""}) {
      NativeSlave slave(master.port());
      ASSERT_TRUE(slave.open());
      core::Hello hello = hello_of("mallory", 0, 0);
      hello.cluster = cluster;
      hello.set = set;
      const auto answer = slave.say(hello);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->decision, Decision::kRefuse);
      EXPECT_EQ(answer->master, "");
      EXPECT_EQ(answer->end, Offset(0)) << "nor what its log holds";
      tells_nothing(answer->text);
      for (const auto mode : {Prepare::Mode::kAsk, Prepare::Mode::kPromise}) {
        NativeCandidate candidate(master.port());
        const auto promise =
            candidate.ask({mode, kFar, {kFar, Offset(1000)}, cluster, "mallory", set});
        ASSERT_TRUE(promise);
        EXPECT_FALSE(promise->granted);
        EXPECT_EQ(promise->id, "");
        tells_nothing(promise->text);
      }
    }
  }
  Peer rocketmq = Peer::to(master.port());
  rocketmq.report(0);
  std::byte byte{};
  EXPECT_FALSE(rocketmq.read(&byte, 1));
}

// ---- on the path -----------------------------------------------------------------------------

TEST_P(ClosedSet, AFlippedByteEndsTheConnectionAndChangesNothing) {
  make(2);
  start_and_hold(a(), HA_ROLE_SLAVE, closed(a()));
  promote(a(), HA_ROLE_CHANGE_FORCE);
  Road road(a().port);
  replicas_ = "a@" + road.address() + ",b@" + address(b());
  follow(b(), road.address(), closed(b()));
  std::int64_t end = spread(a(), 1000);

  // The other side hears an alert of nearly the same words.
  const std::string found = "decryption failed or bad record mac";
  road.flip_from_target();
  end = spread(a(), 1000);
  EXPECT_TRUE(b().host.wait_for_log(found));
  EXPECT_TRUE(a().host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_TLS));
  ASSERT_TRUE(a().host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  EXPECT_GE(wait_result(*a().plugin, end, 2, kLongMs), HA_OK) << "by what came unchanged";

  road.flip_from_caller();
  end = spread(a(), 1000);
  EXPECT_TRUE(a().host.wait_for_log(found));
  ASSERT_TRUE(a().host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 3));
  EXPECT_GE(wait_result(*a().plugin, end, 2, kLongMs), HA_OK);
  EXPECT_TRUE(road.flipped());
  EXPECT_EQ(b().host.first_wrong_byte(), "");
  EXPECT_EQ(b().host.end(), end);
  for (Node* node : {&a(), &b()}) EXPECT_EQ(known(*node), 1);
}

}  // namespace
}  // namespace ha::testing
