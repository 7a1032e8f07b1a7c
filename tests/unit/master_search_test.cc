// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/master_search.h"

#include <gtest/gtest.h>

namespace ha::net {
namespace {

using core::Reason;
using std::chrono::seconds;

constexpr core::Time kLongest = seconds(5);

Address at(const std::string& host) { return {host, 10912}; }

MasterSearch search_of(std::vector<Address> candidates) {
  MasterSearch search;
  search.begin(std::move(candidates));
  return search;
}

TEST(MasterSearch, GoesAroundTheSetBeginningWithTheNamedNode) {
  MasterSearch search = search_of({at("a"), at("b"), at("c")});
  for (const char* host : {"a", "b", "c", "a"}) {
    EXPECT_EQ(search.next().host, host);
    search.on_end(Reason::kNetwork, kLongest);
  }
}

TEST(MasterSearch, TheNamedNodeHasTimeToBecomeMaster) {
  MasterSearch search = search_of({at("a"), at("b")});
  for (int i = 0; i < 4; ++i) {
    search.on_end(Reason::kNotServing, kLongest);
    EXPECT_EQ(search.next().host, "a") << i;
  }
  search.on_end(Reason::kNotServing, kLongest);
  EXPECT_EQ(search.next().host, "b");
  search.on_end(Reason::kNotServing, kLongest);
  EXPECT_EQ(search.next().host, "a") << "the others have no such time";
}

TEST(MasterSearch, TheNamedNodeMayCloseWhenItBecomesMaster) {
  MasterSearch search = search_of({at("a"), at("b")});
  for (const Reason reason : {Reason::kNetwork, Reason::kPeerClosed}) {
    search.on_end(reason, kLongest, true);
    EXPECT_EQ(search.next().host, "a");
  }
  search.on_end(Reason::kNetwork, kLongest, false);
  EXPECT_EQ(search.next().host, "b") << "nobody listens there";
}

TEST(MasterSearch, WaitsLongestForWhatOnlyTheMasterCanFix) {
  MasterSearch alone = search_of({at("a")});
  EXPECT_FALSE(alone.on_end(Reason::kNetwork, kLongest).patient);
  const MasterSearch::Retry mismatch = alone.on_end(Reason::kOffsetMismatch, kLongest);
  EXPECT_TRUE(mismatch.patient);
  EXPECT_EQ(mismatch.pause, kLongest);
  EXPECT_TRUE(alone.on_end(Reason::kEpoch, kLongest).patient);
  MasterSearch set = search_of({at("a"), at("b")});
  EXPECT_FALSE(set.on_end(Reason::kEpoch, kLongest).patient) << "there is another to ask";
}

TEST(MasterSearch, PausesGrowUntilThereIsProgress) {
  MasterSearch search = search_of({at("a")});
  const core::Time first = search.on_end(Reason::kNetwork, kLongest).pause;
  for (int i = 0; i < 20; ++i) search.on_end(Reason::kNetwork, kLongest);
  EXPECT_GE(search.on_end(Reason::kNetwork, kLongest).pause, kLongest / 2);
  search.on_progress();
  EXPECT_LE(search.on_end(Reason::kNetwork, kLongest).pause, 2 * first);
}

TEST(MasterSearch, GivesUpWhereTryingCannotHelpUntilItBeginsAgain) {
  MasterSearch search = search_of({at("a"), at("b")});
  EXPECT_TRUE(search.on_end(Reason::kSegmentSize, kLongest).give_up);
  EXPECT_TRUE(search.gave_up());
  search.begin({at("a")});
  EXPECT_FALSE(search.gave_up());
}

TEST(MasterSearch, AMastersRefusalIsWorthMoreThanTheOthersNotBeingMaster) {
  MasterSearch search = search_of({at("a"), at("b")});
  EXPECT_TRUE(search.says_more(Reason::kCluster));
  EXPECT_TRUE(search.refused());
  search.on_end(Reason::kCluster, kLongest);
  ASSERT_EQ(search.next().host, "b");
  EXPECT_FALSE(search.says_more(Reason::kNotServing));
  EXPECT_TRUE(search.refused());
  search.on_following();
  EXPECT_FALSE(search.refused());
  EXPECT_TRUE(search.says_more(Reason::kNotServing));
}

TEST(MasterSearch, ThreeConnectionsClosedBeforeAByteLookLikeARefusal) {
  MasterSearch search = search_of({at("a")});
  EXPECT_FALSE(search.looks_refused(true));
  EXPECT_FALSE(search.looks_refused(true));
  EXPECT_TRUE(search.looks_refused(true));
  EXPECT_FALSE(search.looks_refused(false));
  EXPECT_FALSE(search.looks_refused(true)) << "not in a row";
}

}  // namespace
}  // namespace ha::net
