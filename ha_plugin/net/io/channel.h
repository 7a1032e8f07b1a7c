// SPDX-License-Identifier: Apache-2.0
// A connected socket, and TLS on it if there is to be some: every byte that a node sends to another
// or hears of it goes through here.
//
// Plain, send() and receive() are sendmsg and recvmsg and nothing else. With TLS they do what those
// would, on plaintext: -1 and EAGAIN when the socket takes or has no more, -1 and EPROTO when TLS
// has failed; why() then has the words. Bytes that were taken may still lie here encrypted
// (holds_output()): whoever sends then waits for room in the socket and calls flush().
//
// Threads: its owner's.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "ha_plugin/core/types.h"
#include "ha_plugin/net/io/tls_session.h"

namespace ha::net {

class Channel {
 public:
  explicit Channel(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  boost::asio::ip::tcp::socket& socket() { return socket_; }
  const boost::asio::ip::tcp::socket& socket() const { return socket_; }
  // Another connection, in the clear until encrypt().
  void reset(boost::asio::ip::tcp::socket socket);
  void close();
  // Before close: what the peer was told last must reach it. A socket that is closed with bytes
  // unread is reset, and takes what is on its way with it.
  void linger();

  // From now on; a client's first words go out. What is sent before the handshake is over waits for
  // its end. on_over runs once, then, before any plaintext comes out: the peer has proved who it is
  // (established()), or TLS has failed.
  void encrypt(std::unique_ptr<TlsSession> session,
               std::function<void(const TlsSession& session)> on_over);
  // Encrypted, and on_over has not run.
  bool shaking_hands() const { return on_over_ != nullptr; }
  // Null while it is in the clear.
  const TlsSession* tls() const { return tls_.get(); }

  ssize_t send(const iovec* parts, std::size_t count, int flags = 0) {
    if (tls_) return send_encrypted(parts, count);
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    return ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
  }
  ssize_t send(std::span<const std::byte> bytes) {
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    return send(&part, 1);
  }
  ssize_t receive(iovec* parts, std::size_t count) {
    if (tls_) return receive_encrypted(parts, count);
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    return ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  }

  bool holds_output() const { return tls_ && !tls_->output().empty(); }
  // Returns 0, or -1 with errno when the socket failed or still takes no more.
  int flush() { return holds_output() ? flush_encrypted() : 0; }
  // receive() has more without the socket becoming readable.
  bool holds_input() const { return more_; }

  // For an owner that reads the socket itself: decrypts what came. The bytes must stay until
  // decrypted() has returned 0 or -1.
  void feed(std::span<const std::byte> bytes) { tls_->feed(bytes); }
  // Plaintext, as receive().
  ssize_t decrypted(std::span<std::byte> into);

  // Why the connection must end after a call that failed with that errno. what: "read" or "write".
  core::Refusal why(int error, const char* what) const;

 private:
  int flush_encrypted();
  ssize_t send_encrypted(const iovec* parts, std::size_t count);
  ssize_t receive_encrypted(iovec* parts, std::size_t count);

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<TlsSession> tls_;
  std::vector<std::byte> cipher_;  // as it came from the socket
  std::function<void(const TlsSession&)> on_over_;
  bool more_ = false;
};

}  // namespace ha::net
