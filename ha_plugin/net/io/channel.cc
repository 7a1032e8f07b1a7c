// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/channel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace ha::net {
namespace {

// One record's worth: a small frame and its header become one record, and the start of a large one.
constexpr std::size_t kRecordBytes = 16 * 1024;

// A call encrypts at most this much; what the socket does not take of it stays in memory.
constexpr std::size_t kMostEncrypted = 256 * 1024;

constexpr std::size_t kCipherBytes = 128 * 1024;

}  // namespace

void Channel::reset(boost::asio::ip::tcp::socket socket) {
  tls_.reset();
  on_over_ = nullptr;
  more_ = false;
  socket_ = std::move(socket);
}

void Channel::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Channel::linger() {
  std::byte nobody_reads[4096];
  constexpr int kMost = 16;  // a peer that goes on talking loses what it would have been told
  for (int i = 0; i < kMost; ++i) {
    if (::recv(socket_.native_handle(), nobody_reads, sizeof nobody_reads, MSG_DONTWAIT) <= 0)
      break;
  }
  ::shutdown(socket_.native_handle(), SHUT_WR);
}

void Channel::encrypt(std::unique_ptr<TlsSession> session,
                      std::function<void(const TlsSession&)> on_over) {
  tls_ = std::move(session);
  on_over_ = std::move(on_over);
  more_ = false;
  std::byte none[1];
  decrypted(none);  // nothing came yet: a client begins, a server waits
}

int Channel::flush_encrypted() {
  while (holds_output()) {
    const std::span<const std::byte> output = tls_->output();
    const ssize_t n =
        ::send(socket_.native_handle(), output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    tls_->sent(static_cast<std::size_t>(n));
  }
  return 0;
}

ssize_t Channel::send_encrypted(const iovec* parts, std::size_t count) {
  if (flush() != 0) return -1;
  std::array<std::byte, kRecordBytes> first;
  std::size_t in_first = 0;
  std::size_t taken = 0;
  bool good = true;
  for (std::size_t i = 0; i < count && good && taken < kMostEncrypted; ++i) {
    std::span<const std::byte> bytes(static_cast<const std::byte*>(parts[i].iov_base),
                                     std::min(parts[i].iov_len, kMostEncrypted - taken));
    taken += bytes.size();
    if (i + 1 < count || in_first > 0) {
      const std::size_t n = std::min(bytes.size(), first.size() - in_first);
      std::memcpy(first.data() + in_first, bytes.data(), n);
      in_first += n;
      bytes = bytes.subspan(n);
      if (i + 1 < count && bytes.empty()) continue;
      good = tls_->write(std::span(first).first(in_first));
      in_first = 0;
    }
    if (good && !bytes.empty()) good = tls_->write(bytes);
  }
  if (!good) {
    errno = EPROTO;
    return -1;
  }
  // The socket's end of it may be full; that is for the next call to say.
  if (flush() != 0 && errno != EAGAIN) return -1;
  return static_cast<ssize_t>(taken);
}

ssize_t Channel::decrypted(std::span<std::byte> into) {
  std::size_t size = 0;
  const TlsSession::Read read = tls_->read(into, size);
  if (on_over_ && (tls_->established() || read == TlsSession::Read::kFailed)) {
    std::exchange(on_over_, nullptr)(*tls_);
  }
  // Answers to what came, such as the handshake's: short, and a socket that does not take them now
  // does so with what is sent next.
  if (flush() != 0 && errno != EAGAIN) return -1;
  switch (read) {
    case TlsSession::Read::kBytes:
      return static_cast<ssize_t>(size);
    case TlsSession::Read::kClosed:
      return 0;
    case TlsSession::Read::kWantsMore:
      errno = EAGAIN;
      return -1;
    case TlsSession::Read::kFailed:
      break;
  }
  errno = EPROTO;
  return -1;
}

ssize_t Channel::receive_encrypted(iovec* parts, std::size_t count) {
  if (cipher_.empty()) cipher_.resize(kCipherBytes);
  ssize_t total = 0;
  bool drained = false;
  std::size_t i = 0;
  std::size_t in_part = 0;
  while (i < count) {
    if (in_part == parts[i].iov_len) {
      ++i;
      in_part = 0;
      continue;
    }
    const ssize_t n = decrypted(
        {static_cast<std::byte*>(parts[i].iov_base) + in_part, parts[i].iov_len - in_part});
    if (n > 0) {
      in_part += static_cast<std::size_t>(n);
      total += n;
      continue;
    }
    // What failed fails again with the next call, once what came before it was taken.
    more_ = total > 0 && (n == 0 || errno != EAGAIN);
    if (n == 0 || errno != EAGAIN) return total > 0 ? total : n;
    if (drained) break;
    const ssize_t got =
        ::recv(socket_.native_handle(), cipher_.data(), cipher_.size(), MSG_DONTWAIT);
    if (got <= 0) {
      more_ = total > 0 && (got == 0 || (errno != EAGAIN && errno != EINTR));
      return total > 0 ? total : got;
    }
    tls_->feed(std::span(cipher_).first(static_cast<std::size_t>(got)));
    drained = static_cast<std::size_t>(got) < cipher_.size();
  }
  more_ = i == count;
  if (total > 0) return total;
  errno = EAGAIN;
  return -1;
}

core::Refusal Channel::why(int error, const char* what) const {
  if (tls_ && !tls_->failure().ok()) return tls_->failure();
  return {error == EIO ? core::Reason::kHostError : core::Reason::kNetwork,
          std::string(what) + ": " + std::generic_category().message(error)};
}

}  // namespace ha::net
