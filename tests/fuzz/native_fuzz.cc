// SPDX-License-Identifier: Apache-2.0
// The native protocol: a peer's bytes through the codec, and a peer's messages, behind checksums
// that hold, through the rules of handshake, acks, promises and epochs.
//
// The first byte of an input says who hears it, the second how it is cut. Of the messages only type
// and body are the input's: a fuzzer would hardly find a checksum by itself.
//
// What must hold whatever is said: a promise is given once for an epoch and never taken back; no
// slave is let in whose history or tail does not prove its log; a slave's log is cut only where the
// two histories part; an ack is never of more than was sent; nobody wins without enough promises;
// what a master had acknowledged below policy is open or lost when its slave takes over.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/core/degraded.h"
#include "ha_plugin/core/handshake.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/wire/native.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ha;
using core::Offset;
using fuzz::in_pieces;
using fuzz::require;
using wire::native::Reader;
using wire::native::Type;

constexpr std::int64_t kSegment = 4096;

wire::native::Bytes sealed(std::uint8_t type, std::span<const std::byte> body) {
  wire::native::Bytes all(wire::native::kPrefixBytes);
  all[0] = std::byte{'H'};
  all[1] = std::byte{'A'};
  all[2] = static_cast<std::byte>(type);
  for (int i = 0; i < 4; ++i) all[4 + i] = static_cast<std::byte>(body.size() >> (8 * (3 - i)));
  wire::native::Hasher hasher;
  hasher.add(std::span(all).first(8));
  hasher.add(body);
  for (int i = 0; i < 8; ++i) {
    all[8 + i] = static_cast<std::byte>(hasher.value() >> (8 * (7 - i)));
  }
  all.insert(all.end(), body.begin(), body.end());
  return all;
}

// The input as messages: a type, a length, so much body; again.
wire::native::Bytes messages(std::span<const std::byte> input) {
  wire::native::Bytes all;
  while (input.size() >= 2) {
    const auto type = static_cast<std::uint8_t>(input[0]);
    const auto size = std::min<std::size_t>(static_cast<std::size_t>(input[1]), input.size() - 2);
    const auto message = sealed(type, input.subspan(2, size));
    all.insert(all.end(), message.begin(), message.end());
    input = input.subspan(2 + size);
  }
  return all;
}

core::Term some_term() {
  core::Term term{7, "b", {}};
  require(term.history.append({3, Offset(0), "a"}) && term.history.append({6, Offset(5000), "c"}));
  return term;
}

// As the example of the wire's README has it.
constexpr const char* kSet = "a,b,c with default_copies 2";

// Master of epoch 7, or none, of a set of three.
struct Node {
  explicit Node(bool master) : term(some_term()) {
    if (master) {
      require(term.history.append({7, Offset(9000), "b"}));
      epoch = 7;
    }
  }
  core::Acceptor acceptor() const {
    return {"prod", "b", {"a", "b", "c"}, log, core::Bootstrap::kEarliest, true, epoch, term, kSet};
  }
  core::Voter voter() const {
    return {"prod", "b", {"a", "b", "c"}, {term.history.last_epoch(), log.end}, epoch != 0, kSet};
  }

  core::LogBounds log{Offset(kSegment), Offset(3 * kSegment), kSegment};
  core::Term term;
  std::int64_t epoch = 0;
  std::map<std::int64_t, std::string> promises;
};

void promise(Node& node, const core::Prepare& prepare) {
  const core::Promise answer = core::judge_prepare(prepare, node.term, node.voter());
  require(answer.granted == (answer.reason == core::Reason::kNone));
  require(answer.granted || !answer.text.empty());
  if (!answer.granted) return;
  require(prepare.candidate == "a" || prepare.candidate == "c");
  if (core::only_asks(prepare.mode)) return;
  if (prepare.mode == core::Prepare::Mode::kPromise) {
    require(prepare.position >= node.voter().position);
  }
  require(prepare.epoch >= node.term.known());
  const auto [at, first] = node.promises.emplace(prepare.epoch, prepare.candidate);
  require(first || at->second == prepare.candidate);
  node.term = core::promised_by(node.term, prepare.epoch, prepare.candidate);
  node.epoch = 0;
}

bool let_in(const Node& node, const core::Hello& hello, core::ReplicaSession& session) {
  bool compared = false;
  const auto hash = [&](Offset begin, Offset end) -> std::optional<std::uint64_t> {
    require(begin >= node.log.min && begin < end && end <= node.log.end);
    require(end - begin <= core::kTailBytes);
    compared = true;
    return 0x1234;
  };
  const core::Answer answer = core::judge_hello(hello, node.acceptor(), hash);
  if (answer.decision == core::Decision::kRefuse) {
    require(!answer.text.empty() && core::is_refusal(answer.reason));
    return false;
  }
  require(node.epoch != 0 && hello.promised <= node.epoch);
  require(answer.offset >= node.log.min && answer.offset <= node.log.end);
  if (answer.decision != core::Decision::kReset && hello.end > hello.min &&
      answer.offset > std::max(hello.min, node.log.min)) {
    require(compared && hello.tail_hash == 0x1234 && hello.tail_end == answer.offset);
    const auto told = core::told_history(hello.history, hello.end);
    require(told.has_value() &&
            core::common_end(*told, hello.end, node.term.history, node.log.end) == answer.offset);
  }
  session.accept(answer.offset);
  return true;
}

void feed_acceptor(std::span<const std::byte> bytes, std::size_t piece, bool master) {
  Node node(master);
  core::ReplicaSession session(core::Time(0));
  Reader reader(Reader::Side::kMaster);
  bool joined = false;
  in_pieces(bytes, piece, [&](std::span<const std::byte> some) {
    while (!some.empty()) {
      switch (reader.take(some)) {
        case Reader::Found::kNothing:
          break;
        case Reader::Found::kPrepare:
          promise(node, reader.prepare());
          break;
        case Reader::Found::kHello:
          joined = let_in(node, reader.hello(), session);
          if (!joined) return false;
          session.on_frame_started({session.start(), node.log.end - session.start()});
          break;
        case Reader::Found::kAck: {
          const Offset before = session.ack();
          const bool entered = reader.ack().epoch == node.epoch;
          const auto reason =
              session.on_ack(reader.ack().received, reader.ack().durable, entered, Offset(100));
          require(session.ack() >= before && session.ack() <= std::max(session.next(), before));
          require(session.durable() <= session.ack());
          require(entered || session.ack() == before);
          if (reason != core::Reason::kNone) return false;
          break;
        }
        case Reader::Found::kPending:
          require(joined && !reader.metadata().empty());
          require(reader.metadata().size() <= wire::native::kMaxMetadataBytes);
          break;
        default:
          return false;
      }
    }
    return true;
  });
}

// A slave's log and term while a master speaks to it.
struct Slave {
  core::LogBounds log{Offset(0), Offset(6000), kSegment};
  core::Term term{6, "c", {}};
  core::Hello hello;
  core::EpochHistory told;
  std::int64_t body_left = 0;
  core::DegradedJournal journal;
};

// Promoted now: what it heard is its own, as far as its log goes, and the rest is called lost.
void take_over(const Slave& slave) {
  const core::DegradedJournal mine = slave.journal.begun(slave.log.end, 1);
  require(!mine.told() && !mine.answering());
  const auto& told = slave.journal.told();
  if (mine.open() != nullptr) {
    require(told && mine.open()->from == told->from && mine.open()->to <= slave.log.end);
  }
  for (const core::DegradedRange& range : mine.ranges()) {
    if (range.lost()) require(range.lost_from >= slave.log.end && range.to > slave.log.end);
  }
}

bool greeted(Slave& slave, const core::Greeting& greeting) {
  slave.hello = {};
  if (!core::plan_tail(slave.log, slave.term, greeting, slave.hello).empty()) return false;
  const core::Hello& hello = slave.hello;
  require(hello.tail_start >= slave.log.min && hello.tail_start <= hello.tail_end);
  require(hello.tail_end <= slave.log.end && hello.tail_end - hello.tail_start <= core::kTailBytes);
  slave.hello.min = slave.log.min;
  slave.hello.end = slave.log.end;
  slave.hello.segment_size = kSegment;
  slave.hello.cluster = "prod";
  slave.hello.set = kSet;
  const auto told = core::told_history(greeting.history, greeting.end);
  require(told.has_value());
  slave.told = *told;
  return true;
}

bool answered(Slave& slave, const core::Greeting& greeting, const core::Answer& answer) {
  if (answer.decision == core::Decision::kRefuse) return false;
  if (greeting.epoch == 0) return false;
  const core::Expected expected{"b", {"a", "b", "c"}, ""};
  if (!core::check_master(greeting.epoch, answer.master, slave.term, expected).ok()) return false;
  require(answer.master == "a" || answer.master == "c");
  require(greeting.epoch >= slave.term.known());
  require(greeting.epoch <= slave.term.known() + core::kMaxEpochJump);
  if (!core::check_answer(answer, slave.hello, greeting).empty()) return false;
  if (answer.decision == core::Decision::kReset) {
    require(answer.offset > slave.log.end || slave.log.end == slave.log.min);
    slave.log.min = answer.offset;
  } else {
    require(answer.offset >= slave.log.min && answer.offset <= slave.log.end);
    require(answer.offset == slave.hello.tail_end);
  }
  slave.log.end = answer.offset;
  const core::Term before = slave.term;
  slave.term = core::term_as_slave(before, greeting, answer.master, slave.told, slave.log.min,
                                   slave.log.end);
  require(slave.term.promised >= before.promised && slave.term.promised >= greeting.epoch);
  require(slave.term.history.empty() || slave.term.history.entries().back().start <= slave.log.end);
  return true;
}

void feed_slave(std::span<const std::byte> bytes, std::size_t piece) {
  Slave slave;
  require(slave.term.history.append({3, Offset(0), "a"}) &&
          slave.term.history.append({6, Offset(5000), "c"}));
  Reader reader(Reader::Side::kSlave);
  in_pieces(bytes, piece, [&](std::span<const std::byte> some) {
    while (!some.empty()) {
      if (slave.body_left > 0) {
        const auto n =
            std::min<std::int64_t>(slave.body_left, static_cast<std::int64_t>(some.size()));
        reader.body(some.first(static_cast<std::size_t>(n)));
        some = some.subspan(static_cast<std::size_t>(n));
        slave.body_left -= n;
        if (slave.body_left > 0) continue;
        if (!reader.body_is_whole()) return false;
        slave.log.end = slave.log.end + reader.data().size;
        continue;
      }
      switch (reader.take(some)) {
        case Reader::Found::kNothing:
        case Reader::Found::kMetadata:
          break;
        case Reader::Found::kUpstream:
          require(reader.upstream().incarnations.size() <= core::kMostUpstream);
          if (!core::check_upstream(reader.upstream(), 1).empty()) return false;
          break;
        case Reader::Found::kDegraded:
          slave.journal = slave.journal.heard(reader.degraded());
          take_over(slave);
          break;
        case Reader::Found::kGreeting:
          if (!greeted(slave, reader.greeting())) return false;
          break;
        case Reader::Found::kAnswer:
          if (!answered(slave, reader.greeting(), reader.answer())) return false;
          break;
        case Reader::Found::kData: {
          const auto& data = reader.data();
          if (data.epoch != reader.greeting().epoch || data.offset != slave.log.end) return false;
          const auto verdict = core::judge_frame(data.offset, data.size, slave.log);
          if (verdict.reason != core::Reason::kNone) return false;
          require(data.size <= slave.log.to_segment_end(data.offset));
          slave.body_left = data.size;
          break;
        }
        default:
          return false;
      }
    }
    return true;
  });
}

void feed_candidate(std::span<const std::byte> bytes, std::size_t piece, bool force) {
  const core::Candidacy candidacy{"a", {{{"a", "b", "c"}, 2}}, {6, Offset(6000)}, force};
  std::vector<core::Heard> heard;
  Reader reader(Reader::Side::kCandidate);
  in_pieces(bytes, piece, [&](std::span<const std::byte> some) {
    while (!some.empty()) {
      const auto found = reader.take(some);
      if (found == Reader::Found::kPromise && heard.size() < 2) {
        heard.push_back({reader.promise().id, reader.promise(), ""});
      } else if (found != Reader::Found::kNothing && found != Reader::Found::kGreeting &&
                 found != Reader::Found::kUpstream) {
        return false;
      }
    }
    return true;
  });
  heard.resize(2);
  const core::Verdict verdict = core::judge_round(candidacy, heard);
  require(!verdict.text.empty());
  std::int32_t granted = 1;
  for (const core::Heard& one : heard) granted += one.promise && one.promise->granted ? 1 : 0;
  if (verdict.reason == core::Reason::kNone) require(force || granted >= 2);
  const core::Term term = some_term();
  const std::int64_t next = core::next_epoch(term, heard);
  require(next > term.known() && next <= term.known() + core::kMaxEpochJump + 1);
  const core::Promise* master = core::master_among(heard);
  require(master == nullptr || master->master);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::size_t piece = 1 + data[1] % 32;
  const std::span<const std::byte> input = std::as_bytes(std::span(data + 2, size - 2));
  const bool raw = (data[0] & 0x80) != 0;  // else the input is types and bodies
  const wire::native::Bytes made = raw ? wire::native::Bytes() : messages(input);
  const std::span<const std::byte> bytes = raw ? input : std::span(made);
  switch (data[0] % 5) {
    case 0:
      feed_acceptor(bytes, piece, true);
      break;
    case 1:
      feed_acceptor(bytes, piece, false);
      break;
    case 2:
      feed_slave(bytes, piece);
      break;
    default:
      feed_candidate(bytes, piece, data[0] % 5 == 4);
  }
  return 0;
}
