#include "ha_plugin/net/client_service.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "ha_plugin/net/clock.h"
#include "ha_plugin/net/io_thread.h"
#include "metrics/names.h"

namespace ha::net {

using boost::asio::ip::tcp;
using core::Reason;
using core::State;
using core::Status;
using core::Time;

namespace {

// Headers and small bodies come here; a longer body's rest goes into the host's memory. 128 KiB
// halves the system calls of 64 KiB for hosts without append-reserve; more gave nothing.
constexpr std::size_t kBufferBytes = 128 * 1024;

// A turn reads at most this much before other work has its turn.
constexpr std::int64_t kMostPerTurn = std::int64_t{4} << 20;

// While a burst goes on the master hears of it this often.
constexpr std::int64_t kReportEvery = 256 * 1024;

// So many connections in a row that the master closed before its first byte look like a refusal.
constexpr int kRefusalHint = 3;

std::string errno_text(int error) { return std::generic_category().message(error); }

std::chrono::milliseconds ms(std::int64_t count) { return std::chrono::milliseconds(count); }

std::string what_is_wrong(const ClientWire::Frame& frame, Reason reason,
                          const core::LogBounds& log) {
  const std::string sent = "the master sent " + std::to_string(frame.size) + " bytes at offset " +
                           std::to_string(frame.offset.bytes());
  switch (reason) {
    case Reason::kFrameSize:
      return sent + "; a frame's size is 0 to " + std::to_string(core::kMaxBodyBytes);
    case Reason::kSegmentSize:
      return sent + ", which does not fit segments of " + std::to_string(log.segment_size) +
             " bytes: give both sides the same segment size";
    default:
      return sent + ", but this log ends at " + std::to_string(log.end.bytes()) +
             "; nothing was stored (empty this store to copy afresh)";
  }
}

}  // namespace

ClientService::ClientService(boost::asio::io_context& context, const Host& host,
                             const Settings& settings, metrics::HaMetrics& metrics,
                             std::unique_ptr<ClientWire> wire, std::unique_ptr<ClientWire> fallback,
                             std::function<void()> on_grown)
    : context_(context),
      socket_(context),
      resolver_(context),
      timer_(context),
      answer_timer_(context),
      host_(host),
      settings_(settings),
      metrics_(metrics),
      first_(std::move(wire)),
      fallback_(std::move(fallback)),
      wire_(first_.get()),
      on_grown_(std::move(on_grown)),
      whole_(host) {
  if (!settings.ack_durable) return;
  flusher_ = std::make_unique<LogFlusher>(
      context, host, [this](const LogFlusher::Request& request, const HostResult& result) {
        on_flushed(request, result);
      });
}

void ClientService::join() {
  if (flusher_) flusher_->stop();
}

void ClientService::set_state(State state) {
  state_ = state;
  metrics_.client.state.set(static_cast<std::int64_t>(state));
}

void ClientService::follow(const Address& master) {
  stop(Reason::kRequested);
  master_ = master;
  backoff_.reset();
  refused_in_a_row_ = 0;
  set_state(State::kReady);
  connect();
}

void ClientService::stop(Reason reason) {
  if (follower_) {
    close(reason, "asked to stop following");
  }
  ++attempt_;
  timer_.cancel();
  answer_timer_.cancel();
  resolver_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  master_ = {};
  set_state(State::kReady);
}

void ClientService::connect() {
  const std::uint64_t attempt = ++attempt_;
  timer_.expires_after(ms(settings_.connect_timeout_ms));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (error || attempt != attempt_) return;
    close(Reason::kConnectTimeout,
          "no connection within " + std::to_string(settings_.connect_timeout_ms) + " ms");
  });
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(master_.host, error);
  if (!error) return connect_to({ip, master_.port});
  resolver_.async_resolve(
      master_.host, std::to_string(master_.port),
      [this, attempt](const boost::system::error_code& failed,
                      const tcp::resolver::results_type& found) {
        if (attempt != attempt_) return;
        if (failed) {
          return close(Reason::kNetwork,
                       "cannot resolve '" + master_.host + "': " + failed.message());
        }
        // A name may stand for several addresses; each try takes the next.
        connect_to(*std::next(found.begin(), static_cast<std::ptrdiff_t>(attempt % found.size())));
      });
}

void ClientService::connect_to(const tcp::endpoint& endpoint) {
  const std::uint64_t attempt = attempt_;
  const int fd = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return close(Reason::kNetwork, "socket: " + errno_text(errno));
  boost::system::error_code error;
  socket_ = tcp::socket(context_);
  socket_.assign(endpoint.protocol(), fd, error);
  socket_.async_connect(endpoint, [this, attempt](const boost::system::error_code& failed) {
    if (attempt != attempt_) return;
    if (failed) return close(Reason::kNetwork, "cannot connect: " + failed.message());
    on_connected();
  });
}

void ClientService::on_connected() {
  boost::system::error_code error;
  // Asio goes on watching a socket that it connected for room to write, and wakes for it after
  // every read. To be taken in anew ends that.
  const tcp::endpoint local = socket_.local_endpoint(error);
  if (!error) {
    const int fd = socket_.release(error);
    socket_ = tcp::socket(context_);
    if (!error) socket_.assign(local.protocol(), fd, error);
    if (error && fd >= 0) ::close(fd);
  }
  if (error) return close(Reason::kNetwork, "cannot take up the connection: " + error.message());
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
  if (!result.ok()) {
    close(Reason::kHostError, result.text);
    return false;
  }
  out = to_core(bounds);
  return true;
}

void ClientService::close(Reason reason, const std::string& text) {
  const bool was_connected = follower_.has_value();
  const bool got_nothing = was_connected && follower_->state() == State::kHandshake;
  ++attempt_;
  timer_.cancel();
  answer_timer_.cancel();
  resolver_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
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
  if (core::is_final(reason))
    line += "; not trying again until the role or the master's address is set";
  host_.warn(line);
  schedule_retry(reason);
}

void ClientService::schedule_retry(Reason reason) {
  if (core::is_final(reason)) return set_state(State::kSuspend);
  const bool patient = core::is_up_to_the_master(reason);
  set_state(patient ? State::kSuspend : State::kReady);
  const Time most = ms(settings_.reconnect_max_ms);
  const Time pause = patient ? most : backoff_.next(random_(), most);
  const std::uint64_t attempt = attempt_;
  timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(pause));
  timer_.async_wait([this, attempt](const boost::system::error_code& error) {
    if (!error && attempt == attempt_) connect();
  });
}

void ClientService::wait_readable() {
  const std::uint64_t attempt = attempt_;
  socket_.async_wait(tcp::socket::wait_read,
                     [this, attempt](const boost::system::error_code& error) {
                       if (attempt != attempt_) return;
                       if (error) return close(Reason::kNetwork, error.message());
                       on_readable();
                     });
}

void ClientService::on_readable() {
  const Time now = steady_now();
  metrics_.client.last_read_ms.set(unix_now_ms());
  const std::uint64_t attempt = attempt_;
  std::int64_t taken = 0;
  while (taken < kMostPerTurn) {
    const std::optional<Received> received = receive(now);
    if (attempt != attempt_) return;  // closed on the way
    if (!received) break;
    taken += received->bytes;
    if (received->drained) break;
    if (unreported_ >= kReportEvery && !report_if_due(now)) return;
  }
  if (!report_if_due(now)) return;
  if (body_left_ > 0) IoThread::gather();
  wait_readable();
}

// Nothing when there are no bytes for now or the connection was closed.
std::optional<ClientService::Received> ClientService::receive(Time now) {
  if (buffer_.empty()) buffer_.resize(kBufferBytes);
  void* lent = nullptr;
  std::int64_t room = 0;
  const bool direct =
      whole_.active() || (host_.can_reserve() && body_left_ > 0 && tail_.left() == 0);
  if (whole_.active()) {
    lent = whole_.room().data();
    room = body_left_;
  } else if (direct) {
    if (!refuse(host_.reserve(end_, body_left_, lent, room))) return std::nullopt;
    room = std::min(room, body_left_);
  }
  // What follows the body may only be taken together with all of it.
  const bool with_rest = !direct || room == body_left_;
  iovec parts[2] = {{lent, static_cast<std::size_t>(room)}, {buffer_.data(), buffer_.size()}};
  msghdr message{};
  message.msg_iov = direct ? parts : parts + 1;
  message.msg_iovlen = direct && with_rest ? 2 : 1;
  const ssize_t n = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  const int error = errno;
  const std::int64_t in_place = direct ? std::clamp<std::int64_t>(n, 0, room) : 0;
  if (whole_.active()) {
    if (!fill(in_place)) return std::nullopt;
  } else if (direct) {
    if (in_place == 0) {
      host_.drop_reservation();
    } else if (!commit(in_place)) {
      return std::nullopt;
    }
  }
  if (n == 0) {
    close(Reason::kPeerClosed, "the master closed the connection");
    return std::nullopt;
  }
  if (n < 0) {
    if (error != EAGAIN && error != EINTR) close(Reason::kNetwork, "read: " + errno_text(error));
    return std::nullopt;
  }
  follower_->on_bytes(now);
  if (!take({buffer_.data(), static_cast<std::size_t>(n - in_place)})) return std::nullopt;
  const std::int64_t asked =
      room + (with_rest ? static_cast<std::int64_t>(buffer_.size()) : std::int64_t{0});
  return Received{n, n < asked};
}

bool ClientService::take(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (body_left_ > 0) {
      const auto n = std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(body_left_));
      if (whole_.active()) {
        std::copy_n(bytes.begin(), n, whole_.room().begin());
        if (!fill(static_cast<std::int64_t>(n))) return false;
      } else if (!append(bytes.first(n))) {
        return false;
      }
      bytes = bytes.subspan(n);
    } else {
      const bool was_ready = wire_->ready();
      std::optional<ClientWire::Frame> frame;
      if (!go_on(wire_->take(bytes, frame))) return false;
      if (const auto reply = wire_->reply(); !reply.empty() && !send(reply, steady_now())) {
        return false;
      }
      if (!was_ready && wire_->ready() && !on_ready()) return false;
      if (frame && !begin_frame(*frame)) return false;
    }
  }
  return true;
}

// The wire's handshake is over; it may have cut the log.
bool ClientService::on_ready() {
  core::LogBounds log;
  if (!read_bounds(log)) return false;
  end_ = log.end;
  host_.info("master " + master_.text() + " answered; asking for " +
             std::to_string(wire_->position(end_).bytes()));
  follower_->on_frame();
  set_state(State::kTransfer);
  arm_timer();
  return true;
}

bool ClientService::begin_frame(const ClientWire::Frame& frame) {
  core::LogBounds log;
  if (!read_bounds(log)) return false;
  if (frame.size == 0 && frame.offset == tail_.next() && tail_.on_heartbeat()) {
    close(Reason::kOffsetMismatch,
          "the master has nothing at " + std::to_string(tail_.next().bytes()) +
              ", though this log goes on to " + std::to_string(log.end.bytes()) +
              ": the master's log ends before, or what it still holds begins later; nothing was "
              "stored (empty this store to copy afresh)");
    return false;
  }
  log.end = next();
  const core::FrameVerdict verdict = wire_->begin(frame, log);
  if (verdict.reason != Reason::kNone) {
    close(verdict.reason,
          verdict.text.empty() ? what_is_wrong(frame, verdict.reason, log) : verdict.text);
    return false;
  }
  if (verdict.reset) {
    if (!refuse(host_.reset(frame.offset))) return false;
    host_.info("the master's log starts at " + std::to_string(frame.offset.bytes()) +
               " for us; this empty log starts there");
    end_ = frame.offset;
  }
  if (frame.size > 0 && wire_->is_native() && !refuse(whole_.begin(end_, frame.size))) {
    return false;
  }
  body_left_ = frame.size;
  (frame.size > 0 ? metrics_.client.frames_received : metrics_.client.heartbeats_received).add();
  follower_->on_frame();
  if (body_left_ == 0) backoff_.reset();
  if (state_ != State::kTransfer) set_state(State::kTransfer);
  return true;
}

// So many bytes have come to where whole_ wanted them.
bool ClientService::fill(std::int64_t size) {
  wire_->body(whole_.room().first(static_cast<std::size_t>(size)));
  whole_.filled(size);
  body_left_ -= size;
  if (body_left_ > 0) return true;
  if (!wire_->body_is_whole()) {
    close(Reason::kChecksum, "a frame at " + std::to_string(end_.bytes()) +
                                 " was changed on the way: its checksum is another; nothing of it "
                                 "was stored");
    return false;
  }
  const std::int64_t whole = whole_.size();
  if (!refuse(whole_.commit())) return false;
  grown(whole);
  return true;
}

bool ClientService::append(std::span<const std::byte> bytes) {
  if (tail_.left() > 0) {
    const auto n = std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(tail_.left()));
    if (!compare(bytes.first(n))) return false;
    bytes = bytes.subspan(n);
    if (bytes.empty()) return true;
  }
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (!refuse(host_.append(end_, bytes.data(), size))) return false;
  body_left_ -= size;
  grown(size);
  return true;
}

// The master's bytes from tail_.next() on against this log's.
bool ClientService::compare(std::span<const std::byte> bytes) {
  std::vector<std::byte> held(bytes.size());
  std::int64_t got = 0;
  for (std::size_t done = 0; done < held.size(); done += static_cast<std::size_t>(got)) {
    const core::Offset at = tail_.next() + static_cast<std::int64_t>(done);
    const Status status =
        host_.read(at, held.data() + done, static_cast<std::int64_t>(held.size() - done), got);
    if (status != Status::kOk) {
      close(Reason::kHostError, "the host could not read its log at " + std::to_string(at.bytes()));
      return false;
    }
  }
  const auto differs = std::mismatch(held.begin(), held.end(), bytes.begin()).first;
  if (differs != held.end()) {
    const core::Offset at = tail_.next() + (differs - held.begin());
    close(Reason::kDiverged, "the master holds another byte than this log at " +
                                 std::to_string(at.bytes()) +
                                 ": the two logs parted there or before; nothing was stored (empty "
                                 "this store to copy afresh)");
    return false;
  }
  tail_.matched(static_cast<std::int64_t>(bytes.size()));
  body_left_ -= static_cast<std::int64_t>(bytes.size());
  return true;
}

bool ClientService::commit(std::int64_t size) {
  if (!refuse(host_.commit(size))) return false;
  body_left_ -= size;
  grown(size);
  return true;
}

void ClientService::grown(std::int64_t size) {
  // Not at a data frame's header: a host that cannot store the body would be asked ever so often.
  backoff_.reset();
  end_ = end_ + size;
  unreported_ += size;
  metrics_.client.bytes_received.add(static_cast<std::uint64_t>(size));
  metrics_.client.bytes_appended.add(static_cast<std::uint64_t>(size));
}

// False = the host said no and the connection is closed with what that means.
bool ClientService::refuse(const HostResult& result) {
  switch (result.status) {
    case Status::kOk:
      return true;
    case Status::kConflict:
      close(Reason::kSegmentSize, result.text);
      break;
    case Status::kCorrupt:
      close(Reason::kCorrupt, result.text);
      break;
    case Status::kRange:
      close(Reason::kOffsetMismatch, result.text);
      break;
    default:
      close(Reason::kHostError, result.text);
  }
  return false;
}

// False = the wire wants the connection closed, and it is.
bool ClientService::go_on(const Refusal& refusal) {
  if (!refusal.ok()) close(refusal.reason, refusal.text);
  return refusal.ok();
}

bool ClientService::report_if_due(Time now) {
  if (unreported_ > 0) {
    if (!go_on(wire_->grown(end_))) return false;
    on_grown_();
    unreported_ = 0;
  }
  make_durable();
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

void ClientService::make_durable() {
  // Not before: the wire's handshake may yet cut the log.
  if (!flusher_ || !wire_->ready() || flushing_ == end_) return;
  flushing_ = end_;
  flusher_->request({end_, attempt_});
}

void ClientService::on_flushed(const LogFlusher::Request& request, const HostResult& result) {
  if (request.attempt != attempt_ || !follower_ || !refuse(result)) return;
  durable_ = request.end;
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
  if (follower_) arm_timer();  // heartbeat_ms or housekeeping_ms may have changed
}

}  // namespace ha::net
