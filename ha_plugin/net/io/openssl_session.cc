// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/openssl_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "ha_plugin/core/one_line.h"

namespace ha::net {

OpenSslSession::OpenSslSession(std::shared_ptr<const OpenSslContext> context, Side side,
                               std::string dialled)
    : context_(std::move(context)), side_(side), dialled_(std::move(dialled)) {
  ERR_clear_error();
  ssl_.reset(SSL_new(context_->context_.get()));
  BIO* bio = ssl_ ? BIO_new(context_->buffers_.get()) : nullptr;
  if (bio == nullptr) {
    fail("OpenSSL has no room for a connection: " + error_text());
    return;
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  if (side == Side::kServer) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
    if (context_->for_ == OpenSslContext::For::kClient) expect_host();
  }
}

// A handshake then fails unless the certificate is for that host.
void OpenSslSession::expect_host() {
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl_.get());
  const std::string ip = dialled_.substr(0, dialled_.find('%'));  // a zone is this machine's
  if (X509_VERIFY_PARAM_set1_ip_asc(param, ip.c_str()) == 1) return;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (dialled_.empty() || SSL_set_tlsext_host_name(ssl_.get(), dialled_.c_str()) != 1 ||
      X509_VERIFY_PARAM_set1_host(param, dialled_.data(), dialled_.size()) != 1) {
    fail(fmt::format("'{}' is not a host that a certificate can be for", dialled_));
  }
}

OpenSslSession::Read OpenSslSession::read(std::span<std::byte> into, std::size_t& size) {
  size = 0;
  if (!failure_.ok()) return Read::kFailed;
  ERR_clear_error();
  const int done = SSL_read_ex(ssl_.get(), into.data(), into.size(), &size);
  // Before anything else is asked of the connection, which would change the answer.
  const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
  if (!established() && SSL_is_init_finished(ssl_.get()) == 1) {
    establish();
    if (!failure_.ok()) return Read::kFailed;
    if (!early_.empty() && !write(std::exchange(early_, {}))) return Read::kFailed;
  }
  switch (error) {
    case SSL_ERROR_NONE:
      return Read::kBytes;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Read::kWantsMore;
    case SSL_ERROR_ZERO_RETURN:
      return Read::kClosed;
    default:
      break;
  }
  const std::string text = error_text();
  if (!refused_because_.empty()) {
    fail(refused_because_);
  } else if (text.find("alert") != std::string::npos) {
    // In TLS 1.3 a client is done before its server has judged its certificate: the answer is this.
    fail("it did not take what this node proved itself with (" + text + "): its log says why");
  } else if (context_->uses_keys() && text.find("no suitable") != std::string::npos) {
    // What OpenSSL says when it would need a certificate because no key was offered.
    fail("it offered no key: give it the same file as option 'tls_psk_file'");
  } else {
    fail(text);
  }
  return Read::kFailed;
}

void OpenSslSession::establish() {
  if (context_->for_ != OpenSslContext::For::kNodes) {
    proved_ = {.ids = {""}, .any = true, .shown = "not a node"};
    return;
  }
  if (context_->uses_keys()) {
    // Without a certificate and without a key nothing is proved, whatever the handshake says.
    if (SSL_session_reused(ssl_.get()) != 1) return fail("it has no key");
    const std::string& id = side_ == Side::kServer ? offered_ : dialled_;
    proved_.ids = {id};
    proved_.any = id.empty();
    proved_.shown = id.empty() ? "a node with the key file" : "'" + id + "' by the key file";
    return;
  }
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return fail("it has no certificate");
  core::ProvedNames names = context_->names_of(certificate);
  if (names.empty()) {
    return fail(
        fmt::format("its certificate is for {}, and for no node of this cluster, ha:{}/ID or ID.{}",
                    OpenSslContext::describe(certificate), context_->cluster_, context_->cluster_),
        core::Reason::kIdentity);
  }
  if (const std::string wrong = core::check_dialled(names, dialled_); !wrong.empty()) {
    return fail(wrong, core::Reason::kIdentity);
  }
  proved_ = std::move(names);
}

std::string OpenSslSession::check_again(const TlsContext& other) const {
  const auto& context = static_cast<const OpenSslContext&>(other);
  if (context.uses_keys() != context_->uses_keys()) return "it proved itself in another way";
  if (context.uses_keys()) {
    const bool known = std::any_of(context.keys_.begin(), context.keys_.end(),
                                   [&](const auto& key) { return key.name == key_name_; });
    return known ? "" : "its key was removed from the file of option 'tls_psk_file'";
  }
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  const Owned<X509_STORE_CTX> check(X509_STORE_CTX_new());
  if (certificate == nullptr || !check ||
      X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context.context_.get()), certificate,
                          SSL_get_peer_cert_chain(ssl_.get())) != 1) {
    return "its certificate cannot be checked again";
  }
  X509_STORE_CTX_set_verify_cb(check.get(), OpenSslContext::pass_over_dates);
  const bool good = X509_verify_cert(check.get()) == 1;
  const int error = X509_STORE_CTX_get_error(check.get());
  ERR_clear_error();
  if (good) return "";
  return fmt::format("its certificate, for {}, is no longer good: {}",
                     OpenSslContext::describe(certificate), X509_verify_cert_error_string(error));
}

bool OpenSslSession::write(std::span<const std::byte> bytes) {
  if (!failure_.ok()) return false;
  if (!established()) {
    early_.insert(early_.end(), bytes.begin(), bytes.end());
    return true;
  }
  ERR_clear_error();
  written_ += bytes.size();
  if (written_ >= context_->rekey_bytes_) {
    written_ = 0;
    SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
  }
  std::size_t size = 0;
  if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size) == 1 && size == bytes.size()) {
    return true;
  }
  fail("OpenSSL could not encrypt: " + error_text());
  return false;
}

void OpenSslSession::sent(std::size_t bytes) {
  out_begin_ += bytes;
  if (out_begin_ < out_.size()) return;
  out_.clear();
  out_begin_ = 0;
}

void OpenSslSession::fail(const std::string& what, core::Reason reason) {
  // A peer chose some of these words: the names in its certificate.
  if (failure_.ok()) failure_ = {reason, core::one_line(what)};
}

int OpenSslSession::bio_read(BIO* bio, char* into, std::size_t room, std::size_t* size) {
  auto* self = static_cast<OpenSslSession*>(BIO_get_data(bio));
  *size = std::min(room, self->in_.size());
  if (*size == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  BIO_clear_retry_flags(bio);
  // The first byte of a record is its type: an alert (21) may be all that an old node, or a load
  // balancer, ever says.
  self->peer_spoke_ = true;
  std::memcpy(into, self->in_.data(), *size);
  self->in_ = self->in_.subspan(*size);
  return 1;
}

int OpenSslSession::bio_write(BIO* bio, const char* from, std::size_t bytes, std::size_t* size) {
  auto* self = static_cast<OpenSslSession*>(BIO_get_data(bio));
  const auto* first = reinterpret_cast<const std::byte*>(from);
  self->out_.insert(self->out_.end(), first, first + bytes);
  *size = bytes;
  return 1;
}

long OpenSslSession::bio_ctrl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace ha::net
