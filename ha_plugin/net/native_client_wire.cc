#include "ha_plugin/net/native_client_wire.h"

#include <algorithm>
#include <utility>

namespace ha::net {

using core::Decision;
using core::Offset;
using core::Reason;
using wire::native::Reader;

namespace {

constexpr std::int64_t kReadBytes = 64 * 1024;

constexpr std::size_t kMostWords = 400;  // of a master's sentence that is passed on

std::string text(Offset offset) { return std::to_string(offset.bytes()); }

// What a peer says goes into one line of the host's log.
std::string one_line(std::string words) {
  words.resize(std::min(words.size(), kMostWords));
  std::replace_if(
      words.begin(), words.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return words;
}

}  // namespace

std::optional<std::uint64_t> hash_log(const Host& host, Offset begin, Offset end) {
  wire::native::Hasher hasher;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min(end - begin, kReadBytes)));
  for (Offset at = begin; at < end;) {
    const std::int64_t want = std::min(end - at, kReadBytes);
    std::int64_t got = 0;
    const core::Status status = host.read(at, piece.data(), want, got);
    if (status != core::Status::kOk || got < 1 || got > want) return std::nullopt;
    hasher.add(std::span(piece).first(static_cast<std::size_t>(got)));
    at = at + got;
  }
  return hasher.value();
}

std::span<const std::byte> NativeClientWire::open() {
  ready_ = false;
  durable_ = {};
  reader_.restart();
  reply_.clear();
  opening_ = wire::native::opening();
  return opening_;
}

std::span<const std::byte> NativeClientWire::reply() {
  said_ = std::exchange(reply_, {});
  return said_;
}

std::span<const std::byte> NativeClientWire::report(Offset position) {
  ha_bounds bounds{};
  if (host_.bounds(bounds).ok()) durable_ = std::min(Offset(bounds.durable), position);
  ack_ = wire::native::encode_ack({position, durable_, 0});
  return ack_;
}

Refusal NativeClientWire::take(std::span<const std::byte>& bytes, std::optional<Frame>& frame) {
  const Reader::Found found = reader_.take(bytes);
  const std::string type = std::to_string(reader_.type());
  switch (found) {
    case Reader::Found::kNothing:
      return {};
    case Reader::Found::kGreeting:
      return on_greeting();
    case Reader::Found::kAnswer:
      return on_answer();
    case Reader::Found::kData:
      frame = Frame{reader_.data().offset, reader_.data().size};
      return {};
    case Reader::Found::kMetadata:
      on_metadata();
      return {};
    case Reader::Found::kBadSize:
      return {Reason::kFrameSize, "the master sent a message of type " + type + " with " +
                                      std::to_string(reader_.size()) + " bytes"};
    case Reader::Found::kBadChecksum:
      return {Reason::kChecksum, "a message of type " + type +
                                     " from the master was changed on the way: its checksum is "
                                     "another"};
    case Reader::Found::kBadMagic:
      return {Reason::kProtocol,
              "what the master sent is no message of the native protocol (a RocketMQ broker is "
              "followed with option 'wire': 'auto' or 'rocketmq')"};
    default:
      break;
  }
  return {Reason::kProtocol, "a message of type " + type + " from the master has no place here"};
}

Refusal NativeClientWire::on_greeting() {
  const core::Greeting& greeting = reader_.greeting();
  ha_bounds bounds{};
  if (HostResult r = host_.bounds(bounds); !r.ok()) return {Reason::kHostError, std::move(r.text)};
  const core::LogBounds log = to_core(bounds);
  hello_ = {};
  hello_.incarnation = incarnation_;
  hello_.segment_size = log.segment_size;
  hello_.min = log.min;
  hello_.end = log.end;
  hello_.tail_start = core::tail_start(log, greeting);
  const auto hash = hash_log(host_, hello_.tail_start, hello_.end);
  if (!hash) {
    return {Reason::kHostError, "the host could not read its log from " + text(hello_.tail_start) +
                                    " to " + text(hello_.end)};
  }
  hello_.tail_hash = *hash;
  hello_.cluster = settings_.cluster_id;
  hello_.replica = settings_.replica_id;
  reply_ = wire::native::encode_hello(hello_);
  return {};
}

Refusal NativeClientWire::on_answer() {
  const core::Answer& answer = reader_.answer();
  if (answer.decision == Decision::kRefuse) {
    return {core::is_refusal(answer.reason) ? answer.reason : Reason::kProtocol,
            "the master refused this slave: " + one_line(answer.text)};
  }
  if (std::string wrong = core::check_answer(answer, hello_); !wrong.empty()) {
    return {Reason::kProtocol, "the master's answer is wrong: " + wrong};
  }
  if (answer.decision == Decision::kReset) {
    on_reset_();
    if (HostResult r = host_.reset(answer.offset); !r.ok()) {
      return {Reason::kHostError, std::move(r.text)};
    }
    const std::string line =
        "this log starts at " + text(answer.offset) + ", where the master's begins for it";
    if (hello_.end == hello_.min) {
      host_.info(line);
    } else {
      host_.warn(line + "; what it held, from " + text(hello_.min) + " to " + text(hello_.end) +
                 ", was deleted at the master before this slave had the rest");
    }
  }
  ready_ = true;
  return {};
}

// The log goes on whatever becomes of it.
void NativeClientWire::on_metadata() {
  if (!host_.has_metadata()) return;
  if (const HostResult r = host_.write_metadata(reader_.metadata()); !r.ok()) {
    host_.warn("the master's metadata was not taken: " + r.text);
  }
}

core::FrameVerdict NativeClientWire::begin(const Frame& frame, const core::LogBounds& log) {
  if (reader_.data().epoch != 0) {
    return {Reason::kEpoch, false,
            "the master sent bytes of epoch " + std::to_string(reader_.data().epoch) +
                "; this version knows epoch 0 only"};
  }
  // Where an empty log starts was the answer's to say.
  if (frame.offset != log.end) return {Reason::kOffsetMismatch, false, {}};
  return core::judge_frame(frame.offset, frame.size, log);
}

}  // namespace ha::net
