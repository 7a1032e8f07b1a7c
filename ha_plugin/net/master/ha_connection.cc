// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/ha_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/io/io_thread.h"
#include "metrics/names.h"

namespace ha::net {

using core::Reason;
using core::Time;

namespace {

// A turn sends at most this much to one replica before the others have theirs; less to one that
// catches up, behind which the live ones would wait.
constexpr std::int64_t kMostPerTurn = std::int64_t{4} << 20;
constexpr std::int64_t kMostPerCatchUpTurn = std::int64_t{1} << 20;

// A replica with nothing to receive hears this late what its readers may see: a frame for each ack
// would double the traffic.
constexpr auto kConfirmPause = std::chrono::milliseconds(10);

std::string errno_text(int error) { return std::generic_category().message(error); }

}  // namespace

HaConnection::HaConnection(boost::asio::ip::tcp::socket socket, Id id, Address remote,
                           const Host& host, const Settings& settings, ConnectionEvents& events)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      id_(id),
      remote_(std::move(remote)),
      settings_(settings),
      events_(events),
      session_(steady_now()),
      frame_(host, settings.send_from) {}

core::SessionOptions HaConnection::session_options() const {
  using std::chrono::milliseconds;
  return {milliseconds(native() ? settings_.native_heartbeat_ms : settings_.heartbeat_ms),
          milliseconds(housekeeping_ms()), milliseconds(first_report_timeout_ms()),
          settings_.transfer_batch_bytes, settings_.bootstrap};
}

std::int64_t HaConnection::housekeeping_ms() const {
  return native() ? settings_.native_housekeeping_ms : settings_.housekeeping_ms;
}

// A native slave has nothing to think about between the greeting and its hello.
std::int64_t HaConnection::first_report_timeout_ms() const {
  return native() ? settings_.native_housekeeping_ms : settings_.first_report_timeout_ms;
}

void HaConnection::start() {
  boost::system::error_code ignored;
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  receive_reports();
  arm_timer(steady_now(), events_.log_bounds());
}

void HaConnection::receive_reports() {
  // Not async_wait: to re-arm that costs a system call and, once the socket was watched for room to
  // write, a wake-up for nothing.
  socket_.async_receive(
      boost::asio::buffer(received_),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
        if (!self->open_) return;
        if (error == boost::asio::error::eof) {
          return self->close(Reason::kPeerClosed, "the slave closed the connection");
        }
        if (error) return self->close(Reason::kNetwork, "read: " + error.message());
        self->on_received(std::span(self->received_).first(size));
      });
}

void HaConnection::on_received(std::span<const std::byte> bytes) {
  const Time now = steady_now();
  session_.on_bytes(now);
  if (native() ? take_messages(bytes, now) : take_reports(bytes, now)) receive_reports();
}

bool HaConnection::take_reports(std::span<const std::byte> bytes, Time now) {
  bool any = false;
  while (report_.take(bytes)) {
    // As a RocketMQ master: no report yet.
    if (!heard_ && !settings_.accept.native && wire::native::is_opening(report_.bytes())) continue;
    if (!heard_ && !hear_first_words()) return false;
    if (native()) return take_messages(bytes, now);
    if (!take_report(wire::decode_report(report_.bytes()), now)) return false;
    any = true;
  }
  return !any || acked(now);
}

// False = closed.
bool HaConnection::hear_first_words() {
  heard_ = true;
  const auto first = report_.bytes();
  if (first[0] == std::byte{0x16} && first[1] == std::byte{0x03}) {
    close(Reason::kProtocol, "it speaks TLS, which this version does not (connect without)");
    return false;
  }
  if (!wire::native::is_opening(first)) return may_speak_rocketmq();
  native_ = std::make_unique<wire::native::Reader>(wire::native::Reader::Side::kMaster);
  wire::native::Bytes message = wire::native::encode_greeting(events_.greeting());
  const wire::native::Bytes upstream = events_.upstream(*this);
  message.insert(message.end(), upstream.begin(), upstream.end());
  message_ = std::make_shared<const wire::native::Bytes>(std::move(message));
  pump(steady_now(), events_.log_bounds());
  return open_;
}

// False = closed.
bool HaConnection::may_speak_rocketmq() {
  if (!settings_.accept.rocketmq) {
    close(Reason::kNotAllowed,
          "it speaks the RocketMQ wire (option 'accept': '" + settings_.accept.text() + "')");
  } else if (!settings_.replicas.nodes.empty()) {
    close(Reason::kUnknownReplica,
          "it speaks the RocketMQ wire, which has no names, so it is none of option 'replicas'");
  }
  return open_;
}

// False = closed.
bool HaConnection::take_messages(std::span<const std::byte> bytes, Time now) {
  using Found = wire::native::Reader::Found;
  bool any = false;
  while (!bytes.empty()) {
    if (refused_) return true;  // it is being told so; what it says meanwhile does not matter
    switch (native_->take(bytes)) {
      case Found::kNothing:
        break;
      case Found::kHello:
        if (!take_hello(now)) return false;
        break;
      case Found::kPrepare:
        take_prepare(now);
        if (!open_) return false;
        break;
      case Found::kAck:
        if (!take_ack(native_->ack())) return false;
        any = true;
        break;
      case Found::kPending:
        events_.on_pending(*this, native_->metadata());
        break;
      case Found::kBadChecksum:
        close(Reason::kChecksum, "a message was changed on the way: its checksum is another");
        return false;
      case Found::kBadSize:
        close(Reason::kFrameSize, "a message of type " + std::to_string(native_->type()) +
                                      " announced " + std::to_string(native_->size()) + " bytes");
        return false;
      default:
        close(Reason::kProtocol,
              "what came is no message of the native protocol that has a place here");
        return false;
    }
  }
  return !any || acked(now);
}

// False = closed.
bool HaConnection::take_hello(Time now) {
  const core::Hello& hello = native_->hello();
  name_ = hello.replica;
  incarnation_ = hello.incarnation;
  const core::Answer answer = events_.on_hello(*this, hello);
  if (!open_) return false;
  wire::native::Bytes message = wire::native::encode_answer(answer);
  if (answer.decision != core::Decision::kRefuse) {
    const wire::native::Bytes after = events_.after_answer(*this);
    message.insert(message.end(), after.begin(), after.end());
  }
  message_ = std::make_shared<const wire::native::Bytes>(std::move(message));
  if (answer.decision == core::Decision::kRefuse) {
    refused_ = core::Refusal{answer.reason, answer.text};
    pump(now, events_.log_bounds());
    return open_;
  }
  session_.accept(answer.offset);
  joined(now);
  pump(now, events_.log_bounds());
  return open_;
}

// False = closed.
bool HaConnection::take_ack(const wire::native::Ack& ack) {
  if (ack.epoch > events_.epoch()) {
    close(Reason::kEpoch, "it acknowledges bytes of epoch " + std::to_string(ack.epoch) +
                              "; this node is master of epoch " + std::to_string(events_.epoch()));
    return false;
  }
  const Reason reason = session_.on_ack(ack.received, ack.durable, ack.epoch == events_.epoch(),
                                        events_.epoch_start());
  if (reason != Reason::kNone) {
    close(reason,
          "its ack (received " + std::to_string(ack.received.bytes()) + ", durable " +
              std::to_string(ack.durable.bytes()) + ") " +
              (reason == Reason::kReportAhead ? "claims more than was sent, "
                                              : "claims less than the one before, ") +
              std::to_string(
                  (reason == Reason::kReportAhead ? session_.next() : session_.ack()).bytes()));
    return false;
  }
  metrics_->reports_received.add();
  metrics_->ack_offset.set(session_.ack().bytes());
  metrics_->durable_offset.set(session_.durable().bytes());
  return true;
}

void HaConnection::take_prepare(Time now) {
  candidate_ = true;
  message_ = std::make_shared<const wire::native::Bytes>(
      wire::native::encode_promise(events_.on_prepare(native_->prepare())));
  pump(now, events_.log_bounds());
}

// The replica counts from now on.
void HaConnection::joined(Time now) {
  set_pace(now, events_.log_bounds());
  metrics_ = events_.on_joined(*this);
  metrics_->start_offset.set(session_.start().bytes());
  metrics_->sent_offset.set(session_.start().bytes());
  metrics_->ack_offset.set(session_.ack().bytes());
  metrics_->durable_offset.set(session_.durable().bytes());
  metrics_->native.set(native() ? 1 : 0);
}

// Every value was judged; only the last needs to be acted on, since acks are cumulative. False =
// closed.
bool HaConnection::acked(Time now) {
  events_.on_ack(*this);
  if (!open_) return false;
  const core::LogBounds log = events_.log_bounds();
  if (!caught_up_ && session_.ack() >= log.end) {
    caught_up_ = true;
    events_.on_caught_up(*this);
  }
  if (!std::exchange(started_, true)) pump(now, log);
  return open_;
}

bool HaConnection::take_report(core::Offset value, Time now) {
  const bool first = !session_.reported();
  const core::LogBounds log = events_.log_bounds();
  const Reason reason = session_.on_report(value, log, settings_.bootstrap);
  if (reason != Reason::kNone) {
    std::string text = "report " + std::to_string(value.bytes());
    if (first) {
      text += " is outside this log, [" + std::to_string(log.min.bytes()) + ", " +
              std::to_string(log.end.bytes()) + "]" +
              (reason == Reason::kRequestBelowMin
                   ? ": those bytes were deleted here; empty the slave's store to copy afresh"
                   : ": the slave's log is ahead or another one; cut or empty its store");
    } else if (reason == Reason::kReportAhead) {
      text += " acknowledges more than was sent, " +
              std::to_string(std::max(session_.start(), session_.next()).bytes());
    } else {
      text += " is below the one before, " + std::to_string(session_.ack().bytes());
    }
    close(reason, text);
    return false;
  }
  if (first) joined(now);
  metrics_->reports_received.add();
  metrics_->ack_offset.set(value.bytes());
  return true;
}

bool HaConnection::send_message(std::shared_ptr<const wire::native::Bytes> message) {
  if (!open_ || message_) return false;
  message_ = std::move(message);
  pump(steady_now(), events_.log_bounds());
  return true;
}

void HaConnection::pump(Time now, const core::LogBounds& log) {
  if (!open_) return;
  const core::SessionOptions options = session_options();
  if (const Reason reason = session_.check_silence(now, options); reason != Reason::kNone) {
    return close(reason, reason == Reason::kHousekeeping
                             ? "silent for " + std::to_string(housekeeping_ms()) + " ms"
                             : "no report or hello within " +
                                   std::to_string(first_report_timeout_ms()) + " ms of connecting");
  }
  set_pace(now, log);
  if (!writable_awaited_ && !send_frames(now, log)) return;
  arm_timer(now, log);
}

void HaConnection::set_pace(Time now, const core::LogBounds& log) {
  bucket_.set_rate(
      now, core::pace(settings_.max_transfer_bytes_per_s,
                      catching_up(log) ? settings_.catch_up_bytes_per_s : 0, events_.growth()));
}

// False = closed.
bool HaConnection::send_frames(Time now, const core::LogBounds& log) {
  const core::SessionOptions options = session_options();
  const std::int64_t most = catching_up(log) ? kMostPerCatchUpTurn : kMostPerTurn;
  std::int64_t sent = 0;
  while (sent < most) {
    if (!frame_.active() && message_) {
      frame_.open_message(std::exchange(message_, nullptr));
    } else if (!frame_.active()) {
      if (refused_) {
        close(refused_->reason, refused_->text);
        return false;
      }
      auto frame = session_.next_frame(now, log, bucket_.allowance(now), options);
      if (!frame && now >= confirm_due()) frame = core::Frame{session_.next(), 0};
      if (!frame) return true;
      if (const core::Status status = open_frame(*frame); status != core::Status::kOk) {
        const std::string at = std::to_string(frame->offset.bytes());
        if (status == core::Status::kRange) {
          close(Reason::kRequestBelowMin,
                "the bytes at " + at + " were deleted here before the slave had them");
        } else {
          close(Reason::kHostError, "the host could not give the bytes at " + at + ": " +
                                        metrics::status_name(static_cast<std::int32_t>(status)));
        }
        return false;
      }
      unstarted_ = *frame;
    }
    const ssize_t n = frame_.write(socket_.native_handle());
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        wait_writable();
        return true;
      }
      close(errno == EIO ? Reason::kHostError : Reason::kNetwork, "write: " + errno_text(errno));
      return false;
    }
    // Only now: a frame that waits behind a full socket has been given to nobody, and an ack of it
    // would be false.
    if (unstarted_) on_frame_started(*std::exchange(unstarted_, std::nullopt));
    session_.on_written(now);
    sent += n;
  }
  // More to send: the others first.
  writable_awaited_ = true;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->writable_awaited_ = false;
    if (self->open_) self->pump(steady_now(), self->events_.log_bounds());
  });
  return true;
}

core::Status HaConnection::open_frame(core::Frame& frame) {
  if (!native()) return frame_.open(frame);
  wire::native::DataHeader label;
  label.epoch = events_.epoch();
  label.confirm = told_confirm_ = events_.confirmed(*this);
  label.sent_ms = unix_now_ms();
  return frame_.open_native(frame, label);
}

Time HaConnection::confirm_due() const {
  const bool tell = native() && session_.reported() && events_.confirmed(*this) > told_confirm_;
  return tell ? session_.last_write() + kConfirmPause : core::kNever;
}

void HaConnection::confirm_rose() {
  if (open_ && confirm_due() < armed_for_) arm_timer(steady_now(), events_.log_bounds());
}

void HaConnection::on_frame_started(const core::Frame& frame) {
  session_.on_frame_started(frame);
  bucket_.take(frame.size);
  metrics_->sent_offset.set(session_.next().bytes());
  metrics_->bytes_sent.add(static_cast<std::uint64_t>(frame.size));
  (frame.size > 0 ? metrics_->frames_sent : metrics_->heartbeats_sent).add();
}

void HaConnection::wait_writable() {
  writable_awaited_ = true;
  IoThread::gather();
  socket_.async_wait(boost::asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->writable_awaited_ = false;
                       if (!self->open_) return;
                       if (error) return self->close(Reason::kNetwork, error.message());
                       self->pump(steady_now(), self->events_.log_bounds());
                     });
}

// A timer that is due too early costs one look; moving it at every frame would cost a system call
// each. So it is only ever moved to an earlier time.
void HaConnection::arm_timer(Time now, const core::LogBounds& log) {
  Time due = session_.next_check(session_options(), !writable_awaited_);
  if (session_.reported() && !writable_awaited_ && log.end > session_.next() &&
      bucket_.allowance(now) == 0) {
    due = std::min(due, bucket_.ready_at(now));
  }
  if (!writable_awaited_) due = std::min(due, confirm_due());
  if (due >= armed_for_) return;
  armed_for_ = due;
  timer_.expires_at(to_time_point(due));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || !self->open_) return;
    self->armed_for_ = core::kNever;
    self->pump(steady_now(), self->events_.log_bounds());
  });
}

void HaConnection::close(Reason reason, const std::string& text) {
  if (!open_) return;
  const auto self = shared_from_this();  // it may be let go of in on_closed
  open_ = false;
  frame_.release();
  timer_.cancel();
  // First it counts no longer, then its peer may see that.
  events_.on_closed(*this, reason, text);
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace ha::net
