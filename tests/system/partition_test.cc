// SPDX-License-Identifier: Apache-2.0
// The network between master and slave breaks, in both directions or in one, and heals.
#include <gtest/gtest.h>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/load.h"
#include "tests/system/network.h"
#include "tests/system/privilege.h"

namespace ha::system {
namespace {

class Partition : public Cluster {
 protected:
  void SetUp() override {
    HA_NEED(why_no_networks(), "HA_REQUIRE_NETNS");
    left_ = std::make_unique<Network>();
    right_ = std::make_unique<Network>();
    cable_ = std::make_unique<Cable>(*left_, *right_);
    const std::vector<std::string> quick = {"heartbeat_ms=100", "housekeeping_ms=1000",
                                            "connect_timeout_ms=500", "reconnect_max_ms=500"};
    master_ = &add({.name = "master",
                    .options = quick,
                    .ip = cable_->left_ip(),
                    .network = left_->descriptor()});
    slave_ = &add({.name = "slave",
                   .role = "slave",
                   .master = master_->ha(),
                   .options = quick,
                   .ip = cable_->right_ip(),
                   .network = right_->descriptor()});
    master_->wait_for_replicas(1);
  }
  void TearDown() override {
    Cluster::TearDown();
    nodes_.clear();  // before their networks go
  }

  // What holds after any cut: both notice, producers are told, and it goes on where it was.
  void expect_both_notice_and_recover(const std::function<void()>& cut) {
    Load load(*master_);
    load.wait_for_more(300);
    cut();
    slave_->wait_for("has lost its master", [](const json::value& now) {
      return text_at(now, "ha/client/state") != "transfer";
    });
    master_->wait_for_replicas(0);
    const json::value master_now = master_->status();
    const std::string reason = text_at(master_now, "ha/replicas/0/last_close_reason");
    EXPECT_NE(reason, "none");
    const std::string slave_reason = text_at(slave_->status(), "ha/client/last_reason");
    EXPECT_TRUE(slave_reason == "housekeeping" || slave_reason == "connect_timeout" ||
                slave_reason == "network" || slave_reason == "peer_closed")
        << slave_reason;
    EXPECT_EQ(text_at(master_->produce("T", "nobody", "2", "&timeout_ms=300").document(), "status"),
              "SLAVE_NOT_AVAILABLE");
    cable_->heal();
    master_->wait_for_replicas(1);
    load.wait_for_more(300);
    load.stop();
    slave_->wait_for_end_of(*master_);
    EXPECT_EQ(missing_or_doubled(load.acknowledged(), served_by(*slave_)), "");
    EXPECT_EQ(compare_logs(master_->store(), slave_->store(), 0, master_->log_end(),
                           master_->segment_size()),
              "");
  }

  static std::string served_by(const Node& node) {
    const Outcome outcome =
        stub({"consume", "--broker", node.url(), "--topic", "T"}, {}, node.network());
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    return outcome.output;
  }

  std::unique_ptr<Network> left_;
  std::unique_ptr<Network> right_;
  std::unique_ptr<Cable> cable_;
  Node* master_ = nullptr;
  Node* slave_ = nullptr;
};

TEST_F(Partition, InBothDirectionsIsNoticedByBothAndHeals) {
  expect_both_notice_and_recover([&] { cable_->cut(); });
}

TEST_F(Partition, FromMasterToSlaveIsNoticedByBothAndHeals) {
  expect_both_notice_and_recover([&] { cable_->cut_left_to_right(); });
}

TEST_F(Partition, FromSlaveToMasterIsNoticedByBothAndHeals) {
  expect_both_notice_and_recover([&] { cable_->cut_right_to_left(); });
}

}  // namespace
}  // namespace ha::system
