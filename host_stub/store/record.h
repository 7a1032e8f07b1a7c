// SPDX-License-Identifier: Apache-2.0
// One message as RocketMQ stores it: "message format", big endian, version 1 (one byte of topic
// length) written; version 2 (two bytes) and IPv6 hosts are read too, since a master may send them.
//
//    0  4  TOTALSIZE                    40  8     BORNTIMESTAMP
//    4  4  MAGIC                        48  8/20  BORNHOST  (address, 4 bytes of port)
//    8  4  BODYCRC                       +  8     STORETIMESTAMP
//   12  4  QUEUEID                       +  8/20  STOREHOST
//   16  4  FLAG                          +  4     RECONSUMETIMES
//   20  8  QUEUEOFFSET                   +  8     PREPARED TRANSACTION OFFSET
//   28  8  PHYSICALOFFSET                +  4+n   BODY
//   36  4  SYSFLAG                       +  1/2+n TOPIC
//                                        +  2+n   PROPERTIES  "NAME\x01value\x02..."
//
// A record never crosses a segment's end. When one does not fit with 8 bytes to spare, a blank
// record fills the segment: the size that remains, kBlankMagic, then whatever the file held.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/sum.h"

namespace stub::store {

inline constexpr std::uint32_t kMagicV1 = 0xDAA320A7;
inline constexpr std::uint32_t kMagicV2 = 0xDAA320AB;
inline constexpr std::uint32_t kBlankMagic = 0xCBD43194;
inline constexpr std::int64_t kBlankBytes = 8;  // a blank record's own size and magic
// What the judge of a header needs: size, magic and PHYSICALOFFSET.
inline constexpr std::int64_t kHeaderBytes = 36;
// The smallest record: version 1, IPv4 hosts, no body, topic or properties.
inline constexpr std::int64_t kMinRecordBytes = 91;

inline constexpr std::int64_t kMaxBodyBytes = std::int64_t{4} << 20;  // RocketMQ's maxMessageSize
inline constexpr std::int64_t kMaxTopicBytes = 127;                   // what version 1 can say
inline constexpr std::int64_t kMaxPropertiesBytes = 32767;            // an int16 in Java

std::uint32_t load32(const char* bytes);
std::uint64_t load64(const char* bytes);
void store32(char* bytes, std::uint32_t value);
void store64(char* bytes, std::uint64_t value);

using Properties = std::vector<std::pair<std::string, std::string>>;

// A view of one whole record; valid as long as its bytes.
struct RecordView {
  std::int64_t size = 0;
  std::int64_t offset = 0;  // PHYSICALOFFSET
  std::int32_t queue = 0;
  std::int64_t queue_offset = 0;
  std::int64_t store_time_ms = 0;
  std::uint32_t body_crc = 0;
  std::uint32_t sys_flag = 0;
  std::string_view body;
  std::string_view topic;
  std::string_view properties;

  std::optional<std::string_view> property(std::string_view name) const;
  // False: the half of a transaction that is open or was rolled back, which RocketMQ puts in no
  // queue either.
  bool for_consumers() const;
};

// RocketMQ's checksum of a body: CRC-32 without its top bit.
inline constexpr std::uint32_t kBodyCrcBits = 0x7FFFFFFF;
std::uint32_t body_crc(std::string_view body);

// Where the body of a record from encode_record begins.
inline constexpr std::size_t kBodyAt = 88;

// Writes a version 1 record. Its place (queue offset, physical offset, store time) is not known
// until it is appended: place_record fills it in. REQUIRES: the sizes are within the limits above.
std::string encode_record(std::string_view topic, std::int32_t queue, std::string_view body,
                          const Properties& properties, std::int64_t born_ms);
// The same without its body: a large one need not be copied to be written.
std::string encode_record(std::string_view topic, std::int32_t queue, const Summed& left_out,
                          const Properties& properties, std::int64_t born_ms);
void place_record(char* record, std::int64_t queue_offset, std::int64_t physical_offset,
                  std::int64_t store_ms);

// Where the body stands in a record of that size, by the record's first bytes (kMostBeforeBody, or
// all of a shorter record). Its size is 0 if it would not fit.
struct BodyPlace {
  std::size_t begin = 0;
  std::size_t size = 0;
};
inline constexpr std::size_t kMostBeforeBody = 112;
BodyPlace body_place(std::string_view first, std::size_t record_size);

// Parses a whole record of exactly bytes.size() bytes. False when its inner sizes do not add up.
// left_out: the size of its body, if that is not among the bytes; out.body is empty then.
bool decode_record(std::string_view bytes, RecordView& out, std::int64_t left_out = 0);

}  // namespace stub::store
