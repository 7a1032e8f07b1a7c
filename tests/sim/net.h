// SPDX-License-Identifier: Apache-2.0
// Connections as TCP's: bytes in order or not at all, in pieces of any size, after any delay.
//
// A cut swallows what one node sends to another. A connection that lost bytes never delivers in
// that direction again; neither side is told, which is what time-outs are for.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/sim/config.h"
#include "tests/sim/disk.h"
#include "tests/sim/rng.h"

namespace ha::sim {

using ConnId = std::uint32_t;

enum Side : std::uint8_t { kClient = 0, kServer = 1 };
inline Side other(Side side) { return side == kClient ? kServer : kClient; }

enum class What : std::uint8_t { kTick, kOpen, kDeliver, kGone, kFault, kMove, kRestart, kPromote };

struct Event {
  Time at{};
  std::uint64_t sequence = 0;
  What what = What::kTick;
  Side side = kClient;     // kDeliver: who sent; kGone: who is told
  std::uint32_t whom = 0;  // a node or a connection
};

// The one order of events.
class Agenda {
 public:
  void add(Time at, What what, std::uint32_t whom, Side side = kClient);
  Event take();
  bool empty() const { return heap_.empty(); }

 private:
  std::vector<Event> heap_;
  std::uint64_t sequence_ = 0;
};

struct Pipe {
  Bytes bytes;
  bool underway = false;  // an event will deliver
  bool lost = false;      // bytes are missing: nothing comes any more
  bool ends = false;      // after the last byte the other side hears that it is over
};

struct Conn {
  std::array<std::uint32_t, 2> node{};
  std::array<bool, 2> open{};  // to the process on that side
  std::array<Pipe, 2> pipe;    // by who sends
};

class Net {
 public:
  Net(const Config& config, Rng& rng, Agenda& agenda, const Time& now);

  ConnId connect(std::uint32_t from, std::uint32_t to);
  void send(ConnId id, Side side, std::span<const std::byte> bytes);
  std::size_t queued(ConnId id, Side side) const { return conns_[id].pipe[side].bytes.size(); }
  void close(ConnId id, Side side);
  // Bytes on the way are lost and both sides hear of it.
  void reset(ConnId id);
  // Everything that a process had open; silent: its peers are not told.
  void drop_all_of(std::uint32_t node, bool silent);
  void reset_some(std::int64_t percent);

  // What a delivery brings now; empty = nothing (yet). over: nothing comes after.
  Bytes deliver(const Event& event, bool& over);
  Conn& at(ConnId id) { return conns_[id]; }
  Time delay();

  bool cut(std::uint32_t from, std::uint32_t to) const { return cut_[from][to]; }
  void set_cut(std::uint32_t from, std::uint32_t to, bool cut) { cut_[from][to] = cut; }
  void heal();
  bool calm = false;  // no more garbling, losing or dawdling
  std::int64_t garbled = 0;

 private:
  void get_underway(ConnId id, Side side, Time delay);

  const Config& config_;
  Rng& rng_;
  Agenda& agenda_;
  const Time& now_;
  std::vector<Conn> conns_;
  std::array<std::array<bool, 5>, 5> cut_{};
};

}  // namespace ha::sim
