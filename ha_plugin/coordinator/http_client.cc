// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/coordinator/http_client.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "ha_plugin/net/io/channel.h"
#include "ha_plugin/net/io/connector.h"
#include "ha_plugin/net/io/outbox.h"

namespace ha {
namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMostHeader = 16 * 1024;
constexpr std::size_t kPiece = 16 * 1024;

}  // namespace

class HttpClient::Impl {
 public:
  Impl(std::vector<net::Address> endpoints, std::unique_ptr<net::TlsFiles> files,
       net::Resolver& resolver)
      : endpoints_(std::move(endpoints)),
        files_(std::move(files)),
        channel_(tcp::socket(context_)) {
    // One for each: it remembers which address of a name comes next.
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      connectors_.push_back(std::make_unique<net::Connector>(context_, resolver));
    }
  }

  // Only good files take the place of those in use.
  std::string check() {
    if (!files_) return "";
    std::string now = files_->fingerprint();
    if (tls_ && now == read_as_) return "";
    read_as_ = std::move(now);
    std::string wrong;
    if (auto made = net::TlsContext::make_client(*files_, wrong)) tls_ = std::move(made);
    return wrong;
  }

  std::string open(Deadline deadline, bool& fresh) {
    fresh = false;
    if (is_idle()) return "";
    fresh = true;
    begin();
    if (std::string wrong = check(); !tls_ && !wrong.empty()) return wrong;
    net::Connector& connector = *connectors_[in_use_];
    connector.connect(endpoints_[in_use_], [this](tcp::socket socket, const std::string& failure) {
      if (!failure.empty()) return fail(failure);
      channel_.reset(std::move(socket));
      over_ = true;
    });
    if (!wait(deadline)) {
      const std::string waiting = connector.waiting_for();
      connector.cancel();
      fail(waiting.empty() ? "no connection in time" : "no connection in time: " + waiting);
    }
    if (failure_.empty() && tls_) {
      channel_.encrypt(tls_->dial(endpoints_[in_use_].host), [](const net::TlsSession&) {});
    }
    return failure_;
  }

  HttpAnswer ask(std::string_view path, std::string_view body, std::string_view authorization,
                 Deadline deadline) {
    begin();
    parser_.emplace();
    parser_->eager(true);
    parser_->body_limit(kMostAnswer);
    parser_->header_limit(kMostHeader);
    unparsed_.clear();
    std::string request =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", body.empty() ? "GET" : "POST", path,
                    endpoints_[in_use_].text());
    if (!authorization.empty()) request += fmt::format("Authorization: {}\r\n", authorization);
    if (!body.empty()) {
      request +=
          fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    }
    request += "\r\n";
    request += body;
    HttpAnswer answer;
    if (!cancelled_) {
      answer.sent = true;
      outbox_.put(std::as_bytes(std::span(request)));
      flush();
      hear();
    }
    if (!wait(deadline)) fail("no answer in time");
    answer.failure = failure_;
    if (!failure_.empty()) return answer;
    auto message = parser_->release();
    answer.status = message.result_int();
    answer.body = std::move(message.body());
    // What came beyond the answer would be taken for the next one.
    if (!message.keep_alive() || !unparsed_.empty()) close();
    return answer;
  }

  void next() {
    close();
    in_use_ = (in_use_ + 1) % endpoints_.size();
  }

  std::string endpoint() const { return endpoints_[in_use_].text(); }

  // In this order: wait() looks at the first after it has made the second undone.
  void cancel() {
    cancelled_ = true;
    context_.stop();
  }
  bool cancelled() const { return cancelled_; }

 private:
  void begin() {
    ++turn_;
    over_ = false;
    failure_.clear();
  }

  void close() {
    ++turn_;
    channel_.close();
    outbox_.clear();
  }

  void fail(const std::string& what) {
    failure_ = cancelled_ ? "the call was cancelled" : what;
    over_ = true;
    close();
  }

  // Runs what was begun. Returns false if it was not over in time, or was cancelled.
  bool wait(Deadline deadline) {
    context_.restart();
    while (!over_ && !cancelled_ && std::chrono::steady_clock::now() < deadline) {
      if (context_.run_one_until(deadline) == 0 && context_.stopped()) break;
    }
    return over_ && !cancelled_;
  }

  // The connection from before is still there, and says nothing that nobody asked for. Tickets of
  // TLS are not seen here.
  bool is_idle() {
    if (cancelled_ || !channel_.socket().is_open()) return false;
    iovec part{piece_.data(), piece_.size()};
    if (channel_.receive(&part, 1) < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    close();
    return false;
  }

  void flush() {
    // A failure shows in what is read.
    if (outbox_.flush(channel_) != 0 || (outbox_.empty() && !channel_.holds_output())) return;
    channel_.socket().async_wait(tcp::socket::wait_write, [this, turn = turn_](error_code error) {
      if (!error && turn == turn_) flush();
    });
  }

  void hear() {
    channel_.socket().async_wait(tcp::socket::wait_read, [this, turn = turn_](error_code error) {
      if (turn != turn_) return;
      if (error) return fail(error.message());
      if (receive()) hear();
    });
  }

  // Returns true if there is more to come.
  bool receive() {
    for (;;) {
      iovec part{piece_.data(), piece_.size()};
      const ssize_t n = channel_.receive(&part, 1);
      const int failed = errno;
      if (n > 0) {
        unparsed_.append(piece_.data(), static_cast<std::size_t>(n));
        if (!parse()) return false;
        continue;
      }
      if (n < 0 && failed == EINTR) continue;
      if (n < 0 && failed == EAGAIN) {
        flush();  // what waited for the handshake
        return true;
      }
      fail(n == 0 ? "it closed the connection without a whole answer"
                  : channel_.why(failed, "read").text);
      return false;
    }
  }

  // Returns true if there is more to come.
  bool parse() {
    error_code error;
    while (!unparsed_.empty() && !parser_->is_done()) {
      const std::size_t taken = parser_->put(boost::asio::buffer(unparsed_), error);
      unparsed_.erase(0, taken);
      if (error == http::error::need_more) {
        if (unparsed_.size() < kMostHeader) return true;
        error = http::error::header_limit;
      }
      if (error) {
        fail("its answer is not HTTP that is spoken here: " + error.message());
        return false;
      }
      if (taken == 0) break;
    }
    over_ = parser_->is_done();
    return !over_;
  }

  // First, since it goes last: what is in it refers to the rest.
  boost::asio::io_context context_{1};
  const std::vector<net::Address> endpoints_;
  const std::unique_ptr<net::TlsFiles> files_;
  std::string read_as_;  // the files' fingerprint when they were read last
  std::shared_ptr<net::TlsContext> tls_;
  std::vector<std::unique_ptr<net::Connector>> connectors_;
  std::size_t in_use_ = 0;
  net::Channel channel_;
  net::Outbox outbox_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::array<char, kPiece> piece_;
  std::string unparsed_;
  std::uint64_t turn_ = 0;  // handlers of an earlier one see that they are late
  bool over_ = false;
  std::string failure_;
  std::atomic<bool> cancelled_ = false;
};

HttpClient::HttpClient(std::vector<net::Address> endpoints, std::unique_ptr<net::TlsFiles> files,
                       net::Resolver& resolver)
    : impl_(std::make_unique<Impl>(std::move(endpoints), std::move(files), resolver)) {}
HttpClient::~HttpClient() = default;

std::string HttpClient::check() { return impl_->check(); }
std::string HttpClient::open(Deadline deadline, bool& fresh) {
  return impl_->open(deadline, fresh);
}
HttpAnswer HttpClient::ask(std::string_view path, std::string_view body,
                           std::string_view authorization, Deadline deadline) {
  return impl_->ask(path, body, authorization, deadline);
}
void HttpClient::next() { impl_->next(); }
std::string HttpClient::endpoint() const { return impl_->endpoint(); }
void HttpClient::cancel() { impl_->cancel(); }
bool HttpClient::cancelled() const { return impl_->cancelled(); }

}  // namespace ha
