// SPDX-License-Identifier: Apache-2.0
// Nodes of a configured set: who becomes master, what an old master's log becomes, what waits are
// told.

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "ha_plugin/net/candidate/campaign.h"
#include "ha_plugin/state/term_file.h"
#include "tests/unit/epoch_set.h"

namespace ha::testing {
namespace {

using core::Offset;
using core::Reason;

TEST_F(EpochSet, ANodeThatStartsAsMasterWaitsUntilEnoughHavePromised) {
  make(3);
  start(a(), HA_ROLE_MASTER);
  ASSERT_TRUE(a().host.wait_for_log("1 of 3 nodes granted it, 2 must"));
  EXPECT_TRUE(a().host.roles().empty());
  EXPECT_EQ(a().plugin->check_acks(1), HA_NOT_MASTER);

  start(b(), HA_ROLE_SLAVE);  // it finds its master itself
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER));
  ASSERT_TRUE(Instance::eventually(
      [&] { return b().plugin->snapshot().total.master_address == address(a()); }));
  EXPECT_EQ(last_role(a()).epoch, 1);
  const std::int64_t end = grow(a(), 100);
  ASSERT_TRUE(b().host.wait_for_end(end));
  EXPECT_GE(wait_result(*a().plugin, end, HA_ACKS_DEFAULT, kLongMs), HA_OK);
  EXPECT_EQ(wait_result(*a().plugin, end, 4, kLongMs), HA_INVALID) << "there are three nodes";
}

TEST_F(EpochSet, APromotedNodeTakesTheOldMastersPlace) {
  start_three();
  const std::int64_t end = spread(a(), 5000);
  WaitLog waits;
  ASSERT_EQ(waits.wait(*a().plugin, end + 1, HA_ACKS_DEFAULT, kLongMs), HA_OK);

  EXPECT_EQ(promote(b()), 2);
  // The old master is told first that it is none, then whom it follows; its waits end with the
  // truth.
  EXPECT_EQ(waits.first_status(), HA_EPOCH);
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_SLAVE, 3));
  const std::vector<RoleSeen> roles = a().host.roles();
  EXPECT_EQ(roles[1].role, HA_ROLE_NONE);
  EXPECT_EQ(roles[1].reason, HA_REASON_EPOCH);
  EXPECT_EQ(roles[2].reason, HA_REASON_EPOCH);
  for (const RoleSeen& own : {roles[1], roles[2]}) EXPECT_EQ(own.number, 0);
  EXPECT_NE(roles[2].text.find(address(b())), std::string::npos) << roles[2].text;
  EXPECT_EQ(a().plugin->check_acks(1), HA_NOT_MASTER);

  const std::int64_t further = spread(b(), 300);
  EXPECT_EQ(a().plugin->snapshot().total.epoch, 2);
  const auto epochs = c().plugin->status().at("epochs").as_array();
  ASSERT_EQ(epochs.size(), 2U);
  EXPECT_EQ(epochs[1].at("epoch"), 2);
  EXPECT_EQ(epochs[1].at("start"), end);
  EXPECT_EQ(epochs[1].at("master"), "b");
  EXPECT_EQ(a().plugin->sample("ha_promised_epoch"), 2);

  // What a caller appended under the old master is not waited for under the new one.
  EXPECT_EQ(waits.wait(*b().plugin, further, HA_ACKS_DEFAULT, kLongMs, HA_DURABILITY_DEFAULT, 1),
            HA_EPOCH);
}

TEST_F(EpochSet, BootstrapIsSaidToHaveNoEffect) {
  make(2);
  start(a(), HA_ROLE_NONE, {{"bootstrap", "latest_segment"}});
  start(b(), HA_ROLE_NONE);
  const std::string warning = "option 'bootstrap' has no effect with option 'replicas'";
  EXPECT_EQ(a().host.count_logs(warning), 1U);
  EXPECT_EQ(b().host.count_logs(warning), 0U);
  EXPECT_EQ(b().plugin->set_option("bootstrap", "earliest"), HA_OK);
  EXPECT_EQ(b().host.count_logs(warning), 1U);
}

TEST_F(EpochSet, EachRoleChangeIsAnsweredByItsNumber) {
  make(3);
  start(a(), HA_ROLE_SLAVE);
  // The first is refused, since the others are not there. The next come while it is under way.
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_MASTER, "", 0, 7), HA_OK);
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_NONE, "", 0, 3), HA_OK);
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_SLAVE, "", 0, 8), HA_OK);
  EXPECT_EQ(a().plugin->set_role(HA_ROLE_SLAVE, "", 0, -1), HA_INVALID);
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_SLAVE, 4));
  const std::vector<RoleSeen> roles = a().host.roles();
  EXPECT_EQ(roles[0].number, 0);
  EXPECT_EQ(roles[1].number, 7);
  EXPECT_EQ(roles[1].status, HA_AGAIN);
  EXPECT_EQ(roles[2].number, 3);
  EXPECT_EQ(roles[2].role, HA_ROLE_NONE);
  EXPECT_EQ(roles[3].number, 8);
}

TEST_F(EpochSet, StorageHooksGetTheEpochOfTheMaster) {
  make(2);
  start_all();
  const std::int64_t end = grow(a(), 100);
  ASSERT_TRUE(b().host.wait_for_confirm(end));
  ASSERT_TRUE(a().host.wait_for_confirm(end));
  EXPECT_EQ(b().host.epoch_of("append"), 1);
  EXPECT_EQ(b().host.epoch_of("confirm"), 1);
  EXPECT_EQ(a().host.epoch_of("confirm"), 1);

  EXPECT_EQ(promote(b()), 2);
  const std::int64_t further = grow(b(), 100);
  ASSERT_TRUE(a().host.wait_for_confirm(further));
  ASSERT_TRUE(b().host.wait_for_confirm(further));
  EXPECT_EQ(a().host.epoch_of("append"), 2);
  EXPECT_EQ(a().host.epoch_of("confirm"), 2);
  EXPECT_EQ(b().host.epoch_of("confirm"), 2);
}

TEST_F(EpochSet, ANodeThatHoldsLessIsRefusedWithoutSideEffects) {
  start_three();
  c().host.fail_append(HA_IO);
  const std::int64_t end = grow(a(), 100);
  ASSERT_TRUE(b().host.wait_for_end(end));
  const RoleSeen told = refused(c());
  EXPECT_EQ(told.role, HA_ROLE_SLAVE);  // which it stays
  EXPECT_EQ(told.status, HA_CONFLICT);
  EXPECT_EQ(told.reason, HA_REASON_BEHIND);
  EXPECT_NE(told.text.find("holds more"), std::string::npos) << told.text;
  EXPECT_EQ(a().host.roles().size(), 1U);
  WaitLog waits;
  EXPECT_EQ(waits.wait(*a().plugin, end, 3, kLongMs), HA_OK);
  c().host.fail_append(HA_OK);
  EXPECT_EQ(waits.first_status(), HA_OK);
}

TEST_F(EpochSet, TooFewPromisesAreRefusedUnlessForced) {
  start_three();
  ASSERT_TRUE(b().host.wait_for_end(grow(a(), 100)));
  a().plugin->stop();
  c().plugin->stop();
  const RoleSeen told = refused(b());
  EXPECT_EQ(told.status, HA_AGAIN);
  EXPECT_EQ(told.reason, HA_REASON_NO_QUORUM);
  EXPECT_NE(told.text.find("1 of 3 nodes granted it, 2 must"), std::string::npos) << told.text;
  EXPECT_NE(told.text.find("'c' did not answer"), std::string::npos) << told.text;
  EXPECT_EQ(promote(b(), HA_ROLE_CHANGE_FORCE), 2);
  EXPECT_TRUE(b().host.wait_for_log("acknowledged messages that only other nodes hold are lost"));
}

// The master takes messages that no slave gets, dies, and comes back to a new master.
TEST_F(EpochSet, AnOldMasterIsCutToWhatWasAcknowledgedAndFollows) {
  start_three();
  const std::int64_t end = spread(a(), 5000);
  ASSERT_TRUE(a().host.wait_for_confirm(end));
  b().host.fail_append(HA_IO);
  c().host.fail_append(HA_IO);
  grow(a(), 700);
  a().plugin.reset();
  EXPECT_EQ(a().host.end(), end + 700);
  // Nothing of it is under way any more.
  ASSERT_TRUE(b().host.wait_for_log("cannot connect"));
  ASSERT_TRUE(c().host.wait_for_log("cannot connect"));

  b().host.fail_append(HA_OK);
  c().host.fail_append(HA_OK);
  EXPECT_EQ(promote(b()), 2);
  const std::int64_t further = grow(b(), 60);
  ASSERT_TRUE(c().host.wait_for_end(further));

  // It is started as what it was, finds that another is master, and follows.
  start(a(), HA_ROLE_MASTER);
  ASSERT_TRUE(a().host.wait_for_end(further));
  EXPECT_EQ(last_role(a()).role, HA_ROLE_SLAVE);
  EXPECT_EQ(last_role(a()).reason, HA_REASON_EPOCH);
  EXPECT_EQ(a().host.first_wrong_byte(), "");
  EXPECT_EQ(a().plugin->sample("ha_client_truncated_bytes_total"), 700);
  const std::string kept =
      "ha_cut-" + std::to_string(end) + "-" + std::to_string(end + 700) + "-epoch-1";
  const std::vector<std::byte> cut = bytes_at(end, 700);
  EXPECT_EQ(a().state.read(kept),
            std::string(reinterpret_cast<const char*>(cut.data()), cut.size()));
  EXPECT_GE(wait_result(*b().plugin, further, 3, kLongMs), HA_OK);
}

// Readers have seen what must go: that is said, and done only when it is allowed.
TEST_F(EpochSet, WhatReadersSawIsCutOnlyWhenThatIsAllowed) {
  start_three();
  b().host.fail_append(HA_IO);
  c().plugin->stop();
  a().plugin->set_option("default_durability", "received");
  const std::int64_t end = grow(a(), 400);
  ASSERT_EQ(a().host.api()->confirm(&a().host, 0, end), HA_OK);  // as if
  a().plugin.reset();
  ASSERT_TRUE(b().host.wait_for_log("cannot connect"));
  b().host.fail_append(HA_OK);
  promote(b(), HA_ROLE_CHANGE_FORCE);
  grow(b(), 50);
  start(a(), HA_ROLE_MASTER);
  ASSERT_TRUE(a().host.wait_for_log("'allow_unsafe_truncation'"));
  EXPECT_EQ(a().host.end(), end);
  for (const auto& file : std::filesystem::directory_iterator(a().state.path())) {
    EXPECT_FALSE(file.path().filename().string().starts_with("ha_cut-"))
        << "a log that is not cut needs no copy";
  }
  ASSERT_EQ(a().plugin->set_option("allow_unsafe_truncation", "true"), HA_OK);
  ASSERT_EQ(a().plugin->set_master_address(address(b()).c_str()), HA_OK);
  ASSERT_TRUE(a().host.wait_for_end(50));
}

// Readers of a master see what the default number of copies holds, and its slaves hear of it.
TEST_F(EpochSet, ReadersSeeWhatEnoughCopiesHold) {
  make(3);
  // An idle slave hears of it without waiting for a heartbeat.
  start_all({{"native_heartbeat_ms", "100000"}, {"native_housekeeping_ms", "300000"}});
  const std::int64_t end = grow(a(), 1000);
  ASSERT_TRUE(a().host.wait_for_confirm(end));
  ASSERT_TRUE(b().host.wait_for_confirm(end));
  b().host.fail_append(HA_IO);
  c().host.fail_append(HA_IO);
  grow(a(), 10);
  ASSERT_TRUE(a().host.wait_for_log("left"));
  const auto told = a().host.confirms();
  EXPECT_EQ(told.back(), end);
}

// A bit that flips in a frame's header is found only when its body is there.
TEST_F(EpochSet, AFramesConfirmOffsetIsBelievedWhenTheFrameIsWhole) {
  make(2);
  b().host.grow(200);
  Listener listener;
  follow(b(), listener.address());
  NativeMaster a(listener.accept());
  core::Greeting greeting{core::kNativeVersion,
                          core::kNativeVersion,
                          Offset(0),
                          Offset(300),
                          1,
                          {{1, Offset(200), "a"}},
                          set_text()};
  const auto hello = a.greet(greeting);
  ASSERT_TRUE(hello);
  core::Answer answer;
  answer.decision = core::Decision::kResume;
  answer.offset = hello->end;
  answer.master = "a";
  ASSERT_TRUE(a.answer(answer));
  const auto send = [&](std::int64_t at, std::int64_t confirm, std::byte damage) {
    std::vector<std::byte> body = bytes_at(at, 10);
    const auto start =
        wire::native::encode_data({1, Offset(at), Offset(confirm), 1, 10}, body.data());
    body.back() ^= damage;
    return a.peer().send(start) && a.peer().send(body);
  };
  ASSERT_TRUE(send(200, -1, {}));
  ASSERT_TRUE(a.ack_with(210));
  // Readers have a bound before the first byte, though the master has confirmed nothing.
  EXPECT_EQ(b().host.confirms(), std::vector<std::int64_t>{0});
  ASSERT_TRUE(send(210, 150, {}));
  ASSERT_TRUE(a.ack_with(220));
  ASSERT_TRUE(send(220, 190, std::byte{1}));
  ASSERT_TRUE(b().host.wait_for_log("was changed on the way"));
  EXPECT_EQ(b().host.confirms(), (std::vector<std::int64_t>{0, 150}));
}

// A slave that has promised this master's epoch, or a newer one, to another node says so; the
// master asks again.
TEST_F(EpochSet, AMasterLearnsOfANewerPromiseFromASlave) {
  make(2);
  start_and_hold(a(), HA_ROLE_NONE);
  promote(a(), HA_ROLE_CHANGE_FORCE);
  WaitLog waits;
  ASSERT_EQ(waits.wait(*a().plugin, 10, 2, kLongMs), HA_SLAVE_NOT_AVAILABLE);
  NativeSlave b(a().port);
  ASSERT_TRUE(b.open());
  core::Hello hello = hello_of("b", 0, 0);
  hello.cluster = "prod";
  hello.promised = 1001;
  hello.promised_to = "z";
  EXPECT_EQ(b.say(hello)->reason, Reason::kEpoch);
  ASSERT_TRUE(a().host.wait_for_log("'z' is not another node"));
  EXPECT_EQ(last_role(a()).role, HA_ROLE_MASTER) << "a stranger's name deposes nobody";

  NativeSlave again(a().port);
  ASSERT_TRUE(again.open());
  hello.promised_to = "b";
  WaitLog pending;
  ASSERT_EQ(a().plugin->set_option("missing_copies", "block"), HA_OK);
  ASSERT_EQ(pending.wait(*a().plugin, 10, 2, kLongMs), HA_OK);
  EXPECT_EQ(again.say(hello)->reason, Reason::kEpoch);
  EXPECT_EQ(pending.first_status(), HA_EPOCH);
  // Of two nodes that need two copies one is enough: nobody else is master, so it is again.
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER, 4));
  EXPECT_EQ(a().host.roles()[2].role, HA_ROLE_NONE);
  EXPECT_EQ(a().host.roles()[2].reason, HA_REASON_EPOCH);
  EXPECT_EQ(last_role(a()).epoch, 1002);

  // The same number promised to another is as good a reason: that slave would never follow.
  NativeSlave same(a().port);
  ASSERT_TRUE(same.open());
  hello.promised = 1002;
  EXPECT_EQ(same.say(hello)->reason, Reason::kEpoch);
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER, 6));
  EXPECT_EQ(last_role(a()).epoch, 1003);
}

// A frame that does not come whole was about to take this log into an epoch, and did not.
TEST_F(EpochSet, AnEpochIsEnteredWithItsBytesOnly) {
  make(2);
  Listener as_a;
  replicas_ = "a@" + as_a.address() + ",b@" + address(b());
  follow(b(), as_a.address());
  const std::vector<core::EpochEntry> epochs = {{1, Offset(0), "a"}, {2, Offset(100), "a"}};
  const core::Greeting greeting{
      core::kNativeVersion, core::kNativeVersion, Offset(0), Offset(200), 2, epochs, set_text()};
  const auto serve = [&](NativeMaster& master) {
    const auto hello = master.greet(greeting);
    EXPECT_TRUE(hello);
    core::Answer answer;
    answer.decision = core::Decision::kResume;
    answer.offset = hello ? hello->end : Offset(0);
    answer.master = "a";
    EXPECT_TRUE(master.answer(answer));
    return hello.value_or(core::Hello{});
  };
  {
    NativeMaster a(as_a.accept());
    serve(a);
    ASSERT_TRUE(a.peer().send(native_frame(0, 80, 2)));
    const auto ack = a.ack_with(80);
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->epoch, 1) << "it has not come to epoch 2";
    const auto frame = native_frame(80, 70, 2);
    ASSERT_TRUE(a.peer().send(std::span(frame).first(frame.size() - 1)));
  }
  NativeMaster a(as_a.accept());
  const core::Hello hello = serve(a);
  EXPECT_EQ(hello.end, Offset(80));
  EXPECT_EQ(hello.history, std::vector<core::EpochEntry>{epochs[0]});
  EXPECT_EQ(hello.promised, 2);
  EXPECT_EQ(hello.promised_to, "a");
  ASSERT_TRUE(a.peer().send(native_frame(80, 20, 2)));
  const auto ack = a.ack_with(100);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->epoch, 2) << "its end is where epoch 2 begins";
}

// Its slaves follow another one, and nobody tells it.
TEST_F(EpochSet, AMasterThatIsLeftAloneLooksAround) {
  start_three();
  ASSERT_TRUE(b().host.wait_for_end(grow(a(), 100)));
  // As if a had been stopped for so long: the others change their master without it.
  b().plugin.reset();
  c().plugin.reset();
  const std::string kept = replicas_;
  replicas_ = "a@127.0.0.1:1,b@" + address(b()) + ",c@" + address(c());
  start(b(), HA_ROLE_NONE);
  start(c(), HA_ROLE_SLAVE);
  ASSERT_TRUE(Instance::eventually([&] { return last_role(b()).role == HA_ROLE_NONE; }));
  EXPECT_EQ(promote(b()), 2);
  replicas_ = kept;
  ASSERT_TRUE(a().host.wait_for_log("another node knows of epoch 2"));
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_SLAVE, 3));
  EXPECT_EQ(last_role(a()).reason, HA_REASON_EPOCH);
}

// A candidacy that failed after the node had promised itself the epoch.
TEST_F(EpochSet, AFailedCandidateFollowsTheMasterThatThereIs) {
  start_three();
  b().plugin.reset();
  core::Term failed{7, "b", {}};
  failed.history.append({1, Offset(0), "a"});
  b().state.write("ha_term.json", format_term(failed));
  start(b(), HA_ROLE_MASTER);
  // Its master takes an epoch above that, and serves it.
  ASSERT_TRUE(Instance::eventually([&] { return last_role(a()).epoch == 8; }));
  ASSERT_TRUE(b().host.wait_for_end(grow(a(), 100)));
  EXPECT_EQ(last_role(b()).role, HA_ROLE_SLAVE);
}

// A disk that was full for a moment must not leave a node of a set without a role.
TEST_F(EpochSet, ACandidateThatCannotKeepItsPromiseIsASlaveAgain) {
  start_three();
  std::filesystem::create_directory(b().state.path() + "/ha_term.json.tmp");
  const RoleSeen told = refused(b());
  EXPECT_EQ(told.status, HA_IO);
  EXPECT_EQ(told.role, HA_ROLE_SLAVE);
  ASSERT_TRUE(b().host.wait_for_end(grow(a(), 100)));
  std::filesystem::remove(b().state.path() + "/ha_term.json.tmp");
  promote(b());
}

TEST_F(EpochSet, AStartAsMasterOutlivesAFullDisk) {
  make(1);
  std::filesystem::create_directory(a().state.path() + "/ha_term.json.tmp");
  start(a(), HA_ROLE_MASTER);
  ASSERT_TRUE(a().host.wait_for_log("not master yet, asking again: cannot create"));
  std::filesystem::remove(a().state.path() + "/ha_term.json.tmp");
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER));
}

TEST_F(EpochSet, APromiseIsKeptAcrossARestart) {
  make(3);
  start_and_hold(a(), HA_ROLE_NONE);
  const auto ask = [&](const char* candidate, std::int64_t epoch) {
    const core::Prepare prepare{
        core::Prepare::Mode::kPromise, epoch, {}, "prod", candidate, set_text()};
    net::Address at{"127.0.0.1", static_cast<std::uint16_t>(a().port)};
    net::Resolver resolver;
    metrics::HaMetrics metrics;
    net::TlsPolicy tls(metrics);
    return net::ask_nodes({{"a", at}}, prepare, kPatience, resolver, tls).at(0).promise.value();
  };
  EXPECT_TRUE(ask("b", 5).granted);
  EXPECT_FALSE(ask("c", 5).granted);
  a().plugin.reset();
  EXPECT_TRUE(a().host.replicas().empty())
      << "a node that asks is not a slave that was turned away";
  EXPECT_EQ(a().host.count_level(HA_LOG_WARN), 0U);
  start(a(), HA_ROLE_NONE);
  ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_NONE, 2));
  EXPECT_FALSE(ask("c", 5).granted);
  EXPECT_EQ(ask("c", 5).known, 5);
  EXPECT_TRUE(ask("c", 6).granted);
  EXPECT_FALSE(ask("d", 7).granted) << "it is none of the set";
  EXPECT_EQ(ask("c", 7 + core::kMaxEpochJump).reason, Reason::kEpoch);

  a().plugin.reset();
  a().state.write("ha_term.json", "{\"promised\":0}");
  load(a());
  EXPECT_EQ(a().plugin->start(HA_ROLE_NONE), HA_CORRUPT);
  EXPECT_NE(std::string(a().plugin->error().text).find("ha_term.json"), std::string::npos);
}

// A promise that is not on disk was not given.
TEST_F(EpochSet, APromiseThatCannotBeKeptIsRefused) {
  make(2);
  start_and_hold(a(), HA_ROLE_NONE);
  std::filesystem::create_directory(a().state.path() + "/ha_term.json.tmp");
  const core::Prepare prepare{core::Prepare::Mode::kPromise, 5, {}, "prod", "b", set_text()};
  net::Address at{"127.0.0.1", static_cast<std::uint16_t>(a().port)};
  net::Resolver resolver;
  metrics::HaMetrics metrics;
  net::TlsPolicy tls(metrics);
  const core::Promise answer =
      net::ask_nodes({{"a", at}}, prepare, kPatience, resolver, tls).at(0).promise.value();
  EXPECT_FALSE(answer.granted);
  EXPECT_EQ(answer.reason, Reason::kHostError);
  EXPECT_NE(answer.text.find("ha_term.json.tmp"), std::string::npos) << answer.text;
  EXPECT_EQ(a().plugin->sample("ha_promised_epoch"), 0);
}

// It was told of no epochs, and would take this node for one that keeps none.
TEST_F(EpochSet, ASlaveGreetedBeforeTheNodeWasMasterComesAgain) {
  make(2);
  start_and_hold(a(), HA_ROLE_NONE);
  NativeSlave early(a().port);
  const auto greeting = early.open();
  ASSERT_TRUE(greeting);
  EXPECT_EQ(greeting->epoch, 0);
  promote(a(), HA_ROLE_CHANGE_FORCE);
  EXPECT_TRUE(early.peer().wait_closed());
  NativeSlave late(a().port);
  EXPECT_EQ(late.open()->epoch, 1);
}

// What the night call asks first: who holds the producers up, since when, and why.
TEST_F(EpochSet, StatusSaysWhoBlocksTheProducers) {
  start_three({{"missing_copies", "block"}});
  EXPECT_TRUE(a().plugin->status().at("blocked").is_null());
  b().plugin.reset();
  c().host.fail_append(HA_IO);
  WaitLog waits;
  ASSERT_EQ(waits.wait(*a().plugin, grow(a(), 10), 3, kLongMs), HA_OK);
  ASSERT_TRUE(Instance::eventually([&] { return !a().plugin->status().at("blocked").is_null(); }));
  const auto blocked = a().plugin->status().at("blocked");
  EXPECT_EQ(blocked.at("waits"), 1);
  EXPECT_GE(blocked.at("for_ms").as_int64(), 1000);
  std::vector<std::string> who;
  for (const auto& one : blocked.at("because").as_array())
    who.emplace_back(one.at("id").as_string());
  EXPECT_EQ(who, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(blocked.at("because").at(0).at("what"), "gone");
  EXPECT_NE(blocked.at("because").at(0).at("reason"), "none");
  a().plugin->stop();  // ends the wait
}

TEST_F(EpochSet, EpochsAndForceNeedASet) {
  MemoryHost host;
  Instance alone(host);
  alone.start_master();
  EXPECT_EQ(alone.set_role(HA_ROLE_MASTER, "", HA_ROLE_CHANGE_FORCE), HA_UNSUPPORTED);
  EXPECT_EQ(alone.set_role(HA_ROLE_MASTER, "", 2), HA_INVALID);
}

TEST_F(EpochSet, AHostsOwnStoreKeepsThePromisesInsteadOfFiles) {
  MemoryHost host({.state_store = true});
  StateDir state;
  const auto options = [&] {
    return native({{"replica_id", "a"},
                   {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2"},
                   {"state_dir", state.path()}});
  };
  core::Term before;
  ASSERT_EQ(TermFile(StateStore(state.path())).save(core::promised_by({}, 7, "b")), "");
  {
    // A file of the time before the host had a store counts as long as that has nothing.
    Instance node(host, options());
    node.start_forced_master();
    EXPECT_EQ(host.roles().back().epoch, 8);
  }
  core::Term kept;
  ASSERT_EQ(parse_term(host.state("ha_term.json"), kept), "");
  EXPECT_EQ(kept.promised, 8);
  ASSERT_EQ(TermFile(StateStore(state.path())).load(before), "");
  EXPECT_EQ(before.promised, 7) << "the file stays as it was";
  {
    Instance node(host, options());
    node.start_forced_master();
    EXPECT_TRUE(Instance::eventually([&] { return host.roles().back().epoch == 9; }));
  }
  host.set_state("ha_term.json", "{}");
  Instance node(host, options());
  EXPECT_EQ(node.start(HA_ROLE_SLAVE), HA_CORRUPT);
  EXPECT_NE(std::string(node.error().text).find("ha_term.json in the host's store"),
            std::string::npos);
}

TEST_F(EpochSet, AQuorumIsAMajorityOfTheConfiguredSet) {
  make(5);
  a().host.grow(100);
  load(a());
  a().plugin->start_forced_master();
  NativeSlave b(a().port);
  NativeSlave c(a().port);
  join(b, "b", 100);
  ASSERT_TRUE(b.ack(100, 0, 1));
  ASSERT_TRUE(a().host.wait_for_replica(HA_REPLICA_CAUGHT_UP, HA_REASON_NONE));
  WaitLog waits;
  ASSERT_EQ(waits.wait(*a().plugin, 100, HA_ACKS_QUORUM, kLongMs), HA_OK);
  join(c, "c", 100);
  ASSERT_TRUE(a().host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, 2));
  // Bytes of before this master's epoch are not what it promised.
  ASSERT_TRUE(c.ack(100, 0, 0));
  EXPECT_NE(c.frame().offset, -1);
  EXPECT_TRUE(waits.ended().empty());
  ASSERT_TRUE(c.ack(100, 0, 1));
  EXPECT_EQ(waits.first_status(), HA_OK);
  ASSERT_TRUE(c.ack(100, 0, 2));
  EXPECT_TRUE(a().host.wait_for_replica(HA_REPLICA_LEFT, HA_REASON_EPOCH));
}

}  // namespace
}  // namespace ha::testing
