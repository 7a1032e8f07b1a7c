// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/connector.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "ha_plugin/net/io/cloexec_socket.h"
#include "ha_plugin/net/io/link_options.h"

namespace ha::net {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

// RFC 8305, section 5: the pause before the next address is tried as well.
constexpr auto kNextAddress = std::chrono::milliseconds(250);

// A resolver that works answers within this, or what it gave last is as good. Well below the
// shortest deadline in use, prepare_timeout_ms (2000).
constexpr auto kResolverPatience = std::chrono::milliseconds(250);

std::string text_of(const tcp::endpoint& endpoint) {
  return Address{endpoint.address().to_string(), endpoint.port()}.text();
}

}  // namespace

Resolver::Addresses in_turn(const Resolver::Addresses& found) {
  if (found.empty()) return {};
  Resolver::Addresses kinds[2];
  for (const auto& one : found) kinds[one.is_v6() == found.front().is_v6() ? 0 : 1].push_back(one);
  Resolver::Addresses all;
  for (std::size_t i = 0; i < std::max(kinds[0].size(), kinds[1].size()); ++i) {
    for (const auto& kind : kinds) {
      if (i < kind.size()) all.push_back(kind[i]);
    }
  }
  return all;
}

Connector::Connector(boost::asio::io_context& context, Resolver& resolver)
    : context_(context), resolver_(resolver), timer_(context) {}

void Connector::connect(const Address& to, Done done) {
  cancel();
  turn_ = to.text() == to_.text() ? turn_ + 1 : 0;
  to_ = to;
  done_ = std::move(done);
  endpoints_.clear();
  failed_ = refused_ = 0;
  errors_.clear();
  error_code not_a_number;
  const auto ip = boost::asio::ip::make_address(to.host, not_a_number);
  if (not_a_number) return look_up();
  if (const std::string missing = missing_interface(to.host); !missing.empty()) {
    return fail_later(missing);
  }
  begin({ip});
}

void Connector::cancel() {
  ++run_;
  timer_.cancel();
  request_.cancel();
  sockets_.clear();
  done_ = nullptr;
}

std::string Connector::waiting_for() const {
  if (endpoints_.empty()) return fmt::format("the look-up of '{}' has no answer yet", to_.host);
  return errors_;
}

void Connector::look_up() {
  request_ = resolver_.resolve(to_.host, context_, [this, run = run_](const auto& answer) {
    if (run == run_ && endpoints_.empty()) on_found(answer);
  });
  timer_.expires_after(kResolverPatience);
  timer_.async_wait([this, run = run_](const error_code& error) {
    if (error || run != run_ || !endpoints_.empty()) return;
    // Without any, there is nothing better to do than to wait on.
    if (const auto known = resolver_.remembered(to_.host); !known.empty()) begin(known);
  });
}

void Connector::on_found(const Resolver::Answer& answer) {
  if (!answer.addresses.empty()) return begin(answer.addresses);
  if (const auto known = resolver_.remembered(to_.host); !known.empty()) return begin(known);
  finish(tcp::socket(context_), fmt::format("cannot resolve '{}': {}", to_.host, answer.error));
}

void Connector::begin(const Resolver::Addresses& found) {
  // The look-up goes on without anybody who waits, for the next time.
  request_.cancel();
  for (const auto& ip : in_turn(found)) endpoints_.emplace_back(ip, to_.port);
  std::rotate(endpoints_.begin(),
              endpoints_.begin() + static_cast<std::ptrdiff_t>(turn_ % endpoints_.size()),
              endpoints_.end());
  try_next();
}

void Connector::try_next() {
  const std::size_t index = sockets_.size();
  if (index == endpoints_.size()) return;
  sockets_.push_back(std::make_unique<tcp::socket>(context_));
  tcp::socket& socket = *sockets_.back();
  const auto tried = [this, run = run_, index](const error_code& error) {
    if (run == run_) on_tried(index, error);
  };
  if (const error_code error = open_cloexec(socket, endpoints_[index].protocol())) {
    boost::asio::post(context_, [tried, error] { tried(error); });
  } else {
    socket.async_connect(endpoints_[index], tried);
  }
  timer_.expires_after(kNextAddress);
  timer_.async_wait([this, run = run_](const error_code& error) {
    if (!error && run == run_) try_next();
  });
}

void Connector::on_tried(std::size_t index, const error_code& error) {
  tcp::socket& socket = *sockets_[index];
  error_code ignored;
  error_code failed = error;
  // When nobody listens on a port from the range of those that the system picks, a connection to
  // this machine may get that very port, and is then one with itself.
  if (!failed && socket.local_endpoint(ignored) == socket.remote_endpoint(ignored)) {
    failed = boost::asio::error::connection_refused;
  }
  if (!failed) {
    errors_.clear();  // of others
    set_link_options(socket.native_handle());
    return finish(std::move(socket), "");
  }
  socket.close(ignored);
  if (failed == boost::asio::error::connection_refused) ++refused_;
  errors_ += (errors_.empty() ? "" : "; ") +
             (endpoints_.size() > 1 ? text_of(endpoints_[index]) + ": " : "") + failed.message();
  if (++failed_ == endpoints_.size()) {
    return finish(tcp::socket(context_), "cannot connect: " + errors_);
  }
  if (failed_ == sockets_.size()) try_next();
}

void Connector::fail_later(const std::string& failure) {
  boost::asio::post(context_, [this, run = run_, failure] {
    if (run == run_) finish(tcp::socket(context_), failure);
  });
}

void Connector::finish(tcp::socket socket, const std::string& failure) {
  const Done done = std::exchange(done_, nullptr);
  cancel();
  done(std::move(socket), failure);
}

}  // namespace ha::net
