// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/ha_service.h"

#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstring>
#include <new>
#include <system_error>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/slave/autoswitch_client_wire.h"
#include "ha_plugin/net/slave/native_client_wire.h"
#include "ha_plugin/net/slave/rocketmq_client_wire.h"
#include "ha_plugin/state/epoch_file.h"
#include "metrics/names.h"

namespace ha {

using core::Offset;
using core::Reason;
using core::Role;
using core::Status;
using core::Time;

namespace {

// Rates and lags in seconds are renewed this often; it is also how late a missed notify_appended
// can make a byte.
constexpr auto kTick = std::chrono::seconds(1);

// So old an address may be that is used because the resolver fails.
constexpr auto kRefreshNames = std::chrono::seconds(30);

}  // namespace

HaService::HaService(const ha_host_api* host, void* host_ctx, const Settings& settings)
    : host_(host, host_ctx),
      wire_(settings.wire),
      incarnation_(static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                              std::chrono::nanoseconds(1))),
      settings_(settings),
      others_(settings.replicas.without(settings.replica_id)),
      exporter_(metrics_),
      terms_(host_, settings_, metrics_),
      degraded_(host_, settings_, metrics_),
      transfer_(
          metrics_, ack_policy(), settings.max_pending_waits, [this] { io_.ring(); },
          host_.wants_progress() || settings.keeps_epochs()
              ? std::function<void(Offset)>([this](Offset reached) { on_progress(reached); })
              : nullptr,
          &degraded_),
      accept_(
          io_.context(), host_, settings_, transfer_, terms_, degraded_, metrics_,
          [this](const std::string& candidate) { yield_to(candidate); },
          [this](std::int64_t epoch) { ask_anew(epoch); }),
      client_(
          io_.context(), resolver_, host_, settings_, metrics_, make_client_wire(),
          // A node with epochs follows nobody that has none.
          wire_ == Wire::kAuto && !settings.keeps_epochs()
              ? std::make_unique<net::RocketmqClientWire>()
              : nullptr,
          [this] { turn(); },
          [this](const net::Address& master) {
            const std::lock_guard lock(mutex_);
            if (wanted_role_ == Role::kSlave) master_ = master;
          }),
      wait_timer_(io_.context()),
      tick_timer_(io_.context()) {
  transfer_.set_durable_by_default(settings.durable_by_default);
  transfer_.set_degrade_after(degrade_after());
  metrics_.configured_in_sync.set(settings.copies_by_default());
  metrics_.configured_min_in_sync.set(settings.min_in_sync_replicas);
}

HaService::~HaService() { stop(0); }

std::unique_ptr<net::ClientWire> HaService::make_client_wire() {
  // What was sent to this node's slaves may be other bytes tomorrow.
  auto on_cut = [this] {
    accept_.close_all(Reason::kTruncated);
    accept_.forget_history();
  };
  switch (wire_) {
    case Wire::kRocketmq:
      return std::make_unique<net::RocketmqClientWire>();
    case Wire::kRocketmqAutoswitch:
      return std::make_unique<net::AutoswitchClientWire>(host_, settings_, metrics_, on_cut);
    case Wire::kNative:
    case Wire::kAuto:
      break;
  }
  return std::make_unique<net::NativeClientWire>(host_, settings_, metrics_, terms_, degraded_,
                                                 incarnation_, on_cut,
                                                 [this](const core::Upstream& of_master) {
                                                   of_master_ = of_master;
                                                   tell_upstream();
                                                 });
}

core::AckPolicy HaService::ack_policy() const {
  return {static_cast<std::int32_t>(settings_.copies_by_default()),
          static_cast<std::int32_t>(settings_.min_in_sync_replicas),
          settings_.max_gap_not_in_sync_bytes,
          settings_.auto_in_sync_replicas,
          static_cast<std::int32_t>(settings_.most_copies()),
          settings_.keeps_epochs() ? static_cast<std::int32_t>(settings_.copies_by_default()) : 1,
          settings_.replicas.quorum(),
          settings_.missing_copies != MissingCopies::kFail};
}

Time HaService::degrade_after() const {
  if (settings_.missing_copies != MissingCopies::kDegrade) return core::kNever;
  return std::chrono::milliseconds(settings_.degrade_after_ms);
}

Outcome HaService::wrong_state(const char* call) const {
  const char* now = "";
  switch (life_.load()) {
    case Life::kCreated:
      now = "not started";
      break;
    case Life::kStarted:
      now = "already started";
      break;
    case Life::kStopped:
      now = "stopped";
      break;
  }
  return {Status::kState, std::string(call) + ": the instance is " + now};
}

// ---- life ------------------------------------------------------------------------------------

Outcome HaService::start(const RoleChange& role) {
  if (life_ != Life::kCreated) return wrong_state("start");
  if (Outcome refused = refuse_role("start", role); refused.status != Status::kOk) {
    return refused;
  }
  if (host_.log_has_consensus()) {
    return {Status::kState,
            "start: the host's log has its own consensus (flag LOG_HAS_CONSENSUS) and replicates "
            "itself; run it without this plugin, or without its consensus"};
  }
  if (settings_.ack_durable && !host_.can_flush()) {
    return {Status::kUnsupported,
            "option 'ack_durable': 'true' needs the host's hook 'flush', and this host has none"};
  }
  Outcome failed;
  try {
    failed = begin(role);
    if (failed.status == Status::kOk) return failed;
  } catch (const std::system_error& e) {
    failed = {Status::kIo, std::string("start: ") + e.what(), e.code().value()};
  } catch (const boost::system::system_error& e) {  // Asio's, which is not std's
    failed = {Status::kIo, std::string("start: ") + e.what(), e.code().value()};
  } catch (const std::bad_alloc&) {
    failed = {Status::kNoMemory, "start: out of memory"};
  } catch (const std::exception& e) {
    failed = {Status::kInternal, std::string("start: ") + e.what()};
  }
  // As created: another start may do better.
  life_ = Life::kCreated;
  end(false);
  return failed;
}

Outcome HaService::begin(const RoleChange& role) {
  ha_bounds bounds{};
  if (HostResult result = host_.bounds(bounds); !result.ok()) {
    return {result.status, "start: " + result.text};
  }
  if (!settings_.state_dir.empty()) {
    if (std::string wrong = state_lock_.acquire(settings_.state_dir); !wrong.empty()) {
      return {Status::kIo, "option 'state_dir': " + wrong};
    }
  }
  if (Outcome failed = load_epochs(bounds); failed.status != Status::kOk) return failed;
  int os_errno = 0;
  if (std::string wrong = accept_.open(os_errno); !wrong.empty()) {
    return {os_errno == 0 ? Status::kInvalid : Status::kIo, std::move(wrong), os_errno};
  }
  net::Address metrics_listen;
  if (!settings_.metrics_listen.empty()) {
    net::parse_address(settings_.metrics_listen, true, metrics_listen);
    std::string wrong = net::missing_interface(metrics_listen.host);
    if (wrong.empty()) wrong = exporter_.serve(settings_.metrics_listen);
    if (!wrong.empty()) return {Status::kIo, "option 'metrics_listen': " + wrong};
    metrics_listen.port = static_cast<std::uint16_t>(exporter_.port());
  }
  {
    const std::lock_guard lock(mutex_);
    listen_ = accept_.local_address();
    client_.set_own(listen_);
    metrics_listen_ = metrics_listen;
  }
  io_.start(
      [this] {
        metrics_.appended_hints.add();
        turn();
        client_.on_durable(last_bounds_.durable);
      },
      [this] { host_.thread_started("ha-io"); }, [this] { host_.thread_stopping("ha-io"); },
      [this](const char* what) { on_io_fault(what); });
  io_.run_sync([this] {
    running_ = true;
    io_.set_busy_poll(std::chrono::microseconds(settings_.busy_poll_us));
    last_tick_ = net::steady_now();
    accept_.start_accepting();
    refresh_names(last_tick_);
    arm_tick_timer();
    turn();
  });
  control_ = net::start_quiet_thread("ha-control", [this] { run_control_thread(); });
  host_.info("listening for slaves on " + listen_.text());
  RoleChange first = role;
  first.patient = terms_.keeps_epochs();
  life_ = Life::kStarted;
  return set_role(first);
}

// Whatever of begin was done; all of it, or as far as it came.
void HaService::end(bool for_good) {
  {
    const std::lock_guard lock(mutex_);
    control_stop_ = true;
  }
  control_wake_.notify_all();
  if (control_.joinable()) control_.join();
  io_.run_sync([this, for_good] {
    running_ = false;
    accept_.stop_accepting();
    accept_.set_serving(false);
    if (for_good) accept_.warn_of_lacking();
    accept_.close_all(Reason::kShutdown);
    client_.stop(Reason::kShutdown);
    if (for_good) transfer_.fail_all_for_good(Status::kShutdown);
    transfer_.set_master(false);
    terms_.set_mastered(0);
    wait_timer_.cancel();
    tick_timer_.cancel();
  });
  if (for_good) client_.join();
  exporter_.stop();
  io_.join();
  state_lock_.release();
  metrics_.io_turned_ns.set(0);
  metrics_.role.set(HA_ROLE_NONE);
  if (for_good) return;
  wait_timer_for_ = core::kNever;
  const std::lock_guard lock(mutex_);
  control_stop_ = look_due_ = false;
  changes_.clear();
  wanted_role_ = asked_role_ = Role::kNone;
  listen_ = metrics_listen_ = {};
}

// A handler ended half-way, so what it would have armed is not. Connections are closed and made
// again. The tick of the second finds whatever else was missed.
void HaService::on_io_fault(const char* what) {
  host_.log(HA_LOG_ERROR, std::string("the I/O thread could not go on with what it did: ") + what +
                              "; all connections are closed and made again");
  accept_.close_all(Reason::kHostError);
  if (role_ == Role::kSlave) client_.follow_again();
}

Outcome HaService::stop(std::int64_t timeout_ms) {
  const Life before = life_.exchange(Life::kStopped);
  transfer_.refuse_new();
  if (before != Life::kStarted) return {};

  io_.run_sync([this] { turn(); });  // the log may have grown since the last one
  const bool drained =
      transfer_.wait_until_drained(net::steady_now() + std::chrono::milliseconds(timeout_ms));
  end(true);
  if (drained) return {};
  return {Status::kTimeout, "stop: waits were still open after " + std::to_string(timeout_ms) +
                                " ms; they ended with SHUTDOWN"};
}

// ---- roles -----------------------------------------------------------------------------------

// Whoever becomes master must hold all that was acknowledged, and a learner never counted.
Outcome HaService::refuse_role(const char* call, const RoleChange& change) const {
  const Role role = change.role;
  if ((change.epoch != 0 || change.force) && !settings_.keeps_epochs()) {
    return {Status::kUnsupported, std::string(call) + ": " +
                                      (change.force ? "HA_ROLE_CHANGE_FORCE" : "an epoch") +
                                      " needs option 'replicas'"};
  }
  if (wire_ != Wire::kRocketmqAutoswitch || role != Role::kMaster) return {};
  return {
      Status::kUnsupported,
      std::string(call) +
          ": a learner (option 'wire': 'rocketmq-autoswitch') cannot become master: it may lack "
          "what its master acknowledged; to use this copy as a master all the same, start it "
          "with 'wire': 'rocketmq', and empty its store before it follows again"};
}

// Read again on each connection; here, so that a damaged file is told to whoever starts the node.
Outcome HaService::load_epochs(const ha_bounds& bounds) {
  if (std::string wrong = terms_.load(Offset(bounds.min), Offset(bounds.end)); !wrong.empty()) {
    return {Status::kCorrupt,
            "start: what this node has promised cannot be read: " + wrong +
                "; restore the file. Without it this node may take part again only as one that is "
                "new: with an empty store, once the others agree on a master"};
  }
  if (terms_.keeps_epochs() && terms_.now() == core::Term{} && bounds.end > bounds.min) {
    host_.warn(
        "the log holds " + std::to_string(bounds.end - bounds.min) +
        " bytes, and nothing says who wrote them or what this node has promised: " + terms_.path() +
        " is not there. If this store is new to the set, that is as it should be. Else "
        "restore the file, or empty the store and start this node while the set has a master");
  }
  // A torn record was not acknowledged; no copies are to be waited for.
  Offset whole_end;
  if (HostResult r = host_.record_floor(Offset(bounds.end), whole_end); !r.ok()) {
    return {r.status, r.text};
  }
  if (std::string wrong = degraded_.load(whole_end); !wrong.empty()) {
    return {Status::kCorrupt, "start: what was acknowledged below policy cannot be read: " + wrong +
                                  "; restore the file, or remove it to forget that"};
  }
  if (wire_ != Wire::kRocketmqAutoswitch) return {};
  EpochFile::Loaded loaded = EpochFile(settings_.state_dir).load();
  if (!loaded.error.empty()) {
    return {Status::kCorrupt, "start: the epochs of this log cannot be read: " + loaded.error +
                                  "; restore the file, or remove it and empty this store"};
  }
  loaded.history.truncate_suffix(Offset(bounds.end));
  metrics_.epoch.set(loaded.history.last_epoch());
  metrics_.epochs.set(to_metrics(loaded.history));
  return {};
}

Outcome HaService::set_role(const RoleChange& change) {
  if (life_ != Life::kStarted) return wrong_state("set_role");
  if (Outcome refused = refuse_role("set_role", change); refused.status != Status::kOk) {
    return refused;
  }
  RoleChange next = change;
  net::Address master = change.master;
  {
    const std::lock_guard lock(mutex_);
    next.fall_back = settings_.keeps_epochs() && asked_role_ != Role::kNone;
    changes_.push_back(std::move(next));  // the last that may fail
    wanted_role_ = asked_role_ = change.role;
    master_ = std::move(master);
  }
  control_wake_.notify_all();
  return {};
}

Outcome HaService::set_master_address(const net::Address& address) {
  if (life_ != Life::kStarted) return wrong_state("set_master_address");
  {
    const std::lock_guard lock(mutex_);
    if (wanted_role_ != Role::kSlave) {
      return {Status::kState, "set_master_address: this node is no slave (set_role makes it one)"};
    }
    master_ = address;
  }
  io_.run_sync([&] {
    // Before the role holds, enter_role takes the address up.
    if (role_ != Role::kSlave) return;
    of_master_ = {};
    tell_upstream();
    if (address.host.empty()) {
      client_.stop(Reason::kRequested);
    } else {
      client_.follow(address);
    }
  });
  return {};
}

void HaService::run_control_thread() {
  host_.thread_started("ha-control");
  std::unique_lock lock(mutex_);
  for (;;) {
    control_wake_.wait(lock, [this] { return control_stop_ || look_due_ || !changes_.empty(); });
    // Each accepted change is answered by one role_changed, also when the next is waiting already.
    if (!changes_.empty()) {
      const RoleChange change = changes_.front();
      changes_.pop_front();
      lock.unlock();
      try {
        change_role(change);
      } catch (const std::exception& e) {
        try {
          io_.run_sync([this] { leave_role(Reason::kHostError); });
          refuse_change(change, Reason::kHostError, {Status::kIo, e.what()});
        } catch (const std::exception& again) {
          host_.log(HA_LOG_ERROR, again.what());
        }
      }
    } else if (control_stop_) {
      break;
    } else {
      look_due_ = false;
      lock.unlock();
      try {
        look_around();
      } catch (const std::exception& e) {
        host_.warn(std::string("cannot ask the other nodes: ") + e.what());
      }
    }
    lock.lock();
  }
  lock.unlock();
  host_.thread_stopping("ha-control");
}

void HaService::change_role(RoleChange change) {
  io_.run_sync([this] { leave_role(Reason::kRoleChanged); });
  if (change.role != Role::kNone) {
    if (const Outcome cut = cut_to_whole_record(); cut.status != Status::kOk) {
      change.fall_back = false;  // a slave's log has to be cut too
      return refuse_change(change, Reason::kHostError, cut);
    }
  }
  std::int64_t epoch = 0;
  if (change.role == Role::kMaster && terms_.keeps_epochs()) {
    Outcome failed;
    Reason reason = Reason::kNone;
    epoch = campaign(change, reason, failed);
    if (failed.status != Status::kOk) return refuse_change(change, reason, failed);
  }
  // The host enters the role before a slave can ask anything of it, and a master's first append may
  // come from inside role_changed: so the plugin is ready first.
  bool outrun = false;
  io_.run_sync([&] {
    // Another candidate may have had this node's promise meanwhile.
    outrun = epoch != 0 && terms_.now().promised != epoch;
    if (!outrun) enter_role(change, epoch);
  });
  if (outrun) {
    return refuse_change(change, Reason::kEpoch,
                         {Status::kEpoch, "another node was promised a newer epoch meanwhile"});
  }
  std::string text = describe_role(change);
  if (!change.note.empty()) text += "; " + change.note;
  // The host keeps the report's text for as long as the role lasts, and options may change under
  // it: only the log line, which has its time, says what holds now.
  host_.info(text + describe_default_acks(change.role));
  host_.role_changed(change.role, change.reason, Status::kOk, text, epoch);
}

void HaService::refuse_change(const RoleChange& change, Reason reason, const Outcome& why) {
  const std::string text = std::string("cannot become ") +
                           metrics::role_name(static_cast<std::int32_t>(change.role)) + ": " +
                           why.text;
  host_.log(HA_LOG_ERROR, text);
  RoleChange instead;
  if (change.fall_back) instead.role = Role::kSlave;
  {
    // Unless the next change is waiting already, the node is no slave that has a master.
    const std::lock_guard lock(mutex_);
    if (changes_.empty()) {
      wanted_role_ = instead.role;
      master_ = {};
    }
  }
  if (instead.role == Role::kSlave) io_.run_sync([&] { enter_role(instead, 0); });
  host_.role_changed(instead.role, reason, why.status, text);
}

void HaService::leave_role(Reason reason) {
  transfer_.set_master(false);
  accept_.set_serving(false);
  accept_.close_all(reason);
  client_.stop(reason);
  transfer_.fail_all(Status::kNotMaster);
  terms_.set_mastered(0);
  role_ = Role::kNone;
  metrics_.role.set(HA_ROLE_NONE);
}

Outcome HaService::cut_to_whole_record() {
  ha_bounds bounds{};
  if (HostResult r = host_.bounds(bounds); !r.ok()) return {r.status, r.text};
  Offset floor;
  if (HostResult r = host_.record_floor(Offset(bounds.end), floor); !r.ok()) {
    return {r.status, r.text};
  }
  if (floor.bytes() == bounds.end) return {};
  if (HostResult r = host_.truncate(floor); !r.ok()) return {r.status, r.text};
  host_.info("cut the log from " + std::to_string(bounds.end) + " to " +
             std::to_string(floor.bytes()) + ", its last whole record");
  return {};
}

void HaService::enter_role(const RoleChange& change, std::int64_t epoch) {
  accept_.forget_history();
  read_bounds();  // the log may have been cut: from here on a master's only grows
  role_ = change.role;
  metrics_.role.set(static_cast<std::int64_t>(change.role));
  metrics_.role_changes.add();
  // Whoever was greeted by a node without a role would take this one for another than it is.
  if (epoch != 0) accept_.close_all(Reason::kRoleChanged);
  terms_.set_mastered(epoch);
  transfer_.set_master(change.role == Role::kMaster, epoch, terms_.mastered_from());
  if (change.role == Role::kMaster) degraded_.begin(read_bounds().end);
  // From here on readers have a bound, which rises as copies arrive.
  if (epoch != 0 && host_.can_confirm()) on_confirmed(host_.confirm(Offset(0)));
  of_master_ = {};
  tell_upstream();
  accept_.set_serving(change.role != Role::kNone);
  if (change.role == Role::kSlave) {
    net::Address master;
    {
      const std::lock_guard lock(mutex_);
      master = changes_.empty() ? master_ : change.master;
    }
    if (!master.host.empty() || terms_.keeps_epochs()) client_.follow(master);
  }
  turn();
}

std::string HaService::describe_role(const RoleChange& change) const {
  switch (change.role) {
    case Role::kMaster:
      return "this node became master";
    case Role::kSlave:
      if (change.master.host.empty() && terms_.keeps_epochs()) {
        return "this node became a slave and looks for its master among option 'replicas'";
      }
      return change.master.host.empty() ? "this node became a slave without a master's address"
                                        : "this node became a slave of " + change.master.text();
    case Role::kNone:
      break;
  }
  return "this node has no role";
}

std::string HaService::describe_default_acks(Role role) const {
  if (role != Role::kMaster) return "";
  if (transfer_.policy().in_sync_replicas == 1 && !terms_.keeps_epochs()) {
    return "; option 'in_sync_replicas' is 1: waits with default acks wait for nobody";
  }
  return "; default acks wait for " + std::to_string(transfer_.policy().in_sync_replicas) +
         " copies, its own included";
}

// ---- options ---------------------------------------------------------------------------------

Outcome HaService::set_option(const std::string& key, const std::string& value) {
  if (life_ != Life::kStarted) return wrong_state("set_option");
  if (is_known_option(key) && !may_change_while_running(key)) {
    return {Status::kState, "option '" + key + "' (value '" + value +
                                "') cannot change while running; give it to create"};
  }
  Settings changed;
  io_.run_sync([&] { changed = settings_; });
  std::string wrong = apply_option(changed, key, value);
  if (wrong.empty()) wrong = check_together(changed);
  if (!wrong.empty()) return {Status::kInvalid, std::move(wrong)};
  io_.run_sync([&] {
    settings_ = changed;
    io_.set_busy_poll(std::chrono::microseconds(changed.busy_poll_us));
    transfer_.set_policy(ack_policy());
    transfer_.set_durable_by_default(changed.durable_by_default);
    transfer_.set_degrade_after(degrade_after());
    metrics_.configured_in_sync.set(changed.copies_by_default());
    metrics_.configured_min_in_sync.set(changed.min_in_sync_replicas);
    turn();
  });
  host_.info("option '" + key + "' is now '" + value + "'");
  return {};
}

// ---- host threads ----------------------------------------------------------------------------

// Hints both: the turn that follows reads where the log ends and what of it is durable.
void HaService::notify_appended(std::int64_t) { io_.ring(); }

void HaService::notify_durable(std::int64_t) { io_.ring(); }

Status HaService::check_acks(std::int32_t acks, std::int32_t durability) {
  return transfer_.check(acks, durability);
}

Status HaService::wait_replicated(const ha_wait_request& request) {
  return transfer_.wait(request, net::steady_now());
}

StatusInput HaService::status_input() const {
  StatusInput in{metrics_, net::steady_now(), wire_ == Wire::kRocketmqAutoswitch, {}, 0, {}, 0, {}};
  for (const ReplicaList::Node& node : others_) in.others.push_back(node.id);
  const std::lock_guard lock(mutex_);
  in.listen_address = listen_.host.empty() ? "" : listen_.text();
  in.listen_port = listen_.port;
  in.metrics_address = metrics_listen_.host.empty() ? "" : metrics_listen_.text();
  in.metrics_port = metrics_listen_.port;
  in.master_address = master_.host.empty() ? "" : master_.text();
  return in;
}

void HaService::snapshot(ha_snapshot& out) const { fill_snapshot(status_input(), out); }

std::string HaService::status_json() const { return make_status_json(status_input()); }

// ---- the I/O thread --------------------------------------------------------------------------

core::LogBounds HaService::read_bounds() {
  ha_bounds bounds{};
  const HostResult result = host_.bounds(bounds);
  if (!result.ok()) {
    // At every turn: once is enough.
    if (!std::exchange(bounds_failed_, true)) {
      host_.log(HA_LOG_HOST_MISUSE,
                result.text + "; the last good answer is used until it answers well");
    }
    return last_bounds_;
  }
  bounds_failed_ = false;
  last_bounds_ = to_core(bounds);
  metrics_.log_min.set(bounds.min);
  metrics_.log_end.set(bounds.end);
  metrics_.log_durable.set(bounds.durable);
  metrics_.log_confirm.set(bounds.confirm);
  metrics_.segment_size.set(bounds.segment_size);
  return last_bounds_;
}

void HaService::on_progress(Offset reached) {
  if (host_.wants_progress()) host_.progress(reached);
  if (terms_.mastered() == 0) return;
  if (host_.can_confirm()) on_confirmed(host_.confirm(reached));
  accept_.confirm_rose();
}

void HaService::on_confirmed(const HostResult& result) {
  if (!result.ok() && !confirm_failed_) {
    host_.log(HA_LOG_ERROR, "readers are not shown more: " + result.text);
  }
  confirm_failed_ = !result.ok();
}

// What slaves hold beyond the new end would stay there and be called the same as whatever the host
// appends next.
void HaService::leave_shrunk_log(Offset before, Offset now) {
  RoleChange none;
  none.reason = Reason::kHostMisuse;
  none.note = "the host's log went back from " + std::to_string(before.bytes()) + " to " +
              std::to_string(now.bytes()) +
              " while this node was its master, and slaves may hold what is gone: a master's log "
              "only grows; set the role again once the host is mended";
  host_.log(HA_LOG_HOST_MISUSE, none.note);
  leave_role(none.reason);
  {
    const std::lock_guard lock(mutex_);
    changes_.push_back(none);
    wanted_role_ = Role::kNone;
  }
  control_wake_.notify_all();
}

void HaService::turn() {
  const Time now = net::steady_now();
  metrics_.io_turned_ns.set(now.count());
  const Offset before = last_bounds_.end;
  const core::LogBounds log = read_bounds();
  if (role_ == Role::kMaster && log.end < before) leave_shrunk_log(before, log.end);
  accept_.pump(now, log);
  transfer_.turn(now, log.end, log.durable);
  arm_wait_timer();
}

// Moved only to an earlier time: waits mostly share one timeout, so that each new one ends later.
void HaService::arm_wait_timer() {
  const Time due = transfer_.next_deadline();
  if (!running_ || due >= wait_timer_for_) return;
  set_wait_timer_for(due);
  wait_timer_.expires_at(net::to_time_point(due));
  wait_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !running_) return;
    set_wait_timer_for(core::kNever);
    turn();
  });
}

void HaService::set_wait_timer_for(Time due) {
  wait_timer_for_ = due;
  transfer_.set_next_turn(due);
}

void HaService::arm_tick_timer() {
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !running_) return;
    arm_tick_timer();
    tick();
  });
}

void HaService::tell_upstream() {
  using Root = core::Upstream::Root;
  core::Upstream own{Root::kMaster, {incarnation_}};
  if (role_ != Role::kMaster) {
    const std::lock_guard lock(mutex_);
    own.root =
        of_master_.incarnations.empty() && master_.host.empty() ? Root::kNobody : of_master_.root;
    own.incarnations.insert(own.incarnations.end(), of_master_.incarnations.begin(),
                            of_master_.incarnations.end());
  }
  accept_.set_upstream(own);
}

void HaService::tick() {
  const Time now = net::steady_now();
  const double seconds = std::chrono::duration<double>(now - last_tick_).count();
  last_tick_ = now;
  turn();
  accept_.tick(now, last_bounds_, seconds);
  look_if_alone();
  client_.tick(seconds);
  if (now - names_refreshed_ >= kRefreshNames) refresh_names(now);
}

// A slave speaks to its master only. When it is promoted it needs the others' addresses too, and
// what took the master away may have taken the resolver with it.
void HaService::refresh_names(Time now) {
  names_refreshed_ = now;
  for (const ReplicaList::Node& node : others_) {
    if (!node.address.is_number()) resolver_.refresh(node.address.host);
  }
}

}  // namespace ha
