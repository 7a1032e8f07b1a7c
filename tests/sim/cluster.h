// SPDX-License-Identifier: Apache-2.0
// One run: the nodes, the network, the faults, the operator, and the order in which things happen.
#pragma once

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/checker.h"
#include "tests/sim/config.h"
#include "tests/sim/net.h"
#include "tests/sim/rng.h"

namespace ha::sim {

class Engine;
class Impostor;
class Node;
class Register;

class Cluster {
 public:
  explicit Cluster(const Config& config);
  ~Cluster();
  // Throws a Violation.
  void run();
  const Stats& stats() const { return stats_; }

  // ---- what nodes use ----
  const Config& config() const { return config_; }
  Rng& rng() { return rng_; }
  Net& net() { return net_; }
  Checker& checker() { return checker_; }
  Time now() const { return now_; }
  bool calm() const { return calm_; }
  // Is that node configured with another set than the others?
  bool misled(const std::string& id) const {
    return !calm_ && config_.misled >= 0 &&
           config_.ids[static_cast<std::size_t>(config_.misled)] == id;
  }
  // Of a supervised run; else null.
  Engine* engine() const { return engine_.get(); }
  // Of a run whose set changes; else null.
  Register* members() const { return register_.get(); }
  bool is_up(std::uint32_t node) const;
  // Says a port that somebody listens on that nobody does?
  bool refuses();
  bool made(Fault fault) const { return config_.fault == fault; }
  // Somebody else takes that connection, from time to time.
  void maybe_impersonate(ConnId id, const Node& victim, std::uint32_t dialled);
  bool is_impostor(ConnId id) const { return impostors_.contains(id); }
  void count(Stats::Counter counter, std::int64_t n = 1) { stats_.at[counter] += n; }
  std::uint32_t next_record() { return ++records_; }
  void promote_at(Time at, std::uint32_t node) { agenda_.add(at, What::kPromote, node); }
  template <class Text>
  void say(Text&& text) const {
    if (config_.verbose) {
      std::printf("%10.3f ms  %s\n", static_cast<double>(now_.count()) / 1e6, text().c_str());
    }
  }

 private:
  void step();
  void on_event(const Event& event);
  void on_open(ConnId id);
  void on_deliver(const Event& event);
  void in(std::uint32_t node, const std::function<void(Node&)>& act);
  void crash(std::uint32_t node, bool power);
  void restart_later(std::uint32_t node);

  // ---- faults and the operator ----
  void make_fault();
  void cut_something();
  void leap();
  void black_out();
  void cut_off(std::uint32_t a, std::uint32_t b);
  void move_operator();
  void promote_somebody();
  void change_set();
  Node& any();
  Node* newest_master();

  // ---- the end ----
  void make_calm();
  void converge();
  bool elect();
  bool master_appears();
  bool all_follow(Node& master);
  bool all_healed();
  bool change_ends();
  bool is_member(const Node& node) const;
  bool acknowledged_by_all(Node& master);
  void run_for(Time time);
  void compare_all() const;

  const Config config_;
  Rng rng_;
  Time now_{};
  Agenda agenda_;
  Net net_;
  Stats stats_;
  Checker checker_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Register> register_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<ConnId, std::unique_ptr<Impostor>> impostors_;
  std::uint32_t records_ = 0;
  bool calm_ = false;
};

}  // namespace ha::sim
