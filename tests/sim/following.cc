// SPDX-License-Identifier: Apache-2.0
// A slave's link to its master.
#include "tests/sim/node.h"

namespace ha::sim {

namespace native = wire::native;

void Node::connect_to_master() {
  close_link();
  if (!target_ || diverged_) return;
  link_ = std::make_unique<Link>(cluster_.net().connect(index_, *target_), clock());
  cluster_.maybe_impersonate(link_->id, *this, *target_);
}

void Node::close_link() {
  reconnect_at_ = clock() + kMs * cluster_.rng().between(3, 15);
  if (!link_) return;
  link_->closed = true;
  cluster_.net().close(link_->id, kClient);
  // The frame that was to enter an epoch did not come whole.
  if (!cluster_.made(Fault::kUnenteredPosition)) forget_unentered();
  old_links_.push_back(std::move(link_));
}

void Node::tick_link() {
  const core::SessionOptions& options = cluster_.config().session;
  if (!link_) {
    if (target_ && clock() >= reconnect_at_) connect_to_master();
    return;
  }
  if (link_->follower.silent(clock(), options.housekeeping)) return close_link();
  if (!link_->serving) return;
  const bool news = std::min(disk_.log().durable, disk_.end()) > link_->told_durable;
  if (news || link_->follower.report_due(clock(), disk_.end(), options.heartbeat)) ack(*link_);
}

void Node::read(Link& link, std::span<const std::byte> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty() && !link.closed) {
    if (link.in_body) {
      if (!take_body(link, bytes)) return close_link();
      continue;
    }
    const Found found = link.reader.take(bytes);
    if (is_bad(found)) return close_link();
    if (found == Found::kGreeting) on_greeting(link);
    if (found == Found::kAnswer) on_answer(link);
    if (found == Found::kData) on_data(link);
    if (found == Found::kDegraded) on_degraded(link);
  }
  link.follower.on_bytes(clock(), size, !link.in_body);
}

void Node::on_greeting(Link& link) {
  const core::Greeting& greeting = link.reader.greeting();
  const core::LogBounds& log = disk_.log();
  core::Hello& hello = link.hello;
  const std::string wrong = core::plan_tail(log, term_, greeting, hello);
  if (!wrong.empty()) {
    if (cluster_.made(Fault::kUnenteredPosition)) return close_link();
    throw Violation(id() + " is greeted wrongly: " + wrong);
  }
  link.told = core::told_history(greeting.history, greeting.end).value();
  hello.incarnation = incarnation_;
  hello.segment_size = log.segment_size;
  hello.min = log.min;
  hello.end = log.end;
  native::Hasher hasher;
  hasher.add(disk_.bytes(hello.tail_start, hello.tail_end));
  hello.tail_hash = hasher.value();
  hello.promised = term_.promised;
  hello.promised_to = term_.promised_to;
  hello.cluster = "sim";
  hello.replica = id();
  hello.set = members().text();
  hello.history = core::history_to_tell(term_.history);
  cluster_.net().send(link.id, kClient, native::encode_hello(hello));
}

void Node::on_answer(Link& link) {
  const core::Answer answer = link.reader.answer();
  cluster_.say([&] {
    return id() + " is answered " + std::to_string(static_cast<int>(answer.decision)) + " at " +
           std::to_string(answer.offset.bytes()) + " by " + answer.master + " " + answer.text;
  });
  if (answer.decision == core::Decision::kRefuse) {
    cluster_.count(Stats::kRefusals);
    if (answer.reason == core::Reason::kDiverged) {
      if (!cluster_.config().retention) throw Violation(id() + " is DIVERGED: " + answer.text);
      cluster_.count(Stats::kDiverged);
      diverged_ = true;
    }
    return close_link();
  }
  if (!take_answer(link, answer)) return close_link();
  link.serving = true;
  ack(link);
}

bool Node::take_answer(Link& link, const core::Answer& answer) {
  const core::Greeting& greeting = link.reader.greeting();
  if (greeting.epoch == 0) return false;
  const core::Expected expected{id(), members().ids(), cluster_.config().ids[*target_]};
  if (!core::check_master(greeting.epoch, answer.master, term_, expected).ok()) {
    if (cluster_.is_impostor(link.id)) cluster_.count(Stats::kImpostorsRefused);
    return false;
  }
  const std::string wrong = core::check_answer(answer, link.hello, greeting);
  // A master that has taken a newer set since it greeted.
  if (!wrong.empty() && cluster_.config().members) return false;
  if (!wrong.empty()) throw Violation(id() + " does not believe its master: " + wrong);
  stranded_ = answer.decision == core::Decision::kReset &&
              !core::check_reset(answer, link.hello, disk_.shown()).empty();
  if (cluster_.is_impostor(link.id)) {
    if (stranded_) {
      stranded_ = false;
      cluster_.count(Stats::kImpostorsRefused);
      return false;
    }
    throw Violation(id() + " believes an impostor, who says that he is " + answer.master +
                    ", master of epoch " + std::to_string(greeting.epoch));
  }
  link.master = answer.master;
  switch (answer.decision) {
    case core::Decision::kTruncate:
      cluster_.count(Stats::kTruncates);
      cluster_.count(Stats::kTruncatedBytes, disk_.end() - answer.offset);
      if (!keeper_.cut(answer.offset, clock()) || !cut_log(answer.offset)) return false;
      break;
    case core::Decision::kReset:
      if (stranded_) {
        cluster_.count(Stats::kResetsRefused);
        return false;
      }
      cluster_.count(Stats::kStoreResets);
      if (!keeper_.cut(std::min(link.hello.tail_end, answer.offset), clock())) return false;
      maybe_crash();
      if (fails("reset")) return false;
      cluster_.checker().on_reset(index_);
      disk_.restart_at(answer.offset);
      if (!cluster_.made(Fault::kHistoryNotCut)) forget_unentered();
      maybe_crash();
      break;
    default:
      cluster_.count(Stats::kResumes);
  }
  core::Term term =
      core::term_as_slave(term_, greeting, link.master, link.told, disk_.log().min, disk_.end());
  if (term != disk_.saved) return save(std::move(term));
  term_ = std::move(term);
  return true;
}

void Node::on_data(Link& link) {
  const native::DataHeader& data = link.reader.data();
  if (data.epoch < term_.known() && !cluster_.made(Fault::kStaleFrames)) return close_link();
  link.follower.on_frame();
  const core::FrameVerdict verdict = core::judge_frame(data.offset, data.size, disk_.log());
  if (verdict.reason != core::Reason::kNone || verdict.reset) {
    // The header's checksum comes to be known with the last byte only.
    if (cluster_.config().garble) return close_link();
    throw Violation(id() + " gets a frame that does not fit, at " +
                    std::to_string(data.offset.bytes()));
  }
  link.body.clear();
  link.in_body = data.size > 0;
  if (!cluster_.made(Fault::kAppendBeforeTerm) && !enter(link, data.offset + data.size)) {
    return close_link();
  }
  if (link.in_body && cluster_.made(Fault::kAckMidFrame)) ack(link);
  if (!link.in_body) believe(link);
}

// What the header says, once its checksum was verified.
void Node::believe(Link& link) {
  const native::DataHeader& data = link.reader.data();
  link.confirm = std::max(link.confirm, data.confirm);
  if (cluster_.config().degrades()) {
    cluster_.checker().on_frame_taken(index_of(link.master), data.sent_ms,
                                      keeper_.journal().told());
  }
  if (link.all_well) keeper_.confirmed(link.confirm, clock());
  show(link.confirm);
}

void Node::on_degraded(Link& link) {
  const std::optional<core::DegradedRange>& told = link.reader.degraded();
  if (told) cluster_.count(Stats::kDegradedTold);
  keeper_.heard(told, clock());
  link.all_well = !told;
  if (link.all_well) keeper_.confirmed(link.confirm, clock());
}

bool Node::take_body(Link& link, std::span<const std::byte>& bytes) {
  const auto size = static_cast<std::size_t>(link.reader.data().size);
  const auto piece = bytes.first(std::min(bytes.size(), size - link.body.size()));
  link.reader.body(piece);
  link.body.insert(link.body.end(), piece.begin(), piece.end());
  bytes = bytes.subspan(piece.size());
  if (link.body.size() < size) return true;
  link.in_body = false;
  if (!link.reader.body_is_whole()) {
    cluster_.count(Stats::kGarbledFound);
    return false;
  }
  return take_frame(link);
}

// The log ends at end, or will when the frame that has begun is here.
bool Node::enter(Link& link, Offset end) {
  core::Term term = core::term_as_slave(term_, link.reader.greeting(), link.master, link.told,
                                        disk_.log().min, end);
  if (term.history == term_.history) return true;
  if (!cluster_.made(Fault::kAckBeforeEntry)) return save(std::move(term));
  term_.history = term.history;
  return true;
}

bool Node::take_frame(Link& link) {
  if (link.reader.data().epoch < term_.known() && !cluster_.made(Fault::kStaleFrames)) return false;
  if (!append(link.body)) return false;
  if (cluster_.made(Fault::kAppendBeforeTerm) && !enter(link, disk_.end())) return false;
  believe(link);
  ack(link);
  return true;
}

void Node::ack(Link& link) {
  const Offset end = disk_.end();
  const Offset durable = std::min(disk_.log().durable, end);
  // A frame that has begun may be the first of an epoch that the log has not reached yet.
  const core::EpochHistory& history = term_.history;
  const native::Ack ack{end, durable,
                        cluster_.made(Fault::kAckMidFrame) ? history.last_epoch()
                                                           : history.entered_by(end).last_epoch()};
  link.told_durable = durable;
  link.follower.on_report_sent(clock(), end);
  cluster_.net().send(link.id, kClient, native::encode_ack(ack));
}

}  // namespace ha::sim
