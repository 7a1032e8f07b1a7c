// SPDX-License-Identifier: Apache-2.0
// The other end of a native connection, spoken for by a test.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ha_plugin/wire/native.h"
#include "tests/unit/instance.h"
#include "tests/unit/peer.h"

namespace ha::testing {

// A slave. Everything that waits fails the test, or gives nothing, when patience ends.
class NativeSlave {
 public:
  explicit NativeSlave(std::int64_t port) : peer_(Peer::to(port)) {}

  // Opens; what the master greeted with.
  std::optional<core::Greeting> open();
  // Says hello; the answer. hello gets the hash of what stands in every test log, unless it has
  // one, and the master's set, unless it has another.
  std::optional<core::Answer> say(core::Hello hello);
  // Both, as an empty or part-filled replica of that name.
  std::optional<core::Answer> join(const std::string& name, std::int64_t end,
                                   std::uint64_t incarnation = 1);
  bool ack(std::int64_t received, std::int64_t durable, std::int64_t epoch = 0);
  // What the next message says is open at the master; none = it is another one, or says nothing is.
  std::optional<core::DegradedRange> degraded_next();
  // What the last frame said of it.
  core::Offset confirm() const { return reader_.data().confirm; }
  // The next frame, its checksum verified; offset -1 = none came.
  FrameSeen frame();
  // Reads frames until bytes up to end have come, each what stands in every test log.
  std::string follow_to(std::int64_t from, std::int64_t end);

  Peer& peer() { return peer_; }

 private:
  bool read_message(wire::native::Reader::Found want);

  Peer peer_;
  wire::native::Reader reader_{wire::native::Reader::Side::kSlave};
};

// Options of a node that speaks the native protocol only.
Options native(Options more = {});
std::string address_of(const Instance& node);

core::Hello hello_of(const std::string& name, std::int64_t min, std::int64_t end,
                     std::int64_t segment_size = 4096);
std::uint64_t hash_of_log(std::int64_t begin, std::int64_t end);

// A master.
class NativeMaster {
 public:
  explicit NativeMaster(Peer peer) : peer_(std::move(peer)) {}

  // Hears the opening, greets, hears what the slave says of itself.
  std::optional<core::Hello> greet(std::int64_t min, std::int64_t end) {
    return greet(
        {core::kNativeVersion, core::kNativeVersion, core::Offset(min), core::Offset(end)});
  }
  std::optional<core::Hello> greet(const core::Greeting& greeting);
  bool answer(const core::Answer& answer);
  // Lets it go on where its log ends.
  bool resume(const core::Hello& hello);
  bool send_log(std::int64_t offset, std::int64_t size);
  bool heartbeat(std::int64_t offset) { return send_log(offset, 0); }
  std::optional<wire::native::Ack> ack();
  // Hears acks until one has that; none when they end before.
  std::optional<wire::native::Ack> ack_with(std::int64_t received, std::int64_t durable = 0);

  Peer& peer() { return peer_; }

 private:
  bool read_message(wire::native::Reader::Found want);

  Peer peer_;
  wire::native::Reader reader_{wire::native::Reader::Side::kMaster};
};

// A node that asks to become master.
class NativeCandidate {
 public:
  explicit NativeCandidate(std::int64_t port) : peer_(Peer::to(port)) {}

  // Opens, is greeted, asks; the answer.
  std::optional<core::Promise> ask(const core::Prepare& prepare);
  Peer& peer() { return peer_; }

 private:
  Peer peer_;
  wire::native::Reader reader_{wire::native::Reader::Side::kCandidate};
};

// The bytes of a frame of what stands in every test log.
wire::native::Bytes native_frame(std::int64_t offset, std::int64_t size, std::int64_t epoch = 0);

}  // namespace ha::testing
