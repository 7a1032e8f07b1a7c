// SPDX-License-Identifier: Apache-2.0
// What others connect to: voters' and masters' side.
#include "tests/sim/node.h"

namespace ha::sim {

using core::Reason;

namespace native = wire::native;

namespace {

constexpr Time kConfirmPause = kMs;

std::uint64_t hash_of(std::span<const std::byte> bytes) {
  thread_local native::Hasher hasher;
  hasher.reset();
  hasher.add(bytes);
  return hasher.value();
}

}  // namespace

void Node::close(Inbound& in) {
  if (in.closed) return;
  in.closed = true;
  waits_.leave(in.id + 1);
  cluster_.net().close(in.id, kServer);
}

void Node::read(Inbound& in, std::span<const std::byte> bytes) {
  in.session.on_bytes(clock());
  if (!in.opened) {
    if (!in.opening.take(bytes)) return;
    if (!native::is_opening(in.opening.bytes())) {
      cluster_.count(Stats::kGarbledFound);
      return close(in);
    }
    in.opened = true;
    greet(in);
  }
  while (!bytes.empty() && !in.closed) {
    const Found found = in.reader.take(bytes);
    if (is_bad(found)) return close(in);
    if (found == Found::kPrepare) on_prepare(in);
    if (found == Found::kHello) on_hello(in);
    if (found == Found::kAck) on_ack(in);
  }
}

void Node::greet(Inbound& in) {
  core::Greeting greeting;
  greeting.min = disk_.log().min;
  greeting.end = disk_.end();
  greeting.epoch = epoch_;
  greeting.history = core::history_to_tell(cluster_.made(Fault::kUnenteredPosition)
                                               ? term_.history
                                               : term_.history.entered_by(disk_.end()));
  greeting.set = members().text();
  cluster_.net().send(in.id, kServer, native::encode_greeting(greeting));
}

void Node::on_prepare(Inbound& in) {
  const core::Prepare prepare = in.reader.prepare();
  const core::Promise promise = core::judge_prepare(prepare, term_, voter());
  cluster_.say([&] {
    return id() + " hears PREPARE " + std::to_string(static_cast<int>(prepare.mode)) + " of " +
           std::to_string(prepare.epoch) + " from " + prepare.candidate + ": " +
           (promise.granted ? "granted" : promise.text);
  });
  const bool given = promise.granted && !core::only_asks(prepare.mode);
  const native::Bytes answer = native::encode_promise(promise);
  if (given) {
    const bool early = cluster_.made(Fault::kPromiseBeforeDurable);
    if (early) {
      cluster_.checker().on_promise(index_, prepare.epoch, prepare.candidate);
      cluster_.net().send(in.id, kServer, answer);
    }
    if (!save(core::promised_by(term_, prepare.epoch, prepare.candidate))) return close(in);
    if (!early) {
      cluster_.checker().on_promise(index_, prepare.epoch, prepare.candidate);
      cluster_.net().send(in.id, kServer, answer);
    }
    return yield_to(prepare.candidate, in.id);
  }
  cluster_.net().send(in.id, kServer, answer);
}

core::Answer Node::judge(const core::Hello& hello) const {
  core::Acceptor acceptor{
      "sim", id(),   members().ids(), disk_.log(),     core::Bootstrap::kLatestSegment,
      true,  epoch_, term_,           members().text()};
  return core::judge_hello(hello, acceptor,
                           [this](Offset begin, Offset end) -> std::optional<std::uint64_t> {
                             return hash_of(disk_.bytes(begin, end));
                           });
}

void Node::on_hello(Inbound& in) {
  const core::Hello hello = in.reader.hello();
  core::Answer answer = judge(hello);
  if (answer.reason == Reason::kDiverged && answer.text.starts_with("the bytes")) {
    throw Violation(id() + " and " + hello.replica + ": " + answer.text);
  }
  if (answer.reason == Reason::kProtocol && !cluster_.made(Fault::kUnenteredPosition)) {
    throw Violation(id() + " refuses " + hello.replica + ": " + answer.text);
  }
  const bool deposed = answer.reason == Reason::kEpoch;
  if (answer.decision != core::Decision::kRefuse) {
    for (auto& [conn, older] : inbound_) {
      if (older.get() == &in || older->closed || older->replica != hello.replica) continue;
      if (older->incarnation > hello.incarnation) {
        answer.decision = core::Decision::kRefuse;
        answer.reason = Reason::kReplaced;
        break;
      }
      cluster_.count(Stats::kEvictions);
      close(*older);
    }
  }
  cluster_.net().send(in.id, kServer, native::encode_answer(answer));
  if (answer.decision == core::Decision::kRefuse) {
    close(in);
  } else {
    if (cluster_.misled(hello.replica) != misled()) {
      throw Violation(id() + " takes " + hello.replica + ", which has another set, for a slave");
    }
    in.accepted = true;
    in.replica = hello.replica;
    in.incarnation = hello.incarnation;
    in.set_version = core::version_of(hello.set);
    in.session.accept(answer.offset);
    waits_.join(in.id + 1, in.replica);
    send_degraded(in);
    pump(in);
  }
  if (!deposed) return;
  Reason reason = Reason::kNone;
  if (!core::check_told_promise(hello, term_, voter(), reason).empty()) return;
  cluster_.count(Stats::kTakenOver);
  leave_role(core::Status::kEpoch, std::nullopt);
  promote(false);
}

void Node::on_ack(Inbound& in) {
  const native::Ack& ack = in.reader.ack();
  if (!in.accepted || ack.epoch > epoch_) return close(in);
  const Reason reason =
      in.session.on_ack(ack.received, ack.durable, ack.epoch == epoch_, epoch_start());
  if (reason != Reason::kNone) {
    throw Violation(id() + ": an honest slave, " + in.replica + ", is closed for its ack, reason " +
                    std::to_string(static_cast<int>(reason)));
  }
  waits_.ack(in.id + 1, in.session.ack(), in.session.durable());
  turn();
  send_degraded(in);
  pump(in);
}

Offset Node::epoch_start() const {
  const auto entry = term_.history.find(epoch_);
  return entry ? entry->start : Offset(0);
}

// The master's own copy counts as a slave's does.
void Node::turn() {
  const Offset durable = disk_.log().durable;
  waits_.turn(clock(), disk_.end(), durable < epoch_start() ? Offset(0) : durable);
  if (master()) cluster_.checker().on_turned(index_, epoch_, waits_.confirmed());
}

// What is open here, to a slave that has not heard it yet: after the answer, after its acks and
// once a tick.
void Node::send_degraded(Inbound& in) {
  if (!cluster_.config().degrades() || in.closed || !in.accepted) return;
  if (in.degraded_sent == keeper_.serial()) return;
  in.degraded_sent = keeper_.serial();
  cluster_.net().send(in.id, kServer, native::encode_degraded(keeper_.to_tell()));
}

void Node::send_degraded() {
  for (auto& [conn, in] : inbound_) {
    send_degraded(*in);
    in->ticked = in->accepted;
  }
  cluster_.checker().on_told(index_, keeper_.to_tell());
}

void Node::pump_all() {
  for (auto& [conn, in] : inbound_) {
    if (!in->closed && in->accepted) pump(*in);
  }
}

// What answers below policy raised is told after the range that they are in: else a slave would
// take it for what enough copies hold.
Offset Node::confirm_for(const Inbound& in) const {
  const bool told = !cluster_.config().degrades() || in.degraded_sent == keeper_.serial();
  return told ? waits_.confirmed() : core::kNoOffset;
}

void Node::pump(Inbound& in) {
  while (!in.closed && cluster_.net().queued(in.id, kServer) <
                           static_cast<std::size_t>(cluster_.config().most_queued)) {
    auto frame = in.session.next_frame(clock(), disk_.log(), 1 << 20, cluster_.config().session);
    // Readers of slaves do not wait for the next heartbeat.
    const Offset confirm = confirm_for(in);
    const bool news = in.session.reported() && confirm > in.told_confirm &&
                      clock() - in.session.last_write() >= kConfirmPause;
    if (!frame && news) frame = core::Frame{in.session.next(), 0};
    if (!frame) return;
    native::DataHeader header;
    header.epoch = epoch_;
    header.offset = frame->offset;
    header.size = frame->size;
    header.confirm = in.told_confirm = confirm;
    // Nobody reads the time; so this says which range the slave has been told of before.
    header.sent_ms = in.ticked ? cluster_.checker().told_version(index_) : 0;
    const auto body = disk_.bytes(frame->offset, frame->end());
    in.session.on_frame_started(*frame);
    cluster_.net().send(in.id, kServer, native::encode_data(header, body.data()));
    cluster_.net().send(in.id, kServer, body);
    in.session.on_written(clock());
  }
}

}  // namespace ha::sim
