// SPDX-License-Identifier: Apache-2.0
#include "store/digest.h"

#include <libdeflate.h>

#include "store/schedule_index.h"

namespace stub::store {
namespace {

constexpr std::uint32_t kMagic = 0x48414432;  // "HAD2"
constexpr std::size_t kHeader = 36;
constexpr std::size_t kSummedFrom = 8;
constexpr std::uint64_t kInNoQueue = 0;
constexpr std::uint64_t kFirstQueue = 1;

std::uint64_t bits(std::int64_t value) { return static_cast<std::uint64_t>(value); }
std::int64_t number(std::uint64_t bits) { return static_cast<std::int64_t>(bits); }

// Zigzag: small for numbers that are near zero on either side.
std::uint64_t folded(std::uint64_t value) { return value << 1 ^ (0 - (value >> 63)); }
std::uint64_t unfolded(std::uint64_t value) { return value >> 1 ^ (0 - (value & 1)); }

void put(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Reads numbers and texts. After the first that is cut short, everything reads as 0 and "".
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    rest_ = {};
    return 0;
  }
  // A number of entries. Each takes a byte at least, so a larger number is wrong.
  std::size_t count() {
    const std::uint64_t value = number();
    if (value > rest_.size()) good_ = false;
    return good_ ? value : 0;
  }
  std::string_view text() {
    const std::size_t size = count();
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  bool good() const { return good_; }
  bool at_end() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

bool read_queues(Reader& reader, Digest& out) {
  std::vector<std::string_view> topics(reader.count());
  for (auto& topic : topics) topic = reader.text();
  out.queues.resize(reader.count());
  for (auto& queue : out.queues) {
    const std::uint64_t topic = reader.number();
    if (topic >= topics.size()) return false;
    queue.topic = topics[topic];
    queue.number = static_cast<std::int32_t>(static_cast<std::uint32_t>(reader.number()));
  }
  return reader.good();
}

bool read_records(Reader& reader, Digest& out) {
  std::vector<std::uint64_t> next(out.queues.size());
  std::int64_t at = out.begin;
  std::size_t left = reader.count();
  if (left > bits((out.end - out.begin) / kMinRecordBytes)) return false;
  out.records.clear();
  out.records.reserve(left);
  for (; left > 0; --left) {
    const std::uint64_t what = reader.number();
    const std::uint64_t size = reader.number();
    if (!reader.good() || size < bits(kMinRecordBytes) || size > bits(out.end - at)) return false;
    Digest::Record record{at, at + number(size), 0, Digest::kNoQueue};
    at = record.end;
    if (what != kInNoQueue) {
      if (what - kFirstQueue >= next.size()) return false;
      std::uint64_t& expected = next[what - kFirstQueue];
      record.queue = static_cast<std::uint32_t>(what - kFirstQueue);
      record.queue_offset = number(expected + unfolded(reader.number()));
      expected = bits(record.queue_offset) + 1;
    }
    out.records.push_back(record);
  }
  return reader.good();
}

bool read_notes(Reader& reader, Digest& out) {
  const std::size_t count = reader.count();
  if (count > out.records.size()) return false;
  out.notes.resize(count);
  for (auto& note : out.notes) {
    const std::uint64_t from_begin = reader.number();
    if (from_begin >= bits(out.end - out.begin)) return false;
    note.offset = out.begin + number(from_begin);
    note.scheduled = reader.number() == 1;
    note.number = number(unfolded(reader.number()));
  }
  return reader.at_end();
}

}  // namespace

std::uint64_t DigestBuilder::topic_number(std::string_view topic) {
  const auto found = topics_.find(topic);
  if (found != topics_.end()) return found->second;
  put(topic_table_, topic.size());
  topic_table_ += topic;
  return topics_.emplace(topic, topics_.size()).first->second;
}

DigestBuilder::Place& DigestBuilder::place_of(std::string_view topic, std::int32_t queue) {
  const std::uint64_t in = topic_number(topic);
  const auto [at, first] = places_.try_emplace({in, queue}, Place{places_.size(), 0});
  if (first) {
    put(queue_table_, in);
    put(queue_table_, static_cast<std::uint32_t>(queue));
  }
  return at->second;
}

void DigestBuilder::add(const RecordView& record) {
  ++record_count_;
  last_ = record.offset;
  if (!record.for_consumers()) {
    put(records_, kInNoQueue);
    put(records_, bits(record.size));
    return;
  }
  Place& place = place_of(record.topic, record.queue);
  put(records_, kFirstQueue + place.number);
  put(records_, bits(record.size));
  put(records_, folded(bits(record.queue_offset) - place.next));
  place.next = bits(record.queue_offset) + 1;
  const auto note = schedule_note(record);
  if (!note) return;
  put(notes_, bits(note->offset - begin_));
  put(notes_, note->scheduled ? 1 : 0);
  put(notes_, folded(bits(note->number)));
  ++note_count_;
}

std::string DigestBuilder::finish(std::int64_t end, std::int64_t segment_bytes,
                                  std::uint32_t edges) const {
  std::string out(kHeader, '\0');
  store32(out.data(), kMagic);
  store64(out.data() + 8, bits(begin_));
  store64(out.data() + 16, bits(end));
  store64(out.data() + 24, bits(segment_bytes));
  store32(out.data() + 32, edges);
  const auto table = [&out](std::uint64_t count, const std::string& rows) {
    put(out, count);
    out += rows;
  };
  table(topics_.size(), topic_table_);
  table(places_.size(), queue_table_);
  table(record_count_, records_);
  table(note_count_, notes_);
  store32(out.data() + 4, libdeflate_crc32(0, out.data() + kSummedFrom, out.size() - kSummedFrom));
  return out;
}

bool parse_digest(std::string_view content, Digest& out) {
  if (content.size() < kHeader || load32(content.data()) != kMagic) return false;
  const std::string_view summed = content.substr(kSummedFrom);
  if (load32(content.data() + 4) != libdeflate_crc32(0, summed.data(), summed.size())) return false;
  out.begin = number(load64(content.data() + 8));
  out.end = number(load64(content.data() + 16));
  out.segment_bytes = number(load64(content.data() + 24));
  out.edges = load32(content.data() + 32);
  if (out.begin < 0 || out.end < out.begin) return false;
  Reader reader(content.substr(kHeader));
  return read_queues(reader, out) && read_records(reader, out) && read_notes(reader, out);
}

}  // namespace stub::store
