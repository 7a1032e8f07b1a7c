// SPDX-License-Identifier: Apache-2.0
// What a slave knows of its master's client API, and when it forgets it.

#include "broker/master_board.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "broker_fixture.h"
#include "ha/ext/metadata.h"
#include "ha/plugin.h"

namespace stub {
namespace {

using store::TempDir;

MasterNews news_of(const char* text) { return parse_master_news(boost::json::parse(text)); }

TEST(MasterBoard, TakesOnlyWhatIsAsItMustBe) {
  EXPECT_EQ(news_of(R"({"url":"http://a:1","id":"x","end":7,"later":[1]})"),
            (MasterNews{"http://a:1", "x", 7}));
  for (const auto* other :
       {"{}", "[]", "null", "\"http://a:1\"", "7", R"({"url":7,"id":{},"end":"7"})",
        R"({"end":-2})", R"({"end":1.5})", R"({"end":18446744073709551615})"}) {
    EXPECT_EQ(news_of(other), MasterNews{}) << other;
  }
  const std::string longest(kMaxClientUrl, 'a');
  EXPECT_EQ(parse_master_news({{"url", longest}}).url, longest);
  EXPECT_EQ(parse_master_news({{"url", longest + "a"}}).url, "");
  EXPECT_EQ(parse_master_news({{"id", std::string(kMaxMasterId + 1, 'a')}}).id, "");
}

TEST(MasterBoard, KnowsTheMasterThatThisNodeFollowsNow) {
  MasterBoard board("http://b:1", "b");
  board.learn({"http://a:1", "a", 7}, "10.0.0.1:1");
  EXPECT_EQ(board.heard_from("10.0.0.1:1").url, "http://a:1");
  EXPECT_EQ(board.heard_from("10.0.0.2:1"), MasterNews{});
  // A slave of a slave hears of the master, not of that slave.
  EXPECT_EQ(board.to_tell(9, "10.0.0.1:1"), (MasterNews{"http://a:1", "a", 9}));
  const auto before = board.version();
  board.set_master(true);
  EXPECT_NE(board.version(), before);
  EXPECT_EQ(board.heard_from("10.0.0.1:1"), MasterNews{});
  EXPECT_EQ(board.to_tell(9, ""), (MasterNews{"http://b:1", "b", 9}));
  board.set_master(false);
  EXPECT_EQ(board.to_tell(9, "10.0.0.1:1"), (MasterNews{"", "", 9}));
}

class MasterPlaces : public ::testing::Test {
 protected:
  void SetUp() override {
    auto options = broker_options(master_dir_.path(), Role::kMaster);
    options.client_url = "http://10.0.0.1:8080";
    options.plugin_options = {{"replica_id", "a"}};
    master_ = open_broker(options);
    slave_ = open_broker(broker_options(slave_dir_.path(), Role::kSlave));
    fake_.set_client_state(HA_STATE_TRANSFER);
  }
  void TearDown() override { fake_.set_client_state(0); }
  void write(const std::string& state) const {
    void* ctx = nullptr;
    const ha_host_api& host = fake_.host(1, &ctx);
    const auto* hooks =
        static_cast<const ha_ext_metadata*>(host.get_extension(ctx, HA_EXT_METADATA));
    hooks->write(ctx, state.data(), static_cast<std::int64_t>(state.size()), nullptr);
  }
  std::uint64_t version(int index) const {
    void* ctx = nullptr;
    const ha_host_api& host = fake_.host(index, &ctx);
    return static_cast<const ha_ext_metadata*>(host.get_extension(ctx, HA_EXT_METADATA))
        ->version(ctx);
  }

  const TempDir master_dir_, slave_dir_;
  const Fake fake_;
  std::unique_ptr<Broker> master_, slave_;
};

TEST_F(MasterPlaces, ComeWithTheOffsetsAndGoWithTheMaster) {
  EXPECT_FALSE(slave_->master_place());
  ASSERT_EQ(copy_metadata(fake_, 0, 1), HA_OK);
  ASSERT_TRUE(slave_->master_place());
  EXPECT_EQ(slave_->master_place()->url, "http://10.0.0.1:8080");
  EXPECT_EQ(slave_->master_place()->id, "a");
  EXPECT_FALSE(master_->master_place());
  fake_.set_client_state(HA_STATE_READY);
  EXPECT_FALSE(slave_->master_place());
  fake_.set_client_state(HA_STATE_TRANSFER);
  EXPECT_TRUE(slave_->master_place());
  // A node that knows nothing of this says nothing of it.
  write(R"({"offsetTable":{}})");
  EXPECT_FALSE(slave_->master_place());
  ASSERT_EQ(copy_metadata(fake_, 0, 1), HA_OK);
  slave_->promote(false);
  EXPECT_FALSE(slave_->master_place());
  slave_->demote();
  EXPECT_FALSE(slave_->master_place());
}

TEST_F(MasterPlaces, AreNotSpoiledByOtherBytes) {
  ASSERT_EQ(copy_metadata(fake_, 0, 1), HA_OK);
  write("{");
  EXPECT_TRUE(slave_->master_place());
  for (const auto* other : {R"({"offsetTable":{},"master":7})", R"({"offsetTable":{},"master":[]})",
                            R"({"offsetTable":{},"master":{"url":"","id":"x"}})"}) {
    write(other);
    EXPECT_FALSE(slave_->master_place()) << other;
  }
  // The rest is taken whatever stands there.
  write(R"({"offsetTable":{"t@g":{"0":0}},"master":{"url":{}}})");
  EXPECT_EQ(std::get<std::int64_t>(slave_->group_offset("g", "t", 0)), 0);
}

TEST_F(MasterPlaces, TheLagIsWhatTheMasterHeldAndTheSlaveDoesNot) {
  EXPECT_EQ(slave_->standing().lag_bytes, -1);
  ASSERT_EQ(produce(*master_, request("t", {"x"})).status, HA_OK);
  const auto end = produce(*master_, request("t", {"y"})).end_offset;
  ASSERT_EQ(copy_metadata(fake_, 0, 1), HA_OK);
  EXPECT_EQ(slave_->standing().lag_bytes, end);
  ASSERT_EQ(fake_.replicate(0, 1), HA_OK);
  EXPECT_EQ(slave_->standing().lag_bytes, 0);
  EXPECT_TRUE(slave_->standing().follows);
}

TEST_F(MasterPlaces, AMasterThatIsToldToStepBackTakesNoMessages) {
  EXPECT_EQ(master_->standing().role, Role::kMaster);
  EXPECT_EQ(master_->standing().refuses, "");
  master_->demote();
  EXPECT_EQ(master_->standing().role, Role::kSlave);
  master_->stop(0);
  EXPECT_FALSE(master_->standing().follows);
}

}  // namespace
}  // namespace stub
