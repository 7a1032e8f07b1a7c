// SPDX-License-Identifier: Apache-2.0
// TLS over a socket: OpenSSL between two buffers in memory, so that it never touches the socket
// itself, and what it holds back can be seen (pending) and what it says last can be sent
// (shut_down). Asio's ssl::stream shows neither, and keeps 34 KiB for each idle connection.
//
// One read and one write may be under way at a time, beside each other. A completion runs from the
// executor, never inside the call that started it.
//
// Threads: one at a time.
// Lifecycle: its own pending operations hold it. Before the socket goes, detach: what is pending
// then is dropped and completes nothing.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

struct ssl_st;  // OpenSSL's SSL

namespace stub::http {

class TlsChannel : public std::enable_shared_from_this<TlsChannel> {
 public:
  using ErrorCode = boost::system::error_code;
  using Done = std::function<void(ErrorCode, std::size_t)>;
  // The socket below: some bytes at a time, completed from the executor.
  struct Below {
    std::function<void(boost::asio::mutable_buffer, Done)> read_some;
    std::function<void(boost::asio::const_buffer, Done)> write_some;
    std::function<void(std::function<void()>)> post;
  };

  // Takes `ssl`, which knows already which side it is. trusted: whose signatures it takes, for
  // words().
  TlsChannel(ssl_st* ssl, std::string trusted);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  void attach(Below below) { below_ = std::move(below); }
  void detach();

  // When it fails, the peer is told why before done runs.
  void handshake(Done done);
  // At least one byte, or an error: end of file when the peer said that nothing more comes.
  void read_some(boost::asio::mutable_buffer into, Done done);
  // Some of the bytes, at least one; completes when the socket has taken them.
  void write_some(boost::asio::const_buffer from, Done done);
  // Says that nothing more comes; completes when the socket has taken it.
  void shut_down(Done done);

  // True when a read may find bytes that have left the socket already.
  bool pending() const;
  // The error in words: of a certificate that was refused, which and why.
  std::string words(const ErrorCode& error) const;
  ssl_st* native() const { return ssl_; }
  // For the verification: whose signatures are taken, and why one was not.
  const std::string& trusted() const { return trusted_; }
  void refuse(std::string why) { refused_ = std::move(why); }

 private:
  void step_handshake();
  void step_read();
  void receive(void (TlsChannel::*then)(), Done& waiting);
  void send();
  void send_rest();
  void fail(Done& waiting, int result);
  void end(Done& waiting, const ErrorCode& error, std::size_t bytes);

  ssl_st* const ssl_;
  const std::string trusted_;
  std::string refused_;  // why the peer's certificate was
  Below below_;
  std::string received_;  // where the socket's bytes come; empty when nothing is read
  std::string sending_;   // what the socket is taking; empty when nothing is sent
  std::size_t sent_ = 0;  // of it
  Done handshake_done_;
  Done read_done_;
  boost::asio::mutable_buffer into_;
  Done send_done_;  // waits until all of OpenSSL's bytes are with the socket
  std::size_t send_bytes_ = 0;
  ErrorCode send_error_;  // what send_done_ is told then
};

}  // namespace stub::http
