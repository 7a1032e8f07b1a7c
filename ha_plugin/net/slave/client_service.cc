// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/client_service.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/io/io_thread.h"
#include "metrics/adopt_descriptor.h"
#include "metrics/names.h"

namespace ha::net {

using boost::asio::ip::tcp;
using core::Reason;
using core::State;
using core::Time;

namespace {

// A turn reads at most this much before other work has its turn.
constexpr std::int64_t kMostPerTurn = std::int64_t{4} << 20;

// While a burst goes on the master hears of it this often.
constexpr std::int64_t kReportEvery = 256 * 1024;

std::chrono::milliseconds ms(std::int64_t count) { return std::chrono::milliseconds(count); }

}  // namespace

ClientService::ClientService(boost::asio::io_context& context, Resolver& resolver, const Host& host,
                             const Settings& settings, metrics::HaMetrics& metrics, TlsPolicy& tls,
                             ClientWires wires, Events events)
    : context_(context),
      channel_(tcp::socket(context)),
      connector_(context, resolver),
      timer_(context),
      answer_timer_(context),
      host_(host),
      settings_(settings),
      metrics_(metrics.client),
      tls_(tls),
      wires_(std::move(wires)),
      wire_(wires_.first.get()),
      events_(std::move(events)),
      receiver_(host, metrics.client) {
  if (!settings.ack_durable) return;
  flusher_ = std::make_unique<LogFlusher>(
      context, host, [this](const LogFlusher::Request& request, HostResult result) {
        if (request.attempt == attempt_ && follower_) {
          close_if(on_flushed(request, std::move(result)));
        }
      });
}

void ClientService::join() {
  if (flusher_) flusher_->stop();
  wires_.first->join();
}

void ClientService::set_state(State state) {
  state_ = state;
  metrics_.state.set(static_cast<std::int64_t>(state));
  const bool shall_follow = !search_.empty() && state != State::kTransfer;
  if (shall_follow && metrics_.not_following_since_ns.value() == 0) {
    metrics_.not_following_since_ns.set(steady_now().count());
  }
}

// The last words before it follows again.
void ClientService::note(Reason reason, const std::string& text) {
  if (!search_.says_more(reason)) return;
  metrics_.refused.set(search_.refused() ? 1 : 0);
  metrics_.last_words.set(
      fmt::format("{}: {}", metrics::reason_name(static_cast<std::int32_t>(reason)), text));
}

// A connection to an address of this machine comes from that same address.
bool ClientService::leads_back(const tcp::endpoint& local) const {
  boost::system::error_code error;
  const tcp::endpoint remote = channel_.socket().remote_endpoint(error);
  if (error || remote.port() != own_.port || remote.address() != local.address()) return false;
  const auto own = boost::asio::ip::make_address(own_.host, error);
  if (error) return false;
  // 0.0.0.0 takes IPv4 only: on [::1] at the same port another node may listen.
  const bool any = own.is_unspecified() && (own.is_v6() || remote.address().is_v4());
  return any || own == remote.address();
}

std::vector<Address> ClientService::candidates(const Address& first) const {
  std::vector<Address> all;
  if (!first.host.empty()) all.push_back(first);
  for (const ReplicaList::Node& node : settings_.replicas.without(settings_.replica_id)) {
    if (node.address.text() != first.text()) all.push_back(node.address);
  }
  return all;
}

void ClientService::on_new_nodes() { search_.change(candidates(master_)); }

void ClientService::follow(const Address& master) {
  stop(Reason::kRequested);
  search_.begin(candidates(master));
  metrics_.refused.set(0);
  metrics_.last_words.set("");
  if (search_.empty()) return;  // a set of one node: nobody can be its master
  set_state(State::kReady);
  connect();
}

void ClientService::follow_again() {
  if (search_.empty() || search_.gave_up()) return;
  leave(Reason::kRequested);
  set_state(State::kReady);
  connect();
}

void ClientService::stop(Reason reason) {
  leave(reason);
  search_.clear();
  metrics_.not_following_since_ns.set(0);
  set_state(State::kReady);
}

void ClientService::leave(Reason reason) {
  if (follower_) close(reason, "asked to stop following");
  drop_link();
  master_ = {};
}

void ClientService::connect() {
  const std::uint64_t attempt = ++attempt_;
  master_ = search_.next();
  timer_.expires_after(ms(settings_.connect_timeout_ms));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (error || attempt != attempt_) return;
    const std::string why = connector_.waiting_for();
    close(Reason::kConnectTimeout,
          fmt::format("no connection within {} ms{}{}", settings_.connect_timeout_ms,
                      why.empty() ? "" : ": ", why));
  });
  connector_.connect(master_, [this](tcp::socket socket, const std::string& failure) {
    if (!failure.empty()) return close(Reason::kNetwork, failure);
    channel_.reset(std::move(socket));
    on_connected();
  });
}

void ClientService::on_connected() {
  boost::system::error_code error;
  // Asio goes on watching a socket that it connected for room to write, and wakes for it after
  // every read. To adopt the descriptor again ends that.
  const tcp::endpoint local = channel_.socket().local_endpoint(error);
  if (!error) {
    const int fd = channel_.socket().release(error);
    channel_.reset(tcp::socket(context_));
    if (!error) adopt_descriptor(channel_.socket(), local.protocol(), fd, error);
  }
  if (error) return close(Reason::kNetwork, "cannot take up the connection: " + error.message());
  if (leads_back(local)) {
    return close(
        Reason::kLoop,
        "this node listens there itself, so it would follow itself (give the address of its "
        "master)");
  }
  metrics_.connects.add();
  const Time now = steady_now();
  follower_.emplace(now);
  outbox_.clear();
  durable_ = reported_durable_ = core::kNoOffset;
  reporting_.reset();
  set_state(State::kHandshake);
  wire_ = wires_.first.get();
  wire_->dialled(master_);
  host_.info("connected to master " + master_.text());
  tls_.dial(channel_, settings_.replicas.id_at(master_), master_,
            [this](const core::ProvedNames& names) { wires_.first->on_proved(names); });
  if (const Refusal refusal = begin_wire(now); !refusal.ok()) return close_if(refusal);
  arm_timer();
  wait_for_answer();
  wait_readable();
}

Refusal ClientService::begin_wire(Time now) {
  const auto greeting = receiver_.begin(*wire_, settings_.tail_check_bytes);
  if (!greeting) return greeting.error();
  if (wire_->ready()) {
    host_.info(fmt::format("asking the master for {}", receiver_.next().bytes()));
  }
  if (!greeting->empty()) {
    if (Refusal refusal = send(*greeting, now); !refusal.ok()) return refusal;
  }
  return report_if_due(now);
}

void ClientService::wait_for_answer() {
  if (!wires_.fallback) return;
  const std::uint64_t attempt = attempt_;
  answer_timer_.expires_after(ms(settings_.wire_probe_ms));
  answer_timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (!error && attempt == attempt_ && !wire_->answered()) fall_back();
  });
}

void ClientService::fall_back() {
  host_.info(
      fmt::format("master {} did not answer within {} ms, so it is taken for a RocketMQ broker",
                  master_.text(), settings_.wire_probe_ms));
  wire_ = wires_.fallback.get();
  if (const Refusal refusal = begin_wire(steady_now()); !refusal.ok()) return close_if(refusal);
  arm_timer();
}

void ClientService::close(Reason reason, const std::string& text) {
  const bool was_connected = follower_.has_value();
  std::string words = text;
  if ((reason == Reason::kPeerClosed || reason == Reason::kNetwork) &&
      tls_.on_closed_by_peer(channel_, master_)) {
    words += ", as a node does that does not speak TLS (option 'tls' there)";
  }
  const bool got_nothing = was_connected && follower_->state() == State::kHandshake;
  if (receiver_.untold() > 0) search_.on_progress();
  drop_link();
  follower_.reset();
  receiver_.end();
  metrics_.last_reason.set(static_cast<std::int64_t>(reason));
  metrics_.closes[static_cast<std::size_t>(reason)].add();
  if (!was_connected) metrics_.connect_failures.add();
  if (reason == Reason::kOffsetMismatch) metrics_.mismatches.add();

  if (search_.looks_refused(got_nothing && reason == Reason::kPeerClosed)) {
    words += fmt::format(
        "; it keeps closing before it sends anything: its log says why (this log ends at {})",
        receiver_.log_end().bytes());
  }
  const std::string line =
      fmt::format("link to master {} ended ({}): {}", master_.text(),
                  metrics::reason_name(static_cast<std::int32_t>(reason)), words);
  if (reason == Reason::kRequested || reason == Reason::kShutdown ||
      reason == Reason::kRoleChanged) {
    host_.info(line);
    return;  // the caller decides what comes next
  }
  note(reason, words);
  host_.warn(core::is_final(reason)
                 ? line + "; not trying again until the role or the master's address is set"
                 : line);
  schedule_retry(reason, was_connected);
}

// Handlers of this attempt that are still to come see that they are late.
void ClientService::drop_link() {
  ++attempt_;
  metrics_.heard_ns.set(0);
  timer_.cancel();
  answer_timer_.cancel();
  connector_.cancel();
  channel_.close();
}

void ClientService::schedule_retry(Reason reason, bool answered) {
  const MasterSearch::Retry retry =
      search_.on_end(reason, ms(settings_.reconnect_max_ms), answered);
  set_state(retry.give_up || retry.patient ? State::kSuspend : State::kReady);
  if (retry.give_up) return;
  const std::uint64_t attempt = attempt_;
  timer_.expires_after(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(retry.pause));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (!error && attempt == attempt_) connect();
  });
}

void ClientService::wait_readable() {
  const std::uint64_t attempt = attempt_;
  if (channel_.holds_input()) {  // decrypted already, or about to be: the socket says nothing of it
    return boost::asio::post(context_, [this, attempt] {
      if (attempt == attempt_) on_readable();
    });
  }
  channel_.socket().async_wait(tcp::socket::wait_read,
                               [this, attempt](const boost::system::error_code& error) {
                                 if (attempt != attempt_) return;
                                 if (error) return close(Reason::kNetwork, error.message());
                                 on_readable();
                               });
}

void ClientService::on_readable() {
  metrics_.last_read_ms.set(unix_now_ms());
  const Time now = steady_now();
  if (const Refusal refusal = receive(now); !refusal.ok()) return close_if(refusal);
  if (state_ == State::kTransfer) metrics_.heard_ns.set(follower_->last_read().count());
  if (receiver_.in_body()) IoThread::gather();
  wait_readable();
}

Refusal ClientService::receive(Time now) {
  std::int64_t taken = 0;
  while (taken < kMostPerTurn) {
    const auto received = receiver_.receive(channel_);
    if (!received) return received.error();
    if (Refusal refusal = take(received->rest, now); !refusal.ok()) return refusal;
    if (received->bytes > 0) follower_->on_bytes(now, received->bytes, !receiver_.in_body());
    if (received->drained) break;
    taken += received->bytes;
    if (receiver_.untold() >= kReportEvery) {
      if (Refusal refusal = report_if_due(now); !refusal.ok()) return refusal;
    }
  }
  return report_if_due(now);
}

void ClientService::check_tls_again() {
  if (!follower_) return;
  const std::string wrong = tls_.check_again(channel_.tls(), "");
  if (!wrong.empty()) close(Reason::kTls, wrong);
}

Refusal ClientService::take(std::span<const std::byte> bytes, Time now) {
  while (!bytes.empty()) {
    const auto event = receiver_.take(bytes);
    if (!event) return event.error();
    if (const auto reply = wire_->reply(); !reply.empty()) {
      if (Refusal refusal = send(reply, now); !refusal.ok()) return refusal;
    }
    switch (*event) {
      case FrameReceiver::Event::kNothing:
        break;
      case FrameReceiver::Event::kReady:
        on_ready();
        break;
      case FrameReceiver::Event::kHeartbeat:
        // A frame's header alone is not progress: a host that cannot store the body would be tried
        // without a pause.
        search_.on_progress();
        [[fallthrough]];
      case FrameReceiver::Event::kFrame:
        follower_->on_frame();
        if (state_ != State::kTransfer) set_state(State::kTransfer);
        break;
    }
  }
  return {};
}

void ClientService::on_ready() {
  events_.on_found(master_);
  host_.info(fmt::format("master {} answered; asking for {}", master_.text(),
                         wire_->position(receiver_.log_end()).bytes()));
  follower_->on_frame();
  set_state(State::kTransfer);
  arm_timer();
}

Refusal ClientService::report_if_due(Time now) {
  if (receiver_.untold() > 0) {
    search_.on_progress();
    if (Refusal refusal = receiver_.tell_wire(); !refusal.ok()) return refusal;
    events_.on_grown();
  }
  if (Refusal refusal = make_durable(); !refusal.ok()) return refusal;
  // What the socket took in part must go out whole before the next.
  if (!outbox_.empty() || channel_.holds_output()) {
    if (Refusal refusal = flush(now); !refusal.ok()) return refusal;
  }
  if (!outbox_.empty() || !may_report()) return {};
  const bool held_back = flusher_ && !receiver_.comparing();
  const core::Offset flushed = std::max(core::Offset(0), std::min(receiver_.log_end(), durable_));
  const core::Offset position = wire_->position(held_back ? flushed : receiver_.next());
  const bool more_durable = wire_->is_native() && durable_ > reported_durable_;
  if (!more_durable && !follower_->report_due(now, position, timing().heartbeat)) return {};
  reporting_ = position;
  reported_durable_ = durable_;
  return send(wire_->report(position), now);
}

// On RocketMQ's wires the first report asks for the log's end, so it cannot claim less than that.
bool ClientService::may_report() const {
  const bool asks = !wire_->is_native() && follower_->reported() == core::kNoOffset;
  return wire_->ready() && !(flusher_ && asks && durable_ < receiver_.log_end());
}

Refusal ClientService::make_durable() {
  // Not before: the wire's handshake may yet cut the log.
  if (!flusher_ || !wire_->ready()) return {};
  try {
    flusher_->request({receiver_.log_end(), attempt_});
  } catch (const std::system_error& e) {
    return {Reason::kHostError, e.what()};
  }
  return {};
}

Refusal ClientService::on_flushed(const LogFlusher::Request& request, HostResult result) {
  if (!result.ok()) return store_refusal(std::move(result));
  ha_bounds log{};
  if (HostResult r = host_.bounds(log); !r.ok()) return store_refusal(std::move(r));
  if (core::Offset(log.durable) < request.end) {
    return misuse_refusal(
        host_, fmt::format("host hook 'flush' answered OK for all below {}, but hook 'bounds' says "
                           "that the log is durable up to {} only",
                           request.end.bytes(), log.durable));
  }
  // The host may have told of more meanwhile, and the master was told.
  durable_ = std::max(durable_, request.end);
  return report_if_due(steady_now());
}

void ClientService::on_durable(core::Offset durable) {
  if (!follower_ || !wire_->is_native() || !wire_->ready() || durable <= durable_) return;
  durable_ = durable;
  close_if(report_if_due(steady_now()));
}

// A handshake's words may come while the ones before are still on their way.
Refusal ClientService::send(std::span<const std::byte> bytes, Time now) {
  outbox_.put(bytes);
  return flush(now);
}

Refusal ClientService::flush(Time now) {
  if (const int error = outbox_.flush(channel_); error != 0) return channel_.why(error, "write");
  if (!outbox_.empty() || channel_.holds_output()) {
    const std::uint64_t attempt = attempt_;
    channel_.socket().async_wait(tcp::socket::wait_write,
                                 [this, attempt](const boost::system::error_code& error) {
                                   if (error || attempt != attempt_) return;
                                   close_if(report_if_due(steady_now()));
                                 });
    return {};
  }
  if (reporting_) {
    follower_->on_report_sent(now, *reporting_);
    metrics_.reports_sent.add();
    metrics_.last_write_ms.set(unix_now_ms());
  }
  return {};
}

// A process that hangs still has its connections taken by its machine. A slave that looks for its
// master among a set must not wait there while another node is it.
Time ClientService::longest_silence() const {
  const Time housekeeping = timing().housekeeping;
  if (!settings_.keeps_epochs() || follower_->state() == State::kTransfer) return housekeeping;
  return std::min<Time>(housekeeping, ms(settings_.suspect_after_ms));
}

void ClientService::arm_timer() {
  const std::uint64_t attempt = attempt_;
  const Time due =
      follower_->next_check(timing().heartbeat, longest_silence(), outbox_.empty() && may_report());
  timer_.expires_at(to_time_point(due));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (error || attempt != attempt_) return;
    const Time now = steady_now();
    if (follower_->silent(now, longest_silence())) {
      const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(longest_silence());
      return close(Reason::kHousekeeping,
                   fmt::format("nothing from the master for {} ms", pause.count()));
    }
    if (const Refusal refusal = report_if_due(now); !refusal.ok()) return close_if(refusal);
    arm_timer();
  });
}

void ClientService::tick(double seconds) {
  const std::uint64_t bytes = metrics_.bytes_received.value();
  metrics_.bytes_per_s.set(
      static_cast<std::int64_t>(static_cast<double>(bytes - last_tick_.bytes) / seconds));
  last_tick_.bytes = bytes;
  // Not at once: a link that comes and goes with every try does not follow.
  const std::uint64_t following = state_ == State::kTransfer ? attempt_ : 0;
  if (following != 0 && following == last_tick_.followed) {
    metrics_.not_following_since_ns.set(0);
    metrics_.refused.set(0);
    search_.on_following();
  }
  last_tick_.followed = following;
  if (!follower_) return;
  if (outbox_.empty()) {
    if (const auto beside = wire_->beside_the_log(); !beside.empty()) {
      reporting_.reset();
      const Refusal refusal = send(beside, steady_now());
      if (!refusal.ok()) return close_if(refusal);
    }
  }
  arm_timer();  // heartbeat_ms or housekeeping_ms may have changed
}

}  // namespace ha::net
