// SPDX-License-Identifier: Apache-2.0
#include "store/record.h"

namespace stub::store {
namespace {

constexpr std::size_t kQueueOffsetAt = 20;
constexpr std::size_t kPhysicalOffsetAt = 28;
constexpr std::size_t kSysFlagAt = 36;
constexpr std::size_t kBornHostAt = 48;
constexpr std::size_t kStoreTimeV4At = 56;
constexpr std::uint32_t kBornHostV6 = 1u << 4;
constexpr std::uint32_t kStoreHostV6 = 1u << 5;
constexpr std::uint32_t kTransactionBits = 3u << 2;
constexpr std::uint32_t kTransactionPrepared = 1u << 2;
constexpr std::uint32_t kTransactionRolledBack = 3u << 2;
constexpr std::size_t kHostV4Bytes = 8;
constexpr std::size_t kHostV6Bytes = 20;
constexpr std::uint32_t kLoopback = 0x7F000001;  // the stub has no address of its own to name
constexpr char kNameEnd = '\x01';
constexpr char kPropertyEnd = '\x02';

void put16(std::string& out, std::uint16_t v) {
  out.push_back(static_cast<char>(v >> 8));
  out.push_back(static_cast<char>(v & 0xFF));
}
void put32(std::string& out, std::uint32_t v) {
  char bytes[4];
  store32(bytes, v);
  out.append(bytes, sizeof bytes);
}
void put64(std::string& out, std::uint64_t v) {
  char bytes[8];
  store64(bytes, v);
  out.append(bytes, sizeof bytes);
}

// Takes pieces off the front of a record; once a piece does not fit nothing more does.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return piece;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  bool good() const { return good_; }
  bool at_end() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::uint32_t load32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::uint64_t load64(const char* bytes) {
  return std::uint64_t{load32(bytes)} << 32 | load32(bytes + 4);
}

void store32(char* bytes, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<char>(value >> (24 - 8 * i) & 0xFF);
}

void store64(char* bytes, std::uint64_t value) {
  store32(bytes, static_cast<std::uint32_t>(value >> 32));
  store32(bytes + 4, static_cast<std::uint32_t>(value));
}

std::optional<std::string_view> RecordView::property(std::string_view name) const {
  std::string_view rest = properties;
  while (!rest.empty()) {
    const auto end = rest.find(kPropertyEnd);
    const std::string_view one = rest.substr(0, end);
    const auto name_end = one.find(kNameEnd);
    if (name_end != std::string_view::npos && one.substr(0, name_end) == name)
      return one.substr(name_end + 1);
    if (end == std::string_view::npos) break;  // RocketMQ 5 may leave the last separator out
    rest.remove_prefix(end + 1);
  }
  return std::nullopt;
}

bool RecordView::for_consumers() const {
  const std::uint32_t transaction = sys_flag & kTransactionBits;
  return transaction != kTransactionPrepared && transaction != kTransactionRolledBack;
}

std::uint32_t body_crc(std::string_view body) { return add_to_sum(0, body) & kBodyCrcBits; }

namespace {

std::string encode(std::string_view topic, std::int32_t queue, const Summed& body,
                   std::string_view inside, const Properties& properties, std::int64_t born_ms) {
  std::string names;
  for (const auto& [name, value] : properties) {
    names += name;
    names += kNameEnd;
    names += value;
    names += kPropertyEnd;
  }
  std::string out;
  const auto total = kMinRecordBytes + static_cast<std::int64_t>(body.bytes.size()) +
                     static_cast<std::int64_t>(topic.size() + names.size());
  out.reserve(static_cast<std::size_t>(total) - body.bytes.size() + inside.size());
  put32(out, static_cast<std::uint32_t>(total));
  put32(out, kMagicV1);
  put32(out, body.sum & kBodyCrcBits);
  put32(out, static_cast<std::uint32_t>(queue));
  put32(out, 0);  // FLAG
  put64(out, 0);  // QUEUEOFFSET: placed later
  put64(out, 0);  // PHYSICALOFFSET: placed later
  put32(out, 0);  // SYSFLAG
  put64(out, static_cast<std::uint64_t>(born_ms));
  put32(out, kLoopback);
  put32(out, 0);
  put64(out, 0);  // STORETIMESTAMP: placed later
  put32(out, kLoopback);
  put32(out, 0);
  put32(out, 0);  // RECONSUMETIMES
  put64(out, 0);  // PREPARED TRANSACTION OFFSET
  put32(out, static_cast<std::uint32_t>(body.bytes.size()));
  out += inside;
  out.push_back(static_cast<char>(topic.size()));
  out += topic;
  put16(out, static_cast<std::uint16_t>(names.size()));
  out += names;
  return out;
}

}  // namespace

std::string encode_record(std::string_view topic, std::int32_t queue, std::string_view body,
                          const Properties& properties, std::int64_t born_ms) {
  return encode(topic, queue, summed(body), body, properties, born_ms);
}

std::string encode_record(std::string_view topic, std::int32_t queue, const Summed& left_out,
                          const Properties& properties, std::int64_t born_ms) {
  return encode(topic, queue, left_out, {}, properties, born_ms);
}

void place_record(char* record, std::int64_t queue_offset, std::int64_t physical_offset,
                  std::int64_t store_ms) {
  store64(record + kQueueOffsetAt, static_cast<std::uint64_t>(queue_offset));
  store64(record + kPhysicalOffsetAt, static_cast<std::uint64_t>(physical_offset));
  store64(record + kStoreTimeV4At, static_cast<std::uint64_t>(store_ms));
}

BodyPlace body_place(std::string_view first, std::size_t record_size) {
  const std::uint32_t sys_flag = load32(first.data() + kSysFlagAt);
  const std::size_t begin = kBornHostAt + (sys_flag & kBornHostV6 ? kHostV6Bytes : kHostV4Bytes) +
                            8 + (sys_flag & kStoreHostV6 ? kHostV6Bytes : kHostV4Bytes) + 12 + 4;
  if (begin > first.size()) return {first.size(), 0};
  const std::size_t size = load32(first.data() + begin - 4);
  return {begin, begin + size <= record_size ? size : 0};
}

bool decode_record(std::string_view bytes, RecordView& out, std::int64_t left_out) {
  if (static_cast<std::int64_t>(bytes.size()) < kMinRecordBytes) return false;
  const bool wide_topic = load32(bytes.data() + 4) == kMagicV2;
  out.size = static_cast<std::int64_t>(bytes.size()) + left_out;
  out.body_crc = load32(bytes.data() + 8);
  out.sys_flag = load32(bytes.data() + kSysFlagAt);
  out.queue = static_cast<std::int32_t>(load32(bytes.data() + 12));
  out.queue_offset = static_cast<std::int64_t>(load64(bytes.data() + kQueueOffsetAt));
  out.offset = static_cast<std::int64_t>(load64(bytes.data() + kPhysicalOffsetAt));

  Reader reader(bytes.substr(kBornHostAt));
  reader.take(out.sys_flag & kBornHostV6 ? kHostV6Bytes : kHostV4Bytes);
  out.store_time_ms = static_cast<std::int64_t>(reader.number(8));
  reader.take(out.sys_flag & kStoreHostV6 ? kHostV6Bytes : kHostV4Bytes);
  reader.take(4 + 8);
  const std::uint64_t body_size = reader.number(4);
  out.body = reader.take(left_out > 0 ? 0 : body_size);
  out.topic = reader.take(reader.number(wide_topic ? 2 : 1));
  out.properties = reader.take(reader.number(2));
  return reader.at_end() && (left_out == 0 || static_cast<std::int64_t>(body_size) == left_out);
}

}  // namespace stub::store
