// SPDX-License-Identifier: Apache-2.0
// A digest: what the index needs of each record in a piece of the log, so that an open need not
// read the piece. Four bytes for most records.
//
//    0  4  "HAD2"                        8  8  begin    log offsets; whole records in between
//    4  4  CRC-32 of all that follows   16  8  end
//                                       24  8  the segment size
//                                       32  4  CRC-32 of the log's bytes at both ends of the piece
//                                              and at its last record
//   then numbers of 7 bits a byte, lowest first:
//   topics     how many; of each: length, name
//   queues     how many; of each: which topic, QUEUEID
//   records    how many; of each: 0 = it is in no queue, or 1 + which queue; size; in a queue also
//              QUEUEOFFSET less the one that follows the queue's last, zigzag
//   schedule   how many; of each: offset less begin, 1 = scheduled or 0 = delivered, number, zigzag
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/record.h"

namespace stub::store {

// What the schedule has to know of a record.
struct ScheduleNote {
  std::int64_t offset = 0;  // of the record
  std::int64_t number = 0;  // when it is to be delivered, or the offset of what it delivers
  bool scheduled = false;   // the former
  bool operator==(const ScheduleNote&) const = default;
};

struct Digest {
  static constexpr std::uint32_t kNoQueue = std::numeric_limits<std::uint32_t>::max();
  struct Queue {
    std::string topic;
    std::int32_t number = 0;
    bool operator==(const Queue&) const = default;
  };
  struct Record {
    std::int64_t offset = 0;
    std::int64_t end = 0;
    std::int64_t queue_offset = 0;
    std::uint32_t queue = kNoQueue;  // in queues; kNoQueue: it is not for consumers
    bool operator==(const Record&) const = default;
  };

  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t segment_bytes = 0;
  std::uint32_t edges = 0;
  std::vector<Queue> queues;
  std::vector<Record> records;
  std::vector<ScheduleNote> notes;
};

class DigestBuilder {
 public:
  explicit DigestBuilder(std::int64_t begin) : begin_(begin), last_(begin) {}

  // Each record of the piece, in log order.
  void add(const RecordView& record);

  std::int64_t begin() const { return begin_; }
  // Offset of the last record, or of the piece if it has none.
  std::int64_t last() const { return last_; }
  std::string finish(std::int64_t end, std::int64_t segment_bytes, std::uint32_t edges) const;

 private:
  struct Place {
    std::uint64_t number = 0;
    std::uint64_t next = 0;  // QUEUEOFFSET that takes the least room
  };
  std::uint64_t topic_number(std::string_view topic);
  Place& place_of(std::string_view topic, std::int32_t queue);

  const std::int64_t begin_;
  std::int64_t last_;
  std::map<std::string, std::uint64_t, std::less<>> topics_;
  std::map<std::pair<std::uint64_t, std::int32_t>, Place> places_;
  std::string topic_table_;
  std::string queue_table_;
  std::string records_;
  std::uint64_t record_count_ = 0;
  std::string notes_;
  std::uint64_t note_count_ = 0;
};

// Returns false if content is not a whole digest; out is undefined then.
bool parse_digest(std::string_view content, Digest& out);

}  // namespace stub::store
