// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cluster.h"

#include "tests/sim/engine.h"
#include "tests/sim/impostor.h"
#include "tests/sim/node.h"
#include "tests/sim/register.h"

namespace ha::sim {

Cluster::Cluster(const Config& config)
    : config_(config),
      rng_(config.seed),
      net_(config_, rng_, agenda_, now_),
      checker_(config_, stats_),
      engine_(config.supervised ? std::make_unique<Engine>(config.seed) : nullptr),
      register_(config.members ? std::make_unique<Register>(config.seed, config.first_members())
                               : nullptr) {
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(config_.nodes); ++i) {
    nodes_.push_back(std::make_unique<Node>(*this, i));
  }
}

Cluster::~Cluster() = default;

void Cluster::run() {
  stats_.runs = 1;
  say([&] {
    return std::to_string(config_.nodes) + " nodes, " + std::to_string(config_.copies) + " copies" +
           (config_.power_losses ? ", power losses" : "") + (config_.force ? ", force" : "") +
           (config_.retention ? ", retention" : "") + (config_.durable ? ", durable" : "") +
           (config_.degrades() ? ", degrades" : "");
  });
  for (const auto& node : nodes_) {
    node->start();
    agenda_.add(kUs * rng_.between(10, 9000), What::kTick, node->index());
  }
  if (!engine_) agenda_.add(kMs, What::kPromote, 0);
  agenda_.add(kMs * 10, What::kMove, 0);
  agenda_.add(kMs * 15, What::kFault, 0);
  while (stats_.at[Stats::kSteps] < config_.steps) step();
  make_calm();
  converge();
  stats_.at[Stats::kGarbled] = net_.garbled;
}

void Cluster::in(std::uint32_t node, const std::function<void(Node&)>& act) {
  try {
    act(*nodes_[node]);
  } catch (const Crashed& crashed) {
    crash(node, crashed.power);
  }
  nodes_[node]->sweep();
}

void Cluster::step() {
  const Event event = agenda_.take();
  now_ = event.at;
  on_event(event);
  ++stats_.at[Stats::kSteps];
  checker_.after_step();
  if (rng_.permille(5)) compare_all();
}

void Cluster::on_event(const Event& event) {
  switch (event.what) {
    case What::kTick: {
      agenda_.add(now_ + kUs * rng_.between(3000, 7000), What::kTick, event.whom);
      const Node& node = *nodes_[event.whom];
      if (!node.up() || node.stopped_until() > now_) return;
      return in(event.whom, [](Node& n) { n.on_tick(); });
    }
    case What::kOpen:
      return on_open(event.whom);
    case What::kDeliver:
      return on_deliver(event);
    case What::kGone: {
      Conn& conn = net_.at(event.whom);
      if (!conn.open[event.side]) return;
      conn.open[event.side] = false;
      return in(conn.node[event.side], [&](Node& n) { n.on_gone(event.whom, event.side); });
    }
    case What::kFault:
      if (calm_) return;
      agenda_.add(now_ + config_.between_faults * rng_.between(30, 170) / 100, What::kFault, 0);
      return make_fault();
    case What::kMove:
      if (calm_) return;
      agenda_.add(now_ + config_.between_moves * rng_.between(30, 170) / 100, What::kMove, 0);
      return move_operator();
    case What::kRestart:
      if (nodes_[event.whom]->up()) return;
      stats_.at[Stats::kRestarts]++;
      return in(event.whom, [](Node& n) { n.start(); });
    case What::kPromote: {
      Node& node = *nodes_[event.whom];
      if (!node.up() || node.stopped_until() > now_) return;
      const bool force = config_.force && !calm_ && rng_.percent(25);
      return in(event.whom, [&](Node& n) { n.promote(force); });
    }
  }
}

void Cluster::maybe_impersonate(ConnId id, const Node& victim, std::uint32_t dialled) {
  if (!config_.impostors || calm_ || !rng_.percent(15)) return;
  ++stats_.at[Stats::kImpostors];
  impostors_[id] = std::make_unique<Impostor>(net_, rng_, config_, id, victim, dialled);
}

void Cluster::on_open(ConnId id) {
  Conn& conn = net_.at(id);
  const std::uint32_t from = conn.node[kClient];
  const std::uint32_t to = conn.node[kServer];
  if (!conn.open[kClient]) return;
  if (nodes_[from]->stopped_until() > now_) {
    return agenda_.add(nodes_[from]->stopped_until(), What::kOpen, id);
  }
  if (is_impostor(id)) {
    conn.open[kServer] = true;
    return in(from, [&](Node& n) { n.on_open(id); });
  }
  if (net_.cut(from, to) || net_.cut(to, from)) {
    return agenda_.add(now_ + kMs * 20, What::kGone, id, kClient);
  }
  if (!nodes_[to]->up()) return agenda_.add(now_ + kUs * 100, What::kGone, id, kClient);
  conn.open[kServer] = true;
  nodes_[to]->on_accept(id);
  in(from, [&](Node& n) { n.on_open(id); });
}

void Cluster::on_deliver(const Event& event) {
  const Side to = other(event.side);
  if (to == kServer && is_impostor(event.whom)) {
    bool ignored = false;
    return impostors_.at(event.whom)->read(net_.deliver(event, ignored));
  }
  const std::uint32_t node = net_.at(event.whom).node[to];
  if (nodes_[node]->up() && nodes_[node]->stopped_until() > now_) {
    return agenda_.add(nodes_[node]->stopped_until(), What::kDeliver, event.whom, event.side);
  }
  bool over = false;
  const Bytes bytes = net_.deliver(event, over);
  if (!bytes.empty()) in(node, [&](Node& n) { n.on_bytes(event.whom, to, bytes); });
  if (!over || !net_.at(event.whom).open[to]) return;
  net_.close(event.whom, to);
  in(node, [&](Node& n) { n.on_gone(event.whom, to); });
}

void Cluster::crash(std::uint32_t node, bool power) {
  nodes_[node]->die(power);
  ++stats_.at[power ? Stats::kPowerLosses : Stats::kKills];
  if (!calm_) restart_later(node);
}

void Cluster::restart_later(std::uint32_t node) {
  const Time at = now_ + kMs * (rng_.percent(40) ? rng_.between(1, 10) : rng_.between(10, 150));
  agenda_.add(at, What::kRestart, node);
  if (rng_.percent(15) && !engine_) agenda_.add(at + kUs, What::kPromote, node);
}

bool Cluster::is_up(std::uint32_t node) const { return nodes_[node]->up(); }

bool Cluster::refuses() { return engine_ && !calm_ && engine_->rng().percent(10); }

Node& Cluster::any() { return *nodes_[static_cast<std::size_t>(rng_.below(config_.nodes))]; }

Node* Cluster::newest_master() {
  Node* newest = nullptr;
  for (const auto& node : nodes_) {
    if (node->epoch() > (newest == nullptr ? 0 : newest->epoch())) newest = node.get();
  }
  return newest;
}

void Cluster::compare_all() const {
  checker_.check_masters();
  for (const auto& a : nodes_) {
    checker_.check_readers(a->index(), a->disk());
    for (const auto& b : nodes_) {
      if (a.get() >= b.get() && a != b) continue;
      Checker::check_pair(a->term().history.entered_by(a->disk().end()), a->disk(),
                          b->term().history.entered_by(b->disk().end()), b->disk());
    }
  }
}

}  // namespace ha::sim
