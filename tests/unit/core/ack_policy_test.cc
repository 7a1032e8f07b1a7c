// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/ack_policy.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tests/unit/core/printing.h"

namespace ha::core {
namespace {

// Acks highest first, as AckTracker keeps them.
struct Acks {
  bool is_master = true;
  std::vector<std::int64_t> acks;

  bool master() const { return is_master; }
  std::int32_t replicas() const { return static_cast<std::int32_t>(acks.size()); }
  Offset held_by(std::int32_t copies) const {
    const auto place = static_cast<std::size_t>(copies - 2);
    return place < acks.size() ? Offset(acks[place]) : kNoOffset;
  }
  Offset in_sync_held_by(std::int32_t copies) const {
    return keeping_up ? Acks{is_master, *keeping_up}.held_by(copies) : held_by(copies);
  }
  std::optional<std::vector<std::int64_t>> keeping_up = {};  // those of acks; all unless set
};

constexpr std::int64_t kGap = 1000;

AckPolicy policy(std::int32_t in_sync = 1, std::int32_t least = 1) {
  return {in_sync, least, kGap, false, 5};
}

// HAServerTest.inSyncReplicasNums: slaves at 123, 124, 123, 125 and a gap of G.
TEST(AckPolicy, TheInSyncSetIsTheMasterAndWhoIsBehindByLessThanTheGap) {
  const Acks held{true, {125, 124, 123, 123}};
  EXPECT_EQ(in_sync_count(policy(), held, Offset(kGap)), 5);
  EXPECT_EQ(in_sync_count(policy(), held, Offset(123 + kGap - 1)), 5);
  EXPECT_EQ(in_sync_count(policy(), held, Offset(123 + kGap)), 3);
  EXPECT_EQ(in_sync_count(policy(), held, Offset(124 + kGap)), 2);
  EXPECT_EQ(in_sync_count(policy(), held, Offset(125 + kGap)), 1);
}

TEST(AckPolicy, TheInSyncSetEndsWhereAWalkFromTheNearestReplicaEnds) {
  std::vector<std::int64_t> acks;
  for (std::int64_t size = 0; size <= 9; ++size) {
    const Acks held{true, acks};
    for (std::int64_t end = 0; end <= 1000 + kGap; end += 50) {
      std::int32_t walked = 1;
      for (const std::int64_t ack : acks) {
        if (end - ack >= kGap) break;
        ++walked;
      }
      EXPECT_EQ(in_sync_count(policy(), held, Offset(end)), walked) << size << " at " << end;
    }
    acks.push_back(900 - 100 * (size / 2));  // two of each
  }
}

// HAServerTest.isSlaveOK, by its own definition: somebody is there and behind by less than the gap.
TEST(AckPolicy, ASlaveAtTheGapIsNotInSyncAndOneByteNearerIs) {
  const Acks held{true, {124, 123}};
  EXPECT_GT(in_sync_count(policy(), held, Offset(123 + kGap)), 1);
  EXPECT_EQ(in_sync_count(policy(), held, Offset(124 + kGap)), 1);
}

TEST(AckPolicy, RefusalsComeInOneOrder) {
  AckPolicy p = policy(2, 2);
  // Everything is wrong at once; mended one by one, the next shows.
  EXPECT_EQ(judge_wait(p, Acks{false, {}}, kAcksQuorum, Offset(10)).status, Status::kUnsupported);
  EXPECT_EQ(judge_wait(p, Acks{false, {}}, -3, Offset(10)).status, Status::kInvalid);
  EXPECT_EQ(judge_wait(p, Acks{false, {}}, 6, Offset(10)).status, Status::kInvalid);
  EXPECT_EQ(judge_wait(p, Acks{false, {}}, 2, Offset(10)).status, Status::kNotMaster);
  EXPECT_EQ(judge_wait(p, Acks{true, {}}, 2, Offset(10)).status, Status::kInSyncReplicasNotEnough);
  p.min_in_sync_replicas = 1;
  EXPECT_EQ(judge_wait(p, Acks{true, {}}, 2, Offset(10)).status, Status::kSlaveNotAvailable);
  AckPolicy patient = p;
  patient.wait_for_slaves = true;
  EXPECT_EQ(judge_wait(patient, Acks{true, {}}, 2, Offset(10)).status, Status::kOk);
  EXPECT_EQ(judge_wait(patient, Acks{true, {}}, 1, Offset(10)).status, Status::kDone);
  EXPECT_EQ(judge_wait(p, Acks{true, {10}}, 2, Offset(10)).status, Status::kDone);
  EXPECT_EQ(judge_wait(p, Acks{true, {9}}, 2, Offset(10)).status, Status::kOk);
}

TEST(AckPolicy, CheckStopsBeforeItIsThereAlready) {
  EXPECT_EQ(judge_acks(policy(), Acks{true, {10}}, 2, Offset(10)).status, Status::kOk);
  EXPECT_EQ(judge_acks(policy(), Acks{true, {10}}, 2, Offset(10)).level, 2);
}

TEST(AckPolicy, TheMinimumRefusesAlsoWaitsForOneCopy) {
  const AckPolicy p = policy(2, 2);
  EXPECT_EQ(judge_wait(p, Acks{true, {}}, 1, Offset(10)).status, Status::kInSyncReplicasNotEnough);
  EXPECT_EQ(judge_wait(p, Acks{true, {10}}, 1, Offset(10)).status, Status::kDone);
}

TEST(AckPolicy, OneCopyNeedsNoWaitAndTheMaximumIsAllowed) {
  EXPECT_EQ(judge_wait(policy(), Acks{true, {}}, 1, Offset(10)).status, Status::kDone);
  EXPECT_EQ(judge_wait(policy(), Acks{true, {0}}, 5, Offset(10)).level, 5);
}

TEST(AckPolicy, DefaultAcksStandForTheConfiguredCopies) {
  const Acks held{true, {5, 0}};
  EXPECT_EQ(judge_wait(policy(1), held, kAcksDefault, Offset(10)).status, Status::kDone);
  EXPECT_EQ(judge_wait(policy(3), held, kAcksDefault, Offset(10)).level, 3);
  EXPECT_EQ(judge_wait(policy(2), Acks{true, {}}, kAcksDefault, Offset(10)).status,
            Status::kSlaveNotAvailable);
}

TEST(AckPolicy, AutoLowersTheDefaultToTheInSyncSetButNotBelowTheMinimum) {
  AckPolicy p = policy(3, 1);
  p.auto_in_sync_replicas = true;
  EXPECT_EQ(default_copies(p, Acks{true, {50, 50}}, Offset(100)), 3);
  EXPECT_EQ(default_copies(p, Acks{true, {50, 50, 50}}, Offset(100)), 3);  // not above the option
  EXPECT_EQ(default_copies(p, Acks{true, {1500, 0}}, Offset(2000)), 2);
  EXPECT_EQ(default_copies(p, Acks{true, {}}, Offset(100)), 1);
  // HATest.testSemiSyncReplicaWhenAdaptiveDegradation: the slave is lost and puts go on.
  EXPECT_EQ(judge_wait(p, Acks{true, {}}, kAcksDefault, Offset(100)).status, Status::kDone);

  p.min_in_sync_replicas = 2;
  EXPECT_EQ(default_copies(p, Acks{true, {}}, Offset(100)), 2);
  EXPECT_EQ(judge_wait(p, Acks{true, {}}, kAcksDefault, Offset(100)).status,
            Status::kInSyncReplicasNotEnough);
}

TEST(AckPolicy, AutoDoesNotLowerAnExplicitNumber) {
  AckPolicy p = policy(3, 1);
  p.auto_in_sync_replicas = true;
  EXPECT_EQ(judge_wait(p, Acks{true, {5}}, 3, Offset(10)).level, 3);
  EXPECT_EQ(judge_wait(p, Acks{true, {}}, 2, Offset(10)).status, Status::kSlaveNotAvailable);
}

TEST(AckPolicy, AllInSyncIsALevelOfItsOwnUnlessTheMasterIsAlone) {
  EXPECT_EQ(judge_wait(policy(), Acks{true, {}}, kAcksAllInSync, Offset(10)).status, Status::kDone);
  EXPECT_EQ(judge_wait(policy(), Acks{true, {0}}, kAcksAllInSync, Offset(2 * kGap)).status,
            Status::kDone);  // the only slave is far behind: no member
  const AckDecision decision = judge_wait(policy(), Acks{true, {5}}, kAcksAllInSync, Offset(10));
  EXPECT_EQ(decision.status, Status::kOk);
  EXPECT_EQ(decision.level, kAllInSync);
}

// In a set "all" is never fewer than what is promised.
TEST(AckPolicy, AllInSyncIsAtLeastWhatIsPromised) {
  AckPolicy p = policy();
  p.policy_copies = 2;
  EXPECT_EQ(judge_wait(p, Acks{true, {0}}, kAcksAllInSync, Offset(2 * kGap)).level, kAllInSync);
  EXPECT_EQ(held_by_in_sync(p, Acks{true, {7}}, Offset(2 * kGap)), Offset(7));
  EXPECT_EQ(held_by_in_sync(p, Acks{true, {}}, Offset(10)), kNoOffset);
}

TEST(AckPolicy, AllInSyncReachesAsFarAsItsSlowestMember) {
  const Offset end(5000);
  EXPECT_EQ(held_by_in_sync(policy(), Acks{true, {5000, 4800}}, end), Offset(4800));
  // Once the slow one is out of the set it holds nobody up.
  EXPECT_EQ(held_by_in_sync(policy(), Acks{true, {5000, 4000}}, end), Offset(5000));
  EXPECT_EQ(held_by_in_sync(policy(), Acks{true, {}}, end), end);
}

TEST(AckPolicy, AReplicaThatLagsIsNotAMemberThoughItsCopyCounts) {
  const Offset end(5000);
  const Acks held{.acks = {5000, 4800}, .keeping_up = {{4800}}};
  EXPECT_EQ(in_sync_count(policy(), held, end), 2);
  // The one that is ahead does not stand in for the member.
  EXPECT_EQ(held_by_in_sync(policy(), held, end), Offset(4800));
  EXPECT_EQ(held_by_in_sync(policy(), Acks{.acks = {5000}, .keeping_up = {{}}}, end), end);
  EXPECT_EQ(judge_wait(policy(2), held, kAcksDefault, end).status, Status::kDone);
  EXPECT_EQ(judge_wait(policy(3, 3), held, kAcksDefault, end).status,
            Status::kInSyncReplicasNotEnough);
}

TEST(AckPolicy, AllInSyncNeverMeansFewerThanTheMinimum) {
  EXPECT_EQ(held_by_in_sync(policy(2, 2), Acks{true, {3000}}, Offset(5000)), Offset(3000));
  EXPECT_EQ(held_by_in_sync(policy(2, 2), Acks{true, {}}, Offset(5000)), kNoOffset);
}

}  // namespace
}  // namespace ha::core
