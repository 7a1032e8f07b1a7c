// SPDX-License-Identifier: Apache-2.0
// A socket as Beast and Asio want one, with TLS over it or not. Without TLS nothing comes between.
// With it, completions are type-erased, so that OpenSSL stays out of everything that is compiled
// with Beast.
//
// Threads: one at a time.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

#include "http/tls_channel.h"

namespace stub::http {

template <class Socket>
class Stream {
 public:
  using executor_type = typename Socket::executor_type;

  explicit Stream(Socket socket) : socket_(std::move(socket)) {}
  ~Stream() { stop_tls(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  TlsChannel* tls() { return tls_.get(); }

  // From here on everything goes through the channel, whose handshake comes first.
  void start_tls(std::shared_ptr<TlsChannel> channel) {
    tls_ = std::move(channel);
    tls_->attach({.read_some =
                      [this](boost::asio::mutable_buffer into, TlsChannel::Done done) {
                        socket_.async_read_some(into, std::move(done));
                      },
                  .write_some =
                      [this](boost::asio::const_buffer from, TlsChannel::Done done) {
                        socket_.async_write_some(from, std::move(done));
                      },
                  .post =
                      [this](std::function<void()> what) {
                        boost::asio::post(socket_.get_executor(), std::move(what));
                      }});
  }
  void stop_tls() {
    if (tls_) tls_->detach();
    tls_.reset();
  }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (!tls_) {
      socket_.async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      tls_->read_some(first<boost::asio::mutable_buffer>(buffers),
                      erased(std::forward<Handler>(handler)));
    }
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (!tls_) {
      socket_.async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      tls_->write_some(first<boost::asio::const_buffer>(buffers),
                       erased(std::forward<Handler>(handler)));
    }
  }

 private:
  // "Some" may be the first that is not empty.
  template <class Buffer, class Buffers>
  static Buffer first(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end; ++it) {
      const Buffer one(*it);
      if (one.size() > 0) return one;
    }
    return {};
  }

  // Beast's handlers can only be moved, and std::function wants copies.
  template <class Handler>
  static TlsChannel::Done erased(Handler&& handler) {
    auto held = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    return [held](TlsChannel::ErrorCode error, std::size_t bytes) { (*held)(error, bytes); };
  }

  Socket socket_;
  std::shared_ptr<TlsChannel> tls_;
};

}  // namespace stub::http
