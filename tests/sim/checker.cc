#include "tests/sim/checker.h"

#include <algorithm>

#include "ha_plugin/core/handshake.h"

namespace ha::sim {
namespace {

std::string name(std::uint32_t node) { return std::string(1, static_cast<char>('a' + node)); }
std::string text(Offset offset) { return std::to_string(offset.bytes()); }

// The first offset in [begin, end) at which they differ.
Offset first_difference(std::span<const std::byte> a, std::span<const std::byte> b, Offset begin) {
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return begin + (at - a.begin());
}

}  // namespace

std::uint64_t Checker::on_wait(std::uint32_t node, std::int64_t epoch, std::int32_t copies,
                               bool durable, Offset end) {
  waits_.push_back({node, epoch, copies, durable, false, core::Status::kOk, end});
  open_.push_back(waits_.size() - 1);
  ++stats_.at[Stats::kWaits];
  return waits_.size() - 1;
}

void Checker::on_wait_done(std::uint64_t id, core::Status status, const Disk& disk) {
  WaitState& wait = waits_[id];
  if (wait.over) {
    throw Violation("wait " + std::to_string(id) + " on " + name(wait.node) + " completed twice");
  }
  wait.over = true;
  wait.status = status;
  std::erase(open_, id);
  switch (status) {
    case core::Status::kOk:
    case core::Status::kDone:
      ++stats_.at[Stats::kWaitsOk];
      if (given_[wait.node] > wait.epoch) {
        throw Violation("a wait of epoch " + std::to_string(wait.epoch) + " completed OK on " +
                        name(wait.node) + " after it promised epoch " +
                        std::to_string(given_[wait.node]));
      }
      if (wait.copies >= config_.copies && (wait.durable || !config_.power_losses) &&
          !config_.force) {
        take_commit(wait, disk);
      }
      break;
    case core::Status::kFlushSlaveTimeout:
      ++stats_.at[Stats::kWaitsTimeout];
      break;
    case core::Status::kNotMaster:
      ++stats_.at[Stats::kWaitsNotMaster];
      break;
    case core::Status::kEpoch:
      ++stats_.at[Stats::kWaitsEpoch];
      break;
    default:
      ++stats_.at[Stats::kWaitsRefused];
  }
}

void Checker::on_died(std::uint32_t node) {
  masters_[node] = {};
  std::erase_if(open_, [&](std::uint64_t id) {
    if (waits_[id].node != node) return false;
    waits_[id].over = true;
    waits_[id].status = core::Status::kShutdown;
    ++stats_.at[Stats::kWaitsDied];
    return true;
  });
}

void Checker::on_term(std::uint32_t node, const core::Term& term) {
  Known& before = terms_[node];
  if (term.known() < before.known || term.promised < before.promised) {
    throw Violation("the term of " + name(node) + " fell: it knew of epoch " +
                    std::to_string(before.known) + " and has promised " +
                    std::to_string(before.promised) + ", now " + std::to_string(term.known()) +
                    " and " + std::to_string(term.promised));
  }
  if (term.promised < given_[node]) {
    throw Violation(name(node) + " forgot its promise of epoch " + std::to_string(given_[node]));
  }
  if (term.promised == before.promised && term.promised_to != before.promised_to) {
    throw Violation(name(node) + " promised epoch " + std::to_string(term.promised) + " to " +
                    before.promised_to + " and to " + term.promised_to);
  }
  before = {term.known(), term.promised, term.promised_to};
}

void Checker::on_promise(std::uint32_t node, std::int64_t epoch, const std::string& candidate) {
  if (epoch < given_[node]) {
    throw Violation(name(node) + " promised epoch " + std::to_string(epoch) + " to " + candidate +
                    " after " + std::to_string(given_[node]));
  }
  if (epoch == terms_[node].promised && candidate != terms_[node].promised_to) {
    throw Violation(name(node) + " promised epoch " + std::to_string(epoch) + " to " + candidate +
                    " and to " + terms_[node].promised_to);
  }
  given_[node] = epoch;
}

Offset Checker::due_to(std::int64_t epoch) const {
  Offset due;
  for (const auto& [of, end] : committed_by_) {
    if (of <= epoch) due = std::max(due, end);
  }
  return due;
}

void Checker::check_master(std::uint32_t node) const {
  const Master& master = masters_[node];
  const Offset due = due_to(master.epoch);
  const core::LogBounds& log = master.disk->log();
  const std::string who = name(node) + ", master of epoch " + std::to_string(master.epoch) + ", ";
  if (log.end < due) {
    throw Violation(who + "lost what was acknowledged: its log ends at " + text(log.end) +
                    ", acknowledged was " + text(due));
  }
  if (log.min > deleted_below_) {
    if (due > deleted_below_) {
      throw Violation(who + "lacks what lies below " + text(log.min) + " and was acknowledged");
    }
    return;
  }
  const Offset from = std::max(log.min, unknown_below_);
  if (due <= from) return;
  const auto held = master.disk->bytes(from, due);
  const auto must =
      std::span(committed_)
          .subspan(static_cast<std::size_t>(from.bytes()), static_cast<std::size_t>(due - from));
  if (std::equal(held.begin(), held.end(), must.begin())) return;
  throw Violation(who + "holds other bytes than were acknowledged, from " +
                  text(first_difference(held, must, from)) + " on");
}

void Checker::take_commit(const WaitState& wait, const Disk& disk) {
  ++stats_.at[Stats::kWaitsPromised];
  const auto by = committer_.emplace(wait.epoch, wait.node).first->second;
  if (by != wait.node) {
    throw Violation("in epoch " + std::to_string(wait.epoch) + " both " + name(by) + " and " +
                    name(wait.node) + " acknowledged");
  }
  const Offset had(static_cast<std::int64_t>(committed_.size()));
  const Offset min = std::max(disk.log().min, unknown_below_);
  const Offset both = std::min(had, wait.end);
  if (both > min) {
    const auto mine = disk.bytes(min, both);
    const auto theirs =
        std::span(committed_)
            .subspan(static_cast<std::size_t>(min.bytes()), static_cast<std::size_t>(both - min));
    if (!std::equal(mine.begin(), mine.end(), theirs.begin())) {
      throw Violation("epoch " + std::to_string(wait.epoch) + " of " + name(wait.node) +
                      " acknowledged other bytes than were acknowledged before, from " +
                      text(first_difference(mine, theirs, min)) + " on");
    }
  }
  if (min > had) unknown_below_ = min;  // deleted here before anybody acknowledged beyond
  if (wait.end > had) {
    const auto more = disk.bytes(had, wait.end);
    committed_.insert(committed_.end(), more.begin(), more.end());
  }
  Offset& end = committed_by_[wait.epoch];
  if (wait.end <= end) return;
  end = wait.end;
  for (std::uint32_t node = 0; node < masters_.size(); ++node) {
    if (masters_[node].epoch > wait.epoch) check_master(node);
  }
}

void Checker::on_master(std::uint32_t node, std::int64_t epoch, const Disk& disk) {
  auto& all = entered_[epoch];
  if (!all.empty()) {
    if (all.front() == node || !config_.epochs_may_be_shared()) {
      throw Violation("epoch " + std::to_string(epoch) + " was entered by " + name(all.front()) +
                      " and by " + name(node));
    }
    ++stats_.at[Stats::kSharedEpochs];
  }
  all.push_back(node);
  masters_[node] = {epoch, &disk};
  check_master(node);
}

void Checker::after_step() const {
  for (const Master& master : masters_) {
    if (master.epoch != 0 && master.disk->end() < due_to(master.epoch)) check_masters();
  }
}

void Checker::check_masters() const {
  for (std::uint32_t node = 0; node < masters_.size(); ++node) {
    if (masters_[node].epoch != 0) check_master(node);
  }
}

void Checker::check_pair(const core::EpochHistory& a, const Disk& a_disk,
                         const core::EpochHistory& b, const Disk& b_disk) {
  const Offset end = core::common_end(a, a_disk.end(), b, b_disk.end());
  const Offset begin = std::max(a_disk.log().min, b_disk.log().min);
  if (end <= begin) return;
  const auto x = a_disk.bytes(begin, end);
  const auto y = b_disk.bytes(begin, end);
  if (std::equal(x.begin(), x.end(), y.begin())) return;
  throw Violation("two histories say that the logs are the same up to " + text(end) +
                  ", but they differ from " + text(first_difference(x, y, begin)) + " on");
}

void Checker::at_the_end() const {
  if (!open_.empty()) {
    throw Violation("wait " + std::to_string(open_.front()) + " on " +
                    name(waits_[open_.front()].node) + " never completed");
  }
  check_masters();
}

}  // namespace ha::sim
