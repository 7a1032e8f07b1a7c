// SPDX-License-Identifier: Apache-2.0
// Clients with a list of brokers go on when the master changes.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"

namespace ha::system {
namespace {

class ClientFailover : public Cluster {
 protected:
  void SetUp() override {
    master_ = &add_master();
    first_ = &add_slave(*master_, "first");
    second_ = &add_slave(*master_, "second");
    master_->wait_for_replicas(2);
  }
  // Slaves first: the way to the master is theirs to tell.
  std::string list() const { return first_->url() + "," + second_->url() + "," + master_->url(); }
  static std::string line(int number) { return "line " + std::to_string(number); }
  void wait_for_messages(const Node& node, std::int64_t count) const {
    node.wait_for("has " + std::to_string(count) + " messages", [&](const json::value& now) {
      const auto* topic = now.at("topics").as_object().if_contains("T");
      return topic != nullptr && number_at(*topic, "messages") >= count;
    });
  }

  Node* master_ = nullptr;
  Node* first_ = nullptr;
  Node* second_ = nullptr;
};

TEST_F(ClientFailover, SlavesNameTheirMastersClientAddress) {
  wait_until("the slave names its master", [&] {
    const HttpResponse refused = first_->produce("T", "x", "1");
    EXPECT_EQ(refused.status, 421);
    return refused.body.find("\"master\":{\"url\":\"" + master_->url() + "\"") != std::string::npos;
  });
  EXPECT_EQ(master_->http().get("/primary").status, 200);
  EXPECT_EQ(first_->http().get("/primary").status, 503);
  wait_until("the slave is near its master",
             [&] { return first_->http().get("/replica?lag=0").status == 200; });
  master_->kill();
  first_->wait_for("has lost its master", [&](const json::value& now) {
    return text_at(now, "ha/client/state") != "transfer";
  });
  EXPECT_EQ(first_->produce("T", "x", "1").body.find("\"master\":{"), std::string::npos);
  EXPECT_EQ(first_->http().get("/replica").status, 503);
  promote(*first_);
  EXPECT_EQ(first_->http().get("/primary").status, 200);
}

TEST_F(ClientFailover, AProducerGoesOnAtTheNewMasterAndLosesNothing) {
  constexpr int kLines = 300;
  Process producer({program("ha_stub"), "produce", "--broker", list(), "--topic", "T", "--acks",
                    "2", "--retry-unknown", "--timeout-ms", "20000", "--window", "8"},
                   {.error_file = folder_ / "producer.log", .input_pipe = true});
  for (int i = 0; i < kLines; ++i) {
    producer.write_line(line(i));
    if (i == kLines / 3) wait_for_messages(*master_, kLines / 3);
    if (i != kLines / 2) continue;
    // Both slaves are to have what was acknowledged, whichever it was acknowledged by.
    master_->kill();
    Node* best = first_->log_end() >= second_->log_end() ? first_ : second_;
    Node* other = best == first_ ? second_ : first_;
    promote(*best);
    follow(*other, *best);
    wait_for_messages(*best, 1);
  }
  producer.close_input();
  const json::value summary = parse_json(producer.read_all());
  EXPECT_EQ(producer.wait(), 0);
  EXPECT_EQ(number_at(summary, "acked"), kLines);
  EXPECT_EQ(number_at(summary, "failed"), 0);
  const Outcome read = stub({"consume", "--topic", "T", "--broker", list()});
  EXPECT_EQ(read.exit_code, 0) << read.errors;
  for (int i = 0; i < kLines; ++i) {
    EXPECT_NE(("\n" + read.output).find("\n" + line(i) + "\n"), std::string::npos) << line(i);
  }
}

TEST_F(ClientFailover, AReaderGoesOnAtItsCursor) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(master_->produce("T", line(i), "3").status, 200);
  Process reader({program("ha_stub"), "consume", "--follow", "--topic", "T", "--broker",
                  master_->url() + "," + first_->url()});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(reader.read_line(), line(i));
  master_->kill();
  promote(*first_);
  follow(*second_, *first_);
  first_->wait_for_replicas(1);
  for (int i = 10; i < 20; ++i) ASSERT_EQ(first_->produce("T", line(i), "2").status, 200);
  for (int i = 10; i < 20; ++i) EXPECT_EQ(reader.read_line(), line(i));
}

}  // namespace
}  // namespace ha::system
