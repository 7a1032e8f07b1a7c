// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/config/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

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
      {"busy_poll_max_waits", 0, 16'777'216},
      {"connect_timeout_ms", 10, 3'600'000},
      {"reconnect_max_ms", 50, 3'600'000},
      {"max_transfer_bytes_per_s", 0, INT64_MAX / 16},
      {"rocketmq_broker_id", 1, INT64_MAX},
      {"coordinator_ttl_ms", 2000, 60'000},
      {"failover_priority", 0, 100},
      {"suspect_after_ms", 100, 60'000},
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
    // Any text may be the name of a file or a user: who reads it says what is wrong.
    const bool any = doc.type == "file" || std::string(doc.key) == "coordinator_user";
    const std::string bad = any ? std::string("no\0file", 7) : "no such value";
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

TEST(Settings, TheRateOfACatchUpMayAdapt) {
  EXPECT_EQ(Settings{}.catch_up_bytes_per_s, Settings::kAdapt);
  for (const char* good : {"auto", "0", "1024"}) {
    EXPECT_EQ(apply_alone("catch_up_bytes_per_s", good), "");
  }
  EXPECT_TRUE(refused("catch_up_bytes_per_s", "1023", "1024 (or 0 for no limit)"));
  EXPECT_TRUE(refused("catch_up_bytes_per_s", "-1", "below the minimum, 0"));
  EXPECT_TRUE(refused("catch_up_bytes_per_s", "Auto", "is not auto, and is not a whole number"));
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
  EXPECT_EQ(s.quorum(), 0);
  EXPECT_EQ(apply_option(s, "replicas", "a@h1:1,b@[::1]:2,c@h3:3"), "");
  EXPECT_EQ(s.replicas.text(), "a@h1:1,b@[::1]:2,c@h3:3");
  EXPECT_EQ(s.replicas.ids(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(s.quorum(), 2);
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
  EXPECT_EQ(s.quorum(), 3);
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

// ---- option coordinator ----

TEST(Settings, TheCoordinatorIsAnEngineAndItsEndpoints) {
  struct Row {
    const char* value;
    const char* shown;
    bool https;
  };
  for (const Row& row : {
           Row{"etcd:http://10.0.0.1:2379", "etcd:http://10.0.0.1:2379", false},
           Row{"etcd:10.0.0.1:2379", "etcd:http://10.0.0.1:2379", false},
           Row{"etcd:http://e1:2379,e2:2379,http://e3:1", "etcd:http://e1:2379,e2:2379,e3:1",
               false},
           Row{"etcd:https://e1:2379,e2:2379", "etcd:https://e1:2379,e2:2379", true},
           Row{"etcd:https://e1:1,https://e2:2", "etcd:https://e1:1,e2:2", true},
           Row{"etcd:https://[::1]:2379 , [fe80::1%eth0]:2379",
               "etcd:https://[::1]:2379,[fe80::1%eth0]:2379", true},
           Row{"etcd:[2001:db8::1]:2379", "etcd:http://[2001:db8::1]:2379", false},
           Row{"host", "host", false},
           Row{"", "", false},
       }) {
    Settings s;
    EXPECT_EQ(apply_option(s, "coordinator", row.value), "");
    EXPECT_EQ(s.coordinator.text(), row.shown);
    EXPECT_EQ(s.coordinator.https, row.https);
    EXPECT_EQ(s.coordinator.empty(), std::string(row.value).empty());
    Settings again;
    EXPECT_EQ(apply_option(again, "coordinator", row.shown), "") << "what is shown can be given";
    EXPECT_EQ(again.coordinator.text(), row.shown);
  }
}

TEST(Settings, ACoordinatorIsRefusedInWords) {
  struct Row {
    const char* value;
    const char* why;
  };
  for (const Row& row : {
           Row{"10.0.0.1:2379", "does not begin with the engine's name"},
           Row{"http://10.0.0.1:2379", "does not begin with the engine's name"},
           Row{"consul:10.0.0.1:8500", "try etcd:http://10.0.0.1:2379"},
           Row{"Etcd:10.0.0.1:2379", "does not begin with the engine's name"},
           Row{"...", "does not begin with the engine's name"},
           Row{"host:", "or host for the lock service of the host"},
           Row{"etcd:", "names no endpoint"},
           Row{"etcd: ", "names no endpoint"},
           Row{"etcd:http://e1:1,https://e2:2", "mixes http and https"},
           Row{"etcd:https://e1:1,http://e2:2", "mixes http and https"},
           Row{"etcd:e1:1,https://e2:2", "mixes http and https"},
       }) {
    EXPECT_TRUE(refused("coordinator", row.value, row.why));
  }
  // Those of an address quote the endpoint.
  for (const auto& [value, why] :
       {std::pair("etcd:e1", "'e1' is not an address: it has no port"),
        std::pair("etcd:http://", "'' is not an address"), std::pair("etcd:e1:2379,", ""),
        std::pair("etcd:e1:2379,,e2:2379", "'' is not an address"),
        std::pair("etcd:e1:0", "port 0 cannot be connected to"),
        std::pair("etcd:e1:65536", "the port is not a number to 65535"),
        std::pair("etcd:http://e1:2379/v3", "the port is not a number to 65535"),
        std::pair("etcd:::1:2379", "an IPv6 address needs brackets"),
        std::pair("etcd:user@e1:2379", "a host name consists of"),
        std::pair("etcd:...", "it has no port")}) {
    const std::string said = apply_alone("coordinator", value);
    EXPECT_NE(said.find(why), std::string::npos) << value << ": " << said;
    EXPECT_EQ(said.empty(), std::string(why).empty()) << value << ": " << said;
  }
  Settings s;
  ASSERT_EQ(apply_option(s, "coordinator", "etcd:e1:1"), "");
  EXPECT_NE(apply_option(s, "coordinator", "etcd:https://e2:2,e3"), "");
  EXPECT_EQ(s.coordinator.text(), "etcd:http://e1:1") << "a refused value changes nothing";
  EXPECT_EQ(apply_option(s, "coordinator", ""), "");
  EXPECT_TRUE(s.coordinator.empty());
  EXPECT_FALSE(may_change_while_running("coordinator"));
}

TEST(Settings, TheCoordinatorsPrefixIsAPath) {
  EXPECT_EQ(Settings{}.coordinator_prefix, "/ha");
  const std::string longest = "/" + std::string(199, 'x');
  for (const std::string& good : {std::string("/a"), std::string("/ha/prod"), longest}) {
    Settings s;
    EXPECT_EQ(apply_option(s, "coordinator_prefix", good), "");
    EXPECT_EQ(s.coordinator_prefix, good);
  }
  for (const std::string& bad :
       {std::string(), std::string("/"), std::string("ha"), std::string("/ha/"),
        std::string("/h a"), std::string("/h\na"), std::string("/h\0a", 4), std::string("/h\xe4"),
        std::string("/h\x7f"), longest + "x"}) {
    EXPECT_NE(apply_alone("coordinator_prefix", bad).find("is not a path of keys"),
              std::string::npos)
        << bad;
  }
}

TEST(Settings, FailoverIsAutomaticOrNot) {
  EXPECT_EQ(Settings{}.failover, Failover::kAuto);
  Settings s;
  EXPECT_EQ(apply_option(s, "failover", "manual"), "");
  EXPECT_EQ(s.failover, Failover::kManual);
  EXPECT_EQ(apply_option(s, "failover", "auto"), "");
  EXPECT_EQ(s.failover, Failover::kAuto);
  EXPECT_TRUE(refused("failover", "off", "neither auto nor manual"));
  for (const char* key : {"failover", "failover_priority", "suspect_after_ms"}) {
    EXPECT_TRUE(may_change_while_running(key)) << key;
  }
}

// With a coordinator that all others agree with.
Settings supervised() {
  Settings s;
  for (const auto& [key, value] :
       {std::pair("replicas", "a@h:1,b@h:2,c@h:3"), std::pair("replica_id", "a"),
        std::pair("cluster_id", "prod"), std::pair("state_dir", "/"),
        std::pair("coordinator", "etcd:e:1")}) {
    EXPECT_EQ(apply_option(s, key, value), "");
  }
  EXPECT_EQ(check_together(s), "");
  return s;
}

TEST(Settings, ACoordinatorNeedsASetWithAName) {
  Settings s = supervised();
  s.cluster_id.clear();
  EXPECT_NE(check_together(s).find("'coordinator' needs options 'replicas'"), std::string::npos);
  s = supervised();
  s.replicas.nodes.clear();
  EXPECT_NE(check_together(s).find("'coordinator' needs options 'replicas'"), std::string::npos);
}

TEST(Settings, HttpsAndItsAuthoritiesGoTogether) {
  Settings s = supervised();
  s.coordinator_ca = "/ca.pem";
  EXPECT_NE(check_together(s).find("'coordinator_ca' is for https"), std::string::npos);
  s.coordinator.https = true;
  EXPECT_EQ(check_together(s), "");
  s.coordinator_ca.clear();
  EXPECT_NE(check_together(s).find("https needs option 'coordinator_ca'"), std::string::npos);
}

TEST(Settings, ACoordinatorsFilesComeInPairs) {
  struct Row {
    std::string Settings::*one;
    std::string Settings::*other;
    const char* said;
  };
  for (const Row& row : {Row{&Settings::coordinator_user, &Settings::coordinator_password_file,
                             "'coordinator_user' and 'coordinator_password_file' go together"},
                         Row{&Settings::coordinator_cert, &Settings::coordinator_key,
                             "'coordinator_cert' and 'coordinator_key' go together"}}) {
    for (const auto& given : {row.one, row.other}) {
      Settings s = supervised();
      s.coordinator.https = true;
      s.coordinator_ca = "/ca.pem";
      s.*given = "x";
      EXPECT_NE(check_together(s).find(row.said), std::string::npos) << check_together(s);
      s.*row.one = s.*row.other = "x";
      EXPECT_EQ(check_together(s), "");
    }
  }
}

TEST(Settings, WhatIsForEtcdIsNotForTheHost) {
  Settings s = supervised();
  ASSERT_EQ(apply_option(s, "coordinator", "host"), "");
  EXPECT_EQ(check_together(s), "");
  const auto is_for_etcd = [&](const std::function<void(Settings&)>& give) {
    Settings with = s;
    give(with);
    EXPECT_NE(check_together(with).find("are for etcd"), std::string::npos);
  };
  is_for_etcd([](Settings& with) { with.coordinator_ca = "/ca.pem"; });
  is_for_etcd([](Settings& with) { with.coordinator_user = with.coordinator_password_file = "x"; });
  is_for_etcd([](Settings& with) { with.coordinator_cert = with.coordinator_key = "x"; });
}

TEST(Settings, WhatIsForAnEngineNeedsOne) {
  const auto needs_one = [](const std::function<void(Settings&)>& give) {
    Settings s;
    give(s);
    EXPECT_NE(check_together(s).find("give option 'coordinator'"), std::string::npos);
  };
  needs_one([](Settings& s) { s.coordinator_ca = "/ca.pem"; });
  needs_one([](Settings& s) { s.coordinator_user = s.coordinator_password_file = "x"; });
  needs_one([](Settings& s) { s.coordinator_cert = s.coordinator_key = "x"; });
  Settings s;
  s.failover = Failover::kManual;
  s.failover_priority = 0;
  EXPECT_EQ(check_together(s), "") << "these say nothing without one, and harm nothing";
}

// With one copy all nodes must promise, and one of them is gone.
TEST(Settings, FailoverNeedsASecondCopy) {
  Settings s = supervised();
  s.default_copies = 1;
  EXPECT_NE(check_together(s).find("'auto' needs 'default_copies' of 2 or more"),
            std::string::npos);
  s.failover = Failover::kManual;
  EXPECT_EQ(check_together(s), "");
  s.failover = Failover::kAuto;
  for (const int copies : {0, 2, 3}) {
    s.default_copies = copies;
    EXPECT_EQ(check_together(s), "") << copies;
  }
}

TEST(Settings, ASilentMasterMissedMoreThanTwoHeartbeats) {
  Settings s = supervised();
  s.native_heartbeat_ms = 100;
  s.suspect_after_ms = 200;
  EXPECT_NE(check_together(s).find("'suspect_after_ms': 200 must be more than twice "
                                   "'native_heartbeat_ms' (100)"),
            std::string::npos)
      << check_together(s);
  s.suspect_after_ms = 201;
  EXPECT_EQ(check_together(s), "");
}

// Nobody suspects without one. Sets that beat slowly have started so far.
TEST(Settings, WithoutACoordinatorSuspicionSaysNothing) {
  Settings s;
  EXPECT_EQ(apply_option(s, "native_heartbeat_ms", "1000"), "");
  EXPECT_EQ(check_together(s), "");
}

}  // namespace
}  // namespace ha
