// SPDX-License-Identifier: Apache-2.0
// A node: core's rules, glued together as the plugin and its host do it.
//
// node.cc: its life, its disk, its roles. accepting.cc: what others connect to. following.cc: a
// slave's link. promotion.cc: a candidate. supervised.cc: how it becomes one by itself.
// changing.cc: a set that gets other nodes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/handshake.h"
#include "ha_plugin/core/members.h"
#include "ha_plugin/core/supervisor.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/wire/native.h"
#include "tests/sim/cluster.h"
#include "tests/sim/engine.h"
#include "tests/sim/keeper.h"
#include "tests/sim/waits.h"

namespace ha::sim {

// The process or the machine died in the midst of something.
struct Crashed {
  bool power = false;
};

class Node {
 public:
  Node(Cluster& cluster, std::uint32_t index);

  // ---- the world ----
  void start();
  void die(bool power);
  void on_accept(ConnId id);
  void on_open(ConnId id);
  void on_bytes(ConnId id, Side side, const Bytes& bytes);
  void on_gone(ConnId id, Side side);
  void on_tick();
  void sweep();  // forgets what is closed
  void fill_disk(Time until) { full_until_ = until; }
  void stop_until(Time until) { stopped_until_ = until; }
  void jump_clock(Time by) { clock_ahead_ += by; }
  void delete_old();

  // ---- the operator ----
  void promote(bool force);
  void follow(std::uint32_t target);
  void rest();  // no role
  void empty_store();
  void order_change();
  // Dies in the midst of an append.
  void tear();
  // Appends a record and waits for its copies; nothing when it could not be appended.
  std::optional<std::uint64_t> produce(std::int32_t copies, bool durable, Time timeout);

  std::uint32_t index() const { return index_; }
  const std::string& id() const { return cluster_.config().ids[index_]; }
  bool up() const { return up_; }
  Time stopped_until() const { return stopped_until_; }
  bool master() const { return epoch_ != 0; }
  bool promoting() const { return promotion_ != nullptr && !promotion_->suspect; }
  bool idle() const { return up_ && !master() && !promoting() && !target_; }
  bool diverged() const { return diverged_; }
  // Does it lack what its master has deleted, and hold what its readers saw?
  bool stranded() const { return stranded_; }
  std::optional<std::uint32_t> target() const { return target_; }
  std::int64_t epoch() const { return epoch_; }
  core::Position position() const;
  // Is its configuration another than that of the others?
  bool misled() const;
  core::Members members() const;
  const core::Term& term() const { return term_; }
  const Disk& disk() const { return disk_; }
  bool degraded() const { return keeper_.open(); }

 private:
  struct Inbound {
    explicit Inbound(ConnId its_id, Time now) : id(its_id), session(now) {}
    ConnId id;
    bool closed = false;
    bool opened = false;
    bool accepted = false;
    std::string replica;
    std::uint64_t incarnation = 0;
    std::int64_t set_version = 0;
    wire::ReportGather opening;
    wire::native::Reader reader{wire::native::Reader::Side::kMaster};
    core::ReplicaSession session;
    core::Offset told_confirm = core::kNoOffset;
    std::uint64_t degraded_sent = 0;  // which serial
    bool ticked = false;              // since it was accepted
  };
  struct Link {
    explicit Link(ConnId its_id, Time now) : id(its_id), follower(now) {}
    ConnId id;
    bool closed = false;
    bool serving = false;
    wire::native::Reader reader{wire::native::Reader::Side::kSlave};
    core::Follower follower;
    core::Hello hello;
    core::EpochHistory told;
    std::string master;
    bool in_body = false;
    Bytes body;
    Offset told_durable;
    Offset confirm = core::kNoOffset;  // the newest that the master told
    bool all_well = false;             // the master told that it has no degraded range open
  };
  struct Ballot {
    explicit Ballot(ConnId its_id, std::uint32_t its_voter) : id(its_id), voter(its_voter) {}
    ConnId id;
    std::uint32_t voter;
    bool closed = false;
    bool greeted = false;
    int unanswered = 0;
    wire::native::Reader reader{wire::native::Reader::Side::kCandidate};
  };
  struct Promotion {
    bool force = false;
    bool suspect = false;    // it only asks whether the master is gone
    bool promising = false;  // the second round
    std::int64_t epoch = 0;
    core::Position position;
    Time deadline{};
    std::vector<core::Heard> heard;  // of the round that is on
    std::vector<bool> settled;
    std::vector<std::unique_ptr<Ballot>> ballots;
  };
  struct Supervised {
    core::Supervisor rules{{}};
    Engine::Key key;
    std::uint64_t lease = 0;
    Time read_at{core::kNever};
    Time searching_since{};
  };
  using Found = wire::native::Reader::Found;

  // node.cc
  Time clock() const;
  bool fails(const char* what, std::int64_t permille);
  bool fails(const char* what) { return fails(what, cluster_.config().eio_permille); }
  void maybe_crash();
  bool save(core::Term term);
  bool save(const core::DegradedJournal& journal);
  void show(Offset confirm);
  bool append(std::span<const std::byte> bytes);
  bool cut_log(Offset end);
  void forget_unentered();
  core::Voter voter() const;
  Waits::Told told_by_waits();
  std::uint64_t wait_for(Offset end, std::int32_t copies, bool durable, Time timeout);
  void wait_for_old(std::int32_t copies, bool durable, Time timeout);
  void leave_role(core::Status why, std::optional<ConnId> keep);
  void yield_to(const std::string& candidate, std::optional<ConnId> keep);
  void sync();
  std::uint32_t index_of(const std::string& id) const;
  bool is_bad(Found found);

  // accepting.cc
  void read(Inbound& in, std::span<const std::byte> bytes);
  void greet(Inbound& in);
  void on_prepare(Inbound& in);
  void on_hello(Inbound& in);
  core::Answer judge(const core::Hello& hello) const;
  void on_ack(Inbound& in);
  void pump(Inbound& in);
  void send_degraded(Inbound& in);
  void send_degraded();
  Offset confirm_for(const Inbound& in) const;
  void pump_all();
  void close(Inbound& in);
  void turn();
  Offset epoch_start() const;

  // following.cc
  void connect_to_master();
  void read(Link& link, std::span<const std::byte> bytes);
  void on_greeting(Link& link);
  void on_answer(Link& link);
  bool take_answer(Link& link, const core::Answer& answer);
  void on_data(Link& link);
  bool take_body(Link& link, std::span<const std::byte>& bytes);
  bool take_frame(Link& link);
  void believe(Link& link);
  void on_degraded(Link& link);
  bool enter(Link& link, Offset end);
  void ack(Link& link);
  void close_link();
  void tick_link();

  // changing.cc
  void start_members();
  bool save(const core::Members& set);
  // False = it is not durable, and has no effect.
  bool adopt(const core::Members& set);
  bool read_register();
  void write_register(const core::Members& next);
  void tick_members();
  core::MemberChange::Look look_at_followers() const;

  // supervised.cc
  Time supervisor_clock() const;
  void start_supervisor();
  void configure_supervisor();
  bool hears_master() const;
  core::Look look() const;
  core::LeaderView leader() const;
  void tick_supervisor();
  void read_key();
  void take_key();
  void search_master();
  void ask_whether_gone();
  void end_suspicion(const core::Verdict& verdict, const std::vector<core::Heard>& heard);

  // promotion.cc
  void begin_round();
  void open_ballots();
  void open_ballot(std::uint32_t other);
  void read(Ballot& ballot, std::span<const std::byte> bytes);
  void say_prepare(Ballot& ballot);
  void settle(std::uint32_t other, std::optional<core::Promise> promise, const char* why);
  void judge_if_settled();
  void second_round();
  void become_master();
  void fail_promotion(const std::string& why, const core::Promise* master);
  void end_promotion();
  void tick_promotion();

  Cluster& cluster_;
  const std::uint32_t index_;
  Disk disk_;
  core::Term term_;
  core::Members members_;
  core::MemberChange change_;
  std::uint64_t set_revision_ = 0;  // of the register, which has been dealt with
  bool up_ = false;
  bool diverged_ = false;
  bool stranded_ = false;
  std::uint64_t incarnation_ = 0;
  std::int64_t epoch_ = 0;  // of which it is master
  std::optional<std::uint32_t> target_;
  Keeper keeper_;
  Waits waits_;
  Offset reached_whole_;  // as master: where the last record ends that enough copies hold
  std::map<ConnId, std::unique_ptr<Inbound>> inbound_;
  std::unique_ptr<Link> link_;
  std::vector<std::unique_ptr<Link>> old_links_;
  std::unique_ptr<Promotion> promotion_;
  Supervised supervised_;
  std::vector<std::unique_ptr<Promotion>> old_promotions_;
  Time reconnect_at_{};
  Time full_until_{};
  Time stopped_until_{};
  Time clock_ahead_{};
  std::int64_t clock_rate_ = 1000;
};

}  // namespace ha::sim
