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
#include "ha_plugin/net/master/native_serving_wire.h"
#include "ha_plugin/net/master/rocketmq_serving_wire.h"
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
      frame_(host, settings.send_from),
      wire_(std::make_unique<RocketmqServingWire>()) {}

void HaConnection::start() {
  boost::system::error_code ignored;
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  receive();
  arm_timer(steady_now(), events_.view(*this));
}

void HaConnection::receive() {
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
        if (self->open_) self->receive();
      });
}

void HaConnection::on_received(std::span<const std::byte> bytes) {
  const Time now = steady_now();
  session_.on_bytes(now);
  // One view for all of it: acks come alone or many in one piece, and what they are judged by does
  // not change between them.
  const MasterView view = events_.view(*this);
  bool any = false;
  if (!heard_) any = hear_first_words(bytes, view, now);
  // Once refused it is being told so; what it says meanwhile does not matter.
  while (open_ && !refused_ && !bytes.empty()) {
    any = hear(wire_->take(bytes), view, now) || any;
  }
  if (open_ && any) acked(now);
}

// Returns true if they were an ack that counts.
bool HaConnection::hear_first_words(std::span<const std::byte>& bytes, const MasterView& view,
                                    Time now) {
  while (first_.take(bytes)) {
    const auto first = first_.bytes();
    if (wire::native::is_opening(first)) {
      // Without the native wire they are what a RocketMQ master takes them for: no report yet.
      if (!settings_.accept.native) continue;
      heard_ = true;
      start_native(now);
      return false;
    }
    heard_ = true;
    if (first[0] == std::byte{0x16} && first[1] == std::byte{0x03}) {
      close(Reason::kProtocol, "the slave speaks TLS, which this version does not support");
    } else if (!settings_.accept.rocketmq) {
      close(Reason::kNotAllowed, "the slave speaks the RocketMQ wire (option 'accept': '" +
                                     settings_.accept.text() + "')");
    } else if (!settings_.replicas.nodes.empty()) {
      close(Reason::kUnknownReplica,
            "the slave speaks the RocketMQ wire, which has no names, so it cannot be one of option "
            "'replicas'");
    } else {
      std::span<const std::byte> report = first;
      return hear(wire_->take(report), view, now);
    }
    return false;
  }
  return false;
}

void HaConnection::start_native(Time now) {
  wire_ = std::make_unique<NativeServingWire>();
  message_ = std::make_shared<const wire::native::Bytes>(events_.greeting(*this));
  pump_now(now);
}

// Returns true if it was an ack that counts.
bool HaConnection::hear(const ServingWire::Found& found, const MasterView& view, Time now) {
  if (const auto* report = std::get_if<ServingWire::Report>(&found)) {
    return take_report(report->end, view, now);
  }
  if (const auto* ack = std::get_if<wire::native::Ack>(&found)) return take_ack(*ack, view);
  if (const auto* hello = std::get_if<const core::Hello*>(&found)) {
    take_hello(**hello, now);
  } else if (const auto* prepare = std::get_if<const core::Prepare*>(&found)) {
    take_prepare(**prepare, now);
  } else if (const auto* pending = std::get_if<ServingWire::Pending>(&found)) {
    events_.on_pending(*this, pending->state);
  } else if (const auto* refusal = std::get_if<core::Refusal>(&found)) {
    close(refusal->reason, refusal->text);
  }
  return false;
}

void HaConnection::take_hello(const core::Hello& hello, Time now) {
  name_ = hello.replica;
  incarnation_ = hello.incarnation;
  const core::Answer answer = events_.on_hello(*this, hello);
  if (!open_) return;
  wire::native::Bytes message = wire::native::encode_answer(answer);
  if (answer.decision == core::Decision::kRefuse) {
    refused_ = core::Refusal{answer.reason, answer.text};
  } else {
    const wire::native::Bytes after = events_.after_answer(*this);
    message.insert(message.end(), after.begin(), after.end());
  }
  message_ = std::make_shared<const wire::native::Bytes>(std::move(message));
  if (!refused_) {
    session_.accept(answer.offset);
    joined(events_.view(*this), now);
  }
  pump_now(now);
}

// Returns true if it counts.
bool HaConnection::take_ack(const wire::native::Ack& ack, const MasterView& view) {
  if (ack.epoch > view.epoch) {
    close(Reason::kEpoch, "the slave acknowledges bytes of epoch " + std::to_string(ack.epoch) +
                              ", and the master's is " + std::to_string(view.epoch));
    return false;
  }
  const Reason reason =
      session_.on_ack(ack.received, ack.durable, ack.epoch == view.epoch, view.epoch_start);
  if (reason != Reason::kNone) {
    const bool ahead = reason == Reason::kReportAhead;
    close(reason, "the slave's ack (received " + std::to_string(ack.received.bytes()) +
                      ", durable " + std::to_string(ack.durable.bytes()) + ") claims " +
                      (ahead ? "more than was sent, " : "less than the one before, ") +
                      std::to_string((ahead ? session_.next() : session_.ack()).bytes()));
    return false;
  }
  metrics_->reports_received.add();
  metrics_->ack_offset.set(session_.ack().bytes());
  metrics_->durable_offset.set(session_.durable().bytes());
  return true;
}

void HaConnection::take_prepare(const core::Prepare& prepare, Time now) {
  candidate_ = true;
  message_ = std::make_shared<const wire::native::Bytes>(
      wire::native::encode_promise(events_.on_prepare(prepare)));
  pump_now(now);
}

// The replica counts from now on.
void HaConnection::joined(const MasterView& view, Time now) {
  set_pace(now, view);
  metrics_ = events_.on_joined(*this);
  metrics_->start_offset.set(session_.start().bytes());
  metrics_->sent_offset.set(session_.start().bytes());
  metrics_->ack_offset.set(session_.ack().bytes());
  metrics_->durable_offset.set(session_.durable().bytes());
  metrics_->native.set(wire_->carries_messages() ? 1 : 0);
}

// Every value was judged; only the last needs to be acted on, since acks are cumulative.
void HaConnection::acked(Time now) {
  const MasterView view = events_.on_ack(*this);
  if (!open_) return;
  if (!caught_up_ && session_.ack() >= view.log.end) {
    caught_up_ = true;
    events_.on_caught_up(*this);
  }
  if (!std::exchange(started_, true)) pump(now, view);
}

// Returns true if it counts.
bool HaConnection::take_report(core::Offset value, const MasterView& view, Time now) {
  const bool first = !session_.reported();
  const core::LogBounds& log = view.log;
  const Reason reason = session_.on_report(value, log, settings_.bootstrap);
  if (reason != Reason::kNone) {
    std::string text = "the slave's report " + std::to_string(value.bytes());
    if (first) {
      text += " is outside the master's log, [" + std::to_string(log.min.bytes()) + ", " +
              std::to_string(log.end.bytes()) + "]" +
              (reason == Reason::kRequestBelowMin
                   ? ": the master has deleted those bytes; empty the slave's store to copy from "
                     "scratch"
                   : ": the slave's log is ahead or a different one; cut or empty its store");
    } else if (reason == Reason::kReportAhead) {
      text += " acknowledges more than was sent, " +
              std::to_string(std::max(session_.start(), session_.next()).bytes());
    } else {
      text += " is below the one before, " + std::to_string(session_.ack().bytes());
    }
    close(reason, text);
    return false;
  }
  if (first) joined(view, now);
  metrics_->reports_received.add();
  metrics_->ack_offset.set(value.bytes());
  return true;
}

bool HaConnection::send_message(std::shared_ptr<const wire::native::Bytes> message) {
  if (!open_ || message_) return false;
  message_ = std::move(message);
  pump_now(steady_now());
  return true;
}

void HaConnection::pump(Time now, const MasterView& view) {
  if (!open_ || !check_silence(now)) return;
  set_pace(now, view);
  if (!writable_awaited_) send_frames(now, view);
  if (open_) arm_timer(now, view);
}

// Returns false if it closed the connection.
bool HaConnection::check_silence(Time now) {
  const core::SessionOptions options = timing();
  const Reason reason = session_.check_silence(now, options);
  if (reason == Reason::kNone) return true;
  const auto in_ms = [](Time time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) +
           " ms";
  };
  close(reason, reason == Reason::kHousekeeping
                    ? "the slave was silent for " + in_ms(options.housekeeping)
                    : "no report or hello within " + in_ms(options.first_report_timeout) +
                          " of connecting");
  return false;
}

void HaConnection::set_pace(Time now, const MasterView& view) {
  bucket_.set_rate(
      now, core::pace(settings_.max_transfer_bytes_per_s,
                      catching_up(view.log) ? settings_.catch_up_bytes_per_s : 0, view.growth));
}

void HaConnection::send_frames(Time now, const MasterView& view) {
  const std::int64_t most = catching_up(view.log) ? kMostPerCatchUpTurn : kMostPerTurn;
  std::int64_t sent = 0;
  while (sent < most) {
    if (!frame_.active() && !open_next(now, view)) return;
    const ssize_t n = frame_.write(socket_.native_handle());
    if (n < 0) return on_write_failed(errno);
    // Only now: a frame that waits behind a full socket has been given to nobody, and an ack of it
    // would be false.
    if (unstarted_) on_frame_started(*std::exchange(unstarted_, std::nullopt));
    session_.on_written(now);
    sent += n;
  }
  yield_and_pump();
}

// Returns false if there is nothing to send now, or the connection was closed.
bool HaConnection::open_next(Time now, const MasterView& view) {
  if (message_) {
    frame_.open_message(std::exchange(message_, nullptr));
    return true;
  }
  if (refused_) {
    close(refused_->reason, refused_->text);
    return false;
  }
  auto frame = session_.next_frame(now, view.log, bucket_.allowance(now), timing());
  if (!frame && now >= confirm_due(view)) frame = core::Frame{session_.next(), 0};
  if (!frame) return false;
  sent_confirm_ = view.confirm;
  if (const core::Status status = wire_->open(frame_, *frame, view); status != core::Status::kOk) {
    on_open_failed(*frame, status);
    return false;
  }
  unstarted_ = *frame;
  return true;
}

void HaConnection::on_open_failed(const core::Frame& frame, core::Status status) {
  const std::string at = std::to_string(frame.offset.bytes());
  if (status == core::Status::kRange) {
    return close(Reason::kRequestBelowMin,
                 "the master deleted the bytes at " + at + " before the slave had them");
  }
  close(Reason::kHostError, "the master's host could not give the bytes at " + at + ": " +
                                metrics::status_name(static_cast<std::int32_t>(status)));
}

void HaConnection::on_write_failed(int error) {
  if (error == EAGAIN || error == EINTR) return wait_writable();
  close(error == EIO ? Reason::kHostError : Reason::kNetwork, "write: " + errno_text(error));
}

// More to send: the others first.
void HaConnection::yield_and_pump() {
  writable_awaited_ = true;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->writable_awaited_ = false;
    if (self->open_) self->pump_now(steady_now());
  });
}

Time HaConnection::confirm_due(const MasterView& view) const {
  const bool tell =
      wire_->carries_messages() && session_.reported() && view.confirm > sent_confirm_;
  return tell ? session_.last_write() + kConfirmPause : core::kNever;
}

void HaConnection::confirm_rose(const MasterView& view) {
  if (open_ && confirm_due(view) < armed_for_) arm_timer(steady_now(), view);
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
                       self->pump_now(steady_now());
                     });
}

// A timer that is due too early costs one look; moving it at every frame would cost a system call
// each. So it is only ever moved to an earlier time.
void HaConnection::arm_timer(Time now, const MasterView& view) {
  Time due = session_.next_check(timing(), !writable_awaited_);
  if (session_.reported() && !writable_awaited_ && view.log.end > session_.next() &&
      bucket_.allowance(now) == 0) {
    due = std::min(due, bucket_.ready_at(now));
  }
  if (!writable_awaited_) due = std::min(due, confirm_due(view));
  if (due >= armed_for_) return;
  armed_for_ = due;
  timer_.expires_at(to_time_point(due));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || !self->open_) return;
    self->armed_for_ = core::kNever;
    self->pump_now(steady_now());
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
