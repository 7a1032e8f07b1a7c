// A peer's bytes, in pieces of any size, through the codecs and the rules that judge them.
//
//   cmake --preset fuzz && cmake --build --preset fuzz && build/fuzz/ha_fuzz_wire
//   -max_total_time=60
//
// What must hold whatever arrives: no frame is taken that does not begin at the log's end, crosses
// a segment or is over the limit; no report is taken that falls or names bytes that were never
// sent.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/wire/rocketmq.h"

namespace {

using namespace ha;

constexpr std::int64_t kSegment = 4096;

void require(bool holds) {
  if (!holds) std::abort();
}

// The first byte says how the rest is cut.
template <class Fn>
void in_pieces(std::span<const std::byte> bytes, std::size_t piece, Fn&& fn) {
  while (!bytes.empty()) {
    const std::size_t n = std::min(piece, bytes.size());
    if (!fn(bytes.first(n))) return;
    bytes = bytes.subspan(n);
  }
}

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
  return 0;
}
