// SPDX-License-Identifier: Apache-2.0
#include "metrics/scrape_server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <exception>
#include <list>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include "metrics/adopt_descriptor.h"

namespace ha::metrics {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

// A scraper sends its whole request as soon as it is connected.
constexpr milliseconds kFirstByte{1000};
constexpr milliseconds kWholeHeader{5000};
// Prometheus gives a scrape up 10 s after its beginning by default.
constexpr milliseconds kAnswerTaken{10'000};
constexpr milliseconds kDrain{1000};
constexpr milliseconds kAcceptPause{100};  // descriptors have run out: at once would spin
constexpr std::size_t kPiece = 4096;
constexpr std::size_t kMostBuffered = 16384;  // Beast itself takes a header of up to 8 KiB

std::optional<tcp::endpoint> parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view ip = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || wrong != std::errc{} || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  const bool brackets = ip.size() >= 2 && ip.front() == '[' && ip.back() == ']';
  if (brackets) ip = ip.substr(1, ip.size() - 2);
  error_code error;
  const auto address = asio::ip::make_address(std::string(ip), error);
  if (error || address.is_v6() != brackets) return std::nullopt;
  return tcp::endpoint(address, port);
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

}  // namespace

// What runs on the server's thread.
class ScrapeServer::Loop {
 public:
  Loop(std::function<std::string()> text, std::unique_ptr<ScrapeDoor> door)
      : text_(std::move(text)), door_(std::move(door)) {}
  ~Loop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  error_code listen(const tcp::endpoint& endpoint);
  void run();
  int port() const { return port_; }

 private:
  class Session;

  void serve();
  void accept();
  void take();

  // First, since it goes last: what is in it refers to the rest.
  asio::io_context context_{1};
  const std::function<std::string()> text_;
  const std::unique_ptr<ScrapeDoor> door_;  // null lets in everybody
  tcp::acceptor acceptor_{context_};
  asio::steady_timer pause_{context_};
  std::list<std::shared_ptr<Session>> sessions_;  // the oldest first
  int port_ = 0;
  std::thread thread_;
};

class ScrapeServer::Loop::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Loop& loop, tcp::socket socket) : loop_(loop), stream_(std::move(socket)) {}

  void start(std::list<std::shared_ptr<Session>>::iterator place) {
    place_ = place;
    if (loop_.door_) tls_ = loop_.door_->open();
    stream_.expires_after(kFirstByte);
    read();
  }

  void end() {
    if (std::exchange(ended_, true)) return;
    stream_.close();
    loop_.sessions_.erase(place_);
  }

 private:
  void read() {
    stream_.async_read_some(asio::buffer(piece_),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                              if (error) return self->end();
                              if (!std::exchange(self->any_, true))
                                self->stream_.expires_after(kWholeHeader);
                              self->on_bytes({self->piece_.data(), size});
                            });
  }

  void on_bytes(std::string_view bytes) {
    bool good = true;
    if (tls_) {
      good = tls_->take(bytes, plain_);
      sending_ += tls_->output();
    } else {
      plain_ += bytes;
    }
    if (good && !plain_.empty()) parse();
    if (!answered_) send(good ? &Session::read : &Session::end);
  }

  void parse() {
    error_code error;
    plain_.erase(0, parser_.put(asio::buffer(plain_), error));
    if (error == http::error::need_more) {
      if (plain_.size() < kMostBuffered) return;
      error = http::error::header_limit;
    }
    if (error == http::error::header_limit) {
      return answer(http::status::request_header_fields_too_large, "the header is too long\n");
    }
    if (error) {
      return answer(http::status::bad_request, "this is not HTTP: " + error.message() + "\n");
    }
    const auto& request = parser_.get();
    const std::string_view target(request.target().data(), request.target().size());
    const auto authorization = request[http::field::authorization];
    if (loop_.door_ && !loop_.door_->admits({authorization.data(), authorization.size()})) {
      response_.set(http::field::www_authenticate, "Basic realm=\"metrics\"");
      answer(http::status::unauthorized, "a user and password are needed here\n");
    } else if (path_of(target) != "/metrics") {
      answer(http::status::not_found, "only /metrics is here\n");
    } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
      answer(http::status::method_not_allowed, "only GET and HEAD\n");
    } else {
      answer(http::status::ok, loop_.text_());
    }
  }

  void answer(http::status status, std::string body) {
    answered_ = true;
    response_.result(status);
    response_.version(11);
    response_.keep_alive(false);
    response_.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
    if (status == http::status::method_not_allowed) response_.set(http::field::allow, "GET, HEAD");
    response_.body() = std::move(body);
    response_.prepare_payload();
    if (parser_.get().method() == http::verb::head) response_.body().clear();
    std::ostringstream text;
    text << response_;
    if (!tls_) {
      sending_ = std::move(text).str();
    } else if (tls_->give(text.view())) {
      sending_ += tls_->output();
    } else {
      return end();
    }
    stream_.expires_after(kAnswerTaken);
    send(&Session::finish);
  }

  // All of what is to be sent, then goes on.
  void send(void (Session::*then)()) {
    if (sending_.empty()) return (this->*then)();
    asio::async_write(stream_, asio::buffer(sending_),
                      [self = shared_from_this(), then](error_code error, std::size_t) {
                        if (error) return self->end();
                        self->sending_.clear();
                        (self.get()->*then)();
                      });
  }

  void finish() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kDrain);
    drain();
  }

  // A close with unread bytes would reset the connection, and the client might lose the answer.
  void drain() {
    stream_.async_read_some(asio::buffer(piece_),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              if (error) return self->end();
                              self->drain();
                            });
  }

  Loop& loop_;
  beast::tcp_stream stream_;
  std::unique_ptr<ScrapeDoor::Tls> tls_;  // null: in the clear
  std::array<char, kPiece> piece_;
  std::string plain_;    // of the request, not parsed yet
  std::string sending_;  // as it goes to the socket
  http::request_parser<http::empty_body> parser_;
  http::response<http::string_body> response_;
  std::list<std::shared_ptr<Session>>::iterator place_;
  bool any_ = false;  // bytes have come
  bool answered_ = false;
  bool ended_ = false;
};

error_code ScrapeServer::Loop::listen(const tcp::endpoint& endpoint) {
  error_code error;
  const int fd = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {errno, boost::system::system_category()};
  adopt_descriptor(acceptor_, endpoint.protocol(), fd, error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) {
    acceptor_.set_option(asio::ip::v6_only(false), error);
  }
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  if (!error) acceptor_.non_blocking(true, error);
  if (!error) port_ = acceptor_.local_endpoint(error).port();
  return error;
}

// The new thread inherits its maker's mask: no signal of the host is ever delivered to it.
void ScrapeServer::Loop::run() {
  accept();
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "ha-metrics");
      serve();
    });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Out of memory ends one answer and not the host; its connection goes as the oldest one.
void ScrapeServer::Loop::serve() {
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::exception&) {
    }
  }
}

void ScrapeServer::Loop::accept() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](error_code error) {
    if (!error) take();
  });
}

void ScrapeServer::Loop::take() {
  // Asio's accept would leave the descriptor to the host's children until a second call.
  const int fd =
      ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code error) {
      if (!error) accept();
    });
    return;
  }
  accept();
  if (fd >= 0) {
    if (sessions_.size() >= kMostConnections) sessions_.front()->end();
    error_code error;
    tcp::socket socket(context_);
    adopt_descriptor(socket, acceptor_.local_endpoint(error).protocol(), fd, error);
    if (error) return;
    const auto place =
        sessions_.insert(sessions_.end(), std::make_shared<Session>(*this, std::move(socket)));
    (*place)->start(place);
  }
}

ScrapeServer::ScrapeServer() = default;
ScrapeServer::~ScrapeServer() { stop(); }

std::string ScrapeServer::start(const std::string& address, std::function<std::string()> text,
                                std::unique_ptr<ScrapeDoor> door) {
  const std::string subject = "cannot serve metrics on '" + address + "': ";
  if (loop_) return subject + "already serving on '" + address_ + "' (stop that first)";
  const auto endpoint = parse(address);
  if (!endpoint) {
    return subject +
           "not an IP address and port (write ADDR:PORT, such as 127.0.0.1:9404 or [::1]:9404; "
           "port 0 lets the system pick)";
  }
  try {
    auto loop = std::make_unique<Loop>(std::move(text), std::move(door));
    if (const error_code error = loop->listen(*endpoint)) {
      return subject + error.message() +
             " (choose another address or port; port 0 lets the system pick one)";
    }
    loop->run();
    loop_ = std::move(loop);
  } catch (const boost::system::system_error& error) {
    return subject + error.what();
  } catch (const std::system_error& error) {
    return subject + "the thread ha-metrics cannot be started: " + error.what();
  }
  address_ = address;
  return "";
}

void ScrapeServer::stop() {
  loop_.reset();
  address_.clear();
}

int ScrapeServer::port() const { return loop_ ? loop_->port() : 0; }

}  // namespace ha::metrics
