// SPDX-License-Identifier: Apache-2.0
#include "store/walk.h"

#include <algorithm>

#include "ha/plugin.h"

namespace stub::store {
namespace {

Item corrupt(const char* fault, std::int64_t value) {
  return {Found::kCorrupt, 0, fault, value, {}};
}
Item conflict(const char* fault, std::int64_t value) {
  return {Found::kConflict, 0, fault, value, {}};
}

Item judge_blank(std::int64_t size, std::int64_t segment_left) {
  if (size == segment_left) return {Found::kBlank, size, nullptr, 0, {}};
  if (size < kBlankBytes) return corrupt("a blank record of an impossible size", size);
  return conflict("a blank record that does not end where a segment ends here; its size is", size);
}

// The smallest piece of a file that a disk writes as one.
constexpr std::int64_t kSectorBytes = 512;

// What did not reach the disk of a sector reads as zeros up to the sector's end. So topic or
// properties that end in a zero there may be torn. The rest of a record needs no such look: its
// sizes or the body's checksum would be wrong.
bool lacks_a_sector(const RecordView& record, const char* bytes, std::int64_t position) {
  const auto ends_in_zero = [](std::string_view text, const char* begin, const char* end) {
    begin = std::max(begin, text.data());
    end = std::min(end, text.data() + text.size());
    return begin < end && end[-1] == 0;
  };
  const char* const stop = bytes + record.size;
  for (const char* at = bytes; at < stop;) {
    const std::int64_t into = (position + (at - bytes)) % kSectorBytes;
    const char* const end = at + std::min<std::int64_t>(kSectorBytes - into, stop - at);
    if (ends_in_zero(record.topic, at, end) || ends_in_zero(record.properties, at, end))
      return true;
    at = end;
  }
  return false;
}

Item sizes_do_not_add_up(std::int64_t size) {
  return corrupt("a record whose inner sizes do not add up to its size", size);
}
Item checksum_does_not_match(std::uint32_t body_crc) {
  return corrupt("a record whose body does not match its checksum", body_crc);
}

Item judge_whole(const char* bytes, std::int64_t size, std::int64_t position, BodyCheck check) {
  Item item{Found::kRecord, size, nullptr, 0, {}};
  if (!decode_record({bytes, static_cast<std::size_t>(size)}, item.record))
    return sizes_do_not_add_up(size);
  if (check != BodyCheck::kNo) {
    item.body = summed(item.record.body);
    if (item.record.body_crc != (item.body.sum & kBodyCrcBits))
      return checksum_does_not_match(item.record.body_crc);
  }
  if (check == BodyCheck::kTorn && lacks_a_sector(item.record, bytes, position))
    return corrupt("a record whose topic or properties did not reach the disk; its size is", size);
  return item;
}

}  // namespace

Item judge(const char* bytes, std::int64_t available, std::int64_t position,
           std::int64_t segment_left, BodyCheck check) {
  if (available > segment_left) available = segment_left;
  if (available < kBlankBytes) {
    // Every segment ends in a blank record, so 8 bytes are always left for one.
    if (segment_left < kBlankBytes)
      return conflict("a record that leaves no room for a blank one; bytes left", segment_left);
    return {};
  }
  const auto size = static_cast<std::int64_t>(static_cast<std::int32_t>(load32(bytes)));
  const std::uint32_t magic = load32(bytes + 4);
  if (magic == kBlankMagic) return judge_blank(size, segment_left);
  if (magic != kMagicV1 && magic != kMagicV2)
    return corrupt("no record's magic number there but", magic);
  if (size < kMinRecordBytes) return corrupt("a record of an impossible size", size);
  if (available < kHeaderBytes) {
    if (available < segment_left) return {};
    return conflict("a record that crosses a segment's end; its size is", size);
  }
  const auto offset = static_cast<std::int64_t>(load64(bytes + 28));
  if (offset != position) return corrupt("a record that says it stands elsewhere, at", offset);
  // Only now: a size out of bounds in a header that is right otherwise comes from larger segments.
  if (size + kBlankBytes > segment_left)
    return conflict("a record that crosses a segment's end; its size is", size);
  if (size > available) return {};
  return judge_whole(bytes, size, position, check);
}

Item judge_without_body(std::string_view around, std::size_t body_size, std::uint32_t crc) {
  const auto size = static_cast<std::int64_t>(around.size() + body_size);
  Item item{Found::kRecord, size, nullptr, 0, {}};
  if (!decode_record(around, item.record, static_cast<std::int64_t>(body_size)))
    return sizes_do_not_add_up(size);
  if (item.record.body_crc != (crc & kBodyCrcBits))
    return checksum_does_not_match(item.record.body_crc);
  return item;
}

Error fault_error(const Item& item, std::int64_t position, std::int64_t segment_bytes) {
  const bool conflict = item.found == Found::kConflict;
  std::string text = "commit log, offset " + std::to_string(position) + ": " +
                     (item.fault != nullptr ? item.fault : "no whole record") + " " +
                     std::to_string(item.value);
  if (conflict) {
    text += "; the segment sizes differ: segments here have " + std::to_string(segment_bytes) +
            " bytes and this one ends at " +
            std::to_string(position - position % segment_bytes + segment_bytes) +
            ", which the writer's does not; give both nodes the same segment size";
  }
  return make_error(conflict ? HA_CONFLICT : HA_CORRUPT, std::move(text));
}

}  // namespace stub::store
