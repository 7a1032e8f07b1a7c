// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/wire/native.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "ha_plugin/core/one_line.h"
#include "ha_plugin/wire/big_endian.h"

namespace ha::wire::native {
namespace {

constexpr std::uint16_t kMagic = 0x4841;       // "HA"
constexpr std::size_t kChecksummedPrefix = 8;  // magic, type, 0, size
constexpr std::size_t kVersionBytes = 4;       // with which a GREETING and a HELLO begin

std::uint64_t hash(std::initializer_list<std::span<const std::byte>> pieces) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const auto piece : pieces) {
    if (!piece.empty()) XXH3_64bits_update(&state, piece.data(), piece.size());
  }
  return XXH3_64bits_digest(&state);
}

// The fields of each message's body in their order, for writing and reading alike.
template <class Io, class Message>
void greeting_fields(Io& io, Message& m) {
  io.number(m.oldest_version);
  io.number(m.newest_version);
  io.offset(m.min);
  io.offset(m.end);
  io.epoch(m.epoch);
  io.epochs(m.history);
  io.long_text(m.set);
}
template <class Io, class Entry>
void epoch_fields(Io& io, Entry& e) {
  io.epoch(e.epoch);
  io.offset(e.start);
  io.short_text(e.master);
}
template <class Io, class Message>
void prepare_fields(Io& io, Message& m) {
  io.byte(m.mode);
  io.epoch(m.epoch);
  io.epoch(m.position.epoch);
  io.offset(m.position.end);
  io.short_text(m.cluster);
  io.short_text(m.candidate);
  io.long_text(m.set);
}
template <class Io, class Message>
void promise_fields(Io& io, Message& m) {
  io.byte(m.granted);
  io.byte(m.master);
  io.byte(m.reason);
  io.epoch(m.known);
  io.epoch(m.position.epoch);
  io.offset(m.position.end);
  io.short_text(m.id);
  io.words(m.text);
}
template <class Io, class Message>
void hello_fields(Io& io, Message& m) {
  io.number(m.oldest_version);
  io.number(m.newest_version);
  io.number(m.incarnation);
  io.number(m.segment_size);
  io.offset(m.min);
  io.offset(m.end);
  io.offset(m.tail_start);
  io.offset(m.tail_end);
  io.number(m.tail_hash);
  io.epoch(m.promised);
  io.short_text(m.promised_to);
  io.short_text(m.cluster);
  io.short_text(m.replica);
  io.epochs(m.history);
  io.long_text(m.set);
}
template <class Io, class Message>
void answer_fields(Io& io, Message& m) {
  io.byte(m.decision);
  io.byte(m.reason);
  io.number(m.version);
  io.offset(m.offset);
  io.offset(m.min);
  io.offset(m.end);
  io.short_text(m.master);
  io.words(m.text);
}
template <class Io, class Message>
void ack_fields(Io& io, Message& m) {
  io.offset(m.received);
  io.offset(m.durable);
  io.epoch(m.epoch);
}
template <class Io, class Message>
void data_fields(Io& io, Message& m) {
  io.epoch(m.epoch);
  io.offset(m.offset);
  io.offset(m.confirm);
  io.number(m.sent_ms);
}
template <class Io, class Range>
void degraded_fields(Io& io, Range& m) {
  io.offset(m.from);
  io.offset(m.to);
  io.number(m.since_ms);
}
constexpr std::size_t kDegradedBytes = 24;

// Writes numbers where there is room for them.
class FixedWriter {
 public:
  explicit FixedWriter(std::byte* to) : to_(to) {}
  template <class Int>
  void number(Int value) {
    put_big_endian(to_, value);
    to_ += sizeof(Int);
  }
  void offset(core::Offset value) { number(value.bytes()); }
  void epoch(std::int64_t value) { number(value); }

 private:
  std::byte* to_;
};

void put_prefix(std::byte* to, Type type, std::size_t size) {
  FixedWriter out(to);
  out.number(kMagic);
  out.number(static_cast<std::uint8_t>(type));
  out.number(std::uint8_t{0});
  out.number(static_cast<std::uint32_t>(size));
}

// body: what the checksum is over beside the prefix.
void put_checksum(std::span<std::byte> message, std::span<const std::byte> body_elsewhere = {}) {
  const std::uint64_t sum =
      hash({message.first(kChecksummedPrefix), message.subspan(kPrefixBytes), body_elsewhere});
  put_big_endian(message.data() + kChecksummedPrefix, sum);
}

// A message of whatever length. A text that is too long for its length field is cut off.
class Writer {
 public:
  template <class Int>
  void number(Int value) {
    std::array<std::byte, sizeof(Int)> bytes{};
    put_big_endian(bytes.data(), value);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void offset(core::Offset value) { number(value.bytes()); }
  void epoch(std::int64_t value) { number(value); }
  template <class Enum>
  void byte(Enum value) {
    number(static_cast<std::uint8_t>(value));
  }
  void short_text(std::string_view value) { text<std::uint8_t>(value); }
  void long_text(std::string_view value) { text<std::uint16_t>(value); }
  void words(std::string_view value) { long_text(value); }
  void epochs(const std::vector<core::EpochEntry>& entries) {
    number(static_cast<std::uint16_t>(entries.size()));
    for (const core::EpochEntry& entry : entries) epoch_fields(*this, entry);
  }
  void raw(std::string_view value) {
    const auto* from = reinterpret_cast<const std::byte*>(value.data());
    bytes_.insert(bytes_.end(), from, from + value.size());
  }

  Bytes finish(Type type) {
    put_prefix(bytes_.data(), type, bytes_.size() - kPrefixBytes);
    put_checksum(bytes_);
    return std::move(bytes_);
  }

 private:
  template <class Length>
  void text(std::string_view value) {
    value = value.substr(0, std::numeric_limits<Length>::max());
    number(static_cast<Length>(value.size()));
    raw(value);
  }

  Bytes bytes_ = Bytes(kPrefixBytes);
};

// Reads beyond the end give zeros; whole() says that exactly all was read.
class BodyReader {
 public:
  explicit BodyReader(std::span<const std::byte> bytes) : left_(bytes) {}

  template <class Int>
  void number(Int& out) {
    out = 0;
    const auto bytes = take(sizeof(Int));
    if (bytes.size() == sizeof(Int)) out = get_big_endian<Int>(bytes.data());
  }
  void offset(core::Offset& out) {
    std::int64_t value = 0;
    number(value);
    out = core::Offset(value);
  }
  // One that is out of range makes the body wrong: who counts on from it needs room.
  void epoch(std::int64_t& out) {
    number(out);
    if (!core::is_epoch(out)) wrong_ = true;
  }
  template <class Enum>
  void byte(Enum& out) {
    std::uint8_t value = 0;
    number(value);
    out = static_cast<Enum>(value);
  }
  void short_text(std::string& out) { text<std::uint8_t>(out); }
  void long_text(std::string& out) { text<std::uint16_t>(out); }
  // A sentence that is shown. Made fit for that here, where nobody can forget it.
  void words(std::string& out) {
    long_text(out);
    out = core::one_line(out);
  }
  // More than a node may tell make the body wrong, and are not read.
  void epochs(std::vector<core::EpochEntry>& out) {
    std::uint16_t count = 0;
    number(count);
    out.clear();
    if (count > core::kMostEpochsTold) wrong_ = true;
    for (std::uint16_t i = 0; i < count && !wrong_; ++i) {
      epoch_fields(*this, out.emplace_back());
      if (!core::check_name(out.back().master).empty()) wrong_ = true;
    }
  }
  bool whole() const { return !wrong_ && left_.empty(); }

 private:
  // So many, or none.
  std::span<const std::byte> take(std::size_t size) {
    if (left_.size() < size) {
      wrong_ = true;
      return {};
    }
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  template <class Length>
  void text(std::string& out) {
    Length size = 0;
    number(size);
    const auto bytes = take(size);
    out.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  std::span<const std::byte> left_;
  bool wrong_ = false;
};

bool are_names(const std::string& a, const std::string& b) {
  return core::check_name(a).empty() && core::check_name(b).empty();
}

// What goes into the sentences of both sides' logs.
bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

bool is_size_of(Type type, std::uint32_t size) {
  switch (type) {
    case Type::kData:
      return size >= kDataHeaderBytes &&
             size <= kDataHeaderBytes + static_cast<std::uint32_t>(core::kMaxBodyBytes);
    case Type::kMetadata:
      return size <= kMaxMetadataBytes;
    case Type::kPending:
      return size > 0 && size <= kMaxMetadataBytes;
    case Type::kAck:
      return size == kAckBytes - kPrefixBytes;
    case Type::kDegraded:
      return size == 0 || size == kDegradedBytes;
    case Type::kUpstream:
      return size % sizeof(std::uint64_t) == 1 &&
             size <= 1 + sizeof(std::uint64_t) * core::kMostUpstream;
    default:
      return size <= kMaxHandshakeBytes;
  }
}

}  // namespace

Bytes encode_upstream(const core::Upstream& upstream) {
  Writer out;
  out.byte(upstream.root);
  const auto& all = upstream.incarnations;
  for (std::size_t i = 0; i < std::min(all.size(), core::kMostUpstream); ++i) out.number(all[i]);
  return out.finish(Type::kUpstream);
}

Bytes encode_greeting(const core::Greeting& greeting) {
  Writer out;
  greeting_fields(out, greeting);
  return out.finish(Type::kGreeting);
}

Bytes encode_hello(const core::Hello& hello) {
  Writer out;
  hello_fields(out, hello);
  return out.finish(Type::kHello);
}

Bytes encode_answer(const core::Answer& answer) {
  Writer out;
  answer_fields(out, answer);
  return out.finish(Type::kAnswer);
}

Bytes encode_metadata(std::string_view state) {
  Writer out;
  out.raw(state);
  return out.finish(Type::kMetadata);
}

Bytes encode_pending(std::string_view state) {
  Writer out;
  out.raw(state);
  return out.finish(Type::kPending);
}

Bytes encode_degraded(const std::optional<core::DegradedRange>& open) {
  Writer out;
  if (open) degraded_fields(out, *open);
  return out.finish(Type::kDegraded);
}

Bytes encode_prepare(const core::Prepare& prepare) {
  Writer out;
  prepare_fields(out, prepare);
  return out.finish(Type::kPrepare);
}

Bytes encode_promise(const core::Promise& promise) {
  Writer out;
  promise_fields(out, promise);
  return out.finish(Type::kPromise);
}

AckBytes encode_ack(const Ack& ack) {
  AckBytes bytes{};
  put_prefix(bytes.data(), Type::kAck, kAckBytes - kPrefixBytes);
  FixedWriter out(bytes.data() + kPrefixBytes);
  ack_fields(out, ack);
  put_checksum(bytes);
  return bytes;
}

DataStart encode_data(const DataHeader& header, const std::byte* body) {
  DataStart bytes{};
  const auto size = static_cast<std::size_t>(header.size);
  put_prefix(bytes.data(), Type::kData, kDataHeaderBytes + size);
  FixedWriter out(bytes.data() + kPrefixBytes);
  data_fields(out, header);
  put_checksum(bytes, {body, size});
  return bytes;
}

struct alignas(64) Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { reset(); }
Hasher::~Hasher() = default;
void Hasher::reset() { XXH3_64bits_reset(&state_->xxh); }
void Hasher::add(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_64bits_update(&state_->xxh, bytes.data(), bytes.size());
}
std::uint64_t Hasher::value() const { return XXH3_64bits_digest(&state_->xxh); }

void Reader::restart() {
  next_ = side_ == Side::kMaster ? Type::kHello : Type::kGreeting;
  prefix_ = {};
  in_body_ = false;
  held_.clear();
}

Reader::Found Reader::take(std::span<const std::byte>& bytes) {
  if (!in_body_) {
    if (!prefix_.take(bytes)) return Found::kNothing;
    return on_prefix();
  }
  const std::size_t whole = now_ == Type::kData ? kDataHeaderBytes : size_;
  const std::size_t n = std::min(bytes.size(), whole - held_.size());
  held_.insert(held_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
  bytes = bytes.subspan(n);
  if (held_.size() < whole) return Found::kNothing;
  in_body_ = false;
  hasher_.add(held_);
  return on_body();
}

Reader::Found Reader::on_prefix() {
  const std::byte* at = prefix_.bytes().data();
  if (get_big_endian<std::uint16_t>(at) != kMagic) return Found::kBadMagic;
  now_ = static_cast<Type>(at[2]);
  size_ = get_big_endian<std::uint32_t>(at + 4);
  checksum_ = get_big_endian<std::uint64_t>(at + kChecksummedPrefix);
  if (!has_place(now_) || at[3] != std::byte{0}) return Found::kBadType;
  if (!is_size_of(now_, size_)) return Found::kBadSize;
  hasher_.reset();
  hasher_.add(prefix_.bytes().first<kChecksummedPrefix>());
  // A peer that sent one large message must not keep that much of this node's memory.
  if (held_.capacity() > kMaxHandshakeBytes) held_ = {};
  held_.clear();
  in_body_ = size_ > 0;
  return in_body_ ? Found::kNothing : on_body();
}

Reader::Found Reader::on_body() {
  const bool body_follows = now_ == Type::kData && size_ > kDataHeaderBytes;
  if (!body_follows && !body_is_whole()) return Found::kBadChecksum;
  BodyReader in(held_);
  switch (now_) {
    case Type::kGreeting:
      greeting_fields(in, greeting_);
      next_ = side_ == Side::kCandidate ? Type::kPromise : Type::kAnswer;
      // Of another version only its numbers can be read; the caller has words for that.
      if (!core::speaks_our_version(greeting_.oldest_version, greeting_.newest_version)) {
        return size_ >= kVersionBytes ? Found::kGreeting : Found::kBadBody;
      }
      return in.whole() && is_printable(greeting_.set) ? Found::kGreeting : Found::kBadBody;
    case Type::kHello:
      hello_fields(in, hello_);
      next_ = Type::kAck;
      if (!core::speaks_our_version(hello_.oldest_version, hello_.newest_version)) {
        hello_.replica.clear();  // not to be believed
        return size_ >= kVersionBytes ? Found::kHello : Found::kBadBody;
      }
      return in.whole() && are_names(hello_.cluster, hello_.replica) &&
                     are_names(hello_.promised_to, "") && is_printable(hello_.set)
                 ? Found::kHello
                 : Found::kBadBody;
    case Type::kAnswer: {
      answer_fields(in, answer_);
      next_ = Type::kData;
      const bool known = answer_.decision >= core::Decision::kResume &&
                         answer_.decision <= core::Decision::kTruncate;
      return in.whole() && known && are_names(answer_.master, "") ? Found::kAnswer
                                                                  : Found::kBadBody;
    }
    case Type::kPrepare: {
      prepare_fields(in, prepare_);
      const bool known = prepare_.mode >= core::Prepare::Mode::kAsk &&
                         prepare_.mode <= core::Prepare::Mode::kSuspect;
      return in.whole() && known && are_names(prepare_.cluster, prepare_.candidate) &&
                     is_printable(prepare_.set)
                 ? Found::kPrepare
                 : Found::kBadBody;
    }
    case Type::kPromise:
      promise_fields(in, promise_);
      return in.whole() && are_names(promise_.id, "") ? Found::kPromise : Found::kBadBody;
    case Type::kAck:
      ack_fields(in, ack_);
      return in.whole() ? Found::kAck : Found::kBadBody;
    case Type::kData:
      data_fields(in, data_);
      data_.size = static_cast<std::int64_t>(size_ - kDataHeaderBytes);
      // With a body nothing is known to have come unchanged yet, the epoch neither. Who takes it
      // compares it with that of the GREETING, which is one.
      return body_follows || in.whole() ? Found::kData : Found::kBadBody;
    case Type::kDegraded: {
      degraded_.reset();
      if (size_ == 0) return Found::kDegraded;
      core::DegradedRange& range = degraded_.emplace();
      degraded_fields(in, range);
      const bool sane = range.from >= core::Offset(0) && range.to >= range.from;
      return sane && range.since_ms >= 0 ? Found::kDegraded : Found::kBadBody;
    }
    case Type::kPending:
      return Found::kPending;
    case Type::kUpstream:
      in.byte(upstream_.root);
      upstream_.incarnations.resize(size_ / sizeof(std::uint64_t));
      for (std::uint64_t& one : upstream_.incarnations) in.number(one);
      return upstream_.root <= core::Upstream::Root::kNobody ? Found::kUpstream : Found::kBadBody;
    case Type::kMetadata:
      break;
  }
  return Found::kMetadata;
}

}  // namespace ha::wire::native
