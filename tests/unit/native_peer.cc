// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/native_peer.h"

#include <algorithm>
#include <vector>

#include "tests/unit/memory_host.h"

namespace ha::testing {
namespace {

using core::Offset;
using wire::native::Reader;

// A byte at a time: whatever follows the message stays in the socket.
bool read_one(Peer& peer, Reader& reader, Reader::Found want) {
  std::byte byte{};
  while (peer.read(&byte, 1)) {
    std::span<const std::byte> bytes(&byte, 1);
    const Reader::Found found = reader.take(bytes);
    // Comes once a second at most, whatever else does.
    if (found == Reader::Found::kDegraded && found != want) continue;
    if (found == Reader::Found::kUpstream && found != want) continue;
    if (found != Reader::Found::kNothing) return found == want;
  }
  return false;
}

}  // namespace

Options native(Options more) {
  more.insert(more.begin(), {"wire", "native"});
  return more;
}

std::string address_of(const Instance& node) { return "127.0.0.1:" + std::to_string(node.port()); }

std::uint64_t hash_of_log(std::int64_t begin, std::int64_t end) {
  wire::native::Hasher hasher;
  hasher.add(bytes_at(begin, end - begin));
  return hasher.value();
}

core::Hello hello_of(const std::string& name, std::int64_t min, std::int64_t end,
                     std::int64_t segment_size) {
  core::Hello hello;
  hello.incarnation = 1;
  hello.segment_size = segment_size;
  hello.min = hello.tail_start = Offset(min);
  hello.end = hello.tail_end = Offset(end);
  hello.tail_hash = hash_of_log(min, end);
  hello.replica = name;
  return hello;
}

wire::native::Bytes native_frame(std::int64_t offset, std::int64_t size, std::int64_t epoch) {
  const std::vector<std::byte> body = bytes_at(offset, size);
  const auto start =
      wire::native::encode_data({epoch, Offset(offset), Offset(-1), 1, size}, body.data());
  wire::native::Bytes all(start.size() + body.size());
  std::copy(body.begin(), body.end(), std::copy(start.begin(), start.end(), all.begin()));
  return all;
}

bool NativeSlave::read_message(Reader::Found want) { return read_one(peer_, reader_, want); }

std::optional<core::Greeting> NativeSlave::open() {
  if (!peer_.send(wire::native::opening())) return std::nullopt;
  if (!read_message(Reader::Found::kGreeting)) return std::nullopt;
  return reader_.greeting();
}

std::optional<core::Answer> NativeSlave::say(core::Hello hello) {
  if (hello.set.empty()) hello.set = reader_.greeting().set;
  if (!peer_.send(wire::native::encode_hello(hello))) return std::nullopt;
  if (!read_message(Reader::Found::kAnswer)) return std::nullopt;
  return reader_.answer();
}

std::optional<core::Answer> NativeSlave::join(const std::string& name, std::int64_t end,
                                              std::uint64_t incarnation) {
  const auto greeting = open();
  if (!greeting) return std::nullopt;
  core::Hello hello = hello_of(name, greeting->min.bytes(), end);
  hello.incarnation = incarnation;
  return say(hello);
}

bool NativeSlave::ack(std::int64_t received, std::int64_t durable, std::int64_t epoch) {
  return peer_.send(wire::native::encode_ack({Offset(received), Offset(durable), epoch}));
}

std::optional<core::DegradedRange> NativeSlave::degraded_next() {
  if (!read_message(Reader::Found::kDegraded)) return std::nullopt;
  return reader_.degraded();
}

FrameSeen NativeSlave::frame() {
  if (!read_message(Reader::Found::kData)) return {};
  FrameSeen seen{reader_.data().offset.bytes(), static_cast<std::int32_t>(reader_.data().size), {}};
  seen.body.resize(static_cast<std::size_t>(seen.size));
  if (!peer_.read(seen.body.data(), seen.body.size())) return {};
  reader_.body(seen.body);
  return reader_.body_is_whole() ? seen : FrameSeen{};
}

std::string NativeSlave::follow_to(std::int64_t from, std::int64_t end) {
  while (from < end) {
    const FrameSeen seen = frame();
    if (seen.offset != from) return "a frame at " + std::to_string(seen.offset);
    if (seen.body != bytes_at(from, seen.size)) return "other bytes at " + std::to_string(from);
    from += seen.size;
  }
  return "";
}

std::optional<core::Promise> NativeCandidate::ask(const core::Prepare& prepare) {
  if (!peer_.send(wire::native::opening())) return std::nullopt;
  if (!read_one(peer_, reader_, Reader::Found::kGreeting)) return std::nullopt;
  if (!peer_.send(wire::native::encode_prepare(prepare))) return std::nullopt;
  if (!read_one(peer_, reader_, Reader::Found::kPromise)) return std::nullopt;
  return reader_.promise();
}

bool NativeMaster::read_message(Reader::Found want) { return read_one(peer_, reader_, want); }

std::optional<core::Hello> NativeMaster::greet(const core::Greeting& greeting) {
  if (peer_.read_report() != -1) return std::nullopt;
  if (!peer_.send(wire::native::encode_greeting(greeting))) return std::nullopt;
  if (!read_message(Reader::Found::kHello)) return std::nullopt;
  return reader_.hello();
}

bool NativeMaster::answer(const core::Answer& answer) {
  return peer_.send(wire::native::encode_answer(answer));
}

bool NativeMaster::resume(const core::Hello& hello) {
  core::Answer answer;
  answer.decision = core::Decision::kResume;
  answer.offset = hello.end;
  return this->answer(answer);
}

bool NativeMaster::send_log(std::int64_t offset, std::int64_t size) {
  return peer_.send(native_frame(offset, size));
}

std::optional<wire::native::Ack> NativeMaster::ack_with(std::int64_t received,
                                                        std::int64_t durable) {
  for (auto heard = ack(); heard; heard = ack()) {
    if (heard->received >= Offset(received) && heard->durable >= Offset(durable)) return heard;
  }
  return std::nullopt;
}

std::optional<wire::native::Ack> NativeMaster::ack() {
  if (!read_message(Reader::Found::kAck)) return std::nullopt;
  return reader_.ack();
}

}  // namespace ha::testing
