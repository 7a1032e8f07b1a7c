// SPDX-License-Identifier: Apache-2.0
#include "http/session.h"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include "ha/plugin.h"
#include "http/errors.h"
#include "http/peer.h"

namespace stub::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// What a client may still have under way when an answer ends its connection; beyond it, or after
// the time, it has to live with a reset.
constexpr std::size_t kLingerBytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLingerTime{2};

// A header and a small body fit into the first read. A long body comes in pieces.
constexpr std::size_t kHeaderReadBytes = 4 * 1024;
constexpr std::size_t kBodyReadBytes = 64 * 1024;

// A long body is read to its end, or as far as it has come, before other connections have their
// turn: sixty-four that are read in turns leave the CPU's cache before the first one is whole.
constexpr std::size_t kBodyAtOnceBytes = 1024 * 1024;

constexpr std::size_t kKeepReadBytes = 2 * kHeaderReadBytes;  // of its buffer, between requests

// A connection keeps the memory of a short answer for the next one. Ten thousand connections that
// have each read one long answer must not hold on to it.
constexpr std::size_t kKeepAnswerBytes = 1024;

// When a client does not read its answers and more than this waits for the socket, no further
// request of that client is read.
constexpr std::size_t kUnreadAnswerBytes = 64 * 1024;

constexpr std::size_t kDropBytes = 16 * 1024;  // at a time, while lingering

// How long a certificate that was taken is taken without a look at its dates.
constexpr std::chrono::seconds kLookAgain{1};

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Session::Session(asio::ip::tcp::socket socket, Loop& loop)
    : loop_(loop),
      stream_(std::move(socket)),
      buffer_(loop.shared().options.max_header_bytes + kBodyReadBytes) {
  loop_.shared().connection_added();
}

Session::~Session() { loop_.shared().connection_gone(); }

void Session::start() {
  ErrorCode gone;
  const auto remote = stream_.socket().remote_endpoint(gone);
  if (!gone) peer_ = peer_of(remote);
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), gone);
  stream_.socket().non_blocking(true, gone);
  if (loop_.shared().tls) return open_tls();
  read_next();
}

// The first byte of a client that speaks TLS is 22. One that speaks plain HTTP gets an answer that
// says so, instead of bytes that it cannot read.
void Session::open_tls() {
  constexpr char kHandshakeRecord = 22;
  reading_ = Reading::kOpening;
  read_deadline_ = Clock::now() + loop_.shared().options.header_timeout;
  stream_.socket().async_wait(
      asio::ip::tcp::socket::wait_read, [self = shared_from_this()](ErrorCode error) {
        if (self->closed_) return;
        char first = 0;
        auto& socket = self->stream_.socket();
        if (!error) {
          socket.receive(asio::buffer(&first, 1), asio::ip::tcp::socket::message_peek, error);
        }
        if (error) return self->close();
        if (first == kHandshakeRecord) return self->shake_hands();
        self->plain_ = true;
        self->read_next();
      });
}

void Session::shake_hands() {
  tls_context_ = loop_.shared().tls->current();
  stream_.start_tls(tls_context_->channel());
  stream_.tls()->handshake([self = shared_from_this()](ErrorCode error, std::size_t) {
    if (self->closed_) return;
    if (error) {
      self->loop_.shared().tls_failed.log("http: no TLS with " + self->peer_.address + ": " +
                                          self->stream_.tls()->words(error));
      // The client has not read yet why.
      return self->drop_rest();
    }
    self->peer_.certified = self->tls_context_->takes_peer_of(*self->stream_.tls());
    self->next_look_ = Clock::now() + kLookAgain;
    self->read_next();
  });
}

// ---- reading ------------------------------------------------------------------------------------

void Session::read_next() {
  if (begin_request()) parse();
}

bool Session::begin_request() {
  if (closed_ || closing_ || reading_ == Reading::kEnded) return false;
  const bool unread_answers = !writing_.empty() && ready_.size() > kUnreadAnswerBytes;
  if (unread_answers || slots_.size() >= loop_.shared().options.max_pipelined) {
    reading_ = Reading::kPaused;
    return false;
  }
  reading_ = Reading::kIdle;
  if (slots_.empty()) read_deadline_ = Clock::now() + loop_.shared().options.idle_timeout;
  if (buffer_.size() == 0 && buffer_.capacity() > kKeepReadBytes) buffer_.shrink_to_fit();
  return true;
}

void Session::begin_header() {
  const auto& options = loop_.shared().options;
  reading_ = Reading::kHeader;
  read_deadline_ = Clock::now() + options.header_timeout;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(options.max_header_bytes));
  parser_->body_limit(options.max_body_bytes);
}

// Gives the parser what is here, and reads when it wants more.
void Session::parse() {
  std::size_t at_once = kBodyAtOnceBytes;
  while (!closed_) {
    if (reading_ == Reading::kIdle) {
      if (buffer_.size() == 0) return stream_.tls() || resting_ ? rest() : receive();
      begin_header();
    }
    if (reading_ == Reading::kBody && parser_->is_done()) {
      read_deadline_ = Clock::time_point::max();
      dispatch(parser_->release());
      if (!begin_request()) return;
      continue;
    }
    if (reading_ != Reading::kHeader && reading_ != Reading::kBody) return;
    ErrorCode error = http::error::need_more;
    if (buffer_.size() > 0) buffer_.consume(parser_->put(buffer_.data(), error));
    if (error == http::error::need_more) {
      if (take_body(at_once)) continue;
      return receive();
    }
    if (error) return on_read_error(error);
    if (reading_ == Reading::kHeader) on_header();
  }
}

// Without a parser and a buffer, until the client sends something.
void Session::rest() {
  if (stream_.tls() && stream_.tls()->pending()) {
    begin_header();
    return receive();
  }
  parser_.reset();
  buffer_.shrink_to_fit();
  stream_.socket().async_wait(asio::ip::tcp::socket::wait_read,
                              [self = shared_from_this()](ErrorCode error) {
                                self->resting_ = false;
                                if (self->closed_ || self->reading_ != Reading::kIdle) return;
                                if (error) return self->on_read_error(error);
                                self->begin_header();
                                self->receive();
                              });
}

// What is read next.
std::size_t Session::read_size() const {
  std::size_t room = kHeaderReadBytes;
  if (reading_ == Reading::kBody) {
    // A chunked body does not say how long it is.
    const auto missing = parser_->content_length_remaining().value_or(kBodyReadBytes);
    room = std::max<std::size_t>(room, std::min<std::uint64_t>(missing, kBodyReadBytes));
  }
  return std::min(room, buffer_.max_size() - buffer_.size());
}

// Returns false if no more of a body is here, or it has had its turn.
bool Session::take_body(std::size_t& at_once) {
  if (reading_ != Reading::kBody || stream_.tls()) return false;
  const std::size_t size = std::min(read_size(), at_once);
  if (size == 0) return false;
  ErrorCode error;  // the read that waits ends too
  const std::size_t taken = stream_.socket().read_some(buffer_.prepare(size), error);
  buffer_.commit(taken);
  at_once -= taken;
  return !error;
}

void Session::receive() {
  const std::size_t room = read_size();
  if (room == 0) return on_read_error(http::error::buffer_overflow);
  stream_.async_read_some(buffer_.prepare(room),
                          [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
                            self->on_received(error, bytes);
                          });
}

void Session::on_received(ErrorCode error, std::size_t bytes) {
  const bool waited =
      reading_ == Reading::kIdle || reading_ == Reading::kHeader || reading_ == Reading::kBody;
  if (closed_ || !waited) return;
  buffer_.commit(bytes);
  quiet_ = false;
  if (error == asio::error::operation_aborted && resting_) return parse();
  resting_ = false;
  if (error == asio::error::eof) {
    const bool begun = reading_ != Reading::kIdle && parser_->got_some();
    error = begun ? http::error::partial_message : http::error::end_of_stream;
  }
  if (error) return on_read_error(error);
  parse();
}

void Session::on_header() {
  const auto& message = parser_->get();
  if (plain_) {
    return answer_now(error_response(400, "TLS_REQUIRED",
                                     "this port speaks https; put https:// instead of http://"));
  }
  if (auto refused = refuse_header(message.base())) return answer_now(std::move(*refused));
  const std::string_view method(message.method_string().data(), message.method_string().size());
  const std::string_view target(message.target().data(), message.target().size());
  if (auto refused = refuse_early(method, target)) return answer_now(std::move(*refused));
  // "100 Continue" must not overtake an earlier answer, so such a request waits for its turn too.
  const bool overlaps =
      Api::may_overlap(method, target) && message.find(http::field::expect) == message.end();
  if (!slots_.empty() && !(overlaps && slots_.back().overlaps)) {
    reading_ = Reading::kHeld;
    read_deadline_ = Clock::time_point::max();
    return;
  }
  read_body();
}

// Eight megabytes of a client that may not send them are not worth their memory. Without a body
// dispatch judges, and the connection goes on.
std::optional<Response> Session::refuse_early(std::string_view method, std::string_view target) {
  auto& access = *loop_.shared().access;
  if (parser_->is_done() || (Api::may_overlap(method, target) && !access.guards_data())) {
    return std::nullopt;
  }
  const auto parts = to_request(Message(parser_->get().base()));
  const auto* request = std::get_if<Request>(&parts);
  const auto place = request != nullptr ? Api::place_of(*request) : std::nullopt;
  if (!place) return std::nullopt;
  return refuse(*place, *request);
}

std::optional<Response> Session::refuse(const Api::Place& place, const Request& request) {
  // What was taken at the handshake may not be any more: the CAs change, certificates expire.
  if (peer_.certified && place.need != Need::kNothing) {
    const auto now = loop_.shared().tls->current();
    if (now != tls_context_ || Clock::now() >= next_look_) {
      peer_.certified = now->takes_peer_of(*stream_.tls());
      tls_context_ = now;
      next_look_ = Clock::now() + kLookAgain;
    }
  }
  return loop_.shared().access->refuse(place.need, place.pattern, request, peer_);
}

void Session::read_body() {
  reading_ = Reading::kBody;
  read_deadline_ = Clock::now() + loop_.shared().options.body_timeout;
  parser_->eager(true);
  const auto expect = parser_->get()[http::field::expect];
  if (beast::iequals(expect, "100-continue") && !parser_->is_done()) {
    ready_ += kContinue;
    write_ready();
  }
}

void Session::on_read_error(ErrorCode error) {
  const auto& options = loop_.shared().options;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return answer_now(error_response(431, "HEADER_TOO_LARGE",
                                     "the header is longer than " +
                                         std::to_string(options.max_header_bytes) +
                                         " bytes; send fewer or shorter fields"));
  }
  if (error == http::error::body_limit) {
    return answer_now(error_response(413, "BODY_TOO_LARGE",
                                     "the body is longer than " +
                                         std::to_string(options.max_body_bytes) +
                                         " bytes; send fewer messages at once"));
  }
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return answer_now(error_response(400, "BAD_REQUEST", "this is not HTTP: " + error.message()));
  }
  // The client closed, or the network did. What waits is still answered: the client may have closed
  // its sending side only. A long poll has nothing to wait for any more.
  end_reading();
  if (error != http::error::end_of_stream) return close();
  if (poll_) finish_poll(poll_->slot);
  finish_if_done();
}

void Session::end_reading() {
  reading_ = Reading::kEnded;
  read_deadline_ = Clock::time_point::max();
}

Session::Slot& Session::push_slot() {
  auto& slot = slots_.emplace_back();
  slot.number = next_slot_++;
  return slot;
}

void Session::answer_now(Response response) {
  end_reading();
  unread_ = true;
  auto& slot = push_slot();
  slot.keep_alive = false;
  slot.head = parser_ && parser_->is_header_done() && parser_->get().method() == http::verb::head;
  on_reply(slot.number, std::move(response));
}

void Session::dispatch(Message message) {
  const std::string_view method(message.method_string().data(), message.method_string().size());
  const std::string_view target(message.target().data(), message.target().size());
  auto& slot = push_slot();
  slot.overlaps =
      Api::may_overlap(method, target) && message.find(http::field::expect) == message.end();
  slot.keep_alive = message.keep_alive();
  slot.head = message.method() == http::verb::head;
  const auto number = slot.number;
  if (!slot.keep_alive) reading_ = Reading::kEnded;

  auto parts = to_request(std::move(message));
  if (auto* refused = std::get_if<Response>(&parts)) return on_reply(number, std::move(*refused));
  auto& request = std::get<Request>(parts);
  if (loop_.draining()) {
    return on_reply(number, error_response(503, "SHUTDOWN", "this broker is stopping"));
  }

  // Before anything of it is done or queued, and by the route that will do it: so no other spelling
  // of its path gets by.
  const auto place = Api::place_of(request);
  if (place) {
    if (auto refused = refuse(*place, request)) return on_reply(number, std::move(*refused));
  }

  // Weak, since the broker may keep it for as long as a producer waits, and the client may have
  // gone.
  const Reply reply = [weak = weak_from_this(), number](Response response) {
    const auto self = weak.lock();
    if (!self) return;
    self->loop_.answer(self, number, std::move(response));
  };
  auto& api = *loop_.shared().api;
  if (place && place->blocks) {
    const bool taken = loop_.shared().worker->post(
        [&api, request = std::move(request), reply] { api.handle(request, reply); });
    if (!taken) reply(error_response(503, "AGAIN", "too many commands wait; try again later"));
    return;
  }
  auto later = api.handle(std::move(request), reply);
  if (auto* poll = std::get_if<LongPoll>(&later)) start_poll(std::move(*poll), number);
  if (auto* produce = std::get_if<Produce>(&later)) loop_.produce(std::move(*produce));
}

// ---- long polls
// -----------------------------------------------------------------------------------

void Session::start_poll(LongPoll what, std::uint64_t slot) {
  poll_ = std::make_unique<Poll>(
      Poll{std::move(what), slot, 0, asio::steady_timer(stream_.get_executor())});
  const auto weak = weak_from_this();
  poll_->timer.expires_after(poll_->what.wait);
  poll_->timer.async_wait([weak, slot](ErrorCode error) {
    const auto self = weak.lock();
    if (self && !error) self->finish_poll(slot);
  });
  // The wake may run inside this very call, and on any thread: it only posts.
  poll_->wait_id = loop_.shared().broker->wait_for_messages(
      poll_->what.topic, poll_->what.queue, poll_->what.cursor,
      [weak, slot, executor = stream_.get_executor()] {
        asio::post(executor, [weak, slot] {
          if (const auto self = weak.lock()) self->finish_poll(slot);
        });
      });
}

void Session::finish_poll(std::uint64_t slot) {
  if (!poll_ || poll_->slot != slot) return;
  const auto poll = std::move(poll_);
  loop_.shared().broker->cancel_wait(poll->wait_id);
  if (closed_) return;
  on_reply(slot, poll->what.read());
}

// ---- answers
// --------------------------------------------------------------------------------------

void Session::on_reply(std::uint64_t number, Response response) {
  take_reply(number, std::move(response));
  write_ready();
}

void Session::take_reply(std::uint64_t number, Response response) {
  for (auto& slot : slots_) {
    if (slot.number != number) continue;
    slot.response = std::move(response);
    break;
  }
}

void Session::write_ready() {
  if (closed_) return;
  while (!closing_ && !slots_.empty() && slots_.front().response) {
    const auto& slot = slots_.front();
    const bool last = !slot.keep_alive || (loop_.draining() && slots_.size() == 1);
    append_response(ready_, *slot.response, !last, slot.head);
    closing_ = last;
    if (last && reading_ != Reading::kEnded) {
      // The loop drains, and the client has sent more: it is read no further.
      unread_ = reading_ != Reading::kIdle;
      end_reading();
    }
    slots_.pop_front();
  }
  if (!ready_.empty() && writing_.empty()) send();
  if (closed_ || closing_) return;
  if (slots_.empty() && reading_ == Reading::kHeld) {
    read_body();
    return parse();
  }
  if (reading_ == Reading::kPaused) return read_next();
  if (slots_.empty() && reading_ == Reading::kIdle) {
    read_deadline_ = Clock::now() + loop_.shared().options.idle_timeout;
  }
}

// At once, as far as the socket takes it; the rest when it can.
void Session::send() {
  std::size_t sent = 0;
  if (!stream_.tls()) {
    ErrorCode error;
    sent = stream_.socket().write_some(asio::buffer(ready_), error);
    if (error && error != asio::error::would_block) return close();
  }
  writing_.swap(ready_);
  if (sent == writing_.size()) return on_written({});
  write_deadline_ = Clock::now() + loop_.shared().options.write_timeout;
  asio::async_write(
      stream_, asio::buffer(writing_) + sent,
      [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_written(error); });
}

void Session::on_written(ErrorCode error) {
  if (closed_) return;
  write_deadline_ = Clock::time_point::max();
  if (error) return close();
  writing_.clear();
  if (writing_.capacity() > kKeepAnswerBytes) writing_.shrink_to_fit();
  if (!ready_.empty()) send();
  if (closed_) return;
  if (reading_ == Reading::kPaused) read_next();
  finish_if_done();
}

void Session::finish_if_done() {
  if (closed_ || !writing_.empty()) return;
  // What is unread when a socket is closed makes the system send a reset, which may overtake the
  // answer.
  if (closing_) return unread_ || buffer_.size() > 0 || stream_.tls() ? linger() : close();
  const bool over = reading_ == Reading::kEnded || (loop_.draining() && reading_ == Reading::kIdle);
  if (slots_.empty() && over) close();
}

void Session::linger() {
  if (reading_ == Reading::kLinger) return;
  reading_ = Reading::kLinger;
  read_deadline_ = Clock::now() + kLingerTime;
  // A pending read ends, but its last steps still use the parser and the buffer: leave them be.
  ErrorCode ignored;
  stream_.socket().cancel(ignored);
  if (!stream_.tls()) return drop_rest();
  // "Nothing more comes", so that the client can tell the end from a cut.
  const bool unread = unread_ || buffer_.size() > 0 || stream_.tls()->pending();
  stream_.tls()->shut_down([self = shared_from_this(), unread](ErrorCode, std::size_t) {
    if (self->closed_) return;
    unread ? self->drop_rest() : self->close();
  });
}

void Session::drop_rest() {
  reading_ = Reading::kLinger;
  read_deadline_ = Clock::now() + kLingerTime;
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  dropped_.resize(kDropBytes);
  on_linger({}, 0);
}

void Session::on_linger(ErrorCode error, std::size_t bytes) {
  if (closed_) return;
  lingered_ += bytes;
  if (error || lingered_ > kLingerBytes) return close();
  // Below TLS, if there is any: what comes is not looked at.
  stream_.socket().async_read_some(asio::buffer(dropped_),
                                   [self = shared_from_this()](ErrorCode failed, std::size_t got) {
                                     self->on_linger(failed, got);
                                   });
}

// ---- ends
// -----------------------------------------------------------------------------------------

void Session::drain() {
  if (poll_) finish_poll(poll_->slot);
  const bool unused = reading_ == Reading::kIdle || reading_ == Reading::kOpening;
  if (slots_.empty() && writing_.empty() && unused) close();
}

void Session::close() {
  if (closed_) return;
  closed_ = true;
  if (poll_) {
    loop_.shared().broker->cancel_wait(poll_->wait_id);
    poll_.reset();
  }
  ErrorCode ignored;
  stream_.stop_tls();
  stream_.socket().close(ignored);
  loop_.remove(shared_from_this());
}

void Session::sweep(Clock::time_point now) {
  rest_if_quiet();
  if (now >= write_deadline_) return close();
  if (now < read_deadline_) return;
  if (reading_ == Reading::kHeader || reading_ == Reading::kBody) {
    return answer_now(
        error_response(408, "REQUEST_TIMEOUT",
                       reading_ == Reading::kHeader
                           ? "the header did not come in time; send it at once"
                           : "the body did not come in time; send fewer messages at once"));
  }
  if (slots_.empty() && writing_.empty()) return close();
}

// Ten thousand connections that are idle must not hold on to their buffers.
void Session::rest_if_quiet() {
  if (std::exchange(quiet_, true) && reading_ == Reading::kIdle && writing_.empty() && !resting_ &&
      !stream_.tls()) {
    resting_ = true;
    ErrorCode ignored;
    stream_.socket().cancel(ignored);
  }
}

}  // namespace stub::http
