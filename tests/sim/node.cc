// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/node.h"

#include <algorithm>

namespace ha::sim {

using core::Status;

Node::Node(Cluster& cluster, std::uint32_t index)
    : cluster_(cluster),
      index_(index),
      disk_(cluster.config().segment_size),
      keeper_(cluster.config(), [this](const core::DegradedJournal& next) { return save(next); }),
      waits_(cluster.config(), keeper_, told_by_waits()),
      clock_rate_(cluster.rng().between(950, 1050)) {}

Waits::Told Node::told_by_waits() {
  Waits::Told told;
  told.done = [this](std::uint64_t wait, Status status, bool below) {
    cluster_.checker().on_wait_done(wait, status, below, disk_, clock());
  };
  told.reached = [this](Offset reached, bool keep_up) {
    const Offset from = std::max(reached_whole_, disk_.log().min);
    if (reached >= from) reached_whole_ = disk_.whole_end(from, reached);
    cluster_.checker().on_reached(index_, epoch_, reached, reached_whole_, keep_up, disk_, clock());
  };
  told.confirmed = [this](Offset confirm) { show(confirm); };
  return told;
}

// ---- its life ----

void Node::start() {
  up_ = true;
  ++incarnation_;
  start_members();
  start_supervisor();
  stopped_until_ = full_until_ = Time{};
  term_ = disk_.saved;
  if (!cluster_.made(Fault::kHistoryNotCut)) forget_unentered();
  term_.history.truncate_prefix(disk_.log().min);
  keeper_.load(disk_.degraded, disk_.whole_end(disk_.end()));
  cluster_.checker().on_term(index_, term_);
  cluster_.say([&] {
    return id() + " starts: epoch " + std::to_string(position().epoch) + ", " +
           std::to_string(disk_.log().min.bytes()) + " to " + std::to_string(disk_.end().bytes()) +
           ", promised " + std::to_string(term_.promised) + " to '" + term_.promised_to + "'";
  });
}

void Node::die(bool power) {
  const core::LogBounds log = disk_.log();
  if (power && log.end > log.durable) {
    const std::int64_t luck = cluster_.rng().percent(50) ? 0 : log.end - log.durable;
    const Offset end = log.durable + cluster_.rng().between(0, luck);
    cluster_.count(Stats::kLostBytes, log.end - end);
    disk_.lose_power(end);
  }
  if (power) {
    // The readers' bound is flushed now and then.
    const std::int64_t known = disk_.shown().bytes();
    const Offset shown(cluster_.rng().percent(50) ? cluster_.rng().between(0, known) : known);
    disk_.show(disk_.whole_end(disk_.log().min, std::max(shown, disk_.log().min)));
  }
  cluster_.say([&] {
    return id() + (power ? " loses power, log now ends at " : " is killed, log ends at ") +
           std::to_string(disk_.end().bytes());
  });
  up_ = false;
  epoch_ = 0;
  target_.reset();
  waits_.set_master(false);
  for (const auto& [conn, in] : inbound_) waits_.leave(conn + 1);
  waits_.forget();
  cluster_.checker().on_died(index_, disk_);
  inbound_.clear();
  if (link_) old_links_.push_back(std::move(link_));
  if (promotion_) old_promotions_.push_back(std::move(promotion_));
  cluster_.net().drop_all_of(index_, power || cluster_.rng().percent(20));
}

void Node::sweep() {
  std::erase_if(inbound_, [](const auto& one) { return one.second->closed; });
  old_links_.clear();
  old_promotions_.clear();
}

Time Node::clock() const { return cluster_.now() * clock_rate_ / 1000 + clock_ahead_; }

void Node::on_tick() {
  const Time now = clock();
  if (cluster_.rng().percent(cluster_.calm() ? 60 : cluster_.config().sync_percent)) sync();
  for (auto& [conn, in] : inbound_) {
    if (in->closed) continue;
    if (in->session.check_silence(now, cluster_.config().session) != core::Reason::kNone) {
      close(*in);
    }
  }
  if (master() && !cluster_.calm() && cluster_.rng().percent(45)) {
    const Config& config = cluster_.config();
    std::int32_t copies = config.copies;
    if (cluster_.rng().percent(20)) {
      copies = static_cast<std::int32_t>(cluster_.rng().between(1, config.nodes));
    }
    const bool durable = cluster_.rng().percent(config.power_losses ? 80 : 40);
    const Time timeout = kMs * cluster_.rng().between(15, 120);
    if (cluster_.rng().percent(config.old_waits_percent)) {
      wait_for_old(copies, durable, timeout);
    } else {
      produce(copies, durable, timeout);
    }
  }
  if (master()) {
    turn();
    send_degraded();
  } else {
    keeper_.retry(now);
  }
  pump_all();
  tick_link();
  tick_promotion();
  tick_members();
  tick_supervisor();
}

void Node::tear() {
  const Bytes record = make_record(cluster_.next_record(), kLeastRecord);
  disk_.append(std::span(record).first(kLeastRecord / 2));
  throw Crashed{};
}

std::optional<std::uint64_t> Node::produce(std::int32_t copies, bool durable, Time timeout) {
  const std::int64_t records = cluster_.rng().between(1, 3);
  for (std::int64_t i = 0; i < records; ++i) {
    const std::int64_t left = disk_.log().to_segment_end(disk_.end());
    std::int64_t size = cluster_.rng().between(kLeastRecord, 50);
    if (left - size < kLeastRecord) size = left;
    if (!append(make_record(cluster_.next_record(), size))) return std::nullopt;
    cluster_.count(Stats::kAppends);
  }
  return wait_for(disk_.end(), copies, durable, timeout);
}

std::uint64_t Node::wait_for(Offset end, std::int32_t copies, bool durable, Time timeout) {
  const std::uint64_t wait =
      cluster_.checker().on_wait(index_, epoch_, copies, durable, end, clock());
  waits_.wait(wait, copies, durable, end, clock(), clock() + timeout);
  turn();
  pump_all();
  return wait;
}

// As a producer does that found a new master: mostly for what an older epoch wrote.
void Node::wait_for_old(std::int32_t copies, bool durable, Time timeout) {
  const core::LogBounds& log = disk_.log();
  const Offset start = term_.history.find(epoch_).value_or(core::EpochEntry{0, log.end}).start;
  const std::int64_t back = cluster_.rng().between(0, 80);
  const Offset end = cluster_.rng().percent(70) ? start + -back : log.end + -back;
  if (end <= log.min || end > log.end) return;
  wait_for(disk_.whole_end(end), copies, durable, timeout);
}

// ---- its disk ----

void Node::maybe_crash() {
  const Config& config = cluster_.config();
  if (cluster_.calm() || !cluster_.rng().permille(config.crash_permille)) return;
  cluster_.count(Stats::kCrashesInDisk);
  throw Crashed{config.power_losses && cluster_.rng().percent(50)};
}

bool Node::fails(const char* what, std::int64_t permille) {
  if (cluster_.calm() || !cluster_.rng().permille(permille)) return false;
  cluster_.count(Stats::kEio);
  cluster_.say([&] { return id() + ": EIO in " + what; });
  return true;
}

bool Node::save(core::Term term) {
  maybe_crash();
  if (fails("save")) {
    // Nobody can tell whether what failed is there after all.
    if (cluster_.rng().percent(30)) disk_.saved = std::move(term);
    return false;
  }
  disk_.saved = term;
  term_ = std::move(term);
  cluster_.checker().on_term(index_, term_);
  maybe_crash();
  return true;
}

bool Node::save(const core::DegradedJournal& journal) {
  maybe_crash();
  const bool ok = !fails("saving of degraded ranges", cluster_.config().degraded_eio_permille);
  if (!ok && !cluster_.rng().percent(30)) return false;
  disk_.degraded = {journal.ranges(), journal.told()};
  cluster_.say([&] {
    const core::DegradedRange* const open = journal.open();
    return id() + ": degraded ranges: " + std::to_string(journal.ranges().size()) +
           (open == nullptr ? ", none open"
                            : ", open from " + std::to_string(open->from.bytes()) + " to " +
                                  std::to_string(open->to.bytes())) +
           (journal.told() ? ", its master has one" : "") + (ok ? "" : ", it is not known");
  });
  cluster_.checker().on_ranges(index_, term_.known(), ok, disk_, clock());
  if (ok) maybe_crash();
  return ok;
}

// Readers of this node see the whole records below.
void Node::show(Offset confirm) {
  const Offset now = std::min(confirm, disk_.end());
  if (now <= disk_.shown()) return;
  const Offset whole = disk_.whole_end(disk_.shown(), now);
  if (whole == disk_.shown()) return;
  cluster_.count(master() ? Stats::kShownByMasters : Stats::kShownBySlaves, whole - disk_.shown());
  disk_.show(whole);
  cluster_.checker().on_shown(index_, term_.known(), master(), disk_);
}

bool Node::append(std::span<const std::byte> bytes) {
  maybe_crash();
  if (cluster_.now() < full_until_ || fails("append")) return false;
  if (!cluster_.calm() && cluster_.rng().permille(cluster_.config().crash_permille)) {
    disk_.append(bytes.first(
        static_cast<std::size_t>(cluster_.rng().below(static_cast<std::int64_t>(bytes.size())))));
    cluster_.count(Stats::kCrashesInDisk);
    throw Crashed{cluster_.config().power_losses && cluster_.rng().percent(50)};
  }
  disk_.append(bytes);
  return true;
}

bool Node::cut_log(Offset end) {
  if (end >= disk_.end()) return true;
  maybe_crash();
  if (fails("truncation")) return false;
  cluster_.say([&] { return id() + " cuts its log to " + std::to_string(end.bytes()); });
  cluster_.checker().on_cut(index_, end, disk_);
  disk_.cut(end);
  if (!cluster_.made(Fault::kHistoryNotCut)) forget_unentered();
  maybe_crash();
  return true;
}

void Node::sync() {
  if (disk_.log().durable == disk_.end() || fails("fsync")) return;
  disk_.sync();
  if (master()) turn();
}

void Node::forget_unentered() { term_.history = term_.history.entered_by(disk_.end()); }

void Node::delete_old() {
  const core::LogBounds& log = disk_.log();
  if (log.durable <= log.min) return;
  const Offset min = log.segment_start(log.min + cluster_.rng().between(0, log.durable - log.min));
  if (min <= log.min) return;
  disk_.delete_below(min);
  cluster_.checker().on_retention(min);
  cluster_.count(Stats::kRetentions);
  cluster_.say([&] { return id() + " deletes below " + std::to_string(min.bytes()); });
}

void Node::empty_store() {
  cluster_.count(Stats::kEmptied);
  cluster_.say([&] { return id() + ": its store is emptied"; });
  disk_.restart_at(Offset(0));
  cluster_.checker().on_emptied(index_);
  keeper_.load(disk_.degraded, disk_.whole_end(disk_.end()));
  term_.history = disk_.saved.history = {};
  diverged_ = stranded_ = false;
}

// ---- its roles ----

core::Position Node::position() const {
  const core::EpochHistory& history = term_.history;
  return {cluster_.made(Fault::kUnenteredPosition) ? history.last_epoch()
                                                   : history.entered_by(disk_.end()).last_epoch(),
          disk_.end()};
}

core::Voter Node::voter() const {
  return {"sim", id(), members().ids(), position(), master(), members().text(), hears_master()};
}

bool Node::misled() const { return cluster_.misled(id()); }

std::uint32_t Node::index_of(const std::string& id) const {
  const auto& ids = cluster_.config().ids;
  return static_cast<std::uint32_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
}

bool Node::is_bad(Found found) {
  if (found < Found::kBadMagic) return false;
  cluster_.count(Stats::kGarbledFound);
  return true;
}

void Node::leave_role(Status why, std::optional<ConnId> keep) {
  if (master()) {
    cluster_.say([&] { return id() + " is no longer master of " + std::to_string(epoch_); });
    waits_.set_master(false);
    epoch_ = 0;
    cluster_.checker().on_no_master(index_);
    waits_.fail_all(why);
  }
  for (auto& [conn, in] : inbound_) {
    if (keep != conn) close(*in);
  }
  close_link();
  target_.reset();
  if (promotion_) end_promotion();
}

void Node::rest() { leave_role(Status::kNotMaster, std::nullopt); }

void Node::follow(std::uint32_t target) {
  if (target == index_ || target_ == target) return;
  leave_role(Status::kNotMaster, std::nullopt);
  cluster_.say([&] { return id() + " follows " + cluster_.config().ids[target]; });
  target_ = target;
  diverged_ = false;
  connect_to_master();
}

void Node::yield_to(const std::string& candidate, std::optional<ConnId> keep) {
  const std::uint32_t target = index_of(candidate);
  if (master() && cluster_.made(Fault::kOldMasterStays)) return;
  if (promoting() && cluster_.made(Fault::kCandidacySurvives)) return;
  if (target_ && cluster_.made(Fault::kStaleFrames)) return;
  if (master()) cluster_.count(Stats::kYieldsOfMasters);
  leave_role(Status::kEpoch, keep);
  cluster_.say([&] { return id() + " yields to " + candidate; });
  target_ = target;
  diverged_ = false;
  reconnect_at_ = clock() + kMs * 2;
}

// ---- what comes ----

void Node::on_accept(ConnId conn) {
  inbound_.emplace(conn, std::make_unique<Inbound>(conn, clock()));
}

void Node::on_bytes(ConnId conn, Side side, const Bytes& bytes) {
  if (side == kServer) {
    const auto found = inbound_.find(conn);
    if (found != inbound_.end() && !found->second->closed) read(*found->second, bytes);
  } else if (link_ && link_->id == conn) {
    read(*link_, bytes);
  } else if (promotion_) {
    for (const auto& ballot : promotion_->ballots) {
      if (ballot->id != conn || ballot->closed) continue;
      read(*ballot, bytes);
      return;
    }
  }
}

void Node::on_gone(ConnId conn, Side side) {
  if (side == kServer) {
    const auto found = inbound_.find(conn);
    if (found != inbound_.end()) close(*found->second);
  } else if (link_ && link_->id == conn) {
    close_link();
  } else if (promotion_) {
    for (const auto& ballot : promotion_->ballots) {
      if (ballot->id != conn || ballot->closed) continue;
      ballot->closed = true;
      // A firewall that refuses says the same of a process that is there.
      const bool refused =
          !ballot->greeted && (!cluster_.is_up(ballot->voter) || cluster_.refuses());
      promotion_->heard[ballot->voter].nobody_listens = refused;
      settle(ballot->voter, std::nullopt, "closed");
      return;
    }
  }
}

void Node::on_open(ConnId conn) {
  constexpr wire::Report kOpening = wire::native::opening();
  cluster_.net().send(conn, kClient, kOpening);
}

}  // namespace ha::sim
