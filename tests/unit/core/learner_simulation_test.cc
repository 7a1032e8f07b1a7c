// SPDX-License-Identifier: Apache-2.0
// Many masters, one learner, crashes at every step.
//
// Masters are elected with new epochs on any beginning of any log; deposed ones go on writing, as
// nobody stops them. The learner follows whom it is told to, and dies between any two steps of what
// it does durably. However it goes: once a handshake is through, its log is a beginning of its
// master's log, byte for byte.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "ha_plugin/core/learner.h"
#include "tests/unit/core/printing.h"
#include "tests/unit/core/seed.h"

namespace ha::core {
namespace {

constexpr std::int64_t kSegment = 1 << 20;

struct Master {
  EpochHistory history;
  std::vector<std::int64_t> bytes;  // each says in which epoch it was written

  Offset end() const { return Offset(static_cast<std::int64_t>(bytes.size())); }
  MasterHandshake handshake() const { return {history.entries(), history.last_epoch(), end()}; }
  void become_master(std::int64_t epoch) {
    history.truncate_suffix(end());
    EXPECT_TRUE(history.append({epoch, end()}));
  }
  void write(std::int64_t count) {
    bytes.insert(bytes.end(), static_cast<std::size_t>(count), history.last_epoch());
  }
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    masters_.emplace_back();
    masters_[0].become_master(1);
    masters_[0].write(pick(1, 50));
  }

  void step() {
    switch (pick(0, 3)) {
      case 0:
        return elect();
      case 1:
        return any_master().write(pick(0, 20));
      default:
        return follow();
    }
  }

 private:
  std::int64_t pick(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
  }
  bool crashes() { return pick(0, 7) == 0; }
  Master& any_master() {
    return masters_[static_cast<std::size_t>(
        pick(0, static_cast<std::int64_t>(masters_.size()) - 1))];
  }

  void elect() {
    Master elected = any_master();
    elected.bytes.resize(static_cast<std::size_t>(pick(1, elected.end().bytes())));
    elected.become_master(++last_epoch_);
    elected.write(pick(0, 20));
    // Few of them, so that the learner comes back to one that it knows.
    if (masters_.size() < 4) {
      masters_.push_back(elected);
    } else {
      any_master() = elected;
    }
  }

  Offset end() const { return Offset(static_cast<std::int64_t>(bytes_.size())); }
  LogBounds bounds() const { return {Offset(0), end(), kSegment}; }

  void follow() {
    Master& master = any_master();
    Learner learner;
    const Learner::Answer answer = learner.on_handshake(master.handshake(), stored_, bounds());
    ASSERT_EQ(answer.reason, Reason::kNone) << answer.text;
    ASSERT_LE(answer.end, end());
    bytes_.resize(static_cast<std::size_t>(answer.end.bytes()));
    if (crashes()) return;
    stored_ = learner.history();
    expect_beginning_of(master);
    if (crashes()) return;
    receive(master, learner);
  }

  void receive(Master& master, Learner& learner) {
    std::int64_t label = 0;
    for (std::int64_t frames = pick(0, 6); frames > 0; --frames) {
      if (pick(0, 4) == 0) master.write(pick(1, 9));
      // Elected once more: RocketMQ keeps the connection and the label.
      if (pick(0, 9) == 0 && master.end() > master.history.entries().back().start) {
        master.become_master(++last_epoch_);
        master.write(pick(1, 9));
      }
      std::int64_t size = std::min(pick(1, 15), master.end() - end());
      if (size <= 0) continue;
      const EpochEntry here = *master.history.epoch_at(end());
      // As RocketMQ: from the first frame's epoch, cut at its end and labelled with the next.
      if (label == 0) label = here.epoch;
      EpochEntry entry = *master.history.find(label);
      for (const EpochEntry& next : master.history.entries()) {
        if (next.epoch <= label || next.start > end() + size) continue;
        if (pick(0, 1) == 0) break;  // it does not know of that one yet
        size = std::max<std::int64_t>(next.start - end(), 0);
        label = next.epoch;
        entry = next;
        break;
      }
      const FrameVerdict verdict =
          learner.on_frame({entry.epoch, entry.start, Offset(0)}, end(), size, bounds());
      ASSERT_EQ(verdict.reason, Reason::kNone) << verdict.text;
      ASSERT_FALSE(verdict.reset);
      if (learner.enter_epochs(end() + size)) stored_ = learner.history();
      if (crashes()) return;
      // A part of the frame is a frame to the log.
      const std::int64_t stored = pick(0, 3) == 0 ? pick(0, size) : size;
      const auto from = master.bytes.begin() + end().bytes();
      bytes_.insert(bytes_.end(), from, from + stored);
      expect_beginning_of(master);
      if (stored < size) return;
    }
  }

  void expect_beginning_of(const Master& master) {
    ASSERT_LE(end(), master.end());
    ASSERT_TRUE(std::equal(bytes_.begin(), bytes_.end(), master.bytes.begin()));
  }

  std::mt19937_64 random_;
  std::vector<Master> masters_;
  std::int64_t last_epoch_ = 1;
  std::vector<std::int64_t> bytes_;
  EpochHistory stored_;
};

TEST(LearnerSimulation, ItsLogIsABeginningOfItsMasters) {
  std::mt19937_64 seeds(::ha::testing::announced_seed());
  for (int world = 0; world < 400; ++world) {
    World w(seeds());
    for (int i = 0; i < 200; ++i) {
      w.step();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace ha::core
