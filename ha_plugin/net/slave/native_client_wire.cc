// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/native_client_wire.h"

#include <algorithm>
#include <utility>

#include "ha_plugin/host/log_hash.h"

namespace ha::net {

using core::Decision;
using core::Offset;
using core::Reason;
using wire::native::Reader;

namespace {

constexpr int kTicksBetweenPending = 10;

std::string text(Offset offset) { return std::to_string(offset.bytes()); }

Refusal lost_is_not_written(const Settings& settings) {
  return {
      Reason::kHostError,
      "what was acknowledged below policy and is to be cut could not be written down, so nothing "
      "is cut yet: make room in option 'state_dir' ('" +
          settings.state_dir + "'); it is tried again"};
}

}  // namespace

std::span<const std::byte> NativeClientWire::open() {
  ready_ = false;
  proved_ = {};
  durable_ = {};
  confirm_ = told_confirm_ = core::kNoOffset;
  all_well_ = false;
  reader_.restart();
  reply_.clear();
  pending_.sent.clear();
  opening_ = wire::native::opening();
  return opening_;
}

std::span<const std::byte> NativeClientWire::reply() {
  said_ = std::exchange(reply_, {});
  return said_;
}

std::span<const std::byte> NativeClientWire::report(Offset position) {
  ha_bounds bounds{};
  if (host_.bounds(bounds).ok()) durable_ = std::min(Offset(bounds.durable), position);
  ack_ =
      wire::native::encode_ack({position, durable_, terms_.current().history.entered_at(position)});
  return ack_;
}

Refusal NativeClientWire::take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) {
  const Reader::Found found = reader_.take(bytes);
  const std::string type = std::to_string(reader_.type());
  switch (found) {
    case Reader::Found::kNothing:
      return {};
    case Reader::Found::kGreeting:
      return on_greeting();
    case Reader::Found::kAnswer:
      return on_answer();
    case Reader::Found::kData:
      frame = Frame{reader_.data().offset, reader_.data().size};
      return {};
    case Reader::Found::kMetadata:
      on_metadata();
      return {};
    case Reader::Found::kDegraded:
      degraded_.heard(reader_.degraded());
      all_well_ = !reader_.degraded();
      if (all_well_) degraded_.confirmed(confirm_);
      return {};
    case Reader::Found::kUpstream:
      return on_upstream();
    case Reader::Found::kBadSize:
      return {Reason::kFrameSize, "the master sent a message of type " + type + " with " +
                                      std::to_string(reader_.size()) + " bytes"};
    case Reader::Found::kBadChecksum:
      return {Reason::kChecksum, "a message of type " + type +
                                     " from the master was changed on the way (checksum mismatch)"};
    case Reader::Found::kBadMagic:
      return {Reason::kProtocol,
              "what the master sent is not a message of the native protocol (a RocketMQ broker is "
              "followed with option 'wire': 'auto' or 'rocketmq')"};
    default:
      break;
  }
  return {Reason::kProtocol, "a message of type " + type + " from the master has no place here"};
}

Refusal NativeClientWire::on_greeting() {
  const core::Greeting& greeting = reader_.greeting();
  if (std::string wrong =
          core::check_version("the master", greeting.oldest_version, greeting.newest_version);
      !wrong.empty()) {
    return {Reason::kVersion, std::move(wrong)};
  }
  ha_bounds bounds{};
  if (HostResult r = host_.bounds(bounds); !r.ok()) return to_refusal(std::move(r));
  const core::LogBounds log = to_core(bounds);
  hello_ = {};
  hello_.incarnation = incarnation_;
  hello_.segment_size = log.segment_size;
  hello_.min = log.min;
  hello_.end = log.end;
  terms_.trim(log.min, log.end);
  const core::Term& term = terms_.current();
  if (std::string wrong = core::plan_tail(log, term, greeting, hello_); !wrong.empty()) {
    return {Reason::kProtocol, "the master's greeting is wrong: " + wrong};
  }
  told_ = core::told_history(greeting.history, greeting.end).value_or(core::EpochHistory{});
  const auto hash = hash_log(host_, hello_.tail_start, hello_.tail_end);
  if (!hash) {
    return {Reason::kHostError, "the host could not read its log from " + text(hello_.tail_start) +
                                    " to " + text(hello_.tail_end)};
  }
  hello_.promised = term.promised;
  hello_.promised_to = term.promised_to;
  hello_.history = core::history_to_tell(term.history);
  hello_.tail_hash = *hash;
  hello_.cluster = settings_.cluster_id;
  hello_.replica = settings_.replica_id;
  hello_.set = settings_.set_text();
  reply_ = wire::native::encode_hello(hello_);
  return {};
}

Refusal NativeClientWire::on_answer() {
  const core::Answer& answer = reader_.answer();
  if (std::string wrong = core::check_claim(proved_, answer.master); !wrong.empty()) {
    return {Reason::kIdentity, "the master's answer: " + wrong};
  }
  if (answer.decision == Decision::kRefuse) {
    return {core::is_refusal(answer.reason) ? answer.reason : Reason::kProtocol,
            "the master refused this slave: " + answer.text};
  }
  if (Refusal refusal = check_epoch(answer); !refusal.ok()) return refusal;
  if (std::string wrong = core::check_answer(answer, hello_, reader_.greeting()); !wrong.empty()) {
    // It may have taken a newer set since its greeting.
    const bool same = core::may_lead(reader_.greeting().set, hello_.set);
    return {same ? Reason::kProtocol : Reason::kSetDiffers,
            "the master's answer is wrong: " + wrong};
  }
  Refusal refusal;
  if (answer.decision == Decision::kReset) refusal = reset(answer.offset);
  if (answer.decision == Decision::kTruncate) refusal = cut(answer.offset);
  // Log first, history second: a crash in between leaves epochs beyond the log's end, which prove
  // nothing and are left out when they are read.
  const Offset min = answer.decision == Decision::kReset ? answer.offset : hello_.min;
  if (refusal.ok()) refusal = enter(min, answer.offset);
  ready_ = refusal.ok();
  return refusal;
}

Refusal NativeClientWire::check_epoch(const core::Answer& answer) const {
  const std::int64_t epoch = reader_.greeting().epoch;
  if (!terms_.keeps_epochs()) {
    if (epoch == 0) return {};
    return {Reason::kUnknownReplica, "master '" + answer.master +
                                         "' keeps epochs and this node does not: give it the same "
                                         "option 'replicas'"};
  }
  if (epoch == 0) {
    return {Reason::kUnknownReplica, "master '" + answer.master +
                                         "' keeps no epochs: give it the same option 'replicas' as "
                                         "this node"};
  }
  return core::check_master(epoch, answer.master, terms_.current(),
                            {settings_.replica_id, settings_.replicas.ids(), dialled_, hello_.end,
                             settings_.max_epoch_jump});
}

// Asked before anything is said or thrown away.
Refusal NativeClientWire::may_reset() const {
  if (!terms_.keeps_epochs()) return {};
  ha_bounds bounds{};
  if (HostResult r = host_.bounds(bounds); !r.ok()) return to_refusal(std::move(r));
  // Without the hook nobody tells the host what is confirmed, and it shows its readers all.
  const Offset confirmed = host_.can_confirm() ? Offset(bounds.confirm) : hello_.end;
  std::string no = core::check_reset(reader_.answer(), hello_, confirmed);
  // Not final: the master may change, or the option. Until then this node is no copy, and says why.
  if (no.empty() || settings_.allow_unsafe_truncation) return {};
  return {Reason::kRequestBelowMin, std::move(no)};
}

Refusal NativeClientWire::reset(Offset start) {
  if (Refusal no = may_reset(); !no.ok()) return no;
  on_cut_();
  // The master deleted what this log could go on with; whether what this one holds was in there is
  // known up to the tail's end. An empty log may start below its old place.
  if (!degraded_.cut(std::min(hello_.tail_end, start))) return lost_is_not_written(settings_);
  if (HostResult r = host_.reset(epoch(), start); !r.ok()) return to_refusal(std::move(r));
  const std::string line =
      "this log starts at " + text(start) + ", where the master's begins for it";
  if (hello_.end == hello_.min) {
    host_.info(line);
  } else {
    host_.warn(line + "; what it held, from " + text(hello_.min) + " to " + text(hello_.end) +
               ", was deleted at the master before this slave had the rest");
  }
  return {};
}

// Asked before anything is copied or said: a log that will not be cut needs no copy.
Refusal NativeClientWire::may_cut(Offset to, const std::string& range) const {
  if (!host_.can_truncate()) {
    return {Reason::kDiverged, "this log must be cut " + range +
                                   ", and the host has no hook 'truncate'; empty this store to "
                                   "copy from scratch"};
  }
  if (settings_.allow_unsafe_truncation) return {};
  if (terms_.current().history.empty() && to <= hello_.min) {
    return {Reason::kDiverged,
            "the history of this log is missing (" + terms_.path() +
                "), so nothing proves that any of its " + text(Offset(hello_.end - hello_.min)) +
                " bytes is the master's; nothing was cut. Restore the file, or empty this store to "
                "copy from scratch"};
  }
  ha_bounds bounds{};
  if (HostResult r = host_.bounds(bounds); !r.ok()) return to_refusal(std::move(r));
  // Without the hook the host shows its readers all, and cuts what it likes.
  if (!host_.can_confirm() || to.bytes() >= bounds.confirm) return {};
  return {Reason::kDiverged,
          "this log must be cut " + range +
              ", and cannot be: its readers have seen what lies below " +
              std::to_string(bounds.confirm) +
              "; set option 'allow_unsafe_truncation' to 'true' to cut it anyway, or empty "
              "this store to copy from scratch"};
}

Refusal NativeClientWire::cut(Offset to) {
  const std::string range = "from " + text(to) + " to " + text(hello_.end) +
                            ", where the master's log went on differently";
  if (Refusal no = may_cut(to, range); !no.ok()) return no;
  on_cut_();
  const std::string path = settings_.state_dir + "/ha_cut-" + text(to) + "-" + text(hello_.end) +
                           "-epoch-" + std::to_string(terms_.current().history.last_epoch());
  std::string failed;
  switch (cut_copy_.copy(to, hello_.end, settings_.state_dir, path, failed)) {
    case CutCopy::State::kDone:
      break;
    case CutCopy::State::kUnderWay:
      return {Reason::kTruncated, "this log must be cut " + range +
                                      "; what is to be cut is being copied to " + path +
                                      " first, and following goes on once it is there"};
    case CutCopy::State::kFailed:
      return {Reason::kHostError, "the bytes to be cut could not be kept: " + failed};
  }
  if (!degraded_.cut(to)) return lost_is_not_written(settings_);
  HostResult result = host_.truncate(epoch(), to, settings_.allow_unsafe_truncation);
  switch (result.status) {
    case core::Status::kOk:
      metrics_.client.truncated_bytes.add(static_cast<std::uint64_t>(hello_.end - to));
      host_.warn("cut the log " + range + "; what was cut is kept in " + path);
      return {};
    case core::Status::kRange:
    case core::Status::kUnsupported:
      return {Reason::kDiverged,
              "this log must be cut " + range + ", and cannot be: " + result.text +
                  "; set option 'allow_unsafe_truncation' to 'true' to cut it anyway, or "
                  "empty this store to copy from scratch"};
    default:
      return to_refusal(std::move(result));
  }
}

// This log ends at end, or is about to.
Refusal NativeClientWire::enter(Offset min, Offset end) {
  if (!terms_.keeps_epochs()) return {};
  const std::int64_t before = terms_.current().history.last_epoch();
  std::string failed = terms_.set(core::term_as_slave(terms_.current(), reader_.greeting(),
                                                      reader_.answer().master, told_, min, end));
  if (!failed.empty()) return {Reason::kHostError, std::move(failed)};
  if (const std::int64_t now = terms_.current().history.last_epoch(); now != before) {
    host_.info("entered epoch " + std::to_string(now));
  }
  return {};
}

Refusal NativeClientWire::grown(Offset end) {
  metrics_.client.master_confirm.set(confirm_.bytes());
  if (all_well_) degraded_.confirmed(confirm_);
  // A master that has confirmed nothing yet says -1: a bound all the same.
  const Offset now = std::min(std::max(confirm_, Offset(0)), end);
  if (!terms_.keeps_epochs() || now <= told_confirm_ || !host_.can_confirm()) return {};
  told_confirm_ = now;
  HostResult result = host_.confirm(epoch(), now);
  return result.ok() ? Refusal{} : to_refusal(std::move(result));
}

bool NativeClientWire::body_is_whole() {
  if (!reader_.body_is_whole()) return false;
  confirm_ = std::max(confirm_, reader_.data().confirm);
  return true;
}

// The log goes on whatever becomes of it.
void NativeClientWire::on_metadata() {
  if (!host_.metadata().present()) return;
  if (const HostResult r = host_.metadata().write(reader_.metadata()); !r.ok()) {
    host_.warn("the master's metadata was not taken: " + r.text);
  }
}

// The master answers with metadata that holds it, or does not: it may have no room for it just now,
// and not say so. So it is sent again at times, until the host has seen it come back.
std::span<const std::byte> NativeClientWire::beside_the_log() {
  if (!ready_ || !host_.metadata().hands_up()) return {};
  std::string state;
  if (const HostResult r = host_.metadata().pending(state); !r.ok()) {
    if (!std::exchange(pending_.failed, true))
      host_.warn("what is pending here is not handed up: " + r.text + "; trying again");
    return {};
  }
  pending_.failed = false;
  const bool sent = state == pending_.sent;
  if (state.empty() || (sent && ++pending_.ticks_since < kTicksBetweenPending)) return {};
  pending_.ticks_since = 0;
  pending_.message = wire::native::encode_pending(state);
  pending_.sent = std::move(state);
  return pending_.message;
}

Refusal NativeClientWire::on_upstream() {
  const core::Upstream& upstream = reader_.upstream();
  if (std::string wrong = core::check_upstream(upstream, incarnation_); !wrong.empty()) {
    return {Reason::kLoop, std::move(wrong)};
  }
  if (upstream.root == core::Upstream::Root::kNobody) {
    host_.warn(
        "the node that this one follows is not a master and follows nobody: nothing new will come "
        "until it has a master or becomes one");
  } else if (upstream.incarnations.size() > 1) {
    host_.info("the node that this one follows is itself a slave");
  }
  on_upstream_(upstream);
  return {};
}

core::FrameVerdict NativeClientWire::begin(const Frame& frame, const core::LogBounds& log) {
  const wire::native::DataHeader& data = reader_.data();
  if (data.epoch != reader_.greeting().epoch || data.epoch < terms_.current().promised) {
    return {Reason::kEpoch, false,
            "the master of epoch " + std::to_string(reader_.greeting().epoch) +
                " sent bytes of epoch " + std::to_string(data.epoch) + "; this node has promised " +
                std::to_string(terms_.current().promised)};
  }
  // Where an empty log starts was the answer's to say.
  if (frame.offset != log.end) return {Reason::kOffsetMismatch, false, {}};
  core::FrameVerdict verdict = core::judge_frame(frame.offset, frame.size, log);
  if (verdict.reason != Reason::kNone) return verdict;
  // With a body it is known only after that whether the header came unchanged.
  if (frame.size == 0) confirm_ = std::max(confirm_, data.confirm);
  Refusal refusal;
  const Offset end = frame.offset + frame.size;
  if (told_.last_epoch() > terms_.current().history.last_epoch() &&
      told_.entered_by(end).last_epoch() > terms_.current().history.last_epoch()) {
    refusal = enter(log.min, end);
  }
  // Before the first byte: from then on the host's readers have a bound.
  if (refusal.ok()) refusal = grown(log.end);
  if (!refusal.ok()) return {refusal.reason, false, std::move(refusal.text)};
  return verdict;
}

}  // namespace ha::net
