// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <chrono>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

#include "ha/plugin.h"
#include "http/stream.h"
#include "http/tls_context.h"
#include "http/tls_error.h"

namespace stub::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// An answer with 10,000 messages of 4 MiB does not exist: the broker bounds it by bytes. This
// bounds what a broken server can make us hold.
constexpr std::uint64_t kMaxAnswerBytes = 256u * 1024 * 1024;

// getaddrinfo waits as long as the name service is silent and cannot be interrupted, and Asio's
// resolver is joined when its context goes. So it runs on a thread that is left behind at the
// deadline.
ErrorCode look_up(const HostPort& server, Client::Duration timeout,
                  std::vector<tcp::endpoint>& found) {
  ErrorCode error;
  const auto ip = asio::ip::make_address(server.host, error);
  if (!error) {
    found = {{ip, server.port}};
    return {};
  }
  struct Answer {
    ErrorCode error;
    std::vector<tcp::endpoint> found;
  };
  auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  const auto ask = [promise, server] {
    asio::io_context context;
    Answer given;
    for (const auto& entry :
         tcp::resolver(context).resolve(server.host, std::to_string(server.port), given.error)) {
      given.found.push_back(entry.endpoint());
    }
    promise->set_value(std::move(given));
  };
  try {
    std::thread(ask).detach();
  } catch (const std::system_error& no_thread) {
    return no_thread.code();
  }
  if (answer.wait_for(timeout) != std::future_status::ready) return beast::error::timeout;
  Answer given = answer.get();
  found = std::move(given.found);
  return given.error;
}

// Beast reads as much as the buffer has room for, and this much at most.
constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

class Client::Impl {
 public:
  Impl(HostPort server, ClientOptions options)
      : server_(std::move(server)),
        options_(std::move(options)),
        stream_(beast::tcp_stream(context_)) {}

  Result<ClientResponse> call(const ClientRequest& request, Duration timeout) {
    const bool kept = connected_;
    auto answer = call_once(request, timeout);
    const bool dropped = std::holds_alternative<Error>(answer) && !connected_ && closed_by_peer_;
    if (!kept || !dropped || request.method == "POST") return answer;
    return call_once(request, timeout);
  }

  Result<std::monostate> connect(Duration timeout) {
    return connected_ ? std::monostate{} : open(timeout);
  }

  Result<std::monostate> send(const ClientRequest& request, Duration timeout) {
    auto connected = connect(timeout);
    if (auto* error = std::get_if<Error>(&connected)) return std::move(*error);
    std::string out =
        request.method + " " + request.target + " HTTP/1.1\r\nHost: " + to_string(server_) + "\r\n";
    if (!options_.token.empty()) out += "Authorization: Bearer " + options_.token + "\r\n";
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
      out += "Content-Type: " + request.content_type +
             "\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    out += "\r\n";
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(out),
                                                       asio::buffer(request.body)};
    ErrorCode error;
    stream_.socket().expires_after(timeout);
    asio::async_write(stream_, buffers, [&](ErrorCode result, std::size_t) { error = result; });
    run();
    if (error) return fail("cannot send to", error);
    return std::monostate{};
  }

  Result<ClientResponse> receive(Duration timeout) {
    if (!connected_) return fail("cannot receive from", asio::error::not_connected);
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxAnswerBytes);
    buffer_.reserve(kReadBytes);
    ErrorCode error;
    stream_.socket().expires_after(timeout);
    http::async_read(stream_, buffer_, parser,
                     [&](ErrorCode result, std::size_t) { error = result; });
    run();
    if (error) return fail("no answer from", error);
    auto message = parser.release();
    ClientResponse out;
    out.status = static_cast<int>(message.result_int());
    const auto type = message[http::field::content_type];
    out.content_type.assign(type.data(), type.size());
    const auto allow = message[http::field::allow];
    out.allow.assign(allow.data(), allow.size());
    const auto location = message[http::field::location];
    out.location.assign(location.data(), location.size());
    out.body = std::move(message.body());
    if (!message.keep_alive()) close();
    return out;
  }

  int descriptor() { return connected_ ? stream_.socket().socket().native_handle() : -1; }
  bool has_input() { return buffer_.size() > 0 || (stream_.tls() && stream_.tls()->pending()); }
  bool uses_tls() const { return options_.tls != nullptr; }
  const HostPort& server() const { return server_; }

  void close() {
    ErrorCode ignored;
    stream_.stop_tls();
    stream_.socket().socket().close(ignored);
    buffer_.clear();
    connected_ = false;
  }

 private:
  Result<ClientResponse> call_once(const ClientRequest& request, Duration timeout) {
    auto sent = send(request, timeout);
    if (auto* error = std::get_if<Error>(&sent)) return std::move(*error);
    return receive(timeout);
  }

  Result<std::monostate> open(Duration timeout) {
    close();
    const auto end = std::chrono::steady_clock::now() + timeout;
    std::vector<tcp::endpoint> found;
    ErrorCode error = look_up(server_, timeout, found);
    if (error) return fail("cannot find", error);
    // Each address of a name has its share of what is left: one that does not answer must not cost
    // the others theirs.
    for (std::size_t i = 0; i < found.size(); ++i) {
      stream_.socket().expires_after((end - std::chrono::steady_clock::now()) /
                                     static_cast<int>(found.size() - i));
      stream_.socket().async_connect(found[i], [&](ErrorCode result) { error = result; });
      run();
      if (!error) break;
      stream_.socket().socket().close();
    }
    if (error) return fail("cannot connect to", error);
    ErrorCode ignored;
    stream_.socket().socket().set_option(tcp::no_delay(true), ignored);
    if (options_.tls) {
      stream_.start_tls(options_.tls->channel(server_.host));
      stream_.socket().expires_at(end);
      stream_.tls()->handshake([&](ErrorCode result, std::size_t) { error = result; });
      run();
      if (error) return fail("no TLS with", error);
    }
    connected_ = true;
    return std::monostate{};
  }

  // Each operation ends by itself or by its deadline, so this returns.
  void run() {
    context_.restart();
    context_.run();
  }

  Error fail(std::string_view what, const ErrorCode& error) {
    closed_by_peer_ = error == http::error::end_of_stream ||
                      error == asio::error::connection_reset || error == asio::error::broken_pipe;
    // TLS is there: something answered, and said or was refused what the words tell.
    const bool answered = is_tls(error);
    const std::string why = error == beast::error::timeout ? "it took too long"
                            : stream_.tls() != nullptr     ? stream_.tls()->words(error)
                                                           : error.message();
    close();
    const bool system = error.category() == boost::system::system_category();
    return Error{error == beast::error::timeout ? HA_TIMEOUT : HA_IO, system ? error.value() : 0,
                 std::string(what) + " " + to_string(server_) + ": " + why +
                     (answered ? "" : " (is a broker running there?)")};
  }

  HostPort server_;
  ClientOptions options_;
  asio::io_context context_{1};
  Stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  bool connected_ = false;
  bool closed_by_peer_ = false;
};

Client::Client(HostPort server, ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(server), std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<ClientResponse> Client::call(const ClientRequest& request, Duration timeout) {
  return impl_->call(request, timeout);
}
Result<std::monostate> Client::connect(Duration timeout) { return impl_->connect(timeout); }
Result<std::monostate> Client::send(const ClientRequest& request, Duration timeout) {
  return impl_->send(request, timeout);
}
Result<ClientResponse> Client::receive(Duration timeout) { return impl_->receive(timeout); }
int Client::descriptor() const { return impl_->descriptor(); }
bool Client::has_input() const { return impl_->has_input(); }
const HostPort& Client::server() const { return impl_->server(); }
bool Client::uses_tls() const { return impl_->uses_tls(); }
void Client::close() { impl_->close(); }

std::string percent_encode(std::string_view text) {
  return boost::urls::encode({text.data(), text.size()}, boost::urls::unreserved_chars);
}

}  // namespace stub::http
