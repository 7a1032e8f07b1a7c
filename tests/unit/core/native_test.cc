// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/wire/native.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/core/printing.h"

namespace ha::wire::native {
namespace {

using core::Offset;
using Found = Reader::Found;
using Side = Reader::Side;

Bytes text_bytes(const std::string& text) {
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  return {from, from + text.size()};
}

Bytes data(const DataHeader& header, const Bytes& body) {
  const DataStart start = encode_data(header, body.data());
  Bytes all(start.size() + body.size());
  std::copy(body.begin(), body.end(), std::copy(start.begin(), start.end(), all.begin()));
  return all;
}

Bytes ack(const Ack& value) {
  const AckBytes bytes = encode_ack(value);
  return {bytes.begin(), bytes.end()};
}

core::Hello some_hello() {
  core::Hello hello;
  hello.oldest_version = 1;
  hello.newest_version = 2;
  hello.incarnation = 0xfedcba9876543210;
  hello.segment_size = 1 << 20;
  hello.min = Offset(1 << 20);
  hello.end = Offset(1580);
  hello.tail_start = Offset(7);
  hello.tail_hash = 0x8000000000000001;
  hello.cluster = "prod";
  hello.replica = "broker-b";
  hello.set = "broker-a,broker-b with default_copies 2";
  return hello;
}

core::Answer some_answer() {
  return {core::Decision::kRefuse,
          core::Reason::kCluster,
          1,
          Offset(1),
          Offset(2),
          Offset(3),
          "broker-a",
          "no"};
}

// What one stream of bytes is to a reader, in pieces of so many bytes.
std::vector<Found> read_all(Reader& reader, Bytes bytes, std::size_t piece = SIZE_MAX) {
  std::vector<Found> all;
  std::span<const std::byte> left(bytes);
  std::int64_t body = 0;
  while (!left.empty()) {
    std::span<const std::byte> part = left.first(std::min(piece, left.size()));
    left = left.subspan(part.size());
    while (!part.empty()) {
      if (body > 0) {
        const auto n = std::min<std::size_t>(part.size(), static_cast<std::size_t>(body));
        reader.body(part.first(n));
        part = part.subspan(n);
        body -= static_cast<std::int64_t>(n);
        if (body == 0 && !reader.body_is_whole()) all.push_back(Found::kBadChecksum);
        continue;
      }
      const Found found = reader.take(part);
      if (found == Found::kNothing) continue;
      all.push_back(found);
      if (found >= Found::kBadMagic) return all;
      if (found == Found::kData) body = reader.data().size;
    }
  }
  return all;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes& log_bytes() {
  static const Bytes bytes = text_bytes("log bytes, any");
  return bytes;
}

DataHeader some_data() { return {0, Offset(1580), Offset(1500), 1'700'000'000'123, 14}; }

TEST(NativeCodec, EveryMessageIsReadAsItWasWritten) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
    Reader master(Side::kMaster);
    EXPECT_EQ(read_all(master, encode_hello(some_hello()) + ack({Offset(9), Offset(8), 3}), piece),
              (std::vector{Found::kHello, Found::kAck}));
    const core::Hello& h = master.hello();
    const core::Hello want = some_hello();
    EXPECT_EQ(std::tie(h.oldest_version, h.newest_version, h.incarnation, h.segment_size, h.min,
                       h.end, h.tail_start, h.tail_hash, h.cluster, h.replica, h.set),
              std::tie(want.oldest_version, want.newest_version, want.incarnation,
                       want.segment_size, want.min, want.end, want.tail_start, want.tail_hash,
                       want.cluster, want.replica, want.set));
    EXPECT_EQ(master.ack().received, Offset(9));
    EXPECT_EQ(master.ack().durable, Offset(8));
    EXPECT_EQ(master.ack().epoch, 3);
    EXPECT_EQ(read_all(master, encode_pending("offsets") + ack({Offset(9), Offset(9), 3}), piece),
              (std::vector{Found::kPending, Found::kAck}));
    EXPECT_EQ(read_all(master, encode_pending("o"), piece), std::vector{Found::kPending});
    EXPECT_TRUE(std::ranges::equal(master.metadata(), text_bytes("o")));

    Reader slave(Side::kSlave);
    EXPECT_FALSE(slave.greeted());
    const Bytes stream = encode_greeting({1, 4, Offset(5), Offset(6)}) +
                         encode_answer(some_answer()) + data(some_data(), log_bytes()) +
                         data({0, Offset(1594), Offset(-1), 5, 0}, {});
    EXPECT_EQ(read_all(slave, stream, piece),
              (std::vector{Found::kGreeting, Found::kAnswer, Found::kData, Found::kData}));
    for (const std::string state : {"", "offsets"}) {
      EXPECT_EQ(read_all(slave, encode_metadata(state), piece), std::vector{Found::kMetadata});
      EXPECT_TRUE(std::ranges::equal(slave.metadata(), text_bytes(state)));
    }
    const core::DegradedRange open{Offset(3), Offset(9), 17};
    EXPECT_EQ(read_all(slave, encode_degraded(open), piece), std::vector{Found::kDegraded});
    EXPECT_EQ(slave.degraded(), open);
    EXPECT_EQ(read_all(slave, encode_degraded({}), piece), std::vector{Found::kDegraded});
    EXPECT_FALSE(slave.degraded());
    EXPECT_TRUE(slave.greeted());
    EXPECT_EQ(slave.greeting().oldest_version, 1);
    EXPECT_EQ(slave.greeting().newest_version, 4);
    EXPECT_EQ(slave.greeting().min, Offset(5));
    EXPECT_EQ(slave.greeting().end, Offset(6));
    const core::Answer& a = slave.answer();
    const core::Answer said = some_answer();
    EXPECT_EQ(std::tie(a.decision, a.reason, a.version, a.offset, a.min, a.end, a.master, a.text),
              std::tie(said.decision, said.reason, said.version, said.offset, said.min, said.end,
                       said.master, said.text));
    EXPECT_EQ(slave.data().offset, Offset(1594));
    EXPECT_EQ(slave.data().confirm, Offset(-1));
    EXPECT_EQ(slave.data().sent_ms, 5);
    EXPECT_EQ(slave.data().size, 0);
  }
}

constexpr std::size_t kMostBytes = 5 << 20;  // of any message

std::size_t announced_size(const Bytes& message) {
  std::size_t size = 0;
  for (int i = 4; i < 8; ++i) size = size << 8 | std::to_integer<std::size_t>(message[i]);
  return size;
}

// Whatever bit changes on the way, nothing of the message is taken.
TEST(NativeCodec, EveryChangedBitIsFound) {
  struct Row {
    const char* name;
    Side side;
    Bytes before;
    Bytes message;
  };
  const Bytes greeting = encode_greeting({1, 2, Offset(5), Offset(6)});
  const Bytes answer = encode_answer(some_answer());
  const Row rows[] = {
      {"greeting", Side::kSlave, {}, greeting},
      {"hello", Side::kMaster, {}, encode_hello(some_hello())},
      {"answer", Side::kSlave, greeting, answer},
      {"ack", Side::kMaster, encode_hello(some_hello()), ack({Offset(9), Offset(8), 0})},
      {"data", Side::kSlave, greeting + answer, data(some_data(), log_bytes())},
      {"metadata", Side::kSlave, greeting + answer, encode_metadata("offsets")},
      {"pending", Side::kMaster, encode_hello(some_hello()), encode_pending("offsets")},
      {"degraded", Side::kSlave, greeting + answer,
       encode_degraded(core::DegradedRange{Offset(3), Offset(9), 17})},
      {"heartbeat", Side::kSlave, greeting + answer, data({0, Offset(5), Offset(5), 5, 0}, {})},
  };
  for (const Row& row : rows) {
    for (std::size_t bit = 0; bit < row.message.size() * 8; ++bit) {
      Bytes changed = row.message;
      changed[bit / 8] ^= std::byte{1} << (bit % 8);
      Reader reader(row.side);
      read_all(reader, row.before);
      // Enough to follow for a message that became longer.
      const std::size_t announced = announced_size(changed);
      const std::vector<Found> found =
          read_all(reader, changed + Bytes(announced < kMostBytes ? announced : 0));
      ASSERT_FALSE(found.empty()) << row.name << ", bit " << bit;
      const bool frame_refused =
          found.size() > 1 && found[0] == Found::kData && found[1] == Found::kBadChecksum;
      EXPECT_TRUE(found[0] >= Found::kBadMagic || frame_refused) << row.name << ", bit " << bit;
    }
  }
}

TEST(NativeCodec, ADegradedRangeMustBeOne) {
  const Bytes before = encode_greeting({1, 2, Offset(5), Offset(6)}) + encode_answer(some_answer());
  for (const core::DegradedRange wrong : {core::DegradedRange{Offset(-1), Offset(9), 17},
                                          core::DegradedRange{Offset(9), Offset(8), 17},
                                          core::DegradedRange{Offset(3), Offset(9), -1}}) {
    Reader slave(Side::kSlave);
    EXPECT_EQ(read_all(slave, before + encode_degraded(wrong)).back(), Found::kBadBody);
  }
}

TEST(NativeCodec, APrepareHasAModeThatIsKnown) {
  using Mode = core::Prepare::Mode;
  for (const int mode : {0, 1, 2, 3, 4, 5, 255}) {
    const Bytes bytes = encode_prepare({static_cast<Mode>(mode), 7, {}, "prod", "a"});
    Reader voter(Side::kMaster);
    const bool known = mode >= 1 && mode <= 4;
    EXPECT_EQ(read_all(voter, bytes), std::vector{known ? Found::kPrepare : Found::kBadBody})
        << mode;
    if (known) {
      EXPECT_EQ(voter.prepare().mode, static_cast<Mode>(mode));
    }
  }
  EXPECT_EQ(static_cast<int>(Mode::kSuspect), 4);
}

TEST(NativeCodec, OnlyWhatHasItsPlaceIsTaken) {
  const Bytes greeting = encode_greeting({1, 2, Offset(5), Offset(6)});
  const Bytes hello = encode_hello(some_hello());
  Reader master(Side::kMaster);
  EXPECT_EQ(read_all(master, greeting).back(), Found::kBadType);
  master.restart();
  EXPECT_EQ(read_all(master, ack({Offset(0), Offset(0), 0})).back(), Found::kBadType);
  EXPECT_EQ(master.type(), 5);
  master.restart();
  EXPECT_EQ(read_all(master, hello + hello).back(), Found::kBadType);
  Reader greeted(Side::kSlave);
  EXPECT_EQ(read_all(greeted, greeting + greeting).back(), Found::kBadType);
  Reader slave(Side::kSlave);
  EXPECT_EQ(read_all(slave, hello).back(), Found::kBadType);
  slave.restart();
  EXPECT_EQ(read_all(slave, greeting + data(some_data(), log_bytes())).back(), Found::kBadType);
  slave.restart();
  EXPECT_EQ(read_all(slave, greeting + encode_metadata("early")).back(), Found::kBadType);
  slave.restart();
  EXPECT_EQ(read_all(slave, greeting + encode_answer(some_answer()) + encode_pending("x")).back(),
            Found::kBadType);
  master.restart();
  EXPECT_EQ(read_all(master, encode_pending("early")).back(), Found::kBadType);
  slave.restart();
  EXPECT_EQ(read_all(slave, text_bytes("HTTP/1.1 200 OK\r\n")).back(), Found::kBadMagic);
}

// Says in its prefix that so many bytes follow.
Bytes announcing(const Bytes& message, std::uint32_t size) {
  Bytes changed = message;
  for (int i = 0; i < 4; ++i) changed[4 + i] = static_cast<std::byte>(size >> (8 * (3 - i)));
  return changed;
}

TEST(NativeCodec, SizesAreBounded) {
  const Bytes greeting = encode_greeting({1, 2, Offset(5), Offset(6)});
  const Bytes answer = encode_answer(some_answer());
  const auto found = [](Side side, const Bytes& before, const Bytes& message) {
    Reader reader(side);
    read_all(reader, before);
    return read_all(reader, message).back();
  };
  const auto most = static_cast<std::uint32_t>(kMaxHandshakeBytes);
  EXPECT_EQ(found(Side::kSlave, {}, announcing(greeting, most + 1)), Found::kBadSize);
  EXPECT_EQ(found(Side::kSlave, {}, announcing(greeting, 0)), Found::kBadChecksum);
  EXPECT_EQ(found(Side::kMaster, encode_hello(some_hello()),
                  announcing(ack({Offset(0), Offset(0), 0}), 25)),
            Found::kBadSize);
  const Bytes frame = data(some_data(), log_bytes());
  const auto longest = static_cast<std::uint32_t>(kDataHeaderBytes + core::kMaxBodyBytes);
  EXPECT_EQ(found(Side::kSlave, greeting + answer, announcing(frame, longest + 1)),
            Found::kBadSize);
  EXPECT_EQ(found(Side::kSlave, greeting + answer, announcing(frame, 31)), Found::kBadSize);
  EXPECT_EQ(
      found(Side::kSlave, greeting + answer,
            announcing(encode_metadata("x"), static_cast<std::uint32_t>(kMaxMetadataBytes) + 1)),
      Found::kBadSize);
  for (const auto size : {std::uint32_t{0}, static_cast<std::uint32_t>(kMaxMetadataBytes) + 1}) {
    EXPECT_EQ(
        found(Side::kMaster, encode_hello(some_hello()), announcing(encode_pending("x"), size)),
        Found::kBadSize);
  }
}

// What shows it has nothing left to do.
TEST(NativeCodec, APeersSentenceIsOneLineWhenItIsRead) {
  const std::string said = "two\nlines \x1b[2J caf\xe9 " + std::string(60'000, 'x');
  const Bytes greeting = encode_greeting({2, 2, Offset(5), Offset(6)});
  Reader candidate(Side::kCandidate);
  core::Promise promise;
  promise.text = said;
  EXPECT_EQ(read_all(candidate, greeting + encode_promise(promise)).back(), Found::kPromise);
  Reader slave(Side::kSlave);
  core::Answer answer = some_answer();
  answer.text = said;
  EXPECT_EQ(read_all(slave, greeting + encode_answer(answer)).back(), Found::kAnswer);
  for (const std::string& heard : {candidate.promise().text, slave.answer().text}) {
    EXPECT_EQ(heard.size(), 400U);
    EXPECT_TRUE(heard.starts_with("two?lines ?[2J caf? xxx")) << heard;
  }
}

// So that nobody has to fear the next number: one that is out of range is no message.
TEST(NativeCodec, EpochsOnTheWireAreEpochs) {
  const Bytes greeting = encode_greeting({2, 2, Offset(5), Offset(6)});
  const Bytes hello = encode_hello(some_hello());
  struct Row {
    const char* name;
    Side side;
    Bytes before;
    std::function<Bytes(std::int64_t)> message;
    Found good;
  };
  const Row rows[] = {
      {"greeting",
       Side::kSlave,
       {},
       [](std::int64_t e) {
         return encode_greeting({2, 2, Offset(5), Offset(6), e});
       },
       Found::kGreeting},
      {"greeting's history",
       Side::kSlave,
       {},
       [](std::int64_t e) {
         return encode_greeting({2, 2, Offset(5), Offset(6), 0, {{e, Offset(1), "a"}}});
       },
       Found::kGreeting},
      {"hello",
       Side::kMaster,
       {},
       [](std::int64_t e) {
         core::Hello h = some_hello();
         h.promised = e;
         return encode_hello(h);
       },
       Found::kHello},
      {"hello's history",
       Side::kMaster,
       {},
       [](std::int64_t e) {
         core::Hello h = some_hello();
         h.history = {{1, Offset(0), "a"}, {e, Offset(1), "a"}};
         return encode_hello(h);
       },
       Found::kHello},
      {"ack", Side::kMaster, hello,
       [](std::int64_t e) {
         return ack({Offset(9), Offset(8), e});
       },
       Found::kAck},
      {"prepare",
       Side::kMaster,
       {},
       [](std::int64_t e) {
         return encode_prepare({core::Prepare::Mode::kAsk, e, {}, "prod", "a"});
       },
       Found::kPrepare},
      {"prepare's position",
       Side::kMaster,
       {},
       [](std::int64_t e) {
         return encode_prepare({core::Prepare::Mode::kAsk, 1, {e, Offset(1)}, "prod", "a"});
       },
       Found::kPrepare},
      {"promise", Side::kCandidate, greeting,
       [](std::int64_t e) {
         return encode_promise({true, false, core::Reason::kNone, e, {}, "a", ""});
       },
       Found::kPromise},
      {"promise's position", Side::kCandidate, greeting,
       [](std::int64_t e) {
         return encode_promise({true, false, core::Reason::kNone, 1, {e, Offset(1)}, "a", ""});
       },
       Found::kPromise},
      {"heartbeat", Side::kSlave, greeting + encode_answer(some_answer()),
       [](std::int64_t e) {
         return data({e, Offset(5), Offset(5), 5, 0}, {});
       },
       Found::kData},
  };
  for (const Row& row : rows) {
    for (const std::int64_t epoch :
         {std::int64_t{0}, core::kMaxEpoch, core::kMaxEpoch + 1, INT64_MAX, std::int64_t{-1}}) {
      Reader reader(row.side);
      read_all(reader, row.before);
      EXPECT_EQ(read_all(reader, row.message(epoch)).back(),
                core::is_epoch(epoch) ? row.good : Found::kBadBody)
          << row.name << ", " << epoch;
    }
  }
}

TEST(NativeCodec, NamesOnTheWireAreNames) {
  core::Hello hello = some_hello();
  hello.replica = "two words";
  Reader master(Side::kMaster);
  EXPECT_EQ(read_all(master, encode_hello(hello)).back(), Found::kBadBody);
}

TEST(NativeCodec, TheOpeningIsNotAnOffset) {
  EXPECT_TRUE(is_opening(opening()));
  EXPECT_FALSE(is_opening(encode_report(Offset(0))));
  EXPECT_EQ(decode_report(opening()), Offset(-1));
}

// The worked example of the README, decoded: each line is who speaks and bytes in hex.
struct Spoken {
  std::string who;
  Bytes bytes;
};

std::vector<Spoken> worked_example() {
  std::ifstream file(std::string(HA_SOURCE_DIR) + "/ha_plugin/wire/README.md");
  std::vector<Spoken> all;
  std::string line;
  while (std::getline(file, line) && line != "## Worked example, native") {
  }
  while (std::getline(file, line) && !line.starts_with("## ")) {
    const std::size_t colon = line.find(':');
    if (line.size() > 11 && colon < 11) {
      all.push_back({line.substr(0, colon), {}});
    } else if (!line.starts_with("           ")) {
      continue;
    }
    std::istringstream words(line.substr(11));
    std::string word;
    while (words >> word) {
      all.back().bytes.push_back(static_cast<std::byte>(std::stoi(word, nullptr, 16)));
    }
  }
  return all;
}

// With so many bytes of its body only, and a checksum that says so.
Bytes resealed(const Bytes& message, std::uint32_t size) {
  Bytes changed = announcing(message, size);
  changed.resize(kPrefixBytes + size);
  Hasher hasher;
  hasher.add(std::span(changed).first(8));
  hasher.add(std::span(changed).subspan(kPrefixBytes));
  for (int i = 0; i < 8; ++i) {
    changed[8 + i] = static_cast<std::byte>(hasher.value() >> (8 * (7 - i)));
  }
  return changed;
}

// Of another version only its numbers are read, so that both sides can be told which.
TEST(NativeCodec, AnotherVersionIsSeenAsSuch) {
  for (const std::uint16_t other : {std::uint16_t{1}, std::uint16_t{3}}) {
    core::Hello hello = some_hello();
    hello.oldest_version = hello.newest_version = other;
    Reader master(Side::kMaster);
    EXPECT_EQ(read_all(master, resealed(encode_hello(hello), 30)), std::vector{Found::kHello});
    EXPECT_EQ(master.hello().newest_version, other);
    Reader slave(Side::kSlave);
    EXPECT_EQ(read_all(slave, resealed(encode_greeting({other, other, {}, {}}), 4)),
              std::vector{Found::kGreeting});
    EXPECT_EQ(slave.greeting().oldest_version, other);
    Reader cut(Side::kSlave);
    EXPECT_EQ(read_all(cut, resealed(encode_greeting({other, other, {}, {}}), 3)),
              std::vector{Found::kBadBody});
  }
}

// It goes into both sides' logs.
TEST(NativeCodec, ASetIsOneLineOfText) {
  for (const char* bad : {"a\n", "\x1b[2J", "caf\xe9"}) {
    core::Hello hello = some_hello();
    hello.set = bad;
    Reader master(Side::kMaster);
    EXPECT_EQ(read_all(master, encode_hello(hello)), std::vector{Found::kBadBody});
    core::Greeting greeting;
    greeting.set = bad;
    Reader slave(Side::kSlave);
    EXPECT_EQ(read_all(slave, encode_greeting(greeting)), std::vector{Found::kBadBody});
    core::Prepare prepare;
    prepare.set = bad;
    Reader voter(Side::kMaster);
    EXPECT_EQ(read_all(voter, encode_prepare(prepare)), std::vector{Found::kBadBody});
  }
}

TEST(NativeCodec, TheReadmesExampleIsWhatIsSpoken) {
  const std::vector<Spoken> example = worked_example();
  ASSERT_EQ(example.size(), 10u);
  EXPECT_EQ(example[0].who, "candidate");
  Reader voter(Side::kMaster);
  EXPECT_EQ(read_all(voter, example[0].bytes), std::vector{Found::kPrepare});
  EXPECT_EQ(example[0].bytes, encode_prepare(voter.prepare()));
  EXPECT_EQ(voter.prepare().position, (core::Position{1, Offset(5)}));
  Reader candidate(Side::kCandidate);
  EXPECT_EQ(read_all(candidate, example[3].bytes), std::vector{Found::kGreeting});
  EXPECT_EQ(read_all(candidate, example[1].bytes), std::vector{Found::kPromise});
  EXPECT_EQ(example[1].bytes, encode_promise(candidate.promise()));
  EXPECT_TRUE(candidate.promise().granted);

  const auto opening_bytes = opening();
  EXPECT_EQ(example[2].bytes, Bytes(opening_bytes.begin(), opening_bytes.end()));
  Reader slave(Side::kSlave);
  Reader master(Side::kMaster);
  std::vector<Found> heard;
  for (std::size_t i = 3; i < example.size(); ++i) {
    Reader& reader = example[i].who == "slave" ? master : slave;
    for (const Found found : read_all(reader, example[i].bytes)) heard.push_back(found);
  }
  EXPECT_EQ(heard, (std::vector{Found::kGreeting, Found::kHello, Found::kAnswer, Found::kData,
                                Found::kAck, Found::kData, Found::kPending}));
  EXPECT_EQ(slave.greeting().end, Offset(10));
  EXPECT_EQ(master.hello().replica, "b");
  EXPECT_EQ(master.hello().cluster, "prod");
  EXPECT_EQ(master.hello().end, Offset(7));
  EXPECT_EQ(master.hello().history, (std::vector<core::EpochEntry>{{1, Offset(0), "b"}}));
  EXPECT_EQ(slave.greeting().history.size(), 2u);
  EXPECT_EQ(slave.answer().decision, core::Decision::kTruncate);
  EXPECT_EQ(slave.answer().offset, Offset(5));
  EXPECT_EQ(slave.answer().master, "a");
  EXPECT_EQ(master.ack().received, Offset(10));
  EXPECT_EQ(master.ack().durable, Offset(5));
  EXPECT_EQ(master.ack().epoch, 2);
  EXPECT_TRUE(std::ranges::equal(master.metadata(), text_bytes("ok")));
  EXPECT_EQ(example[9].bytes, encode_pending("ok"));
  EXPECT_EQ(example[3].bytes, encode_greeting(slave.greeting()));
  EXPECT_EQ(example[4].bytes, encode_hello(master.hello()));
  EXPECT_EQ(example[5].bytes, encode_answer(slave.answer()));
}

}  // namespace
}  // namespace ha::wire::native
