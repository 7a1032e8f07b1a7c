// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/client_service.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/core/handshake.h"
#include "ha_plugin/net/io/io_thread.h"
#include "metrics/adopt_descriptor.h"
#include "metrics/names.h"

namespace ha::net {

using boost::asio::ip::tcp;
using core::Reason;
using core::State;
using core::Status;
using core::Time;

namespace {

// So many connections in a row that the master closed before its first byte look like a refusal.
constexpr int kRefusalHint = 3;

// So often a node of a set that is no master yet is asked again before another one is; by then it
// has had a second.
constexpr int kPatience = 5;

std::string errno_text(int error) { return std::generic_category().message(error); }

std::chrono::milliseconds ms(std::int64_t count) { return std::chrono::milliseconds(count); }

}  // namespace

ClientService::ClientService(boost::asio::io_context& context, Resolver& resolver, const Host& host,
                             const Settings& settings, metrics::HaMetrics& metrics,
                             std::unique_ptr<ClientWire> wire, std::unique_ptr<ClientWire> fallback,
                             std::function<void()> on_grown,
                             std::function<void(const Address&)> on_found)
    : context_(context),
      socket_(context),
      connector_(context, resolver),
      timer_(context),
      answer_timer_(context),
      host_(host),
      settings_(settings),
      metrics_(metrics),
      first_(std::move(wire)),
      fallback_(std::move(fallback)),
      wire_(first_.get()),
      on_grown_(std::move(on_grown)),
      on_found_(std::move(on_found)),
      whole_(host) {
  if (!settings.ack_durable) return;
  flusher_ = std::make_unique<LogFlusher>(
      context, host, [this](const LogFlusher::Request& request, const HostResult& result) {
        on_flushed(request, result);
      });
}

void ClientService::join() {
  if (flusher_) flusher_->stop();
  first_->join();
}

void ClientService::set_state(State state) {
  state_ = state;
  metrics_.client.state.set(static_cast<std::int64_t>(state));
  const bool shall_follow = !candidates_.empty() && state != State::kTransfer;
  if (shall_follow && metrics_.client.not_following_since_ns.value() == 0) {
    metrics_.client.not_following_since_ns.set(steady_now().count());
  }
}

// The last words before it follows again. What a master refused it for is kept while the others of
// a set, which cannot know better, say that they are no masters.
void ClientService::note(Reason reason, const std::string& text) {
  const bool no_master = reason == Reason::kNotServing || reason == Reason::kEpoch;
  const bool refused = !no_master && (core::is_refusal(reason) || core::is_final(reason) ||
                                      core::is_up_to_the_master(reason));
  if (!refused && !refused_by_.host.empty() && refused_by_.text() != master_.text()) return;
  refused_by_ = refused ? master_ : Address{};
  metrics_.client.refused.set(refused ? 1 : 0);
  metrics_.client.last_words.set(
      std::string(metrics::reason_name(static_cast<std::int32_t>(reason))) + ": " + text);
}

// A connection to an address of this machine comes from that same address.
bool ClientService::leads_back(const tcp::endpoint& local) const {
  boost::system::error_code error;
  const tcp::endpoint remote = socket_.remote_endpoint(error);
  if (error || remote.port() != own_.port || remote.address() != local.address()) return false;
  const auto own = boost::asio::ip::make_address(own_.host, error);
  if (error) return false;
  // 0.0.0.0 takes IPv4 only: on [::1] at the same port another node may listen.
  const bool any = own.is_unspecified() && (own.is_v6() || remote.address().is_v4());
  return any || own == remote.address();
}

void ClientService::follow(const Address& master) {
  stop(Reason::kRequested);
  gave_up_ = false;
  if (!master.host.empty()) candidates_.push_back(master);
  for (const ReplicaList::Node& node : settings_.replicas.without(settings_.replica_id)) {
    if (node.address.text() != master.text()) candidates_.push_back(node.address);
  }
  refused_by_ = {};
  metrics_.client.refused.set(0);
  metrics_.client.last_words.set("");
  tries_ = 0;
  waited_ = 0;
  if (candidates_.empty()) return;  // a set of one node: nobody can be its master
  backoff_.reset();
  refused_in_a_row_ = 0;
  set_state(State::kReady);
  connect();
}

void ClientService::follow_again() {
  if (candidates_.empty() || gave_up_) return;
  std::vector<Address> candidates = std::exchange(candidates_, {});
  stop(Reason::kRequested);
  candidates_ = std::move(candidates);
  connect();
}

void ClientService::stop(Reason reason) {
  if (follower_) {
    close(reason, "asked to stop following");
  }
  drop_link();
  master_ = {};
  candidates_.clear();
  metrics_.client.not_following_since_ns.set(0);
  set_state(State::kReady);
}

void ClientService::connect() {
  const std::uint64_t attempt = ++attempt_;
  master_ = candidates_[tries_ % candidates_.size()];
  timer_.expires_after(ms(settings_.connect_timeout_ms));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (error || attempt != attempt_) return;
    const std::string why = connector_.waiting_for();
    close(Reason::kConnectTimeout, "no connection within " +
                                       std::to_string(settings_.connect_timeout_ms) + " ms" +
                                       (why.empty() ? "" : ": " + why));
  });
  connector_.connect(master_, [this](tcp::socket socket, const std::string& failure) {
    if (!failure.empty()) return close(Reason::kNetwork, failure);
    socket_ = std::move(socket);
    on_connected();
  });
}

void ClientService::on_connected() {
  boost::system::error_code error;
  // Asio goes on watching a socket that it connected for room to write, and wakes for it after
  // every read. To adopt the descriptor again ends that.
  const tcp::endpoint local = socket_.local_endpoint(error);
  if (!error) {
    const int fd = socket_.release(error);
    socket_ = tcp::socket(context_);
    if (!error) adopt_descriptor(socket_, local.protocol(), fd, error);
  }
  if (error) return close(Reason::kNetwork, "cannot take up the connection: " + error.message());
  if (leads_back(local)) {
    return close(
        Reason::kLoop,
        "this node listens there itself, so it would follow itself (give the address of its "
        "master)");
  }
  metrics_.client.connects.add();
  boost::system::error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  const Time now = steady_now();
  follower_.emplace(now);
  body_left_ = 0;
  outgoing_left_ = 0;
  unreported_ = 0;
  durable_ = flushing_ = told_durable_ = core::kNoOffset;
  reporting_.reset();
  set_state(State::kHandshake);
  wire_ = first_.get();
  host_.info("connected to master " + master_.text());
  if (!begin_wire(now)) return;
  arm_timer();
  wait_for_answer();
  wait_readable();
}

// False = closed.
bool ClientService::begin_wire(Time now) {
  core::LogBounds log;
  if (!read_bounds(log)) return false;
  end_ = log.end;
  const std::span<const std::byte> greeting = wire_->open();
  tail_ = wire_->wants_tail_check() ? core::TailCheck(log, settings_.tail_check_bytes)
                                    : core::TailCheck();
  if (wire_->ready()) host_.info("asking the master for " + std::to_string(next().bytes()));
  return (greeting.empty() || send(greeting, now)) && report_if_due(now);
}

void ClientService::wait_for_answer() {
  if (!fallback_) return;
  const std::uint64_t attempt = attempt_;
  answer_timer_.expires_after(ms(settings_.wire_probe_ms));
  answer_timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (!error && attempt == attempt_ && !wire_->answered()) fall_back();
  });
}

void ClientService::fall_back() {
  host_.info("master " + master_.text() + " did not answer within " +
             std::to_string(settings_.wire_probe_ms) + " ms, so it is taken for a RocketMQ broker");
  wire_ = fallback_.get();
  if (begin_wire(steady_now())) arm_timer();
}

Time ClientService::heartbeat() const {
  return ms(wire_->is_native() ? settings_.native_heartbeat_ms : settings_.heartbeat_ms);
}

Time ClientService::housekeeping() const {
  return ms(wire_->is_native() ? settings_.native_housekeeping_ms : settings_.housekeeping_ms);
}

bool ClientService::read_bounds(core::LogBounds& out) {
  ha_bounds bounds{};
  const HostResult result = host_.bounds(bounds);
  if (!refuse(result)) return false;
  out = to_core(bounds);
  return true;
}

void ClientService::close(Reason reason, const std::string& text) {
  const bool was_connected = follower_.has_value();
  const bool got_nothing = was_connected && follower_->state() == State::kHandshake;
  drop_link();
  follower_.reset();
  whole_.drop();
  metrics_.client.last_reason.set(static_cast<std::int64_t>(reason));
  metrics_.client.closes[static_cast<std::size_t>(reason)].add();
  if (!was_connected) metrics_.client.connect_failures.add();
  if (reason == Reason::kOffsetMismatch) metrics_.client.mismatches.add();

  std::string line = "link to master " + master_.text() + " ended (" +
                     metrics::reason_name(static_cast<std::int32_t>(reason)) + "): " + text;
  refused_in_a_row_ = got_nothing && reason == Reason::kPeerClosed ? refused_in_a_row_ + 1 : 0;
  if (refused_in_a_row_ >= kRefusalHint) {
    line += "; it keeps closing before it sends anything: its log says why (this log ends at " +
            std::to_string(end_.bytes()) + ")";
  }
  if (reason == Reason::kRequested || reason == Reason::kShutdown ||
      reason == Reason::kRoleChanged) {
    host_.info(line);
    return;  // the caller decides what comes next
  }
  note(reason, line.substr(line.find("): ") + 3));
  if (core::is_final(reason))
    line += "; not trying again until the role or the master's address is set";
  host_.warn(line);
  schedule_retry(reason);
}

// Handlers of this attempt that are still to come see that they are late.
void ClientService::drop_link() {
  ++attempt_;
  timer_.cancel();
  answer_timer_.cancel();
  connector_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void ClientService::close_for_misuse(const std::string& text) {
  host_.log(HA_LOG_HOST_MISUSE, text);
  close(Reason::kHostMisuse, text);
}

void ClientService::schedule_retry(Reason reason) {
  gave_up_ = core::is_final(reason);
  if (gave_up_) return set_state(State::kSuspend);
  // The one that was named is about to become master, or says who it is not soon enough.
  const bool about_to_be = reason == Reason::kNotServing && tries_ == 0 && ++waited_ < kPatience;
  if (!about_to_be) ++tries_;
  // Where there are others to try, a node that is no master is no reason to wait long.
  const bool wrong_node = reason == Reason::kNotServing || reason == Reason::kEpoch;
  const bool patient = core::is_up_to_the_master(reason) && !(wrong_node && candidates_.size() > 1);
  set_state(patient ? State::kSuspend : State::kReady);
  const Time most = ms(settings_.reconnect_max_ms);
  const Time pause = patient ? most : backoff_.next(random_(), most);
  const std::uint64_t attempt = attempt_;
  timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(pause));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (!error && attempt == attempt_) connect();
  });
}

bool ClientService::report_if_due(Time now) {
  if (unreported_ > 0) {
    if (!go_on(wire_->grown(end_))) return false;
    on_grown_();
    unreported_ = 0;
  }
  if (!make_durable()) return false;
  // What the socket took in part must go out whole before the next.
  if (outgoing_left_ > 0 && !flush(now)) return false;
  if (outgoing_left_ > 0 || !may_report()) return true;
  const bool held_back = flusher_ && tail_.left() == 0;
  const core::Offset flushed = std::max(core::Offset(0), std::min(end_, durable_));
  const core::Offset position = wire_->position(held_back ? flushed : next());
  const bool more_durable = wire_->is_native() && durable_ > told_durable_;
  if (!more_durable && !follower_->report_due(now, position, heartbeat())) return true;
  reporting_ = position;
  told_durable_ = durable_;
  return send(wire_->report(position), now);
}

// On RocketMQ's wires the first report asks for the log's end, so it cannot claim less than that.
bool ClientService::may_report() const {
  const bool asks = !wire_->is_native() && follower_->reported() == core::kNoOffset;
  return wire_->ready() && !(flusher_ && asks && durable_ < end_);
}

// False = closed.
bool ClientService::make_durable() {
  // Not before: the wire's handshake may yet cut the log.
  if (!flusher_ || !wire_->ready() || flushing_ == end_) return true;
  try {
    flusher_->request({end_, attempt_});
  } catch (const std::system_error& e) {
    close(Reason::kHostError, e.what());
    return false;
  }
  flushing_ = end_;
  return true;
}

void ClientService::on_flushed(const LogFlusher::Request& request, const HostResult& result) {
  if (request.attempt != attempt_ || !follower_ || !refuse(result)) return;
  core::LogBounds log;
  if (!read_bounds(log)) return;
  if (log.durable < request.end) {
    return close_for_misuse("host hook 'flush' answered OK for all below " +
                            std::to_string(request.end.bytes()) +
                            ", but hook 'bounds' says that the log is durable up to " +
                            std::to_string(log.durable.bytes()) + " only");
  }
  // The host may have told of more meanwhile, and the master was told.
  durable_ = std::max(durable_, request.end);
  report_if_due(steady_now());
}

void ClientService::on_durable(core::Offset durable) {
  if (!follower_ || !wire_->is_native() || !wire_->ready() || durable <= durable_) return;
  durable_ = durable;
  report_if_due(steady_now());
}

bool ClientService::send(std::span<const std::byte> bytes, Time now) {
  // A handshake's words may come while the ones before are still on their way.
  outgoing_.erase(outgoing_.begin(), outgoing_.end() - static_cast<std::ptrdiff_t>(outgoing_left_));
  outgoing_.insert(outgoing_.end(), bytes.begin(), bytes.end());
  outgoing_left_ = outgoing_.size();
  return flush(now);
}

bool ClientService::flush(Time now) {
  const ssize_t n =
      ::send(socket_.native_handle(), outgoing_.data() + (outgoing_.size() - outgoing_left_),
             outgoing_left_, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) {
    close(Reason::kNetwork, "write: " + errno_text(errno));
    return false;
  }
  if (n > 0) outgoing_left_ -= static_cast<std::size_t>(n);
  if (outgoing_left_ > 0) {
    const std::uint64_t attempt = attempt_;
    socket_.async_wait(tcp::socket::wait_write,
                       [this, attempt](const boost::system::error_code& error) {
                         if (error || attempt != attempt_ || outgoing_left_ == 0) return;
                         report_if_due(steady_now());
                       });
    return true;
  }
  if (reporting_) {
    follower_->on_report_sent(now, *reporting_);
    metrics_.client.reports_sent.add();
    metrics_.client.last_write_ms.set(unix_now_ms());
  }
  return true;
}

void ClientService::arm_timer() {
  const std::uint64_t attempt = attempt_;
  const Time due =
      follower_->next_check(heartbeat(), housekeeping(), outgoing_left_ == 0 && may_report());
  timer_.expires_at(to_time_point(due));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (error || attempt != attempt_) return;
    const Time now = steady_now();
    if (follower_->silent(now, housekeeping())) {
      const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(housekeeping());
      return close(Reason::kHousekeeping,
                   "nothing from the master for " + std::to_string(pause.count()) + " ms");
    }
    if (report_if_due(now)) arm_timer();
  });
}

void ClientService::tick(double seconds) {
  const std::uint64_t bytes = metrics_.client.bytes_received.value();
  metrics_.client.bytes_per_s.set(
      static_cast<std::int64_t>(static_cast<double>(bytes - bytes_at_tick_) / seconds));
  bytes_at_tick_ = bytes;
  // Not at once: a link that comes and goes with every try does not follow.
  const std::uint64_t following = state_ == State::kTransfer ? attempt_ : 0;
  if (following != 0 && following == followed_at_tick_) {
    metrics_.client.not_following_since_ns.set(0);
    metrics_.client.refused.set(0);
    refused_by_ = {};
  }
  followed_at_tick_ = following;
  if (!follower_) return;
  if (outgoing_left_ == 0) {
    if (const auto beside = wire_->beside_the_log(); !beside.empty()) {
      reporting_.reset();
      if (!send(beside, steady_now())) return;
    }
  }
  arm_timer();  // heartbeat_ms or housekeeping_ms may have changed
}

}  // namespace ha::net
