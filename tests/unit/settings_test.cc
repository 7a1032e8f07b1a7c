// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/config/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace ha {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

std::string apply_alone(std::string_view key, std::string_view value) {
  Settings settings;
  return apply_option(settings, key, value);
}

// A refusal names the option, the value and what is wrong.
AssertionResult refused(std::string_view key, std::string_view value, std::string_view why) {
  const std::string said = apply_alone(key, value);
  for (const std::string& part :
       {std::string(key), "'" + std::string(value) + "'", std::string(why)}) {
    if (said.find(part) == std::string::npos) {
      return AssertionFailure() << '"' << said << "\" lacks " << part;
    }
  }
  return AssertionSuccess();
}

TEST(Settings, DefaultsAreTheDocumentedOnes) {
  const Settings s;
  EXPECT_EQ(s.listen.text(), "0.0.0.0:10912");
  EXPECT_EQ(s.heartbeat_ms, 7000);
  EXPECT_EQ(s.housekeeping_ms, 20000);
  EXPECT_EQ(s.first_report_timeout_ms, 20000);
  EXPECT_EQ(s.in_sync_replicas, 1);
  EXPECT_EQ(s.min_in_sync_replicas, 1);
  EXPECT_EQ(s.max_gap_not_in_sync_bytes, std::int64_t{256} << 20);
  EXPECT_FALSE(s.auto_in_sync_replicas);
  EXPECT_EQ(s.bootstrap, core::Bootstrap::kLatestSegment);
  EXPECT_EQ(s.rocketmq_replica_identity, ReplicaIdentity::kAuto);
  EXPECT_EQ(s.max_transfer_bytes_per_s, 0);
  EXPECT_LE(s.transfer_batch_bytes, (4 << 20) - 12);
  EXPECT_TRUE(s.metrics_listen.empty());
  EXPECT_EQ(s.wire, Wire::kAuto);
  EXPECT_GE(s.rocketmq_broker_id, 100'000) << "too near to the ids that a controller gives";
  EXPECT_FALSE(s.rocketmq_sync_from_last_file);
  EXPECT_TRUE(s.allow.allows("203.0.113.9"));
  EXPECT_EQ(check_together(s), "");
}

TEST(Settings, EveryDefaultIsAValueThatItsOptionTakes) {
  std::set<std::string> keys;
  for (const OptionDoc& doc : option_docs()) {
    EXPECT_TRUE(keys.insert(doc.key).second) << doc.key << " stands twice";
    EXPECT_EQ(apply_alone(doc.key, doc.default_value), "");
    EXPECT_TRUE(is_known_option(doc.key));
    EXPECT_EQ(may_change_while_running(doc.key), doc.while_running);
    EXPECT_FALSE(doc.meaning.empty() || doc.range.empty() || doc.type.empty()) << doc.key;
  }
  EXPECT_FALSE(is_known_option("heartbeat"));
  EXPECT_FALSE(may_change_while_running("heartbeat"));
}

TEST(Settings, NumbersHaveBounds) {
  struct Bound {
    const char* key;
    std::int64_t least;
    std::int64_t most;
  };
  const Bound bounds[] = {
      {"max_connections", 1, 4096},
      {"connections_per_address", 0, 4096},
      {"heartbeat_ms", 10, 3'600'000},
      {"housekeeping_ms", 20, 3'600'000},
      {"first_report_timeout_ms", 10'000, 3'600'000},
      {"transfer_batch_bytes", 1024, (4 << 20) - 12},
      {"in_sync_replicas", 1, 4097},
      {"min_in_sync_replicas", 1, 4097},
      {"max_gap_not_in_sync_bytes", 1, INT64_MAX},
      {"max_pending_waits", 1, 16'777'216},
      {"connect_timeout_ms", 10, 3'600'000},
      {"reconnect_max_ms", 50, 3'600'000},
      {"max_transfer_bytes_per_s", 0, INT64_MAX / 16},
      {"rocketmq_broker_id", 1, INT64_MAX},
  };
  for (const Bound& bound : bounds) {
    EXPECT_EQ(apply_alone(bound.key, std::to_string(bound.least)), "");
    EXPECT_EQ(apply_alone(bound.key, std::to_string(bound.most)), "");
    EXPECT_TRUE(refused(bound.key, std::to_string(bound.least - 1),
                        "below the minimum, " + std::to_string(bound.least)));
    if (bound.most < INT64_MAX) {
      EXPECT_TRUE(refused(bound.key, std::to_string(bound.most + 1),
                          "above the maximum, " + std::to_string(bound.most)));
    }
    // More digits than the machine's numbers have is still a whole number.
    EXPECT_TRUE(refused(bound.key, "99999999999999999999", "above the maximum"));
    EXPECT_TRUE(refused(bound.key, "-99999999999999999999", "below the minimum"));
    for (const char* bad : {"", "5s", "1.5", "0x10", " 5", "5 ", "+5", "ten", "1e3", "007", "-0"}) {
      EXPECT_TRUE(refused(bound.key, bad, "is not a whole number"));
    }
  }
}

TEST(Settings, ARefusedValueChangesNothing) {
  for (const OptionDoc& doc : option_docs()) {
    Settings settings;
    // Any text may be the name of a file: who reads it says what is wrong.
    const std::string bad = doc.type == "file" ? std::string("no\0file", 7) : "no such value";
    ASSERT_NE(apply_option(settings, doc.key, bad), "") << doc.key;
    EXPECT_EQ(settings.listen.text(), Settings{}.listen.text());
    EXPECT_EQ(settings.heartbeat_ms, Settings{}.heartbeat_ms);
    EXPECT_EQ(settings.allow.text(), "");
  }
}

TEST(Settings, ARateIsZeroOrAtLeastAKibibyte) {
  EXPECT_EQ(apply_alone("max_transfer_bytes_per_s", "1024"), "");
  EXPECT_TRUE(refused("max_transfer_bytes_per_s", "1023", "1024 (or 0 for no limit)"));
  EXPECT_TRUE(refused("max_transfer_bytes_per_s", "1", "1024 (or 0 for no limit)"));
}

TEST(Settings, ChoicesNameWhatCanBeChosen) {
  EXPECT_EQ(apply_alone("bootstrap", "earliest"), "");
  EXPECT_TRUE(refused("bootstrap", "Earliest", "neither latest_segment nor earliest"));
  for (const char* good : {"auto", "address", "connection"}) {
    EXPECT_EQ(apply_alone("rocketmq_replica_identity", good), "");
  }
  EXPECT_TRUE(refused("rocketmq_replica_identity", "host", "not one of auto, address, connection"));
  EXPECT_EQ(apply_alone("auto_in_sync_replicas", "true"), "");
  EXPECT_TRUE(refused("auto_in_sync_replicas", "yes", "neither true nor false"));
  EXPECT_TRUE(refused("rocketmq_sync_from_last_file", "1", "neither true nor false"));
  for (const char* wire : {"auto", "native", "rocketmq"}) EXPECT_EQ(apply_alone("wire", wire), "");
  EXPECT_EQ(apply_alone("wire", "rocketmq-autoswitch"), "");
  EXPECT_TRUE(
      refused("wire", "autoswitch", "not one of auto, native, rocketmq, rocketmq-autoswitch"));
}

TEST(Settings, TheStateDirectoryMustBeThere) {
  EXPECT_EQ(apply_alone("state_dir", ""), "");
  EXPECT_EQ(apply_alone("state_dir", "/"), "");
  EXPECT_TRUE(refused("state_dir", "/no/such/place", "is not a directory"));
  EXPECT_TRUE(refused("state_dir", "/dev/null", "is not a directory"));
}

TEST(Settings, ALearnerNeedsAPlaceForItsEpochs) {
  Settings s;
  s.wire = Wire::kRocketmqAutoswitch;
  EXPECT_NE(check_together(s).find("'rocketmq-autoswitch' needs option 'state_dir'"),
            std::string::npos);
  s.state_dir = "/";
  EXPECT_EQ(check_together(s), "");
  s.wire = Wire::kRocketmq;
  s.state_dir = "";
  EXPECT_EQ(check_together(s), "");
}

TEST(Settings, AddressesSayWhatIsWrong) {
  EXPECT_EQ(apply_alone("listen", "[::]:0"), "");
  EXPECT_TRUE(refused("listen", "10912", "it has no port"));
  EXPECT_EQ(apply_alone("metrics_listen", ""), "");
  EXPECT_EQ(apply_alone("metrics_listen", "127.0.0.1:0"), "");
  EXPECT_TRUE(refused("metrics_listen", "127.0.0.1:", "port"));
  EXPECT_TRUE(refused("allow", "10.0.0.0/33", "CIDR"));
}

TEST(Settings, ANameToListenOnIsRefusedWithTheWayOut) {
  for (const char* key : {"listen", "metrics_listen"}) {
    EXPECT_TRUE(refused(key, "localhost:9", "needs an IP address, not a name (try 0.0.0.0:9)"));
  }
}

TEST(Settings, AnUnknownOptionNamesItsNearest) {
  EXPECT_NE(apply_alone("hearbeat_ms", "5").find("'heartbeat_ms'"), std::string::npos);
  EXPECT_NE(apply_alone("insync_replicas", "2").find("'in_sync_replicas'"), std::string::npos);
  EXPECT_NE(apply_alone("Listen", "x").find("'listen'"), std::string::npos);
  const std::string said = apply_alone("hearbeat_ms", "5");
  EXPECT_NE(said.find("'hearbeat_ms'"), std::string::npos) << said;
  EXPECT_NE(said.find("'5'"), std::string::npos) << said;
}

TEST(Settings, AnOverlongUnknownOptionIsCutInTheMessage) {
  EXPECT_LT(apply_alone(std::string(100'000, 'x'), std::string(100'000, 'y')).size(), 400u);
  EXPECT_LT(apply_alone("heartbeat_ms", std::string(100'000, 'y')).size(), 400u);
  EXPECT_LT(apply_alone("listen", std::string(100'000, 'y')).size(), 600u);
  EXPECT_LT(apply_alone("allow", std::string(100'000, 'y')).size(), 600u);
}

TEST(Settings, OptionsMustFitTogether) {
  Settings s;
  s.heartbeat_ms = 10'000;
  EXPECT_NE(check_together(s).find("housekeeping_ms"), std::string::npos);
  EXPECT_NE(check_together(s).find("20000"), std::string::npos);
  s.housekeeping_ms = 20'001;
  EXPECT_EQ(check_together(s), "");

  s.min_in_sync_replicas = 2;
  EXPECT_NE(check_together(s).find("'min_in_sync_replicas': 2"), std::string::npos);
  s.in_sync_replicas = 2;
  EXPECT_EQ(check_together(s), "");

  s.max_connections = 1;
  EXPECT_EQ(check_together(s), "");
  s.in_sync_replicas = 3;
  EXPECT_NE(check_together(s).find("max_connections"), std::string::npos);
}

TEST(Settings, NamesAndTheConfiguredSet) {
  EXPECT_EQ(apply_alone("replica_id", "broker-1.eu"), "");
  EXPECT_TRUE(refused("replica_id", "10.0.0.1", "begin with a letter"));
  EXPECT_TRUE(refused("cluster_id", "a b", "other characters"));
  EXPECT_EQ(apply_alone("accept", "native"), "");
  EXPECT_EQ(apply_alone("accept", "rocketmq,native"), "");
  EXPECT_TRUE(refused("accept", "", "lets nobody in"));
  EXPECT_TRUE(refused("accept", "all", "not a list of native and rocketmq"));
  EXPECT_TRUE(refused("default_durability", "fsync", "neither received nor durable"));

  Settings s;
  EXPECT_EQ(s.replicas.quorum(), 0);
  EXPECT_EQ(apply_option(s, "replicas", "a@h1:1,b@[::1]:2,c@h3:3"), "");
  EXPECT_EQ(s.replicas.text(), "a@h1:1,b@[::1]:2,c@h3:3");
  EXPECT_EQ(s.replicas.ids(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(s.replicas.quorum(), 2);
  EXPECT_NE(check_together(s).find("is not in option 'replicas'"), std::string::npos);
  s.replica_id = "a";
  EXPECT_NE(check_together(s).find("needs option 'state_dir'"), std::string::npos);
  s.state_dir = "/";
  EXPECT_EQ(check_together(s), "");
  EXPECT_EQ(s.copies_by_default(), 2);
  const auto clashes = [&](auto change, const char* part) {
    Settings other = s;
    change(other);
    EXPECT_NE(check_together(other).find(part), std::string::npos) << check_together(other);
  };
  clashes([](Settings& o) { o.default_copies = 4; }, "'default_copies': 4");
  clashes([](Settings& o) { o.in_sync_replicas = 2; }, "'in_sync_replicas'");
  clashes([](Settings& o) { o.auto_in_sync_replicas = true; }, "'auto_in_sync_replicas'");
  clashes([](Settings& o) { o.wire = Wire::kRocketmq; }, "option 'wire'");
  clashes([](Settings& o) { o.min_in_sync_replicas = 3; }, "'min_in_sync_replicas': 3");
  EXPECT_EQ(apply_option(s, "replica_id", "b"), "");
  EXPECT_EQ(check_together(s), "");
  EXPECT_EQ(apply_option(s, "replicas", "a@h:1,b@h:2,c@h:3,d@h:4"), "");
  EXPECT_EQ(s.replicas.quorum(), 3);
  EXPECT_TRUE(refused("replicas", "h1:1", "not ID@HOST:PORT"));
  EXPECT_TRUE(refused("replicas", "a@h:1,a@h:2", "'a' twice"));
  // One process would be two copies.
  EXPECT_TRUE(refused("replicas", "a@h:1,b@H:1", "address H:1 twice, for 'a' and 'b'"));
  EXPECT_TRUE(refused("replicas", "a@[::1]:1,b@[0:0:0:0:0:0:0:1]:1", "twice, for 'a' and 'b'"));
  EXPECT_EQ(apply_alone("replicas", "a@h:1,b@h:2"), "");
  std::string many;
  for (int i = 1; i <= 128; ++i) many += "n" + std::to_string(i) + "@h:" + std::to_string(i) + ",";
  EXPECT_EQ(apply_alone("replicas", many.substr(0, many.size() - 1)), "");
  EXPECT_NE(apply_alone("replicas", many + "a@h:999").find("more than 128 nodes"),
            std::string::npos);
  EXPECT_NE(apply_alone("replicas", "a@h").find("has no port"), std::string::npos);
  EXPECT_TRUE(refused("native_heartbeat_ms", "5", "below the minimum"));
  Settings slow;
  EXPECT_EQ(apply_option(slow, "native_heartbeat_ms", "2500"), "");
  EXPECT_NE(check_together(slow).find("native_housekeeping_ms"), std::string::npos);
}

}  // namespace
}  // namespace ha
