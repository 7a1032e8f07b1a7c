// SPDX-License-Identifier: Apache-2.0
// The bytes of the native protocol, which two nodes of our own kind speak. README.md beside this
// file has the layout with a worked example.
//
//   slave -> master   opening, 8 bytes of 0xFF; HELLO; then ACKs and PENDING
//   master -> slave   GREETING; ANSWER; then DATA, without a body as heartbeat, METADATA, DEGRADED
//
// A candidate says PREPARE instead of HELLO and hears a PROMISE, on a connection of its own for
// each question: a PROMISE does not say which one it answers.
//
// Every message but the opening is a prefix of 16 bytes (magic, type, size, checksum) and a body.
// The checksum is XXH3-64 over the prefix's first 8 bytes and the body. This codec does no I/O and
// judges only what a message must be to be one; core decides what its values may be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ha_plugin/core/degraded.h"
#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/handshake.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/wire/rocketmq.h"

namespace ha::wire::native {

inline constexpr std::size_t kPrefixBytes = 16;
inline constexpr std::size_t kDataHeaderBytes = 32;  // of a DATA's body, before the log bytes
inline constexpr std::size_t kDataStartBytes = kPrefixBytes + kDataHeaderBytes;
inline constexpr std::size_t kAckBytes = kPrefixBytes + 24;

inline constexpr std::size_t kMaxMetadataBytes = 4 << 20;  // as in the ABI's ext/metadata.h

// Names have at most 255 bytes here and a text 65535; twice that is more than any handshake needs.
inline constexpr std::size_t kMaxHandshakeBytes = 128 * 1024;

enum class Type : std::uint8_t {
  kGreeting = 1,
  kHello = 2,
  kAnswer = 3,
  kData = 4,
  kAck = 5,
  kMetadata = 6,
  kPrepare = 7,
  kPromise = 8,
  kDegraded = 9,
  kPending = 10,
  kUpstream = 11
};

struct DataHeader {
  std::int64_t epoch = 0;
  core::Offset offset;
  core::Offset confirm;      // the master's readers see records below
  std::int64_t sent_ms = 0;  // the master's Unix time
  std::int64_t size = 0;     // log bytes that follow; 0 = heartbeat
};

struct Ack {
  core::Offset received;
  core::Offset durable;  // at most received
  std::int64_t epoch = 0;
};

using Bytes = std::vector<std::byte>;
using DataStart = std::array<std::byte, kDataStartBytes>;
using AckBytes = std::array<std::byte, kAckBytes>;

// To a RocketMQ master an offset of -1, which it takes for "no report yet".
constexpr Report opening() {
  Report bytes{};
  bytes.fill(std::byte{0xFF});
  return bytes;
}
inline bool is_opening(std::span<const std::byte, kReportBytes> bytes) {
  return decode_report(bytes) == core::Offset(-1);
}

Bytes encode_greeting(const core::Greeting& greeting);
Bytes encode_hello(const core::Hello& hello);
Bytes encode_answer(const core::Answer& answer);
AckBytes encode_ack(const Ack& ack);
Bytes encode_prepare(const core::Prepare& prepare);
Bytes encode_promise(const core::Promise& promise);
Bytes encode_metadata(std::string_view state);
Bytes encode_pending(std::string_view state);
// What the master has acknowledged with too few copies and is not healed; nothing = all is well.
Bytes encode_degraded(const std::optional<core::DegradedRange>& open);
Bytes encode_upstream(const core::Upstream& upstream);
// What goes before the log bytes; body has header.size of them, in one piece.
DataStart encode_data(const DataHeader& header, const std::byte* body);

// XXH3-64 of bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void reset();
  void add(std::span<const std::byte> bytes);
  std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Finds messages in the stream of one connection, however it is cut, and checks them. The log bytes
// of a DATA are the caller's: it gives each piece to body() on its way to the log, and asks
// body_is_whole() before they become part of it.
class Reader {
 public:
  enum class Found {
    kNothing,  // not yet
    kGreeting,
    kHello,
    kAnswer,
    kAck,
    kPrepare,
    kPromise,
    kMetadata,     // metadata() is complete
    kPending,      // the same
    kDegraded,     // degraded() is complete
    kUpstream,     // upstream() is complete
    kData,         // data() is complete; unless a heartbeat, its log bytes follow, unchecked yet
    kBadMagic,     // this is no message of this protocol
    kBadType,      // type() has no place there
    kBadSize,      // size() is none of such a message
    kBadChecksum,  // bytes were changed on the way
    kBadBody,      // a body that does not say what such a message says
  };

  // A master hears HELLO and then ACKs and PENDING, or PREPAREs; a slave GREETING, ANSWER and then
  // DATA, METADATA and DEGRADED; a candidate GREETING and then PROMISEs. UPSTREAM may come any time
  // after GREETING.
  enum class Side { kMaster, kSlave, kCandidate };
  explicit Reader(Side side) : side_(side) { restart(); }

  // A new connection.
  void restart();

  // Takes what it needs of one message off the front of bytes, at least a byte. REQUIRES: bytes are
  // there, nothing bad was found before, and the log bytes of a DATA went past this reader.
  Found take(std::span<const std::byte>& bytes);

  void body(std::span<const std::byte> bytes) { hasher_.add(bytes); }
  // REQUIRES: all of them were given to body().
  bool body_is_whole() const { return hasher_.value() == checksum_; }

  const core::Greeting& greeting() const { return greeting_; }
  const core::Hello& hello() const { return hello_; }
  const core::Answer& answer() const { return answer_; }
  const Ack& ack() const { return ack_; }
  const core::Prepare& prepare() const { return prepare_; }
  const core::Promise& promise() const { return promise_; }
  const DataHeader& data() const { return data_; }
  std::span<const std::byte> metadata() const { return held_; }  // until the next take
  const std::optional<core::DegradedRange>& degraded() const { return degraded_; }
  const core::Upstream& upstream() const { return upstream_; }
  int type() const { return static_cast<int>(now_); }
  std::uint32_t size() const { return size_; }
  bool greeted() const { return next_ != Type::kGreeting; }  // slave: the master has answered

 private:
  Found on_prefix();
  Found on_body();

  bool has_place(Type type) const {
    return type == next_ ||
           (next_ == Type::kData && (type == Type::kMetadata || type == Type::kDegraded)) ||
           (next_ == Type::kAck && type == Type::kPending) ||
           (next_ == Type::kHello && type == Type::kPrepare) ||
           (side_ != Side::kMaster && next_ != Type::kGreeting && type == Type::kUpstream);
  }

  const Side side_;
  Type next_ = Type::kHello;  // the type that has its place now; has_place knows those beside it
  Type now_ = Type::kHello;   // of the message that is being read
  Gather<kPrefixBytes> prefix_;
  bool in_body_ = false;
  std::uint32_t size_ = 0;
  std::uint64_t checksum_ = 0;
  Bytes held_;  // of the body; grows as bytes come, not as a peer announces
  Hasher hasher_;
  core::Greeting greeting_;
  core::Hello hello_;
  core::Answer answer_;
  Ack ack_;
  core::Prepare prepare_;
  core::Promise promise_;
  DataHeader data_;
  std::optional<core::DegradedRange> degraded_;
  core::Upstream upstream_;
};

}  // namespace ha::wire::native
