// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/supervision.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/coordinator/etcd.h"
#include "ha_plugin/coordinator/host.h"
#include "ha_plugin/net/io/io_thread.h"
#include "ha_plugin/service/promotion.h"

namespace ha {

using core::Reason;
using core::Role;
using core::Status;
using core::Step;
using core::Time;
using net::boottime_now;
using std::chrono::milliseconds;

namespace {

// An operator's request waits for the engine this long.
constexpr auto kOperatorPatience = std::chrono::seconds(10);
// stop lets the thread give the key back for this long.
constexpr auto kStopPatience = std::chrono::seconds(1);
// Another try of what the engine did not answer.
constexpr Time kRetry = milliseconds(100);

}  // namespace

Supervision::Supervision(const NodeParts& parts, NodeRole& role, RoleChanges& changes,
                         const SetKeeper& set,
                         std::function<std::string(const WrittenSet&)> take_set)
    : parts_(parts),
      role_(role),
      changes_(changes),
      set_(set),
      take_set_(std::move(take_set)),
      metrics_(parts.metrics.coordinator),
      supervisor_({}),
      chance_(std::random_device{}()) {}

// ---- the control thread ----------------------------------------------------------------------

Outcome Supervision::start() {
  const Settings& s = parts_.settings;
  if (s.coordinator.empty()) return {};
  const auto count = [this](Said said) { metrics_.requests[static_cast<std::size_t>(said)].add(); };
  const std::string folder = fmt::format("{}/{}/", s.coordinator_prefix, s.cluster_id);
  const EtcdOptions options{s.coordinator.endpoints,
                            s.coordinator.https,
                            s.coordinator_prefix,
                            s.cluster_id,
                            s.replica_id,
                            s.coordinator_user,
                            s.coordinator_password_file,
                            s.coordinator_ca,
                            s.coordinator_cert,
                            s.coordinator_key};
  if (s.coordinator.host) {
    engine_ =
        std::make_unique<HostCoordinator>(parts_.host.coordinator(), folder, s.replica_id, count);
  } else {
    auto engine = std::make_unique<Etcd>(options, parts_.resolver,
                                         [count](const char*, Said said) { count(said); });
    if (std::string wrong = engine->check(); !wrong.empty()) {
      return {Status::kInvalid, "option 'coordinator': " + wrong};
    }
    engine_ = std::move(engine);
  }
  own_id_ = s.replica_id;
  control_key_ = folder + "control";
  lease_ = {};
  keys_ = {};
  orders_ = {};
  set_revision_ = 0;
  read_at_ = core::kNever;
  read_next_ = {};
  round_trip_ = {};
  campaigning_ = handing_over_ = false;
  answers_ = true;
  said_.clear();
  supervisor_ = core::Supervisor(rules());
  publish_lease();
  const Lock lock(mutex_);
  thread_ = net::start_quiet_thread("ha-coord", [this] { run(); });
  stop_ = ended_ = false;
  metrics_.configured.set(1);
  return {};
}

void Supervision::stop() {
  if (!thread_.joinable()) return;
  {
    Lock lock(mutex_);
    stop_ = true;
    wake_.notify_all();
    const auto patience = std::chrono::steady_clock::now() + kStopPatience;
    while (!ended_ && wake_.wait_until(lock, patience)) {
    }
  }
  engine_->cancel();
  thread_.join();
  engine_.reset();
  metrics_.configured.set(0);
}

std::string Supervision::refuses(Role role) const {
  if (metrics_.configured.value() == 0 || metrics_.paused.value() != 0) return "";
  bool automatic = true;
  parts_.io.run_sync([&] { automatic = parts_.settings.failover == Failover::kAuto; });
  if (!automatic) return "";
  const bool master = parts_.metrics.role.value() == HA_ROLE_MASTER;
  if (role == Role::kNone || (role == Role::kMaster) == master) return "";
  return "option 'coordinator' decides who is master: ask for a switchover (ha_stub switchover), "
         "or "
         "pause it first (ha_stub pause)";
}

Outcome Supervision::order(const std::string& option, const std::string& value) {
  std::function<Outcome()> what;
  if (option == "pause") {
    what = [this, paused = value == "true"] {
      return change_orders([&](Orders& orders) { orders.paused = paused; });
    };
  } else if (option == "switchover") {
    if (!is_in_set(value)) {
      return {Status::kInvalid,
              fmt::format("'{}' is not a node of the set: {}", value, set_now().members.text())};
    }
    if (metrics_.holder.get() == value) return {};
    what = [this, value] { return change_orders([&](Orders& orders) { orders.wanted = value; }); };
  } else {
    what = [this, option, value] { return change_set(option, value); };
  }
  const auto patience = std::chrono::steady_clock::now() + kOperatorPatience;
  Lock lock(mutex_);
  if (ended_) return {Status::kUnsupported, "this node has no option 'coordinator'"};
  ++orders_asked_;
  answered_.reset();
  asked_ = what;
  wake_.notify_all();
  while (!answered_ && !ended_) {
    if (!wake_.wait_until(lock, patience)) break;
  }
  asked_ = nullptr;
  if (answered_) return *answered_;
  return {Status::kTimeout, "the coordinator did not answer in time; what was asked for may hold"};
}

// ---- ha-coord --------------------------------------------------------------------------------

void Supervision::run() {
  parts_.host.thread_lifecycle().started("ha-coord");
  while (!stopping()) {
    try {
      turn();
    } catch (const std::exception& e) {
      note(e.what());
      wait_until(boottime_now() + kRetry);
    }
  }
  if (supervisor_.has_lease(boottime_now())) release("this node stops");
  parts_.host.thread_lifecycle().stopping("ha-coord");
  const Lock lock(mutex_);
  ended_ = true;
  wake_.notify_all();
}

void Supervision::turn() {
  const core::Look look = this->look();
  keep_lease();
  do_asked();
  const bool silent =
      look.role == Role::kSlave && look.master_silence > supervisor_.rules().suspect_after;
  if (look.now >= read_next_ || silent) read_keys();
  if (look.role == Role::kMaster && std::exchange(campaigning_, false)) metrics_.takeovers.add();
  if (!look.changing) settle_orders(look.role);
  advance_change();
  const Step step = supervisor_.step(look, leader(look.now));
  if (step.act != Step::Act::kWait) return do_step(step);
  wait_until(std::min({step.again, supervisor_.renew_at(), read_next_}));
}

core::SupervisorRules Supervision::rules() const {
  const Settings& s = parts_.settings;
  const auto ids = s.replicas.ids();
  const auto rank = std::ranges::find(ids, s.replica_id) - ids.begin();
  const core::Members set = s.members();
  return {s.replica_id,
          static_cast<std::int32_t>(rank),
          set.counts(s.replica_id) ? static_cast<std::int32_t>(s.failover_priority) : 0,
          s.failover == Failover::kAuto,
          s.missing_copies != MissingCopies::kDegrade,
          set.now.promises() > 1,
          milliseconds(s.coordinator_ttl_ms),
          milliseconds(s.suspect_after_ms)};
}

core::Look Supervision::look() {
  core::Look look;
  look.changing = changes_.busy();
  parts_.io.run_sync([&] {
    supervisor_.set_rules(rules());
    parts_.bounds.read();
    look.role = role_.now();
    const Settings& s = parts_.settings;
    const Time now = net::steady_now();
    round_trip_.put(now, parts_.replicas.round_trip());
    look.copies_patience =
        core::copies_patience(milliseconds(s.coordinator_ttl_ms), round_trip_.get());
    std::vector<std::string> answer{s.replica_id};
    for (const auto& one : parts_.replicas.heard_since(now - look.copies_patience)) {
      answer.push_back(one.id);
    }
    look.copies_answer = s.members().enough(answer);
    wanted_counts_ = s.members().counts(orders_.wanted);
    const Time heard{parts_.metrics.client.heard_ns.value()};
    if (look.role == Role::kSlave && heard.count() != 0) {
      look.master_silence = net::steady_now() - heard;
    }
    look.master = parts_.terms.current().promised_to;
  });
  look.changing = look.changing || changes_.busy();
  look.takes_part = changes_.asked() != Role::kNone;
  look.chance = static_cast<std::int64_t>(chance_() % 1000);
  look.now = boottime_now();
  return look;
}

core::LeaderView Supervision::leader(Time now) const {
  core::LeaderView view;
  // What is older says nothing of who is master now.
  view.known = read_at_ != core::kNever && now - read_at_ < supervisor_.rules().ttl;
  // Without a lease it is nobody's: somebody wrote it by hand, and it would stay for ever.
  if (keys_.leader.lease != 0) view.holder = keys_.leader.value;
  view.own =
      supervisor_.has_lease(now) && keys_.leader.lease == lease_.id && view.holder == own_id_;
  view.paused = orders_.paused;
  // The set may have lost it since it was asked for.
  if (wanted_counts_) view.wanted = orders_.wanted;
  return view;
}

void Supervision::keep_lease() {
  const Time sent = boottime_now();
  if (!supervisor_.has_lease(sent) || sent < supervisor_.renew_at()) return;
  const CoordinatorAnswer answer = engine_->renew(lease_);
  hear(answer);
  if (answer.yes()) supervisor_.on_lease(sent, lease_.ttl);
  if (answer.said == Said::kUnknown) supervisor_.renew_later(boottime_now() + kRetry);
  if (answer.said == Said::kNo) {
    supervisor_.on_lease_lost();
    parts_.host.warn("the coordinator says that this node's lease has ended: " + answer.text);
  }
  publish_lease();
}

void Supervision::read_keys() {
  const Time sent = boottime_now();
  CoordinatorKeys keys;
  const CoordinatorAnswer answer = engine_->read(keys);
  hear(answer);
  if (!answer.yes()) {
    read_next_ = boottime_now() + kRetry;
    return;
  }
  read_at_ = sent;
  read_next_ = sent + supervisor_.rules().ttl / 10;
  const bool new_orders = keys.control.revision != keys_.control.revision;
  keys_ = std::move(keys);
  metrics_.holder.set(keys_.leader.value);
  take_set();
  warn_of_stranger();
  if (supervisor_.has_lease(sent) && !leader(sent).own) {
    // Another node has the key, or nobody. A lease that holds no key is good for nothing.
    supervisor_.on_lease_lost();
    publish_lease();
  }
  if (!new_orders) return;
  Orders orders;
  std::string wrong = Orders::parse(keys_.control.value, orders);
  if (wrong.empty() && !orders.wanted.empty() && !is_in_set(orders.wanted)) {
    wrong = "wants a node that is not one of the set";
  }
  if (!wrong.empty()) {
    // Nobody knows what was meant: what held before goes on.
    parts_.host.log(HA_LOG_ERROR, fmt::format("the coordinator's key '{}' {}: '{}'", control_key_,
                                              wrong, keys_.control.value));
    return;
  }
  if (orders.paused != orders_.paused) {
    parts_.host.info(orders.paused ? "failover is paused by an operator" : "failover is on again");
  }
  orders_ = std::move(orders);
  wanted_counts_ = !orders_.wanted.empty();
  metrics_.paused.set(orders_.paused ? 1 : 0);
}

// Nobody of this set would take over from it, and it is not a slip of the moment.
void Supervision::warn_of_stranger() {
  const std::string& holder = keys_.leader.value;
  const bool stranger = !holder.empty() && !is_in_set(holder);
  if (stranger && holder != stranger_) {
    const std::string text = fmt::format(
        "the coordinator's key is held by '{}', which is not a node of the set: another "
        "cluster uses the same 'cluster_id' and 'coordinator_prefix'; no node of this set takes "
        "over while it does",
        holder);
    parts_.host.log(HA_LOG_ERROR, text);
    metrics_.last_words.set(text);
  }
  stranger_ = stranger ? holder : "";
}

// What was asked for has happened, or has failed.
void Supervision::settle_orders(Role role) {
  const bool became = role == Role::kMaster && orders_.wanted == own_id_;
  const bool failed = role == Role::kMaster && std::exchange(handing_over_, false);
  if (role != Role::kMaster) handing_over_ = false;
  if (!became && !failed) return;
  Orders next = orders_;
  next.wanted.clear();
  write(next);
}

CoordinatorAnswer Supervision::write(const Orders& orders) {
  CoordinatorAnswer answer = engine_->set_control(orders.text(), keys_.control.revision);
  hear(answer);
  read_keys();
  return answer;
}

void Supervision::do_asked() {
  std::function<Outcome()> what;
  std::uint64_t number = 0;
  {
    const Lock lock(mutex_);
    if (!asked_) return;
    what = std::exchange(asked_, nullptr);
    number = orders_asked_;
  }
  Outcome done;
  try {
    done = what();
  } catch (const std::exception& e) {
    done = {Status::kInternal, e.what()};
  }
  const Lock lock(mutex_);
  if (number != orders_asked_) return;  // nobody waits for that one any more
  answered_ = std::move(done);
  wake_.notify_all();
}

Outcome Supervision::change_orders(const std::function<void(Orders&)>& change) {
  constexpr int kTries = 3;  // other nodes' operators write too
  CoordinatorAnswer answer{Said::kNo, ""};
  for (int i = 0; i < kTries && answer.said == Said::kNo; ++i) {
    read_keys();
    Orders next = orders_;
    change(next);
    answer = write(next);
  }
  return answer.yes() ? Outcome{} : Outcome{Status::kAgain, "the coordinator: " + answer.text};
}

// ---- the set ---------------------------------------------------------------------------------

bool Supervision::is_in_set(const std::string& id) const { return set_now().members.counts(id); }

WrittenSet Supervision::set_now() const {
  WrittenSet set;
  parts_.io.run_sync([&] { set = set_.current(); });
  return set;
}

// The register's set is newer: this node goes by it. It is older, or gone: etcd's data were lost,
// or are of a backup; the newest set that a node knows of is put back.
void Supervision::take_set() {
  if (keys_.set.revision != 0 && keys_.set.revision == set_revision_) return;
  const WrittenSet own = set_now();
  if (keys_.set.revision == 0 && own.members.version == 0) return;
  WrittenSet set;
  if (keys_.set.revision != 0) {
    if (std::string wrong = parse_set(keys_.set.value, set); !wrong.empty()) {
      set_revision_ = keys_.set.revision;
      parts_.host.log(HA_LOG_ERROR, fmt::format("the coordinator's key of the set is wrong: {}: "
                                                "'{}'; this node goes by {}",
                                                wrong, keys_.set.value, own.members.text()));
      return;
    }
  }
  if (set.members.version < own.members.version) {
    const CoordinatorAnswer answer = engine_->put_set(format_set(own), keys_.set.revision);
    hear(answer);
    read_next_ = boottime_now() + (answer.yes() ? Time{} : kRetry);
    if (!answer.yes()) return;
    parts_.host.warn(
        fmt::format("the coordinator had version {} of the set, and this node {}: it was put back",
                    set.members.version, own.members.version));
    return;
  }
  std::string failed;
  parts_.io.run_sync([&] {
    const std::int64_t known = parts_.terms.current().known();
    if (set.members.version == own.members.version && set.members != own.members) {
      failed = fmt::format(
          "its own is {}: the coordinator's data were lost while the set changed (docs/operate.md)",
          own.members.text());
    } else if (set.members.epoch > core::epoch_above(known, core::kMaxEpochJump)) {
      failed = fmt::format("it is of epoch {}, and {} is the newest that this node knows of",
                           set.members.epoch, known);
    } else {
      failed = take_set_(set);
    }
  });
  if (failed.empty()) set_revision_ = keys_.set.revision;
  // It is tried again at each look.
  if (failed == std::exchange(set_failed_, failed) || failed.empty()) return;
  parts_.host.log(HA_LOG_ERROR, fmt::format("the set is {}, which this node does not take: {}",
                                            set.members.text(), failed));
}

CoordinatorAnswer Supervision::write_set(const WrittenSet& set) {
  // What is written follows from this node's set. It may have another one than it last read, if
  // that could not be made durable here.
  if (keys_.set.revision != set_revision_) {
    return {Said::kNo, "this node has not taken the set that is there"};
  }
  CoordinatorAnswer answer = engine_->put_set(format_set(set), keys_.set.revision);
  hear(answer);
  read_keys();
  return answer;
}

// What a master of a set in change can do for it now.
void Supervision::advance_change() {
  std::optional<core::Members> next;
  WrittenSet set;
  std::string waits_for;
  parts_.io.run_sync([&] {
    const Settings& s = parts_.settings;
    set = set_.current();
    if (set.members.stable() || parts_.terms.own_epoch() == 0) return;
    const core::LogBounds log = parts_.bounds.read();
    // A wait for durable copies may have been promised more than the default. A host that makes
    // nothing durable has no such waits.
    const bool durable = log.durable > core::Offset(0);
    const core::MemberChange::Look look{
        s.replica_id, parts_.terms.own_epoch(), log.end, parts_.transfer.held_now(log.end, durable),
        parts_.replicas.heard_since(net::steady_now() - milliseconds(s.coordinator_ttl_ms))};
    next = change_.step(set.members, look);
    waits_for = change_.waits_for(set.members, look);
  });
  metrics_.set_change.set(waits_for);
  if (!next) return;
  set.members = *next;
  write_set(set);
}

Outcome Supervision::change_set(const std::string& option, const std::string& value) {
  read_keys();
  std::int64_t epoch = 0;
  std::string wrong;
  std::optional<WrittenSet> next;
  parts_.io.run_sync([&] {
    epoch = parts_.terms.own_epoch();
    if (epoch != 0) next = set_.after(option, value, epoch, wrong);
  });
  if (epoch == 0) {
    return {Status::kNotMaster,
            fmt::format("only the master changes the set: ask '{}'", metrics_.holder.get())};
  }
  if (!next) return {Status::kConflict, wrong};
  const CoordinatorAnswer answer = write_set(*next);
  // Also if it was not heard: the key says whether it was done.
  if (answer.yes() || set_now().members == next->members) return {};
  return {Status::kAgain, "the coordinator: " + answer.text};
}

// ---- orders ----------------------------------------------------------------------------------

void Supervision::do_step(const Step& step) {
  switch (step.act) {
    case Step::Act::kAsk:
      return ask();
    case Step::Act::kTake:
      return take(step.why);
    case Step::Act::kCampaign:
      return campaign(step.why);
    case Step::Act::kRelease:
      return release(step.why);
    case Step::Act::kStepBack:
      return step_back(step.why);
    case Step::Act::kHandOver:
      return hand_over();
    case Step::Act::kWait:
      break;
  }
}

void Supervision::ask() {
  std::string why;
  const RoleChange nothing;
  Promotion promotion(parts_, changes_, nothing, [this] { return stopping(); });
  const core::AskedRound round = promotion.ask_whether_gone(why);
  voters_ = promotion.answered();
  if (!round.may) note(why);
  supervisor_.on_asked(boottime_now(), round);
}

void Supervision::take(const char* why) {
  CoordinatorAnswer answer{Said::kYes, ""};
  if (const Time sent = boottime_now(); !supervisor_.has_lease(sent)) {
    answer =
        engine_->grant(std::chrono::duration_cast<milliseconds>(supervisor_.rules().ttl), lease_);
    hear(answer);
    if (answer.yes()) supervisor_.on_lease(sent, lease_.ttl);
    publish_lease();
  }
  if (answer.yes()) {
    answer = engine_->take(lease_, keys_.leader.revision);
    hear(answer);
    // Also if it was not heard: the key says whether it was done.
    read_keys();
  }
  const bool taken = leader(boottime_now()).own;
  supervisor_.on_taken(boottime_now(), taken);
  if (taken) parts_.host.info(fmt::format("this node holds the coordinator's key: {}", why));
}

void Supervision::campaign(const char* why) {
  supervisor_.on_campaign();
  campaigning_ = true;
  parts_.host.info(fmt::format("this node tries to become master: {}", why));
  RoleChange change;
  change.role = Role::kMaster;
  change.follow_if_refused = true;
  change.reason = Reason::kCoordinator;
  change.ask = std::exchange(voters_, {});
  changes_.queue({change});
}

void Supervision::release(const char* why) {
  campaigning_ = false;
  // Before another node can have the key.
  supervisor_.on_lease_lost();
  publish_lease();
  hear(engine_->revoke(lease_));
  read_next_ = {};
  parts_.host.info(fmt::format("this node has let the coordinator's key go: {}", why));
}

void Supervision::step_back(const char* why) {
  parts_.host.warn(fmt::format("this node is not sure to be the only master any more: {}", why));
  parts_.io.run_sync([this] { role_.restart_campaign(parts_.terms.own_epoch()); });
}

void Supervision::hand_over() {
  supervisor_.on_hand_over(boottime_now());
  handing_over_ = true;
  RoleChange change;
  change.role = Role::kSlave;
  change.master = address_of(set_now().replicas.nodes, orders_.wanted);
  change.hand_over_to = orders_.wanted;
  change.reason = Reason::kCoordinator;
  changes_.queue({change});
}

void Supervision::hear(const CoordinatorAnswer& answer) {
  const bool answers = answer.said != Said::kUnknown;
  metrics_.answers.set(answers ? 1 : 0);
  if (!answers) metrics_.last_words.set(answer.text);
  if (answers == std::exchange(answers_, answers)) return;
  if (answers) {
    parts_.host.info("the coordinator answers again");
  } else {
    parts_.host.warn("the coordinator does not answer: " + answer.text);
  }
}

// A master that nobody can rely on to be the only one answers nobody below policy.
void Supervision::publish_lease() {
  const Time until = supervisor_.sure_until();
  parts_.transfer.set_degrade_until(until);
  const Time left = until - boottime_now();
  metrics_.lease_until_ns.set(left.count() > 0 ? (net::steady_now() + left).count() : 0);
}

void Supervision::note(const std::string& why) {
  metrics_.last_words.set(why);
  if (why == std::exchange(said_, why)) return;
  parts_.host.info("not master yet: " + why);
}

void Supervision::wait_until(Time when) {
  const auto at = std::chrono::steady_clock::now() + (when - boottime_now());
  Lock lock(mutex_);
  while (!stop_ && !asked_) {
    if (!wake_.wait_until(lock, at)) return;
  }
}

bool Supervision::stopping() const {
  const Lock lock(mutex_);
  return stop_;
}

}  // namespace ha
