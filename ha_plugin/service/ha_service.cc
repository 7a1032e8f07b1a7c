// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/ha_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstring>
#include <new>
#include <system_error>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/io/scrape_door.h"
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

// In ticks, of a second each. An address that is used because the resolver fails may be this old.
constexpr std::uint64_t kTicksBetweenNames = 30;
// Files of TLS are looked at again this often.
constexpr std::uint64_t kTicksBetweenTlsFiles = 10;

}  // namespace

HaService::HaService(const ha_host_api* host, void* host_ctx, const Settings& settings)
    : host_(host, host_ctx),
      wire_(settings.wire),
      incarnation_(static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                              std::chrono::nanoseconds(1))),
      settings_(settings),
      exporter_(metrics_),
      set_(host_, settings_, metrics_),
      terms_(host_, settings_, metrics_),
      degraded_(host_, settings_, metrics_),
      bounds_(host_, metrics_),
      changes_(host_),
      transfer_(
          metrics_, ack_policy(), settings.max_pending_waits, [this] { io_.ring(); }, &degraded_,
          settings.keeps_epochs() ? static_cast<std::int32_t>(kMostNodes) : 0),
      strangers_(host_),
      tls_(metrics_),
      replicas_(io_.context(), master_parts(), [this](const net::Todo& todo) { act(todo); }),
      accept_(io_.context(), master_parts(), replicas_),
      client_(io_.context(), resolver_, host_, settings_, metrics_, tls_,
              {make_client_wire(),
               // A node with epochs follows nobody that has none.
               settings.wire == Wire::kAuto && !settings.keeps_epochs()
                   ? std::make_unique<net::RocketmqClientWire>()
                   : nullptr},
              {[this] { turn(); },
               [this](const net::Address& master) { changes_.set_master(master); }}),
      role_(node_parts(), changes_, incarnation_, [this] { turn(); }),
      supervision_(node_parts(), role_, changes_, set_,
                   [this](const WrittenSet& set) { return take_set(set); }),
      timers_(
          io_.context(), transfer_, [this] { turn(); }, [this](double seconds) { tick(seconds); }) {
  apply_settings();
}

HaService::~HaService() { stop(0); }

NodeParts HaService::node_parts() {
  return {host_,  settings_, metrics_,  io_,       resolver_, tls_,
          terms_, bounds_,   degraded_, transfer_, replicas_, client_};
}

net::MasterParts HaService::master_parts() {
  return {host_, settings_, bounds_, transfer_, terms_, degraded_, metrics_, strangers_, tls_};
}

std::unique_ptr<net::ClientWire> HaService::make_client_wire() {
  // What was sent to this node's slaves may be other bytes tomorrow.
  auto on_cut = [this] {
    replicas_.close_all(Reason::kTruncated);
    replicas_.forget_history();
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
  return std::make_unique<net::NativeClientWire>(
      host_, settings_, metrics_, terms_, degraded_, incarnation_, on_cut,
      [this](const core::Upstream& of_master) { role_.set_upstream(of_master); });
}

core::AckPolicy HaService::ack_policy() const {
  return {static_cast<std::int32_t>(settings_.copies_by_default()),
          static_cast<std::int32_t>(settings_.min_in_sync_replicas),
          settings_.max_gap_not_in_sync_bytes,
          settings_.auto_in_sync_replicas,
          static_cast<std::int32_t>(settings_.most_copies()),
          settings_.keeps_epochs() ? static_cast<std::int32_t>(settings_.copies_by_default()) : 1,
          settings_.quorum(),
          settings_.missing_copies != MissingCopies::kFail};
}

// What other parts keep a copy of. On the I/O thread, or before it runs.
void HaService::apply_settings() {
  transfer_.set_policy(ack_policy());
  transfer_.set_durable_by_default(settings_.durable_by_default);
  transfer_.set_degrade_after(settings_.missing_copies == MissingCopies::kDegrade
                                  ? std::chrono::milliseconds(settings_.degrade_after_ms)
                                  : core::kNever);
  metrics_.configured_in_sync.set(settings_.copies_by_default());
  metrics_.configured_min_in_sync.set(settings_.min_in_sync_replicas);
}

// On the control thread.
void HaService::warn_of_bootstrap() const {
  if (!terms_.keeps_epochs() || !settings_.bootstrap_given) return;
  host_.warn(
      "option 'bootstrap' has no effect with option 'replicas': a slave with an empty log starts "
      "at "
      "the first byte that its master holds");
}

Outcome HaService::check_host() const {
  if (!settings_.coordinator.host || host_.coordinator().present()) return {};
  return {Status::kUnsupported,
          "option 'coordinator': 'host' needs a host with extension '" HA_EXT_COORDINATOR
          "', which this one does not offer; give etcd:URL,... or leave the option out"};
}

// On the control thread. A node of a set acts on what its peers say: they can take the master's
// role away, and have log bytes deleted. Whoever can connect could be such a peer.
Outcome HaService::check_who_may_connect() const {
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(settings_.listen.host, error);
  if (error || ip.is_loopback() || settings_.tls != TlsMode::kOff) return {};
  if (settings_.keeps_epochs() && !settings_.tls_given) {
    return {Status::kInvalid,
            "option 'listen': a node of option 'replicas' that listens on " +
                settings_.listen.text() +
                " needs to know who its peers are: write a key file (ha_stub keygen > "
                "cluster.key), copy it to each node and give options 'tls_psk_file' and 'tls' "
                "('require'); or give 'tls' ('off') if nobody else can reach that port"};
  }
  if (settings_.keeps_epochs() || settings_.allow.empty()) {
    host_.warn("listening on " + settings_.listen.text() + " without option 'tls'" +
               (settings_.allow.empty() ? " or 'allow'" : "") +
               ": everybody who reaches the port can read the log, and act as a replica");
    metrics_.tls.open_to_all.set(1);
  }
  return {};
}

// On the control thread. "" or why new files were not taken.
std::string HaService::reload_tls(bool anyhow) {
  std::string wrong;
  if (tls_.reload(anyhow, wrong)) {
    host_.info("the files of TLS were read again");
    io_.run_sync([this] { check_tls_again(); });
  }
  if (const std::string ends = tls_.certificate_ends(net::unix_now_ms() / 1000); !ends.empty()) {
    host_.warn(ends);
  }
  return wrong;
}

// On the I/O thread.
void HaService::check_tls_again() {
  replicas_.check_tls_again();
  client_.check_tls_again();
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
  return {Status::kState, fmt::format("{}: the instance is {}", call, now)};
}

// ---- life ------------------------------------------------------------------------------------

Outcome HaService::start(const RoleChange& role) {
  if (life_ != Life::kCreated) return wrong_state("start");
  if (Outcome refused = refuse_role("start", role); !refused.ok()) {
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
    if (failed.ok()) return failed;
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
  if (Outcome failed = set_.load(); !failed.ok()) return failed;
  if (Outcome failed = load_epochs(bounds); !failed.ok()) return failed;
  if (Outcome failed = check_who_may_connect(); !failed.ok()) return failed;
  if (std::string wrong = tls_.apply(settings_); !wrong.empty()) {
    return {Status::kInvalid, std::move(wrong)};
  }
  int os_errno = 0;
  if (std::string wrong = accept_.open(os_errno); !wrong.empty()) {
    return {os_errno == 0 ? Status::kInvalid : Status::kIo, std::move(wrong), os_errno};
  }
  if (Outcome failed = serve_metrics(); !failed.ok()) return failed;
  const net::Address listen = accept_.local_address();
  {
    const Lock lock(listening_.mutex);
    listening_.ha = listen;
    client_.set_own(listen);
  }
  io_.start(
      [this] {
        metrics_.appended_hints.add();
        turn();
        client_.on_durable(bounds_.last().durable);
      },
      [this] { host_.thread_lifecycle().started("ha-io"); },
      [this] { host_.thread_lifecycle().stopping("ha-io"); },
      [this](const char* what) { on_fault(what); });
  io_.run_sync([this] {
    accept_.start();
    refresh_names();
    timers_.start();
    turn();
  });
  changes_.start([this](const RoleChange& change) { role_.carry_out(change); },
                 [this](RoleChanges::Chore chore) {
                   if (chore == RoleChanges::Chore::kPollForNewerEpoch) {
                     return role_.poll_for_newer_epoch();
                   }
                   const std::string wrong = reload_tls(false);
                   if (wrong.empty()) return;
                   host_.log(HA_LOG_ERROR,
                             "the files of TLS have changed and cannot be used, so those that were "
                             "read before stay in use: " +
                                 wrong);
                 });
  reload_tls(false);  // warns if the certificate ends soon
  host_.info("listening for slaves on " + listen.text());
  warn_of_bootstrap();
  RoleChange first = role;
  // Who is master is the coordinator's to say.
  const bool supervised = !settings_.coordinator.empty() && settings_.failover == Failover::kAuto;
  if (supervised && first.role == Role::kMaster) first.role = Role::kSlave;
  first.keep_trying = terms_.keeps_epochs();
  life_ = Life::kStarted;
  if (Outcome failed = supervision_.start(); !failed.ok()) return failed;
  return set_role(first);
}

Outcome HaService::serve_metrics() {
  if (settings_.metrics_listen.empty()) return {};
  net::Address listen;
  net::parse_address(settings_.metrics_listen, true, listen);
  auto door = std::make_unique<net::ScrapeDoor>(
      settings_, [this](std::int32_t level, const std::string& text) { host_.log(level, text); });
  if (std::string wrong = door->check(); !wrong.empty()) {
    return {Status::kInvalid, std::move(wrong)};
  }
  std::string wrong = net::missing_interface(listen.host);
  if (wrong.empty()) wrong = exporter_.serve(settings_.metrics_listen, std::move(door));
  if (!wrong.empty()) return {Status::kIo, "option 'metrics_listen': " + wrong};
  listen.port = static_cast<std::uint16_t>(exporter_.port());
  const Lock lock(listening_.mutex);
  listening_.metrics = std::move(listen);
  return {};
}

// Ends what begin started: all of it, or as far as it came.
void HaService::end(bool for_good) {
  supervision_.stop();
  changes_.stop();
  io_.run_sync([this, for_good] {
    timers_.stop();
    accept_.stop();
    replicas_.set_serving(false);
    if (for_good) replicas_.warn_of_lacking();
    replicas_.close_all(Reason::kShutdown);
    client_.stop(Reason::kShutdown);
    if (for_good) transfer_.fail_all_for_good(Status::kShutdown);
    transfer_.set_master(false);
    terms_.set_own_epoch(0);
  });
  if (for_good) client_.join();
  exporter_.stop();
  io_.join();
  state_lock_.release();
  metrics_.io_turned_ns.set(0);
  metrics_.role.set(HA_ROLE_NONE);
  if (for_good) return;
  changes_.clear();
  const Lock lock(listening_.mutex);
  listening_.ha = listening_.metrics = {};
}

// A handler ended half-way, so what it would have armed is not. Connections are closed and made
// again. The tick of the second finds whatever else was missed.
void HaService::on_fault(const char* what) {
  host_.log(HA_LOG_ERROR, fmt::format("the I/O thread could not go on with what it did: {}; all "
                                      "connections are closed and made again",
                                      what));
  replicas_.close_all(Reason::kHostError);
  if (role_.now() == Role::kSlave) client_.follow_again();
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
  return {
      Status::kTimeout,
      fmt::format("stop: waits were still open after {} ms; they ended with SHUTDOWN", timeout_ms)};
}

// ---- roles -----------------------------------------------------------------------------------

// A master must hold all that was acknowledged, and a learner was never waited for.
Outcome HaService::refuse_role(const char* call, const RoleChange& change) const {
  const Role role = change.role;
  if ((change.epoch != 0 || change.force) && !terms_.keeps_epochs()) {
    return {Status::kUnsupported, fmt::format("{}: {} needs option 'replicas'", call,
                                              change.force ? "HA_ROLE_CHANGE_FORCE" : "an epoch")};
  }
  if (wire_ != Wire::kRocketmqAutoswitch || role != Role::kMaster) return {};
  return {
      Status::kUnsupported,
      std::string(call) +
          ": a learner (option 'wire': 'rocketmq-autoswitch') cannot become master: it may lack "
          "what its master acknowledged; to use this copy as a master anyway, start it "
          "with 'wire': 'rocketmq', and empty its store before it follows again"};
}

// Each connection reads them again. Here a damaged file makes start fail, with words.
Outcome HaService::load_epochs(const ha_bounds& bounds) {
  if (std::string wrong = terms_.load(Offset(bounds.min), Offset(bounds.end)); !wrong.empty()) {
    return {Status::kCorrupt,
            fmt::format("start: what this node has promised cannot be read: {}; restore the file. "
                        "Without it this node may take part again only as one that is new: with an "
                        "empty store, once the others agree on a master",
                        wrong)};
  }
  if (terms_.keeps_epochs() && terms_.current() == core::Term{} && bounds.end > bounds.min) {
    host_.warn(fmt::format(
        "the log holds {} bytes, and nothing says who wrote them or what this node has promised: "
        "{} is not there. If this store is new to the set, that is as it should be. Else restore "
        "the file, or empty the store and start this node while the set has a master",
        bounds.end - bounds.min, terms_.path()));
  }
  // A torn record was not acknowledged; no copies are to be waited for.
  Offset whole_end;
  if (HostResult r = host_.record_floor(Offset(bounds.end), whole_end); !r.ok()) {
    return {r.status, r.text};
  }
  if (std::string wrong = degraded_.load(whole_end); !wrong.empty()) {
    return {Status::kCorrupt, fmt::format("start: what was acknowledged below policy cannot be "
                                          "read: {}; restore the file, or remove it to forget that",
                                          wrong)};
  }
  if (wire_ != Wire::kRocketmqAutoswitch) return {};
  EpochFile::Loaded loaded = EpochFile(settings_.state_dir).load();
  if (!loaded.error.empty()) {
    return {Status::kCorrupt, fmt::format("start: the epochs of this log cannot be read: {}; "
                                          "restore the file, or remove it and empty this store",
                                          loaded.error)};
  }
  loaded.history.truncate_suffix(Offset(bounds.end));
  metrics_.epoch.set(loaded.history.last_epoch());
  metrics_.epochs.set(to_metrics(loaded.history));
  return {};
}

Outcome HaService::set_role(const RoleChange& change) {
  if (life_ != Life::kStarted) return wrong_state("set_role");
  if (Outcome refused = refuse_role("set_role", change); !refused.ok()) {
    return refused;
  }
  if (std::string wrong = supervision_.refuses(change.role); !wrong.empty()) {
    return {Status::kConflict, "set_role: " + wrong};
  }
  RoleChange next = change;
  next.follow_if_refused = terms_.keeps_epochs();
  changes_.request(std::move(next));
  return {};
}

Outcome HaService::set_master_address(const net::Address& address) {
  if (life_ != Life::kStarted) return wrong_state("set_master_address");
  if (!changes_.set_master(address)) {
    return {Status::kState, "set_master_address: this node is not a slave (set_role makes it one)"};
  }
  io_.run_sync([&] { role_.follow(address); });
  return {};
}

// ---- options ---------------------------------------------------------------------------------

Outcome HaService::set_option(const std::string& key, const std::string& value) {
  if (life_ != Life::kStarted) return wrong_state("set_option");
  if (is_known_option(key) && !may_change_while_running(key)) {
    return {Status::kState,
            fmt::format("option '{}' (value '{}') cannot change while running; give it to create",
                        key, value)};
  }
  Settings changed;
  io_.run_sync([&] { changed = settings_; });
  std::string wrong = apply_option(changed, key, value);
  if (wrong.empty()) wrong = check_together(changed);
  if (wrong.empty()) wrong = tls_.apply(changed);
  if (wrong.empty() && value == "now" && key == "tls_reload") wrong = reload_tls(true);
  if (!wrong.empty()) return {Status::kInvalid, std::move(wrong)};
  if (!changed.request.empty()) {
    Outcome done = supervision_.order(changed.request, value);
    if (!done.ok()) done.text = fmt::format("option '{}': {}", key, done.text);
    return done;
  }
  io_.run_sync([&] {
    // The set may have changed meanwhile.
    changed.replicas = settings_.replicas;
    changed.changed_set = settings_.changed_set;
    settings_ = changed;
    apply_settings();
    check_tls_again();
    replicas_.pump_all_next();
    turn();
  });
  host_.info(fmt::format("option '{}' is now '{}'", key, value));
  if (key == "bootstrap") warn_of_bootstrap();
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
  StatusInput in{.metrics = metrics_, .now = net::steady_now()};
  in.learner = wire_ == Wire::kRocketmqAutoswitch;
  in.tls = name_of(tls_.mode());
  const net::Address master = changes_.master();
  in.master_address = master.host.empty() ? "" : master.text();
  in.others = set_.others();
  const Lock lock(listening_.mutex);
  in.listen_address = listening_.ha.host.empty() ? "" : listening_.ha.text();
  in.listen_port = listening_.ha.port;
  in.metrics_address = listening_.metrics.host.empty() ? "" : listening_.metrics.text();
  in.metrics_port = listening_.metrics.port;
  return in;
}

void HaService::snapshot(ha_snapshot& out) const { fill_snapshot(status_input(), out); }

std::string HaService::status_json() const { return make_status_json(status_input()); }

// ---- the I/O thread --------------------------------------------------------------------------

void HaService::turn() {
  const Time now = net::steady_now();
  metrics_.io_turned_ns.set(now.count());
  const core::LogBounds log = bounds_.read();
  const std::optional<Offset> shrunk_from = bounds_.take_shrunk_from();
  if (shrunk_from && role_.now() == Role::kMaster) role_.leave_shrunk_log(*shrunk_from, log.end);
  replicas_.pump(now, log);
  net::Todo todo;
  todo.confirm = transfer_.turn(now, log.end, log.durable);
  act(todo);
  transfer_.run_callbacks(now);
  timers_.arm_for_waits();
  io_.set_busy_poll(std::chrono::microseconds(busy_poll_us()));
}

std::int64_t HaService::busy_poll_us() const {
  const std::int64_t most = settings_.busy_poll_max_waits;
  return most > 0 && transfer_.pending() > most ? 0 : settings_.busy_poll_us;
}

void HaService::tick(double seconds) {
  const Time now = net::steady_now();
  turn();
  replicas_.tick(now, bounds_.last(), seconds);
  role_.poll_if_short_of_copies();
  client_.tick(seconds);
  if (++ticks_ % kTicksBetweenNames == 0) refresh_names();
  if (ticks_ % kTicksBetweenTlsFiles == 0) changes_.do_soon(RoleChanges::Chore::kReadTlsFiles);
}

void HaService::act(const net::Todo& todo) {
  if (!todo.step_back_for.empty()) role_.step_back_for(todo.step_back_for);
  if (todo.restart_campaign != 0) role_.restart_campaign(todo.restart_campaign);
  if (todo.confirm == core::kNoOffset) return;
  if (host_.wants_progress()) host_.progress(todo.confirm);
  if (terms_.own_epoch() == 0) return;
  role_.confirm(todo.confirm);
  replicas_.confirm_rose();
}

// Returns "", or what failed; then nothing has changed.
std::string HaService::take_set(const WrittenSet& set) {
  if (set.members.version <= settings_.changed_set.version) return "";
  if (std::string failed = set_.take(set); !failed.empty()) return failed;
  apply_settings();
  role_.on_new_set();
  turn();
  return "";
}

// A slave speaks to its master only. When it is promoted it needs the others' addresses too, and
// what took the master away may have taken the resolver with it.
void HaService::refresh_names() {
  for (const ReplicaList::Node& node : settings_.replicas.without(settings_.replica_id)) {
    if (!node.address.is_number()) resolver_.refresh(node.address.host);
  }
}

}  // namespace ha
