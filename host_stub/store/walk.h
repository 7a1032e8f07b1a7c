// SPDX-License-Identifier: Apache-2.0
// The judge of what stands at a position of the log: a whole record, a blank record, the beginning
// of one of them, or bytes that cannot be right. Everything that walks the log asks here: recovery,
// bytes that come from a master, verify, record_floor. So they never disagree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/error.h"
#include "store/record.h"

namespace stub::store {

enum class Found {
  kRecord,    // whole; item.size bytes
  kBlank,     // fills the segment; item.size bytes, whether or not all of them are here yet
  kPartial,   // right so far, not all of it is here
  kCorrupt,   // no record of this log
  kConflict,  // a record of a log whose segments have another size
};

struct Item {
  Found found = Found::kPartial;
  std::int64_t size = 0;        // of a record or blank
  const char* fault = nullptr;  // kCorrupt, kConflict: what is wrong, a static text
  std::int64_t value = 0;       // what stands there instead
  RecordView record;            // kRecord: a view of the bytes judged
  Summed body = {};             // kRecord: its body, if that was summed
};

// The record's inner sizes are always checked; its body's checksum costs a pass over the body.
// kTorn is for bytes of which it is known that a loss of power tore some (tail.h), and asks which.
// No checksum guards topic and properties, but what did not reach the disk of a sector reads as
// zeros up to its end. A producer may put such zeros there too, so for bytes that are all there
// this check is wrong.
enum class BodyCheck { kNo, kYes, kTorn };

// bytes: what stands from position on; available: how much of it is part of the log (or wants to
// be); segment_left: bytes from position to its segment's end. Reads nothing beyond `available`.
Item judge(const char* bytes, std::int64_t available, std::int64_t position,
           std::int64_t segment_left, BodyCheck check);

// A whole record without its body, of which the size and the CRC-32 are known. The view has no
// body.
Item judge_without_body(std::string_view around, std::size_t body_size, std::uint32_t crc);

// The item's fault as an error: CORRUPT or CONFLICT, with the position and both sizes.
Error fault_error(const Item& item, std::int64_t position, std::int64_t segment_bytes);

}  // namespace stub::store
