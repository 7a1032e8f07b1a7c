#include "ha_plugin/wire/native.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "ha_plugin/wire/big_endian.h"

namespace ha::wire::native {
namespace {

constexpr std::uint16_t kMagic = 0x4841;       // "HA"
constexpr std::size_t kChecksummedPrefix = 8;  // magic, type, 0, size

std::uint64_t hash(std::span<const std::byte> a, std::span<const std::byte> b) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, a.data(), a.size());
  if (!b.empty()) XXH3_64bits_update(&state, b.data(), b.size());
  return XXH3_64bits_digest(&state);
}

void put_prefix(std::byte* to, Type type, std::size_t size) {
  put_big_endian(to, kMagic);
  put_big_endian(to + 2, static_cast<std::uint8_t>(type));
  put_big_endian(to + 3, std::uint8_t{0});
  put_big_endian(to + 4, static_cast<std::uint32_t>(size));
}

class Writer {
 public:
  explicit Writer(Type type) : type_(type), bytes_(kPrefixBytes) {}

  template <class Int>
  void number(Int value) {
    std::array<std::byte, sizeof(Int)> bytes{};
    put_big_endian(bytes.data(), value);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void offset(core::Offset value) { number(value.bytes()); }
  void raw(std::string_view value) {
    const auto* from = reinterpret_cast<const std::byte*>(value.data());
    bytes_.insert(bytes_.end(), from, from + value.size());
  }
  // Length is the type of the length before it; what does not fit is cut off.
  template <class Length>
  void text(std::string_view value) {
    const auto size = std::min<std::size_t>(value.size(), std::numeric_limits<Length>::max());
    number(static_cast<Length>(size));
    raw(value.substr(0, size));
  }

  Bytes finish() {
    const std::span<std::byte> all(bytes_);
    put_prefix(all.data(), type_, all.size() - kPrefixBytes);
    put_big_endian(all.data() + kChecksummedPrefix,
                   hash(all.first(kChecksummedPrefix), all.subspan(kPrefixBytes)));
    return std::move(bytes_);
  }

 private:
  const Type type_;
  Bytes bytes_;
};

// Reads beyond the end give zeros; whole() says that exactly all was read.
class BodyReader {
 public:
  explicit BodyReader(std::span<const std::byte> bytes) : left_(bytes) {}

  template <class Int>
  Int number() {
    if (left_.size() < sizeof(Int)) {
      short_ = true;
      return 0;
    }
    const Int value = get_big_endian<Int>(left_.data());
    left_ = left_.subspan(sizeof(Int));
    return value;
  }
  core::Offset offset() { return core::Offset(number<std::int64_t>()); }
  template <class Length>
  std::string text() {
    const std::size_t size = number<Length>();
    if (left_.size() < size) {
      short_ = true;
      return {};
    }
    std::string value(reinterpret_cast<const char*>(left_.data()), size);
    left_ = left_.subspan(size);
    return value;
  }
  bool whole() const { return !short_ && left_.empty(); }

 private:
  std::span<const std::byte> left_;
  bool short_ = false;
};

bool read(BodyReader in, core::Greeting& out) {
  out.oldest_version = in.number<std::uint16_t>();
  out.newest_version = in.number<std::uint16_t>();
  out.min = in.offset();
  out.end = in.offset();
  return in.whole();
}

bool read(BodyReader in, core::Hello& out) {
  out.oldest_version = in.number<std::uint16_t>();
  out.newest_version = in.number<std::uint16_t>();
  out.incarnation = in.number<std::uint64_t>();
  out.segment_size = in.number<std::int64_t>();
  out.min = in.offset();
  out.end = in.offset();
  out.tail_start = in.offset();
  out.tail_hash = in.number<std::uint64_t>();
  out.cluster = in.text<std::uint8_t>();
  out.replica = in.text<std::uint8_t>();
  return in.whole() && core::check_name(out.cluster).empty() &&
         core::check_name(out.replica).empty();
}

bool read(BodyReader in, core::Answer& out) {
  out.decision = static_cast<core::Decision>(in.number<std::uint8_t>());
  out.reason = static_cast<core::Reason>(in.number<std::uint8_t>());
  out.version = in.number<std::uint16_t>();
  out.offset = in.offset();
  out.min = in.offset();
  out.end = in.offset();
  out.master = in.text<std::uint8_t>();
  out.text = in.text<std::uint16_t>();
  return in.whole() && out.decision >= core::Decision::kResume &&
         out.decision <= core::Decision::kRefuse && core::check_name(out.master).empty();
}

bool read(BodyReader in, Ack& out) {
  out.received = in.offset();
  out.durable = in.offset();
  out.epoch = in.number<std::int64_t>();
  return in.whole();
}

bool is_size_of(Type type, std::uint32_t size) {
  switch (type) {
    case Type::kData:
      return size >= kDataHeaderBytes &&
             size <= kDataHeaderBytes + static_cast<std::uint32_t>(core::kMaxBodyBytes);
    case Type::kMetadata:
      return size <= kMaxMetadataBytes;
    case Type::kAck:
      return size == kAckBytes - kPrefixBytes;
    default:
      return size <= kMaxHandshakeBytes;
  }
}

}  // namespace

Bytes encode_greeting(const core::Greeting& greeting) {
  Writer out(Type::kGreeting);
  out.number(greeting.oldest_version);
  out.number(greeting.newest_version);
  out.offset(greeting.min);
  out.offset(greeting.end);
  return out.finish();
}

Bytes encode_hello(const core::Hello& hello) {
  Writer out(Type::kHello);
  out.number(hello.oldest_version);
  out.number(hello.newest_version);
  out.number(hello.incarnation);
  out.number(hello.segment_size);
  out.offset(hello.min);
  out.offset(hello.end);
  out.offset(hello.tail_start);
  out.number(hello.tail_hash);
  out.text<std::uint8_t>(hello.cluster);
  out.text<std::uint8_t>(hello.replica);
  return out.finish();
}

Bytes encode_answer(const core::Answer& answer) {
  Writer out(Type::kAnswer);
  out.number(static_cast<std::uint8_t>(answer.decision));
  out.number(static_cast<std::uint8_t>(answer.reason));
  out.number(answer.version);
  out.offset(answer.offset);
  out.offset(answer.min);
  out.offset(answer.end);
  out.text<std::uint8_t>(answer.master);
  out.text<std::uint16_t>(answer.text);
  return out.finish();
}

Bytes encode_metadata(std::string_view state) {
  Writer out(Type::kMetadata);
  out.raw(state);
  return out.finish();
}

AckBytes encode_ack(const Ack& ack) {
  AckBytes bytes{};
  const std::span<std::byte> all(bytes);
  put_prefix(all.data(), Type::kAck, kAckBytes - kPrefixBytes);
  put_big_endian(all.data() + kPrefixBytes, ack.received.bytes());
  put_big_endian(all.data() + kPrefixBytes + 8, ack.durable.bytes());
  put_big_endian(all.data() + kPrefixBytes + 16, ack.epoch);
  put_big_endian(all.data() + kChecksummedPrefix,
                 hash(all.first(kChecksummedPrefix), all.subspan(kPrefixBytes)));
  return bytes;
}

DataStart encode_data(const DataHeader& header, const std::byte* body) {
  DataStart bytes{};
  std::byte* at = bytes.data();
  const auto size = static_cast<std::size_t>(header.size);
  put_prefix(at, Type::kData, kDataHeaderBytes + size);
  put_big_endian(at + kPrefixBytes, header.epoch);
  put_big_endian(at + kPrefixBytes + 8, header.offset.bytes());
  put_big_endian(at + kPrefixBytes + 16, header.confirm.bytes());
  put_big_endian(at + kPrefixBytes + 24, header.sent_ms);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, at, kChecksummedPrefix);
  XXH3_64bits_update(&state, at + kPrefixBytes, kDataHeaderBytes);
  if (size > 0) XXH3_64bits_update(&state, body, size);
  put_big_endian(at + kChecksummedPrefix, XXH3_64bits_digest(&state));
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
  type_ = get_big_endian<std::uint8_t>(at + 2);
  size_ = get_big_endian<std::uint32_t>(at + 4);
  checksum_ = get_big_endian<std::uint64_t>(at + kChecksummedPrefix);
  now_ = static_cast<Type>(type_);
  if (!has_place(now_) || at[3] != std::byte{0}) return Found::kBadType;
  if (!is_size_of(now_, size_)) return Found::kBadSize;
  hasher_.reset();
  hasher_.add(prefix_.bytes().first<kChecksummedPrefix>());
  held_.clear();
  in_body_ = size_ > 0;
  return in_body_ ? Found::kNothing : on_body();
}

Reader::Found Reader::on_body() {
  const bool body_follows = now_ == Type::kData && size_ > kDataHeaderBytes;
  if (!body_follows && !body_is_whole()) return Found::kBadChecksum;
  const BodyReader in(held_);
  switch (now_) {
    case Type::kGreeting:
      if (!read(in, greeting_)) return Found::kBadBody;
      next_ = Type::kAnswer;
      return Found::kGreeting;
    case Type::kHello:
      if (!read(in, hello_)) return Found::kBadBody;
      next_ = Type::kAck;
      return Found::kHello;
    case Type::kAnswer:
      if (!read(in, answer_)) return Found::kBadBody;
      next_ = Type::kData;
      return Found::kAnswer;
    case Type::kAck:
      return read(in, ack_) ? Found::kAck : Found::kBadBody;
    case Type::kMetadata:
      return Found::kMetadata;
    case Type::kData:
      break;
  }
  BodyReader data(held_);
  data_.epoch = data.number<std::int64_t>();
  data_.offset = data.offset();
  data_.confirm = data.offset();
  data_.sent_ms = data.number<std::int64_t>();
  data_.size = static_cast<std::int64_t>(size_ - kDataHeaderBytes);
  return Found::kData;
}

}  // namespace ha::wire::native
