// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/accept_service.h"

#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>
#include <cerrno>
#include <utility>
#include <vector>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/host/log_hash.h"
#include "ha_plugin/net/io/cloexec_socket.h"
#include "metrics/adopt_descriptor.h"
#include "metrics/names.h"

namespace ha::net {

using boost::asio::ip::tcp;
using core::Reason;
using core::Time;

namespace {

// Kept short of the kernel's usual 4096: slaves are few, and a flood of probes should queue there.
constexpr int kBacklog = 128;

// After accept ran out of descriptors or memory: trying at once would spin.
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

// Of the last second in the smoothed growth of the log: it forgets in ten seconds or so.
constexpr double kGrowthWeight = 0.1;

// IPv4 that came through an IPv6 socket is shown and judged as IPv4.
Address remote_of(const tcp::endpoint& endpoint) {
  boost::asio::ip::address ip = endpoint.address();
  if (ip.is_v6() && ip.to_v6().is_v4_mapped()) {
    ip = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, ip.to_v6());
  }
  return {ip.to_string(), endpoint.port()};
}

// When hundreds of replicas join at once, each is worth a line. One that joins and leaves all day
// is bounded all the same.
constexpr std::int64_t kReplicaBurst = 300;

std::string name_of(Reason reason) {
  return metrics::reason_name(static_cast<std::int32_t>(reason));
}

bool is_loopback(const std::string& ip) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(ip, error);
  return !error && address.is_loopback();
}

}  // namespace

AcceptService::AcceptService(boost::asio::io_context& context, const Host& host,
                             const Settings& settings, TransferService& transfer, TermKeeper& terms,
                             const DegradedKeeper& degraded, metrics::HaMetrics& metrics,
                             YieldTo yield_to, AskAnew ask_anew)
    : acceptor_(context),
      retry_(context),
      host_(host),
      settings_(settings),
      transfer_(transfer),
      terms_(terms),
      degraded_(degraded),
      metrics_(metrics),
      yield_to_(std::move(yield_to)),
      ask_anew_(std::move(ask_anew)) {}

std::string AcceptService::open(int& os_errno) {
  const std::string shown = settings_.listen.text();
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(settings_.listen.host, error);
  if (error) {
    os_errno = 0;
    return "option 'listen': '" + shown + "' needs an IP address, not a name (try 0.0.0.0:" +
           std::to_string(settings_.listen.port) + ")";
  }
  if (const std::string missing = missing_interface(settings_.listen.host); !missing.empty()) {
    os_errno = ENODEV;
    return "option 'listen': cannot bind " + shown + ": " + missing;
  }
  const auto fail = [&](const char* what) {
    os_errno = error.value();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    return "option 'listen': cannot " + std::string(what) + " " + shown + ": " + error.message() +
           " (choose a free port, or 0 to let the system pick)";
  };
  const tcp::endpoint endpoint(ip, settings_.listen.port);
  error = open_cloexec(acceptor_, endpoint.protocol());
  if (error) return fail("open a socket for");
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && ip.is_v6()) acceptor_.set_option(boost::asio::ip::v6_only(false), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (error) return fail("bind");
  acceptor_.listen(kBacklog, error);
  if (error) return fail("listen on");
  acceptor_.non_blocking(true, error);
  local_ = {settings_.listen.host, acceptor_.local_endpoint(error).port()};
  return "";
}

void AcceptService::start_accepting() {
  accepting_ = true;
  wait_acceptable();
}

void AcceptService::stop_accepting() {
  accepting_ = false;
  tell_held_lines(steady_now(), true);
  retry_.cancel();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

void AcceptService::wait_acceptable() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](const boost::system::error_code& error) {
    if (!accepting_) return;
    if (error) return wait_acceptable();
    try {
      on_acceptable();
    } catch (const std::exception& e) {
      host_.warn("accept on " + local_.text() + ": " + e.what());
      wait_acceptable();
    }
  });
}

void AcceptService::on_acceptable() {
  tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  const int fd =
      ::accept4(acceptor_.native_handle(), endpoint.data(), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log_of_stranger(HA_LOG_WARN, "failures to accept a connection",
                      "accept on " + local_.text() + ": " + std::generic_category().message(errno) +
                          "; trying again");
      retry_.expires_after(kAcceptRetry);
      retry_.async_wait([this](const boost::system::error_code& error) {
        if (!error && accepting_) wait_acceptable();
      });
      return;
    }
    return wait_acceptable();  // the peer has gone, or another passing error of its own
  }
  endpoint.resize(size);
  boost::system::error_code error;
  tcp::socket socket(acceptor_.get_executor());
  adopt_descriptor(socket, endpoint.protocol(), fd, error);
  if (!error) admit(std::move(socket), remote_of(endpoint));
  wait_acceptable();
}

void AcceptService::admit(tcp::socket socket, const Address& remote) {
  metrics_.connections_accepted.add();
  if (!settings_.allow.allows(remote.host)) {
    return reject(remote, Reason::kNotAllowed,
                  "not on the allow list (option 'allow': " + settings_.allow.text() + ")");
  }
  if (speaks_to_nobody()) return reject(remote, Reason::kNotServing, "this node has no role yet");
  if (connections_.size() >= static_cast<std::size_t>(settings_.max_connections)) {
    return reject(
        remote, Reason::kConnectionLimit,
        "option 'max_connections': " + std::to_string(settings_.max_connections) + " are open");
  }
  const HaConnection::Id id = next_id_++;
  auto connection = std::make_shared<HaConnection>(std::move(socket), id, remote, host_, settings_,
                                                   static_cast<ConnectionEvents&>(*this));
  connections_[id].connection = connection;
  metrics_.connections.set(static_cast<std::int64_t>(connections_.size()));
  connection->start();
}

void AcceptService::reject(const Address& remote, Reason reason, const std::string& text) {
  metrics_.rejected[static_cast<std::size_t>(reason)].add();
  const std::string address = remote.text();
  log_of_stranger(HA_LOG_WARN, "refused connections (" + name_of(reason) + ")",
                  "connection from " + address + " refused: " + text);
  tell_host(address, core::State::kShutdown, core::kNoOffset, HA_REPLICA_REFUSED, reason, "");
}

// One vote for one name: a newer connection takes the place of an older one, which may be half
// open, but not that of a process that was started later.
core::Answer AcceptService::on_hello(HaConnection& connection, const core::Hello& hello) {
  const core::Acceptor self{settings_.cluster_id, settings_.replica_id, settings_.replicas.ids(),
                            log_bounds(),         settings_.bootstrap,  terms_.keeps_epochs(),
                            terms_.mastered(),    terms_.now(),         settings_.set_text()};
  core::Answer answer = core::judge_hello(
      hello, self,
      [this](core::Offset begin, core::Offset end) { return hash_log(host_, begin, end); });
  if (answer.reason == Reason::kEpoch) hear_of_promise(hello);
  if (answer.decision == core::Decision::kRefuse || hello.replica.empty()) return answer;
  std::vector<std::shared_ptr<HaConnection>> older;
  for (auto& [id, entry] : connections_) {
    if (id == connection.id() || entry.replica_id != hello.replica) continue;
    if (entry.connection->incarnation() > hello.incarnation) {
      answer.decision = core::Decision::kRefuse;
      answer.reason = Reason::kReplaced;
      answer.text = "a process that was started later, at " + entry.connection->remote().text() +
                    ", has the replica id '" + hello.replica + "'";
      return answer;
    }
    older.push_back(entry.connection);
  }
  for (auto& other : older) {
    other->close(Reason::kReplaced,
                 "'" + hello.replica + "' connected anew, from " + connection.remote().text());
  }
  return answer;
}

// A slave will follow no master of this node's epoch any more: its time is over.
void AcceptService::hear_of_promise(const core::Hello& hello) {
  Reason reason = Reason::kNone;
  const std::string wrong = core::check_told_promise(hello, terms_.now(), voter(), reason);
  if (wrong.empty()) ask_anew_(hello.promised + 1);
  if (!wrong.empty()) {
    log_of_stranger(HA_LOG_WARN, "promises that are not believed",
                    "'" + hello.replica + "' says that it has promised epoch " +
                        std::to_string(hello.promised) + " to '" + hello.promised_to +
                        "', which is not believed: " + wrong);
  }
}

core::Voter AcceptService::voter() {
  return {settings_.cluster_id,     settings_.replica_id,
          settings_.replicas.ids(), terms_.position(log_bounds().end),
          terms_.mastered() != 0,   settings_.set_text()};
}

core::Greeting AcceptService::greeting() {
  const core::LogBounds log = log_bounds();
  return {core::kNativeVersion,
          core::kNativeVersion,
          log.min,
          log.end,
          terms_.mastered(),
          core::history_to_tell(terms_.now().history.entered_by(log.end)),
          settings_.set_text()};
}

core::Promise AcceptService::on_prepare(const core::Prepare& prepare) {
  const std::string asked =
      "'" + prepare.candidate + "' asks to become master of epoch " + std::to_string(prepare.epoch);
  if (!terms_.keeps_epochs()) {
    core::Promise answer;
    answer.reason = Reason::kUnknownReplica;
    answer.text = "it keeps no epochs: it has no option 'replicas'";
    return answer;
  }
  core::Promise answer = core::judge_prepare(prepare, terms_.now(), voter());
  if (answer.granted && prepare.mode != core::Prepare::Mode::kAsk) {
    if (std::string failed = promise(prepare.epoch, prepare.candidate); !failed.empty()) {
      answer.granted = false;
      answer.reason = Reason::kHostError;
      answer.text = failed;
    }
  }
  // A master that lacks copies asks every second.
  const bool asks = prepare.mode == core::Prepare::Mode::kAsk;
  if (answer.granted && !asks) {
    // Never held back: there is one of it an epoch, and after a failover it is looked for.
    host_.info(asked + ": promised");
    return answer;
  }
  log_of_stranger(asks ? HA_LOG_DEBUG : HA_LOG_INFO,
                  asks ? "questions who may become master" : "nodes that ask to become master",
                  asked + (answer.granted ? ": it may" : ": refused: " + answer.text));
  return answer;
}

// "" or what failed.
std::string AcceptService::promise(std::int64_t epoch, const std::string& candidate) {
  std::string failed = terms_.set(core::promised_by(terms_.now(), epoch, candidate));
  if (failed.empty()) yield_to_(candidate);
  return failed;
}

// The lowest free number: a slave that comes back takes up its old name, and names stay few.
std::string AcceptService::identity_of(const HaConnection& connection) {
  if (!connection.name().empty()) return connection.name();
  const std::string& ip = connection.remote().host;
  const ReplicaIdentity option = settings_.rocketmq_replica_identity;
  if (option == ReplicaIdentity::kAddress ||
      (option == ReplicaIdentity::kAuto && !is_loopback(ip))) {
    return ip;
  }
  for (int n = 1;; ++n) {
    std::string id = ip + "#" + std::to_string(n);
    if (slots_.insert(id).second) return id;
  }
}

core::LogBounds AcceptService::log_bounds() {
  ha_bounds bounds{};
  // That they cannot be is said by HaService, once.
  if (!host_.bounds(bounds).ok()) return last_bounds_;
  last_bounds_ = to_core(bounds);
  return last_bounds_;
}

std::shared_ptr<metrics::ReplicaMetrics> AcceptService::on_joined(HaConnection& connection) {
  Entry& entry = connections_.at(connection.id());
  entry.replica_id = identity_of(connection);
  auto replica = metrics_.replica(entry.replica_id);
  replica->set_address(connection.remote().text());
  replica->connections.add(1);
  replica->connects.add();
  replica->connected_at_ns.set(steady_now().count());
  replica->catch_up_stalled.set(0);
  replica->disconnected_at_ns.set(0);
  replica->state.set(static_cast<std::int64_t>(connection.session().state()));
  entry.bytes_at_tick = replica->bytes_sent.value();
  const Time now = steady_now();
  entry.member.judge(lag_of(connection, last_bounds_, now), in_sync_limits(), now);
  replica->in_sync_changed_ns.set(now.count());
  transfer_.join(connection.id(), entry.replica_id, connection.session().ack(),
                 connection.session().durable(), entry.member.in());
  const core::ReplicaSession& session = connection.session();
  log_of_stranger(HA_LOG_INFO, "replicas that joined",
                  "replica " + entry.replica_id + " joined from " + connection.remote().text() +
                      (connection.native()
                           ? " (native)"
                           : " (RocketMQ): it asked for " + std::to_string(session.ack().bytes())) +
                      "; it is served from " + std::to_string(session.start().bytes()),
                  kReplicaBurst);
  if (transfer_.tracker().replicas() == 1 && transfer_.policy().in_sync_replicas == 1) {
    log_of_stranger(
        HA_LOG_WARN, "times that a slave is attached and waits with default acks wait for nobody",
        "option 'in_sync_replicas' is 1: a slave is attached, but waits with default acks wait for "
        "nobody (set 2 to wait for one slave)");
  }
  tell_host(connection, HA_REPLICA_JOINED, Reason::kNone, entry.replica_id);
  return replica;
}

void AcceptService::on_ack(HaConnection& connection) {
  const Time now = steady_now();
  const core::LogBounds log = log_bounds();
  transfer_.ack(connection.id(), connection.session().ack(), connection.session().durable());
  transfer_.turn(now, log.end, log.durable);
  Entry& entry = connections_.at(connection.id());
  update_gauges(connection, entry, log, now);
  if (connection.native()) send_degraded(entry);
}

void AcceptService::on_caught_up(HaConnection& connection) {
  tell_host(connection, HA_REPLICA_CAUGHT_UP, Reason::kNone,
            connections_.at(connection.id()).replica_id);
}

void AcceptService::on_closed(HaConnection& connection, Reason reason, const std::string& text) {
  const auto found = connections_.find(connection.id());
  if (found == connections_.end()) return;
  const std::shared_ptr<HaConnection> keep = found->second.connection;
  const std::string replica_id = found->second.replica_id;
  connections_.erase(found);
  metrics_.connections.set(static_cast<std::int64_t>(connections_.size()));
  if (connection.candidate()) return;  // it has its answer
  const auto slot = static_cast<std::size_t>(reason);
  if (replica_id.empty()) {
    metrics_.rejected[slot].add();
    log_of_stranger(HA_LOG_WARN, "connections closed before they counted (" + name_of(reason) + ")",
                    "connection from " + connection.remote().text() +
                        " closed before it counted (" + name_of(reason) + "): " + text);
    tell_host(connection, HA_REPLICA_REFUSED, reason, "");
    return;
  }
  slots_.erase(replica_id);
  transfer_.leave(connection.id());
  metrics::ReplicaMetrics& replica = *connection.metrics();
  replica.connections.add(-1);
  replica.closes[slot].add();
  replica.last_close_reason.set(static_cast<std::int64_t>(reason));
  if (replica.connections.value() == 0) {
    replica.state.set(static_cast<std::int64_t>(core::State::kShutdown));
    replica.in_sync.set(0);
    replica.bytes_per_s.set(0);
    replica.disconnected_at_ns.set(steady_now().count());
  }
  log_of_stranger(HA_LOG_INFO, "replicas that left (" + name_of(reason) + ")",
                  "replica " + replica_id + " left (" + name_of(reason) + "): " + text,
                  kReplicaBurst);
  tell_host(connection, HA_REPLICA_LEFT, reason, replica_id);
}

void AcceptService::log_of_stranger(std::int32_t level, const std::string& kind,
                                    const std::string& text, std::int64_t burst) {
  if (lines_.admit(steady_now(), kind, level, burst)) host_.log(level, text);
}

void AcceptService::tell_held_lines(Time now, bool at_end) {
  lines_.turn(
      now, [this](std::int32_t level, const std::string& text) { host_.log(level, text); }, at_end);
}

void AcceptService::tell_host(const HaConnection& connection, std::int32_t event, Reason reason,
                              const std::string& replica_id) {
  tell_host(connection.remote().text(),
            connection.open() ? connection.session().state() : core::State::kShutdown,
            connection.session().ack(), event, reason, replica_id);
}

void AcceptService::tell_host(const std::string& address, core::State state, core::Offset ack,
                              std::int32_t event, Reason reason, const std::string& replica_id) {
  ha_replica_event report{};
  report.struct_size = sizeof(report);
  report.event = event;
  report.state = static_cast<std::int32_t>(state);
  report.reason = static_cast<std::int32_t>(reason);
  report.ack_offset = ack.bytes();
  report.id = replica_id.c_str();
  report.address = address.c_str();
  host_.replica_changed(report);
}

void AcceptService::warn_of_lacking() {
  const core::Offset end = log_bounds().end;
  std::string who;
  for (const auto& [id, entry] : connections_) {
    const std::int64_t lacks = end - entry.connection->session().ack();
    if (entry.replica_id.empty() || lacks <= 0) continue;
    who += (who.empty() ? "" : ", ") + entry.replica_id + " (" + std::to_string(lacks) + " bytes)";
  }
  if (who.empty()) return;
  host_.warn("this node stops at " + std::to_string(end.bytes()) +
             ", and the newest bytes of its log are not yet with " + who);
}

void AcceptService::close_all(Reason reason) { close_some(reason, false); }

void AcceptService::close_replicas(Reason reason) { close_some(reason, true); }

void AcceptService::close_some(Reason reason, bool joined_only) {
  std::vector<std::shared_ptr<HaConnection>> all;
  for (auto& [id, entry] : connections_) {
    if (!joined_only || !entry.replica_id.empty()) all.push_back(entry.connection);
  }
  for (auto& connection : all) connection->close(reason, "this node closes all connections");
}

void AcceptService::pump(Time now, const core::LogBounds& log) {
  last_bounds_ = log;
  history_.record(log.end, now);
  // Live traffic first. A connection that closes takes itself off the map.
  for (const bool catching_up : {false, true}) {
    for (auto at = connections_.begin(); at != connections_.end();) {
      const std::shared_ptr<HaConnection> connection = (at++)->second.connection;
      if (connection->catching_up(log) == catching_up) connection->pump(now, log);
    }
  }
}

void AcceptService::set_serving(bool serving) {
  serving_ = serving;
  if (serving) hold_retention(log_bounds());
}

void AcceptService::confirm_rose() {
  for (auto& [id, entry] : connections_) entry.connection->confirm_rose();
}

core::Lag AcceptService::lag_of(const HaConnection& connection, const core::LogBounds& log,
                                Time now) const {
  const core::Offset ack = connection.session().ack();
  const Time since = ack >= log.end ? core::kNever : history_.appended_at(ack);
  return {log.end - ack, since == core::kNever ? Time{0} : now - since, ack >= settled_};
}

core::InSyncLimits AcceptService::in_sync_limits() const {
  using std::chrono::milliseconds;
  return {settings_.max_gap_not_in_sync_bytes,
          settings_.in_sync_max_lag_ms == 0 ? core::kNever
                                            : Time(milliseconds(settings_.in_sync_max_lag_ms)),
          milliseconds(settings_.in_sync_hold_ms)};
}

void AcceptService::judge_in_sync(const HaConnection& connection, Entry& entry,
                                  const core::LogBounds& log, Time now) {
  const core::Lag lag = lag_of(connection, log, now);
  if (!entry.member.judge(lag, in_sync_limits(), now)) return;
  const bool in = entry.member.in();
  metrics::ReplicaMetrics& replica = *connection.metrics();
  transfer_.set_in_sync(connection.id(), entry.replica_id, in);
  replica.in_sync_changed_ns.set(now.count());
  if (in) {
    host_.info("replica " + entry.replica_id + " is in sync");
    return tell_host(connection, HA_REPLICA_IN_SYNC, Reason::kNone, entry.replica_id);
  }
  const Reason reason = entry.member.left_for();
  replica.in_sync_left_for.set(static_cast<std::int64_t>(reason));
  replica.in_sync_exits[static_cast<std::size_t>(reason)].add();
  host_.warn(
      "replica " + entry.replica_id + " is no longer in sync (" +
      metrics::reason_name(static_cast<std::int32_t>(reason)) + "): it lacks " +
      std::to_string(lag.bytes) + " bytes, the oldest of them for " +
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(lag.time).count()) +
      " ms");
  tell_host(connection, HA_REPLICA_OUT_OF_SYNC, reason, entry.replica_id);
}

void AcceptService::update_gauges(const HaConnection& connection, Entry& entry,
                                  const core::LogBounds& log, Time now) {
  judge_in_sync(connection, entry, log, now);
  metrics::ReplicaMetrics& replica = *connection.metrics();
  const core::Offset ack = connection.session().ack();
  replica.in_sync.set(transfer_.is_in_sync(connection.id(), log.end) ? 1 : 0);
  const Time since = ack >= log.end ? core::kNever : history_.appended_at(ack);
  replica.behind_since_ns.set(since == core::kNever ? 0 : since.count());
}

void AcceptService::measure_growth(const core::LogBounds& log, double seconds) {
  const std::int64_t grown = end_at_tick_ == core::kNoOffset ? 0 : log.end - end_at_tick_;
  end_at_tick_ = log.end;
  growth_ =
      static_cast<std::int64_t>(static_cast<double>(std::max<std::int64_t>(grown, 0)) / seconds);
  slow_growth_ += (static_cast<double>(growth_) - slow_growth_) * kGrowthWeight;
}

void AcceptService::watch_catch_up(Entry& entry, const core::LogBounds& log, Time now) {
  metrics::ReplicaMetrics& replica = *entry.connection->metrics();
  const std::int64_t lag = log.end - entry.connection->session().ack();
  const auto patience = std::chrono::milliseconds(settings_.catch_up_stall_ms);
  if (!entry.catch_up.look(lag, now, patience)) return;
  const bool stalled = entry.catch_up.stalled();
  replica.catch_up_stalled.set(stalled ? 1 : 0);
  if (!stalled) return host_.info("replica " + entry.replica_id + " catches up again");
  host_.warn("replica " + entry.replica_id + " does not catch up: it lacks " + std::to_string(lag) +
             " bytes, and has come no nearer for " + std::to_string(settings_.catch_up_stall_ms) +
             " ms; it is sent " + std::to_string(replica.bytes_per_s.value()) +
             " bytes/s and the log grows by " + std::to_string(growth_) +
             " (options 'catch_up_bytes_per_s', 'max_transfer_bytes_per_s')");
}

// The lowest offset that a replica still lacks, as far as the bound goes. Those of the configured
// set count while they are gone too; of those that were not seen yet nothing is known, so they may
// lack all that is held.
void AcceptService::hold_retention(const core::LogBounds& log) {
  if (!host_.can_hold()) return;
  const bool holds = settings_.retention_hold_bytes > 0 && serving_ &&
                     (!terms_.keeps_epochs() || terms_.mastered() != 0);
  core::Offset from(HA_RETENTION_NOTHING);
  auto unseen = settings_.replicas.without(settings_.replica_id);
  for (const auto& replica : metrics_.replicas()) {
    const bool named =
        std::erase_if(unseen, [&](const auto& n) { return n.id == replica->id; }) > 0;
    replica->seconds_until_lost.set(-1);
    if (!holds || (!named && replica->connections.value() == 0)) continue;
    from = std::min(from, wanted_from(*replica, log));
  }
  if (holds && !unseen.empty()) {
    from = std::min(
        from, std::max(log.min, core::Offset(log.end.bytes() - settings_.retention_hold_bytes)));
  }
  if (from != std::exchange(held_from_, from)) host_.hold(from);
}

core::Offset AcceptService::wanted_from(metrics::ReplicaMetrics& replica,
                                        const core::LogBounds& log) {
  const core::Offset ack(std::max(replica.ack_offset.value(), log.min.bytes()));
  const std::int64_t left = settings_.retention_hold_bytes - (log.end - ack);
  if (left < 0) {
    replica.seconds_until_lost.set(0);
    if (given_up_.insert(replica.id).second) {
      host_.warn("replica " + replica.id + " lacks " + std::to_string(log.end - ack) +
                 " bytes, more than are held for it (option 'retention_hold_bytes': " +
                 std::to_string(settings_.retention_hold_bytes) + "): it may have to begin anew");
    }
    return core::Offset(HA_RETENTION_NOTHING);
  }
  given_up_.erase(replica.id);
  if (slow_growth_ >= 1) {
    replica.seconds_until_lost.set(
        static_cast<std::int64_t>(static_cast<double>(left) / slow_growth_));
  }
  return ack;
}

void AcceptService::tick(Time now, const core::LogBounds& log, double seconds) {
  tell_held_lines(now);
  measure_growth(log, seconds);
  pump(now, log);
  send_beside_the_log();
  for (auto& [id, entry] : connections_) {
    if (entry.replica_id.empty()) continue;
    metrics::ReplicaMetrics& replica = *entry.connection->metrics();
    update_gauges(*entry.connection, entry, log, now);
    const std::uint64_t bytes = replica.bytes_sent.value();
    replica.bytes_per_s.set(
        static_cast<std::int64_t>(static_cast<double>(bytes - entry.bytes_at_tick) / seconds));
    entry.bytes_at_tick = bytes;
    watch_catch_up(entry, log, now);
  }
  hold_retention(log);
  const core::Offset confirmed = transfer_.confirmed();
  settled_ = confirmed == core::kNoOffset ? log.end : confirmed;
}

}  // namespace ha::net
