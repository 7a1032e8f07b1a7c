// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/ha_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/io/io_thread.h"
#include "ha_plugin/net/io/link_options.h"
#include "ha_plugin/net/master/native_serving_wire.h"
#include "ha_plugin/wire/native.h"

namespace ha::net {

using core::Reason;
using core::Refusal;
using core::Time;

HaConnection::HaConnection(boost::asio::ip::tcp::socket socket, Id id, Address remote,
                           const Host& host, const Settings& settings, TlsPolicy& tls,
                           ConnectionEvents& events)
    : channel_(std::move(socket)),
      timer_(channel_.socket().get_executor()),
      id_(id),
      remote_(std::move(remote)),
      tls_(tls),
      events_(events),
      opening_(settings, steady_now()),
      replica_(host, settings, steady_now()) {}

void HaConnection::start() {
  set_link_options(channel_.socket().native_handle());
  receive();
  arm_timer(steady_now(), events_.view(*this));
}

core::Time HaConnection::round_trip() { return round_trip_of(channel_.socket().native_handle()); }

void HaConnection::receive() {
  // Not async_wait: to re-arm that costs a system call and, once the socket was watched for room to
  // write, a wake-up for nothing.
  channel_.socket().async_receive(
      boost::asio::buffer(received_),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
        if (!self->open_) return;
        if (error == boost::asio::error::eof) {
          return self->close(Reason::kPeerClosed, "the slave closed the connection");
        }
        if (error) return self->close(Reason::kNetwork, "read: " + error.message());
        const auto bytes = std::span(self->received_).first(size);
        if (self->tls() == nullptr) {
          self->on_received(bytes);
        } else {
          self->decrypt(bytes);
        }
        if (self->open_) self->receive();
      });
}

void HaConnection::start_tls(std::span<const std::byte> first, std::span<const std::byte> more) {
  if (Refusal busy = events_.may_work(*this); !busy.ok()) return close(busy);
  if (!tls_.accept(channel_)) return close(Reason::kTls, "option 'tls' is 'off' now");
  replica_.never_from_file();
  decrypt(first);  // of a handshake: there is no plaintext in so few bytes
  opening_.begin_inside_tls();
  if (open_ && !more.empty()) decrypt(more);
}

void HaConnection::decrypt(std::span<const std::byte> bytes) {
  std::array<std::byte, sizeof received_> plain;
  channel_.feed(bytes);
  while (open_) {
    const ssize_t n = channel_.decrypted(plain);
    const int error = errno;
    if (n > 0) {
      on_received(std::span(plain).first(static_cast<std::size_t>(n)));
    } else if (n == 0) {
      close(Reason::kPeerClosed, "the slave closed the connection");
    } else if (error == EAGAIN) {
      return;
    } else {
      channel_.linger();
      close(channel_.why(error, "read"));
    }
  }
}

void HaConnection::on_received(std::span<const std::byte> bytes) {
  const Time now = steady_now();
  replica_.on_bytes(now);
  // One view for all of it: acks come alone or many in one piece, and what they are judged by does
  // not change between them.
  const MasterView view = events_.view(*this);
  bool any = false;
  if (!opening_.over()) any = hear_opening(bytes, view, now);
  while (open_ && !replica_.refused() && !bytes.empty()) {
    any = hear(replica_.wire().take(bytes), view, now) || any;
  }
  if (open_ && any) acked(now);
}

// Returns true if they were an ack that counts.
bool HaConnection::hear_opening(std::span<const std::byte>& bytes, const MasterView& view,
                                Time now) {
  const Opening::Heard heard = opening_.take(bytes);
  if (const auto* refusal = std::get_if<Refusal>(&heard)) {
    close(*refusal);
  } else if (const auto* begun = std::get_if<Opening::Tls>(&heard)) {
    start_tls(begun->first, std::exchange(bytes, {}));
  } else if (std::holds_alternative<Opening::Native>(heard)) {
    start_native(now);
  } else if (const auto* rocketmq = std::get_if<Opening::Rocketmq>(&heard)) {
    std::span<const std::byte> report = rocketmq->report;
    return hear(replica_.wire().take(report), view, now);
  }
  return false;
}

void HaConnection::start_native(Time now) {
  replica_.speak(std::make_unique<NativeServingWire>());
  replica_.set_message(std::make_shared<const wire::native::Bytes>(events_.greeting(*this)));
  pump_now(now);
}

// Returns true if it was an ack that counts.
bool HaConnection::hear(const ServingWire::Found& found, const MasterView& view, Time now) {
  if (const auto* report = std::get_if<ServingWire::Report>(&found)) {
    return counts(replica_.take_report(report->end, view), view, now);
  }
  if (const auto* ack = std::get_if<wire::native::Ack>(&found)) {
    return counts(replica_.take_ack(*ack, view), view, now);
  }
  if (const auto* hello = std::get_if<const core::Hello*>(&found)) {
    take_hello(**hello, now);
  } else if (const auto* prepare = std::get_if<const core::Prepare*>(&found)) {
    take_prepare(**prepare, now);
  } else if (const auto* pending = std::get_if<ServingWire::Pending>(&found)) {
    events_.on_pending(*this, pending->state);
  } else if (const auto* refusal = std::get_if<Refusal>(&found)) {
    close(*refusal);
  }
  return false;
}

// Takes what became of a report or an ack. Returns true if it counts.
bool HaConnection::counts(const Refusal& refusal, const MasterView& view, Time now) {
  if (!refusal.ok()) {
    close(refusal);
    return false;
  }
  if (!replica_.joined()) joined(view, now);
  replica_.count_report();
  return true;
}

void HaConnection::take_hello(const core::Hello& hello, Time now) {
  name_ = hello.replica;
  incarnation_ = hello.incarnation;
  const core::Answer answer = events_.on_hello(*this, hello);
  if (!open_) return;
  wire::native::Bytes message = wire::native::encode_answer(answer);
  if (answer.decision == core::Decision::kRefuse) {
    replica_.refuse({answer.reason, answer.text + answer.aside});
  } else {
    const wire::native::Bytes after = events_.after_answer(*this);
    message.insert(message.end(), after.begin(), after.end());
  }
  replica_.set_message(std::make_shared<const wire::native::Bytes>(std::move(message)));
  if (!replica_.refused()) {
    replica_.accept(answer.offset);
    joined(events_.view(*this), now);
  }
  pump_now(now);
}

void HaConnection::take_prepare(const core::Prepare& prepare, Time now) {
  candidate_ = true;
  replica_.set_message(std::make_shared<const wire::native::Bytes>(
      wire::native::encode_promise(events_.on_prepare(*this, prepare))));
  pump_now(now);
}

// The replica counts from now on.
void HaConnection::joined(const MasterView& view, Time now) {
  replica_.set_pace(now, view);
  replica_.join(events_.on_joined(*this));
}

// Every value was judged; only the last needs to be acted on, since acks are cumulative.
void HaConnection::acked(Time now) {
  const MasterView view = events_.on_ack(*this);
  if (!open_) return;
  if (!caught_up_ && session().ack() >= view.log.end) {
    caught_up_ = true;
    events_.on_caught_up(*this);
  }
  if (!std::exchange(started_, true)) pump(now, view);
}

bool HaConnection::send_message(std::shared_ptr<const wire::native::Bytes> message) {
  if (!open_ || replica_.has_message()) return false;
  replica_.set_message(std::move(message));
  pump_now(steady_now());
  return true;
}

bool HaConnection::pump(Time now, const MasterView& view) {
  if (!open_) return false;
  Refusal silent = opening_.check_silence(now);
  if (silent.ok()) silent = replica_.check_silence(now);
  if (!silent.ok()) {
    close(silent);
    return false;
  }
  replica_.set_pace(now, view);
  const core::Offset before = session().next();
  if (!writable_awaited_) send(now, view);
  if (open_) arm_timer(now, view);
  return session().next() != before;
}

void HaConnection::send(Time now, const MasterView& view) {
  const auto result = replica_.send(channel_, now, view);
  if (const auto* refusal = std::get_if<Refusal>(&result)) return close(*refusal);
  switch (std::get<ServedReplica::Sent>(result)) {
    case ServedReplica::Sent::kAll:
      return;
    case ServedReplica::Sent::kBlocked:
      return wait_writable();
    case ServedReplica::Sent::kShare:
      return yield_and_pump();
  }
}

// More to send: the others first.
void HaConnection::yield_and_pump() {
  writable_awaited_ = true;
  boost::asio::post(channel_.socket().get_executor(), [self = shared_from_this()] {
    self->writable_awaited_ = false;
    if (self->open_) self->pump_now(steady_now());
  });
}

void HaConnection::confirm_rose(const MasterView& view) {
  if (open_ && replica_.confirm_due(view) < armed_for_) arm_timer(steady_now(), view);
}

void HaConnection::wait_writable() {
  writable_awaited_ = true;
  IoThread::gather();
  channel_.socket().async_wait(boost::asio::ip::tcp::socket::wait_write,
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
  const Time due = std::min(opening_.due(), replica_.next_due(now, view, !writable_awaited_));
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
  replica_.release();
  timer_.cancel();
  // First it counts no longer, then its peer may see that.
  events_.on_closed(*this, reason, text);
  channel_.close();
}

}  // namespace ha::net
