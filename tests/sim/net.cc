// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/net.h"

#include <algorithm>

namespace ha::sim {
namespace {

bool later(const Event& a, const Event& b) {
  return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
}

}  // namespace

void Agenda::add(Time at, What what, std::uint32_t whom, Side side) {
  heap_.push_back({at, sequence_++, what, side, whom});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

Event Agenda::take() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const Event event = heap_.back();
  heap_.pop_back();
  return event;
}

Net::Net(const Config& config, Rng& rng, Agenda& agenda, const Time& now)
    : config_(config), rng_(rng), agenda_(agenda), now_(now) {
  conns_.reserve(256);
}

Time Net::delay() {
  if (!calm && rng_.permille(config_.slow_permille)) return kMs * rng_.between(3, 60);
  return kUs * rng_.between(50, 1500);
}

ConnId Net::connect(std::uint32_t from, std::uint32_t to) {
  const auto id = static_cast<ConnId>(conns_.size());
  conns_.emplace_back();
  conns_[id].node = {from, to};
  conns_[id].open = {true, false};
  agenda_.add(now_ + delay(), What::kOpen, id);
  return id;
}

void Net::get_underway(ConnId id, Side side, Time delay) {
  Pipe& pipe = conns_[id].pipe[side];
  if (pipe.underway || pipe.lost) return;
  pipe.underway = true;
  agenda_.add(now_ + delay, What::kDeliver, id, side);
}

void Net::send(ConnId id, Side side, std::span<const std::byte> bytes) {
  Pipe& pipe = conns_[id].pipe[side];
  if (pipe.lost || pipe.ends) return;
  pipe.bytes.insert(pipe.bytes.end(), bytes.begin(), bytes.end());
  get_underway(id, side, delay());
}

void Net::close(ConnId id, Side side) {
  Conn& conn = conns_[id];
  if (!conn.open[side]) return;
  conn.open[side] = false;
  conn.pipe[side].ends = true;
  get_underway(id, side, delay());
}

void Net::reset(ConnId id) {
  Conn& conn = conns_[id];
  for (const Side side : {kClient, kServer}) {
    conn.pipe[side].lost = true;
    conn.pipe[side].bytes.clear();
    if (conn.open[side]) agenda_.add(now_ + delay(), What::kGone, id, side);
  }
}

void Net::drop_all_of(std::uint32_t node, bool silent) {
  for (ConnId id = 0; id < conns_.size(); ++id) {
    for (const Side side : {kClient, kServer}) {
      Conn& conn = conns_[id];
      if (conn.node[side] != node || !conn.open[side]) continue;
      if (silent) {
        conn.open[side] = false;  // what was sent may still arrive
      } else if (rng_.percent(50)) {
        close(id, side);
      } else {
        conn.open[side] = false;
        reset(id);
      }
    }
  }
}

void Net::reset_some(std::int64_t percent) {
  for (ConnId id = 0; id < conns_.size(); ++id) {
    const Conn& conn = conns_[id];
    if ((conn.open[kClient] || conn.open[kServer]) && rng_.percent(percent)) reset(id);
  }
}

Bytes Net::deliver(const Event& event, bool& over) {
  Conn& conn = conns_[event.whom];
  const Side to = other(event.side);
  Pipe& pipe = conn.pipe[event.side];
  pipe.underway = false;
  over = false;
  if (pipe.lost) return {};
  if (!conn.open[to]) {
    pipe.bytes.clear();
    return {};
  }
  if (cut_[conn.node[event.side]][conn.node[to]]) {
    if (rng_.percent(30)) {
      pipe.lost = true;
    } else {
      get_underway(event.whom, event.side, kMs * 15);
    }
    return {};
  }
  Bytes piece;
  if (pipe.bytes.size() > 1 && rng_.percent(25)) {
    const auto size = rng_.between(1, static_cast<std::int64_t>(pipe.bytes.size()) - 1);
    piece.assign(pipe.bytes.begin(), pipe.bytes.begin() + size);
    pipe.bytes.erase(pipe.bytes.begin(), pipe.bytes.begin() + size);
    get_underway(event.whom, event.side, delay());
  } else {
    piece.swap(pipe.bytes);
    over = pipe.ends;
  }
  if (config_.garble && !calm && !piece.empty() && rng_.permille(4)) {
    auto& byte =
        piece[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(piece.size())))];
    byte ^= static_cast<std::byte>(1 << rng_.below(8));
    ++garbled;
  }
  return piece;
}

void Net::heal() {
  for (auto& row : cut_) row.fill(false);
}

}  // namespace ha::sim
