// SPDX-License-Identifier: Apache-2.0
// A RocketMQ peer's bytes, in pieces of any size, through the codecs and the rules that judge them.
//
// What must hold whatever arrives: no frame is taken that does not begin at the log's end, crosses
// a segment or is over the limit; no report is taken that falls or names bytes that were never
// sent; no byte is taken whose epoch is not in the learner's history.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/learner.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/wire/rocketmq.h"
#include "ha_plugin/wire/rocketmq_autoswitch.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ha;
using fuzz::in_pieces;
using fuzz::require;

constexpr std::int64_t kSegment = 4096;

void feed_slave(std::span<const std::byte> bytes, std::size_t piece) {
  wire::HeaderGather header;
  core::LogBounds log{core::Offset(0), core::Offset(0), kSegment};
  std::int64_t body_left = 0;
  in_pieces(bytes, piece, [&](std::span<const std::byte> some) {
    while (!some.empty()) {
      if (body_left > 0) {
        const auto n = std::min<std::int64_t>(body_left, static_cast<std::int64_t>(some.size()));
        log.end = log.end + n;
        body_left -= n;
        some = some.subspan(static_cast<std::size_t>(n));
      } else if (header.take(some)) {
        const wire::FrameHeader frame = wire::decode_header(header.bytes());
        const core::FrameVerdict verdict = core::judge_frame(frame.offset, frame.size, log);
        if (verdict.reason != core::Reason::kNone) return false;
        if (verdict.reset) {
          require(log.end == core::Offset(0) && frame.offset.bytes() % kSegment == 0);
          log.min = log.end = frame.offset;
        }
        require(frame.offset == log.end);
        require(frame.size >= 0 && frame.size <= log.to_segment_end(frame.offset));
        body_left = frame.size;
      }
    }
    return true;
  });
}

// A learner's log and what it keeps of its epochs.
struct Copy {
  core::LogBounds log{core::Offset(0), core::Offset(0), kSegment};
  core::EpochHistory stored;
  core::Learner learner;
  std::int64_t body_left = 0;
};

bool join(Copy& copy, const core::MasterHandshake& handshake) {
  const core::LogBounds before = copy.log;
  const auto answer = copy.learner.on_handshake(handshake, copy.stored, copy.log);
  if (answer.reason != core::Reason::kNone) {
    require(answer.end == before.end);
    return false;
  }
  require(handshake.entries.size() <= core::kMaxEpochs);
  require(answer.end >= before.min && answer.end <= before.end);
  copy.log.end = answer.end;
  copy.stored = copy.learner.history();
  return true;
}

bool begin(Copy& copy, const wire::autoswitch::MasterReader& reader) {
  const wire::autoswitch::Prefix& frame = reader.prefix();
  const bool fresh = copy.log.min == copy.log.end;
  const auto verdict = copy.learner.on_frame(reader.label(), frame.offset, frame.size, copy.log);
  if (verdict.reason != core::Reason::kNone) return false;
  require(frame.size >= 0 && frame.size <= kSegment);
  if (verdict.reset) {
    require(fresh && frame.size > 0 && frame.offset.bytes() % kSegment == 0);
    copy.log.min = copy.log.end = frame.offset;
  }
  if (copy.learner.enter_epochs(frame.offset + frame.size)) copy.stored = copy.learner.history();
  if (const auto confirm = copy.learner.confirm(copy.log.end)) {
    require(*confirm >= core::Offset(0) && *confirm <= copy.log.end);
  }
  if (frame.size == 0) return true;
  require(frame.offset == copy.log.end && frame.size <= copy.log.to_segment_end(frame.offset));
  // The history on disk says of the last byte of the frame what the master said of it.
  const core::Offset last = frame.offset + (frame.size - 1);
  require(copy.stored.epoch_at(last).has_value());
  require(copy.stored.epoch_at(last) == copy.learner.master().epoch_at(last));
  copy.body_left = frame.size;
  return true;
}

void feed_learner(std::span<const std::byte> bytes, std::size_t piece, Copy copy) {
  wire::autoswitch::MasterReader reader;
  in_pieces(bytes, piece, [&](std::span<const std::byte> some) {
    while (!some.empty()) {
      if (copy.body_left > 0) {
        const auto n =
            std::min<std::int64_t>(copy.body_left, static_cast<std::int64_t>(some.size()));
        copy.log.end = copy.log.end + n;
        copy.body_left -= n;
        some = some.subspan(static_cast<std::size_t>(n));
        continue;
      }
      const std::size_t left = some.size();
      const auto found = reader.take(some);
      require(some.size() < left);
      if (found == wire::autoswitch::MasterReader::Found::kNothing) continue;
      if (found == wire::autoswitch::MasterReader::Found::kHandshake) {
        if (!join(copy, reader.handshake())) return false;
      } else if (found != wire::autoswitch::MasterReader::Found::kTransfer ||
                 !begin(copy, reader)) {
        return false;
      }
    }
    return true;
  });
}

// One that holds a log of epochs 1 from 0 and 3 from 700.
Copy some_copy() {
  Copy copy;
  copy.log.end = core::Offset(1000);
  require(copy.stored.append({1, core::Offset(0)}));
  require(copy.stored.append({3, core::Offset(700)}));
  return copy;
}

void feed_master(std::span<const std::byte> bytes, std::size_t piece) {
  wire::ReportGather report;
  const core::LogBounds log{core::Offset(kSegment), core::Offset(5 * kSegment + 17), kSegment};
  const core::SessionOptions options{core::Time(1'000'000), core::Time(10'000'000),
                                     core::Time(10'000'000), 1024, core::Bootstrap::kEarliest};
  core::ReplicaSession session(core::Time(0));
  in_pieces(bytes, piece, [&](std::span<const std::byte> some) {
    while (report.take(some)) {
      const core::Offset before = session.ack();
      const core::Reason reason =
          session.on_report(wire::decode_report(report.bytes()), log, core::Bootstrap::kEarliest);
      if (reason != core::Reason::kNone) {
        require(session.ack() == before);
        return false;
      }
      require(session.ack() >= before &&
              session.ack() <= std::max(session.start(), session.next()));
      if (const auto frame = session.next_frame(core::Time(0), log, INT64_MAX, options)) {
        require(frame->size <= log.to_segment_end(frame->offset) && frame->end() <= log.end);
        session.on_frame_started(*frame);
      }
    }
    return true;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = 1 + data[0] % 32;
  const std::span bytes = std::as_bytes(std::span(data + 1, size - 1));
  feed_slave(bytes, piece);
  feed_master(bytes, piece);
  feed_learner(bytes, piece, {});
  feed_learner(bytes, piece, some_copy());
  return 0;
}
