// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/learner.h"

#include <algorithm>

namespace ha::core {
namespace {

std::string text_of(const EpochEntry& entry) {
  return std::to_string(entry.epoch) + " from " + std::to_string(entry.start.bytes());
}

// The newest few: they are what tells two logs apart, and a log line has its limits.
std::string text_of(const EpochHistory& history) {
  constexpr std::size_t kShown = 4;
  const std::vector<EpochEntry>& all = history.entries();
  if (all.empty()) return "none";
  const std::size_t first = all.size() > kShown ? all.size() - kShown : 0;
  std::string text = first > 0 ? "... " : "";
  for (std::size_t i = first; i < all.size(); ++i) {
    if (i > first) text += ", ";
    text += text_of(all[i]);
  }
  return text;
}

// "" or what no master can have sent.
std::string what_is_wrong(const MasterHandshake& master, EpochHistory& out) {
  if (master.entries.empty()) return "names no epoch";
  if (master.entries.size() > kMaxEpochs) {
    return "names " + std::to_string(master.entries.size()) + " epochs; the maximum is " +
           std::to_string(kMaxEpochs);
  }
  for (const EpochEntry& entry : master.entries) {
    if (!out.append(entry)) {
      return "names epoch " + text_of(entry) + ", which does not rise above " + text_of(out);
    }
  }
  if (out.entries().back().start > master.end) {
    return "names epoch " + text_of(out.entries().back()) + ", beyond its log's end " +
           std::to_string(master.end.bytes());
  }
  if (out.last_epoch() != master.last_epoch) {
    return "says that its epoch is " + std::to_string(master.last_epoch) +
           " and names as the last one " + text_of(out.entries().back());
  }
  return "";
}

}  // namespace

Learner::Answer Learner::on_handshake(const MasterHandshake& master, const EpochHistory& stored,
                                      const LogBounds& log) {
  *this = {};
  if (std::string wrong = what_is_wrong(master, master_); !wrong.empty()) {
    return {Reason::kEpoch, "the master's handshake " + wrong, log.end};
  }
  fresh_ = log.min == log.end;
  if (fresh_) return {Reason::kNone, {}, log.end};

  local_ = stored;
  // An entry without bytes proves nothing: it was about to be entered, or its bytes were cut.
  local_.truncate_suffix(log.end);
  local_.truncate_prefix(log.min + -1);
  if (local_.empty()) {
    return {Reason::kDiverged,
            "this log holds bytes up to " + std::to_string(log.end.bytes()) +
                " and there is no history of epochs to compare with the master's: empty this "
                "store, or put the epoch file of the broker that wrote it into state_dir",
            log.end};
  }
  const std::optional<Offset> point = find_consistent_point(local_, log.end, master_, master.end);
  if (!point) {
    return {Reason::kDiverged,
            "this log has no epoch in common with the master's: epochs here " + text_of(local_) +
                "; there " + text_of(master_) + "; empty this store to copy from scratch",
            log.end};
  }
  if (*point < log.min) {
    return {Reason::kDiverged,
            "this log and the master's are the same only below " + std::to_string(point->bytes()) +
                ", and this one begins at " + std::to_string(log.min.bytes()) +
                "; empty this store to copy from scratch",
            log.end};
  }
  // Nothing is left of it: a log like any other that is empty.
  fresh_ = *point == log.min;
  local_.truncate_suffix(fresh_ ? Offset(0) : *point);
  return {Reason::kNone, {}, *point};
}

FrameVerdict Learner::on_frame(const FrameLabel& label, Offset offset, std::int64_t size,
                               const LogBounds& log) {
  LogBounds seen = log;
  if (fresh_) seen.min = seen.end = Offset(0);
  FrameVerdict verdict;
  // A heartbeat says nothing about where an empty log shall start. (RocketMQ's master sends them at
  // -1 while its own log is empty.)
  if (!fresh_ || size != 0) verdict = judge_frame(offset, size, seen);
  if (verdict.reason != Reason::kNone) return verdict;
  verdict.reset = fresh_ && size > 0 && offset != log.end;
  if (FrameVerdict wrong = check_label(label, offset, size); wrong.reason != Reason::kNone) {
    return wrong;
  }
  master_confirm_ = std::max({master_confirm_, label.confirm, Offset(0)});
  if (size > 0) fresh_ = false;
  return verdict;
}

FrameVerdict Learner::check_label(const FrameLabel& label, Offset offset, std::int64_t size) {
  const EpochEntry entry{label.epoch, label.epoch_start};
  const auto wrong = [&](const std::string& what) -> FrameVerdict {
    return {Reason::kEpoch, false,
            "the master labelled " + std::to_string(size) + " bytes at " +
                std::to_string(offset.bytes()) + " with epoch " + text_of(entry) + ", " + what};
  };
  if (const auto known = master_.find(entry.epoch)) {
    if (*known != entry) return wrong("which it told to be " + text_of(*known));
  } else if (entry.start > offset + size) {
    return wrong("which begins beyond them");
  } else if (master_.entries().size() >= kMaxEpochs) {
    return wrong("beyond the most epochs, " + std::to_string(kMaxEpochs));
  } else if (!master_.append(entry)) {
    return wrong("which does not follow on those it told: " + text_of(master_));
  }
  if (size > 0 && !master_.epoch_at(offset)) {
    return wrong("and told no epoch that they belong to: " + text_of(master_));
  }
  return {};
}

bool Learner::enter_epochs(Offset end) {
  if (fresh_ || (!local_.empty() && local_.last_epoch() >= master_.last_epoch())) return false;
  bool grown = false;
  for (const EpochEntry& entry : master_.entries()) {
    if (entry.start >= end) break;
    if (local_.empty() || entry.epoch > local_.last_epoch()) grown |= local_.append(entry);
  }
  return grown;
}

std::optional<Offset> Learner::confirm(Offset end) {
  if (master_confirm_ == kNoOffset) return std::nullopt;
  const Offset now = std::min(master_confirm_, end);
  if (now <= told_confirm_) return std::nullopt;
  told_confirm_ = now;
  return now;
}

}  // namespace ha::core
