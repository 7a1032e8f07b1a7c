// SPDX-License-Identifier: Apache-2.0
#include "http/tls_channel.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "http/tls_error.h"

namespace stub::http {
namespace {

// A record and its frame.
constexpr std::size_t kReceiveBytes = 17 * 1024;
// What one write turns into records at once: enough for the socket, little enough to hold.
constexpr std::size_t kWriteBytes = 64 * 1024;

}  // namespace

TlsChannel::TlsChannel(ssl_st* ssl, std::string trusted) : ssl_(ssl), trusted_(std::move(trusted)) {
  ::SSL_set_bio(ssl_, ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
  // An empty buffer means "later" and not "the end".
  BIO_set_mem_eof_return(::SSL_get_rbio(ssl_), -1);
  BIO_set_mem_eof_return(::SSL_get_wbio(ssl_), -1);
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                         SSL_MODE_RELEASE_BUFFERS);
  SSL_set_app_data(ssl_, this);
}

TlsChannel::~TlsChannel() { ::SSL_free(ssl_); }

void TlsChannel::detach() {
  below_ = {};
  // They hold who waits, who holds this.
  handshake_done_ = nullptr;
  read_done_ = nullptr;
  send_done_ = nullptr;
}

bool TlsChannel::pending() const {
  return ::SSL_pending(ssl_) > 0 || ::BIO_ctrl_pending(::SSL_get_rbio(ssl_)) > 0;
}

std::string TlsChannel::words(const ErrorCode& error) const {
  return is_verification(error) && !refused_.empty() ? refused_ : error.message();
}

void TlsChannel::end(Done& waiting, const ErrorCode& error, std::size_t bytes) {
  const Done done = std::exchange(waiting, nullptr);
  if (done) done(error, bytes);
}

// ---- the peer's bytes
// -----------------------------------------------------------------------------

void TlsChannel::handshake(Done done) {
  handshake_done_ = std::move(done);
  if (below_.post) below_.post([self = shared_from_this()] { self->step_handshake(); });
}

void TlsChannel::step_handshake() {
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(ssl_);
  const int why = ::SSL_get_error(ssl_, result);
  if (result != 1 && (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)) {
    send();
    return receive(&TlsChannel::step_handshake, handshake_done_);
  }
  // The last bytes, an alert that says why above all, go before the end is told.
  send_error_ = result == 1 ? ErrorCode() : last_tls_error(why);
  send_done_ = std::exchange(handshake_done_, nullptr);
  send_bytes_ = 0;
  send();
}

void TlsChannel::read_some(boost::asio::mutable_buffer into, Done done) {
  into_ = into;
  read_done_ = std::move(done);
  if (below_.post) below_.post([self = shared_from_this()] { self->step_read(); });
}

void TlsChannel::step_read() {
  if (!read_done_) return;
  ::ERR_clear_error();
  std::size_t got = 0;
  const int result = ::SSL_read_ex(ssl_, into_.data(), into_.size(), &got);
  const int why = ::SSL_get_error(ssl_, result);
  // An answer to what the peer asked of the channel itself, such as new keys.
  send();
  if (result == 1) return end(read_done_, {}, got);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
    return receive(&TlsChannel::step_read, read_done_);
  }
  end(read_done_, last_tls_error(why), 0);
}

// More of the peer's bytes, and the step again. `waiting` learns of the socket's errors.
void TlsChannel::receive(void (TlsChannel::*then)(), Done& waiting) {
  if (!below_.read_some) return;
  received_.resize(kReceiveBytes);
  below_.read_some(boost::asio::buffer(received_), [self = shared_from_this(), then, &waiting](
                                                       ErrorCode error, std::size_t bytes) {
    if (bytes > 0) {
      ::BIO_write(::SSL_get_rbio(self->ssl_), self->received_.data(), static_cast<int>(bytes));
    }
    std::string().swap(self->received_);
    if (error) return self->end(waiting, error, 0);
    (self.get()->*then)();
  });
}

// ---- our bytes
// ------------------------------------------------------------------------------------

void TlsChannel::write_some(boost::asio::const_buffer from, Done done) {
  ::ERR_clear_error();
  std::size_t taken = 0;
  const auto size = std::min(from.size(), kWriteBytes);
  // The buffer in memory takes everything, so this waits for nothing.
  if (::SSL_write_ex(ssl_, from.data(), size, &taken) != 1) {
    send_error_ = last_tls_error(SSL_ERROR_SSL);
  } else {
    send_error_ = {};
  }
  send_bytes_ = taken;
  send_done_ = std::move(done);
  if (below_.post) below_.post([self = shared_from_this()] { self->send(); });
}

void TlsChannel::shut_down(Done done) {
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_);
  send_error_ = {};
  send_bytes_ = 0;
  send_done_ = std::move(done);
  if (below_.post) below_.post([self = shared_from_this()] { self->send(); });
}

void TlsChannel::send() {
  if (!sending_.empty()) return;  // send_rest goes on with what has come meanwhile
  BIO* out = ::SSL_get_wbio(ssl_);
  sending_.resize(::BIO_ctrl_pending(out));
  sent_ = 0;
  if (sending_.empty()) return end(send_done_, send_error_, send_bytes_);
  ::BIO_read(out, sending_.data(), static_cast<int>(sending_.size()));
  send_rest();
}

void TlsChannel::send_rest() {
  if (!below_.write_some) return;
  below_.write_some(boost::asio::const_buffer(sending_.data() + sent_, sending_.size() - sent_),
                    [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
                      self->sent_ += bytes;
                      if (!error && self->sent_ < self->sending_.size()) return self->send_rest();
                      std::string().swap(self->sending_);
                      if (error) return self->end(self->send_done_, error, 0);
                      self->send();
                    });
}

}  // namespace stub::http
