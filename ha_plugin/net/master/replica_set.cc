// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/replica_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "ha_plugin/base/clock.h"
#include "metrics/names.h"

namespace ha::net {

using core::Reason;
using core::Time;

namespace {

// When hundreds of replicas join at once, each is worth a line. One that joins and leaves all day
// is bounded all the same.
constexpr std::int64_t kReplicaBurst = 300;

// After this many sends, some 30 us, it looks at what came in.
constexpr std::size_t kSendsAtOnce = 4;

std::string name_of(Reason reason) {
  return metrics::reason_name(static_cast<std::int32_t>(reason));
}

bool is_loopback(const std::string& ip) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(ip, error);
  return !error && address.is_loopback();
}

}  // namespace

ReplicaSet::ReplicaSet(boost::asio::io_context& context, const MasterParts& parts,
                       std::function<void(const Todo&)> act)
    : context_(context),
      parts_(parts),
      act_(std::move(act)),
      voting_(parts),
      side_(parts),
      hold_(parts),
      watch_(parts) {}

void ReplicaSet::add(boost::asio::ip::tcp::socket socket, const Address& remote) {
  const HaConnection::Id id = next_id_++;
  auto connection =
      std::make_shared<HaConnection>(std::move(socket), id, remote, parts_.host, parts_.settings,
                                     parts_.tls, static_cast<ConnectionEvents&>(*this));
  connections_[id].connection = connection;
  connections_[id].origin = origin_of(remote.host);
  parts_.metrics.connections.set(static_cast<std::int64_t>(connections_.size()));
  connection->start();
}

core::Refusal ReplicaSet::make_room(const Address& remote) {
  const Settings& settings = parts_.settings;
  const std::string origin = origin_of(remote.host);
  const auto of_one = std::count_if(connections_.begin(), connections_.end(),
                                    [&](const auto& each) { return each.second.origin == origin; });
  if (settings.connections_per_address > 0 && of_one >= settings.connections_per_address) {
    return {Reason::kConnectionLimit,
            fmt::format("option 'connections_per_address': {} of {} are open", of_one, origin)};
  }
  if (connections_.size() < static_cast<std::size_t>(settings.max_connections)) return {};
  const std::string full =
      fmt::format("option 'max_connections': {} are open", connections_.size());
  // Connections are numbered as they come.
  const auto oldest = std::find_if(connections_.begin(), connections_.end(),
                                   [](const auto& each) { return each.second.replica_id.empty(); });
  if (oldest == connections_.end()) return {Reason::kConnectionLimit, full};
  const std::shared_ptr<HaConnection> connection = oldest->second.connection;
  connection->close(Reason::kConnectionLimit,
                    full + ", another one came, and this one had not said who it is");
  return {};
}

// What follows is done here and now, before the caller's answer leaves: a promise that went out
// while this node still completes waits of the epoch before could lose what they acknowledge.
void ReplicaSet::do_now(const Todo& todo) const {
  if (todo.any()) act_(todo);
}

MasterView ReplicaSet::view_of(const Entry& entry, const core::LogBounds& log) const {
  return {log,
          parts_.terms.own_epoch(),
          parts_.terms.own_epoch_start(),
          side_.confirmed(entry.sent),
          watch_.growth().last(),
          entry.connection->catching_up(log) ? watch_.catch_up_rate(entry.member.in()) : 0};
}

MasterView ReplicaSet::view(const HaConnection& connection) {
  return view_of(connections_.at(connection.id()), parts_.bounds.read());
}

core::Refusal ReplicaSet::may_work(const HaConnection& connection) {
  const std::string& origin = connections_.at(connection.id()).origin;
  if (work_.take(origin, steady_now())) return {};
  return {Reason::kConnectionLimit,
          fmt::format("{} asks more than {} times a second", origin, WorkLimit::kPerSecond)};
}

wire::native::Bytes ReplicaSet::greeting(const HaConnection& connection) {
  wire::native::Bytes message = wire::native::encode_greeting(voting_.greeting());
  const wire::native::Bytes after = side_.after_greeting(connections_.at(connection.id()).sent);
  message.insert(message.end(), after.begin(), after.end());
  return message;
}

// Whoever is in the cluster may say a name; it must be the one that it proved.
core::Refusal ReplicaSet::check_identity(const HaConnection& connection,
                                         const std::string& claimed) const {
  if (connection.tls() == nullptr) {
    std::string wrong = parts_.tls.refuse_plain(claimed);
    return wrong.empty() ? core::Refusal{} : core::Refusal{Reason::kTls, std::move(wrong)};
  }
  std::string wrong = core::check_claim(connection.tls()->proved(), claimed);
  return wrong.empty() ? core::Refusal{} : core::Refusal{Reason::kIdentity, std::move(wrong)};
}

void ReplicaSet::check_tls_again() {
  std::vector<std::pair<std::shared_ptr<HaConnection>, std::string>> distrusted;
  for (const auto& [id, entry] : connections_) {
    std::string wrong = parts_.tls.check_again(entry.connection->tls(), entry.connection->name());
    if (!wrong.empty()) distrusted.emplace_back(entry.connection, std::move(wrong));
  }
  for (const auto& [connection, wrong] : distrusted) connection->close(Reason::kTls, wrong);
}

core::Answer ReplicaSet::on_hello(HaConnection& connection, const core::Hello& hello) {
  if (core::Refusal wrong = check_identity(connection, hello.replica); !wrong.ok()) {
    core::Answer answer;
    answer.reason = wrong.reason == Reason::kTls ? Reason::kIdentity : wrong.reason;
    answer.text = std::move(wrong.text);
    return answer;
  }
  if (core::Refusal busy = may_work(connection); !busy.ok()) {
    core::Answer answer;
    answer.reason = busy.reason;
    answer.text = std::move(busy.text);
    return answer;
  }
  Todo todo;
  core::Answer answer = voting_.judge_hello(hello, todo);
  do_now(todo);
  if (answer.decision != core::Decision::kRefuse && !hello.replica.empty()) {
    replace_older(connection, hello, answer);
    connections_.at(connection.id()).set_version = core::version_of(hello.set);
  }
  return answer;
}

// One vote for one name: a newer connection takes the place of an older one, which may be half
// open, but not that of a process that was started later.
void ReplicaSet::replace_older(HaConnection& connection, const core::Hello& hello,
                               core::Answer& answer) {
  std::vector<std::shared_ptr<HaConnection>> older;
  for (auto& [id, entry] : connections_) {
    if (id == connection.id() || entry.replica_id != hello.replica) continue;
    if (entry.connection->incarnation() > hello.incarnation) {
      answer.decision = core::Decision::kRefuse;
      answer.reason = Reason::kReplaced;
      answer.text = fmt::format("a process that was started later, at {}, has the replica id '{}'",
                                entry.connection->remote().text(), hello.replica);
      return;
    }
    older.push_back(entry.connection);
  }
  for (auto& other : older) {
    other->close(Reason::kReplaced, fmt::format("'{}' connected again, from {}", hello.replica,
                                                connection.remote().text()));
  }
}

void ReplicaSet::close_strangers() {
  const std::vector<std::string> ids = parts_.settings.members().ids();
  std::vector<std::shared_ptr<HaConnection>> strangers;
  for (const auto& [id, entry] : connections_) {
    if (entry.replica_id.empty() || std::ranges::find(ids, entry.replica_id) != ids.end()) continue;
    strangers.push_back(entry.connection);
  }
  for (const auto& connection : strangers) {
    connection->close(Reason::kUnknownReplica, "the set does not have this node any more");
  }
}

std::vector<core::MemberChange::Follower> ReplicaSet::heard_since(Time then) const {
  std::vector<core::MemberChange::Follower> heard;
  for (const auto& [id, entry] : connections_) {
    const core::ReplicaSession& session = entry.connection->session();
    if (entry.replica_id.empty() || !session.reported() || session.last_read() < then) continue;
    heard.push_back({entry.replica_id, entry.set_version, session.ack()});
  }
  return heard;
}

Time ReplicaSet::round_trip() const {
  Time longest{};
  const core::Members set = parts_.settings.members();
  for (const auto& [id, entry] : connections_) {
    if (set.counts(entry.replica_id)) longest = std::max(longest, entry.connection->round_trip());
  }
  return longest;
}

wire::native::Bytes ReplicaSet::after_answer(const HaConnection& connection) {
  return side_.after_answer(connections_.at(connection.id()).sent);
}

core::Promise ReplicaSet::on_prepare(const HaConnection& connection, const core::Prepare& prepare) {
  if (core::Refusal wrong = check_identity(connection, prepare.candidate); !wrong.ok()) {
    core::Promise answer;
    answer.reason = wrong.reason;
    answer.id = parts_.settings.replica_id;
    answer.text = std::move(wrong.text);
    return answer;
  }
  Todo todo;
  core::Promise answer = voting_.judge_prepare(prepare, todo);
  do_now(todo);
  return answer;
}

// The lowest free number: a slave that comes back takes up its old name, and names stay few.
std::string ReplicaSet::identity_of(const HaConnection& connection) {
  if (!connection.name().empty()) return connection.name();
  // A RocketMQ slave behind a TLS proxy of its own has a name all the same.
  if (connection.tls() != nullptr) return connection.tls()->proved().ids.front();
  const std::string& ip = connection.remote().host;
  const ReplicaIdentity option = parts_.settings.rocketmq_replica_identity;
  if (option == ReplicaIdentity::kAddress ||
      (option == ReplicaIdentity::kAuto && !is_loopback(ip))) {
    return ip;
  }
  for (int n = 1;; ++n) {
    std::string id = fmt::format("{}#{}", ip, n);
    if (slots_.insert(id).second) return id;
  }
}

std::shared_ptr<metrics::ReplicaMetrics> ReplicaSet::on_joined(HaConnection& connection) {
  TransferService& transfer = parts_.transfer;
  const core::ReplicaSession& session = connection.session();
  const Time now = steady_now();
  Entry& entry = connections_.at(connection.id());
  entry.replica_id = identity_of(connection);
  auto replica = parts_.metrics.replica(entry.replica_id);
  replica->set_address(connection.remote().text());
  replica->connections.add(1);
  replica->connects.add();
  replica->encrypted.set(connection.tls() != nullptr ? 1 : 0);
  replica->connected_at_ns.set(now.count());
  replica->catch_up_stalled.set(0);
  replica->disconnected_at_ns.set(0);
  replica->state.set(static_cast<std::int64_t>(session.state()));
  watch_.begin(entry, *replica, now);
  transfer.join(connection.id(), entry.replica_id, session.ack(), session.durable(),
                entry.member.in());
  parts_.log.log(
      HA_LOG_INFO, "replicas that joined",
      fmt::format("replica {} joined from {} ({}), and is served from {}", entry.replica_id,
                  connection.remote().text(), connection.wire().name(), session.start().bytes()),
      kReplicaBurst);
  if (transfer.tracker().replicas() == 1 && transfer.policy().in_sync_replicas == 1) {
    parts_.log.log(
        HA_LOG_WARN, "times that a slave is attached and waits with default acks wait for nobody",
        "option 'in_sync_replicas' is 1: a slave is attached, but waits with default acks wait for "
        "nobody (set 2 to wait for one slave)");
  }
  report_replica_event(HA_REPLICA_JOINED, Reason::kNone, connection.remote(), &connection,
                       entry.replica_id);
  return replica;
}

MasterView ReplicaSet::on_ack(HaConnection& connection) {
  const Time now = steady_now();
  const core::LogBounds log = parts_.bounds.read();
  parts_.transfer.ack(connection.id(), connection.session().ack(), connection.session().durable());
  Todo todo;
  todo.confirm = parts_.transfer.turn(now, log.end, log.durable);
  do_now(todo);
  parts_.transfer.run_callbacks(now);
  Entry& entry = connections_.at(connection.id());
  look(entry, log, now);
  if (connection.wire().carries_messages()) {
    const std::shared_ptr<HaConnection> keep = entry.connection;
    side_.send_degraded(connection, entry.sent);
    if (!connection.open()) return {};
  }
  return view_of(entry, log);
}

// Kept until the tick: a peer that sends it all the time must not keep this thread busy.
void ReplicaSet::on_pending(HaConnection& connection, std::span<const std::byte> pending) {
  connections_.at(connection.id()).pending.assign(pending.begin(), pending.end());
}

void ReplicaSet::on_caught_up(HaConnection& connection) {
  report_replica_event(HA_REPLICA_CAUGHT_UP, Reason::kNone, connection.remote(), &connection,
                       connections_.at(connection.id()).replica_id);
}

void ReplicaSet::on_closed(HaConnection& connection, Reason reason, const std::string& text) {
  const auto found = connections_.find(connection.id());
  if (found == connections_.end()) return;
  const std::shared_ptr<HaConnection> keep = found->second.connection;
  const std::string replica_id = found->second.replica_id;
  connections_.erase(found);
  parts_.metrics.connections.set(static_cast<std::int64_t>(connections_.size()));
  if (connection.candidate()) return;  // it has its answer
  const std::string remote = connection.remote().text();
  const std::string why = fmt::format(" ({})", name_of(reason));
  if (replica_id.empty()) {
    parts_.metrics.rejected[static_cast<std::size_t>(reason)].add();
    parts_.log.log(
        HA_LOG_WARN, "connections closed before they counted" + why,
        fmt::format("connection from {} closed before it counted{}: {}", remote, why, text));
    report_replica_event(HA_REPLICA_REFUSED, reason, connection.remote(), &connection);
    return;
  }
  slots_.erase(replica_id);
  parts_.transfer.leave(connection.id());
  count_closed(*connection.metrics(), reason);
  parts_.log.log(HA_LOG_INFO, "replicas that left" + why,
                 fmt::format("replica {} left{}: {}", replica_id, why, text), kReplicaBurst);
  report_replica_event(HA_REPLICA_LEFT, reason, connection.remote(), &connection, replica_id);
}

void ReplicaSet::count_closed(metrics::ReplicaMetrics& replica, Reason reason) {
  replica.connections.add(-1);
  replica.closes[static_cast<std::size_t>(reason)].add();
  replica.last_close_reason.set(static_cast<std::int64_t>(reason));
  if (replica.connections.value() != 0) return;
  replica.state.set(static_cast<std::int64_t>(core::State::kShutdown));
  replica.in_sync.set(0);
  replica.bytes_per_s.set(0);
  replica.disconnected_at_ns.set(steady_now().count());
}

void ReplicaSet::report_replica_event(std::int32_t event, Reason reason, const Address& remote,
                                      const HaConnection* connection,
                                      const std::string& replica_id) const {
  const bool open = connection != nullptr && connection->open();
  const core::Offset ack = connection == nullptr ? core::kNoOffset : connection->session().ack();
  const std::string address = remote.text();
  ha_replica_event report{};
  report.struct_size = sizeof(report);
  report.event = event;
  report.state =
      static_cast<std::int32_t>(open ? connection->session().state() : core::State::kShutdown);
  report.reason = static_cast<std::int32_t>(reason);
  report.ack_offset = ack.bytes();
  report.id = replica_id.c_str();
  report.address = address.c_str();
  parts_.host.replica_changed(report);
}

void ReplicaSet::warn_of_lacking() {
  const core::Offset end = parts_.bounds.read().end;
  std::string who;
  for (const auto& [id, entry] : connections_) {
    const std::int64_t lacks = end - entry.connection->session().ack();
    if (entry.replica_id.empty() || lacks <= 0) continue;
    who += fmt::format("{}{} ({} bytes)", who.empty() ? "" : ", ", entry.replica_id, lacks);
  }
  if (who.empty()) return;
  parts_.host.warn(
      fmt::format("this node stops at {}, and the newest bytes of its log are not yet with {}",
                  end.bytes(), who));
}

void ReplicaSet::close_some(Reason reason, bool joined_only) {
  std::vector<std::shared_ptr<HaConnection>> all;
  for (auto& [id, entry] : connections_) {
    if (!joined_only || !entry.replica_id.empty()) all.push_back(entry.connection);
  }
  for (auto& connection : all) connection->close(reason, "this node closes all connections");
}

void ReplicaSet::set_serving(bool serving) {
  serving_ = serving;
  if (serving) hold_.update(parts_.bounds.read(), serving_, watch_.growth().smoothed());
}

void ReplicaSet::pump(Time now, const core::LogBounds& log) {
  watch_.record(log.end, now);
  if (std::exchange(pumped_, log.end) == log.end) return;
  for (Round& round : rounds_) round.left = connections_.size();
  pump_some(now, log);
}

void ReplicaSet::pump_some(Time now, const core::LogBounds& log) {
  const std::size_t most = connections_.size() <= kSendsAtOnce ? SIZE_MAX : kSendsAtOnce;
  std::size_t sent = 0;
  for (Round& round : rounds_) {  // live traffic first
    // A connection that closes takes itself off the map.
    for (; round.left > 0 && !connections_.empty() && sent < most; --round.left) {
      auto at = connections_.upper_bound(round.last);
      if (at == connections_.end()) at = connections_.begin();
      round.last = at->first;
      const std::shared_ptr<HaConnection> connection = at->second.connection;
      if (connection->catching_up(log) != round.catching_up) continue;
      if (connection->pump(now, view_of(at->second, log))) ++sent;
    }
  }
  if (sent < most || std::exchange(pump_posted_, true)) return;
  boost::asio::post(context_, [this] {
    pump_posted_ = false;
    pump_some(steady_now(), parts_.bounds.read());
  });
}

void ReplicaSet::confirm_rose() {
  for (auto& [id, entry] : connections_) {
    entry.connection->confirm_rose(view_of(entry, parts_.bounds.last()));
  }
}

void ReplicaSet::set_upstream(const core::Upstream& upstream) {
  if (side_.set_upstream(upstream)) send_beside_the_log();
}

void ReplicaSet::send_beside_the_log() {
  for (auto& [id, entry] : connections_) {
    if (entry.pending.empty()) continue;
    side_.merge(entry.replica_id, std::exchange(entry.pending, {}));
  }
  side_.read_metadata();
  // A connection that closes takes itself off the map.
  for (auto at = connections_.begin(); at != connections_.end();) {
    Entry& entry = (at++)->second;
    const std::shared_ptr<HaConnection> connection = entry.connection;
    if (entry.replica_id.empty() || !connection->wire().carries_messages()) continue;
    side_.send(*connection, entry.sent);
  }
}

void ReplicaSet::look(Entry& entry, const core::LogBounds& log, Time now) {
  if (watch_.judge(entry, log, now)) {
    const core::InSyncMember& member = entry.member;
    report_replica_event(member.in() ? HA_REPLICA_IN_SYNC : HA_REPLICA_OUT_OF_SYNC,
                         member.in() ? Reason::kNone : member.left_for(),
                         entry.connection->remote(), entry.connection.get(), entry.replica_id);
  }
  watch_.update_gauges(entry, log);
}

void ReplicaSet::tick(Time now, const core::LogBounds& log, double seconds) {
  parts_.log.turn(now);
  watch_.measure_growth(log.end, seconds);
  pump_all_next();
  pump(now, log);
  send_beside_the_log();
  std::int64_t plain = 0;
  std::int64_t catch_up_limit = 0;
  for (auto& [id, entry] : connections_) {
    if (entry.connection->tls() == nullptr) ++plain;
    if (entry.replica_id.empty()) continue;
    catch_up_limit = std::max(catch_up_limit, view_of(entry, log).catch_up);
    look(entry, log, now);
    watch_.measure(entry, log, now, seconds);
  }
  parts_.metrics.tls.plain_connections.set(plain);
  parts_.metrics.catch_up_limit.set(catch_up_limit);
  hold_.update(log, serving_, watch_.growth().smoothed());
  watch_.end_tick(log.end);
}

}  // namespace ha::net
