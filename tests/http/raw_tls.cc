// SPDX-License-Identifier: Apache-2.0
#include "http/raw_tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "http/raw_socket.h"

namespace stub::test {
namespace {

std::string last_error() {
  char text[256] = "";
  ::ERR_error_string_n(::ERR_peek_last_error(), text, sizeof text);
  ::ERR_clear_error();
  return text;
}

}  // namespace

RawTls::RawTls(const std::string& address, const RawTlsPlan& plan) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{20, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) std::abort();
  context_ = ::SSL_CTX_new(::TLS_client_method());
  ::SSL_CTX_set_security_level(context_, 0);  // so that old versions are offered at all
  SSL_CTX_set_min_proto_version(context_, plan.min_version);
  SSL_CTX_set_max_proto_version(context_, plan.max_version);
  if (plan.ciphers != nullptr) ::SSL_CTX_set_cipher_list(context_, plan.ciphers);
  if (!plan.cert.cert.empty()) {
    BIO* bio = ::BIO_new_mem_buf(plan.cert.cert.data(), static_cast<int>(plan.cert.cert.size()));
    X509* cert = ::PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    ::SSL_CTX_use_certificate(context_, cert);
    while (X509* more = ::PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
      SSL_CTX_add0_chain_cert(context_, more);
    }
    ::X509_free(cert);
    ::BIO_free(bio);
    bio = ::BIO_new_mem_buf(plan.cert.key.data(), static_cast<int>(plan.cert.key.size()));
    EVP_PKEY* key = ::PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    ::SSL_CTX_use_PrivateKey(context_, key);
    ::EVP_PKEY_free(key);
    ::BIO_free(bio);
  }
  if (!plan.alpn.empty()) {
    ::SSL_CTX_set_alpn_protos(context_, reinterpret_cast<const unsigned char*>(plan.alpn.data()),
                              static_cast<unsigned>(plan.alpn.size()));
  }
  ::ERR_clear_error();
  ssl_ = ::SSL_new(context_);
  ::SSL_set_fd(ssl_, fd_);
  connected_ = ::SSL_connect(ssl_) == 1;
  if (!connected_) error_ = last_error();
}

RawTls::~RawTls() {
  ::SSL_free(ssl_);
  ::SSL_CTX_free(context_);
  ::close(fd_);
}

std::string RawTls::peer() const {
  char text[256] = "";
  if (X509* cert = ::SSL_get0_peer_certificate(ssl_)) {
    ::X509_NAME_get_text_by_NID(::X509_get_subject_name(cert), NID_commonName, text, sizeof text);
  }
  return text;
}

std::string RawTls::alpn() const {
  const unsigned char* text = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(ssl_, &text, &size);
  return {reinterpret_cast<const char*>(text), size};
}

void RawTls::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const int n = ::SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    if (n <= 0) {
      if (error_.empty()) error_ = last_error();
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool RawTls::fill() {
  char buffer[65536];
  const int n = ::SSL_read(ssl_, buffer, sizeof buffer);
  if (n <= 0) {
    ended_well_ = ::SSL_get_error(ssl_, n) == SSL_ERROR_ZERO_RETURN;
    if (!ended_well_ && error_.empty()) error_ = last_error();
    return false;
  }
  input_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

std::string RawTls::read_answer() {
  while (true) {
    if (auto answer = take_answer(input_)) return *std::move(answer);
    if (!fill()) return std::move(input_);
  }
}

void RawTls::await_close() {
  char ignored[4096];
  while (::recv(fd_, ignored, sizeof ignored, 0) > 0) {
  }
}

std::string RawTls::read_all() {
  while (fill()) {
  }
  return std::move(input_);
}

}  // namespace stub::test
