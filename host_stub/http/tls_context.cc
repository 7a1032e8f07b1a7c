// SPDX-License-Identifier: Apache-2.0
#include "http/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "ha/plugin.h"
#include "http/text.h"
#include "http/tls_words.h"

namespace stub::http {
namespace {

template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* what) const {
    kFree(what);
  }
};
using BioPtr = std::unique_ptr<BIO, FreeWith<::BIO_free>>;
using CertPtr = std::unique_ptr<X509, FreeWith<::X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<::EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<::SSL_CTX_free>>;
using StorePtr = std::unique_ptr<X509_STORE_CTX, FreeWith<::X509_STORE_CTX_free>>;

constexpr std::size_t kMaxPemBytes = std::size_t{1}
                                     << 20;  // a system's whole bundle has half of it
constexpr SmallFile kCertRules = {kMaxPemBytes, 0, "PEM certificates", ""};
// A group may read it, as Debian's ssl-cert does.
constexpr SmallFile kKeyRules = {kMaxPemBytes, S_IRWXO, "a private key in PEM", ""};
constexpr int kWarnDays = 14;

// Forward secrecy and authenticated encryption only. 1.3 has nothing else.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kAlpn[] = "\x08http/1.1";

BioPtr bio_of(const std::string& text) {
  return BioPtr(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Without it OpenSSL asks at the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

Result<std::vector<CertPtr>> read_certs(const std::string& path, const char* what) {
  auto read = read_small_file(path, what, kCertRules);
  if (auto* error = std::get_if<Error>(&read)) return std::move(*error);
  const auto bio = bio_of(std::get<std::string>(read));
  std::vector<CertPtr> out;
  ::ERR_clear_error();
  while (true) {
    CertPtr one(::PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!one) break;
    out.push_back(std::move(one));
  }
  const auto why = ::ERR_peek_last_error();
  ::ERR_clear_error();
  if (ERR_GET_REASON(why) != PEM_R_NO_START_LINE) {
    return bad_file(
        what, path,
        "has a damaged certificate, the one numbered " + std::to_string(out.size() + 1));
  }
  if (out.empty()) {
    return bad_file(what, path, "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  }
  return out;
}

Result<KeyPtr> read_key(const std::string& path, const char* what) {
  auto read = read_small_file(path, what, kKeyRules);
  if (auto* error = std::get_if<Error>(&read)) return std::move(*error);
  const auto& text = std::get<std::string>(read);
  ::ERR_clear_error();
  KeyPtr key(::PEM_read_bio_PrivateKey(bio_of(text).get(), nullptr, no_passphrase, nullptr));
  ::ERR_clear_error();
  if (key) return key;
  if (text.find("ENCRYPTED") != std::string::npos) {
    return bad_file(what, path, "is encrypted; give a key without a passphrase");
  }
  return bad_file(what, path, "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)");
}

bool has_key(const std::string& path) {
  const auto read = read_small_file(path, "", kCertRules);
  const auto* text = std::get_if<std::string>(&read);
  return text != nullptr && text->find("PRIVATE KEY-----") != std::string::npos;
}

Error internal(const std::string& what) {
  const auto code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* reason = ::ERR_reason_error_string(code);
  return Error{HA_INTERNAL, 0, "TLS: " + what + ": " + (reason != nullptr ? reason : "?")};
}

TlsChannel& channel_of(X509_STORE_CTX* verification) {
  auto* ssl = static_cast<SSL*>(
      ::X509_STORE_CTX_get_ex_data(verification, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
  return *static_cast<TlsChannel*>(SSL_get_app_data(ssl));
}

int on_verify(int ok, X509_STORE_CTX* verification) {
  if (ok != 1) {
    auto& channel = channel_of(verification);
    channel.refuse(why_not_taken(*verification, channel.trusted()));
  }
  return ok;
}

// Of what the client offers, the one protocol that is spoken here. A client that offers others only
// is not one of this API.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, out_size, kAlpn, sizeof kAlpn - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TlsContext::~TlsContext() { ::SSL_CTX_free(context_); }

Result<std::shared_ptr<TlsContext>> TlsContext::load(const TlsFiles& files, Side side,
                                                     const Names& names) {
  const bool server = side == Side::kServer;
  const std::string trusted = files.ca.empty() ? "the system's list of CAs"
                                               : std::string(names.ca) + " " + in_quotes(files.ca);
  std::shared_ptr<TlsContext> out(new TlsContext(side, trusted));
  ContextPtr context(::SSL_CTX_new(server ? ::TLS_server_method() : ::TLS_client_method()));
  if (!context) return internal("no context");
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  ::SSL_CTX_set_cipher_list(ctx, kTls12Ciphers);
  ::SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // A resumed session would bring back a certificate that is not taken any more.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(ctx, 0);
  // The chain is what the file has, and not what the CAs of clients would add to it.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);

  if (!files.cert.empty()) {
    auto certs = read_certs(files.cert, names.cert);
    if (auto* error = std::get_if<Error>(&certs)) return std::move(*error);
    auto& chain = std::get<std::vector<CertPtr>>(certs);
    const bool own_file = !files.key.empty();
    // Before its mode is judged: a file without a key may be open to all.
    if (!own_file && !has_key(files.cert)) {
      return bad_file(names.cert, files.cert,
                      "holds no private key in PEM, and --" + std::string(names.key) +
                          " names no file with one");
    }
    auto key = own_file ? read_key(files.key, names.key) : read_key(files.cert, names.cert);
    if (auto* error = std::get_if<Error>(&key)) return std::move(*error);
    X509* own = chain.front().get();
    if (::X509_check_private_key(own, std::get<KeyPtr>(key).get()) != 1) {
      ::ERR_clear_error();
      return bad_file(names.cert, files.cert,
                      "is not the certificate of the key in " +
                          in_quotes(own_file ? files.key : files.cert) + " (it is for " +
                          name_of(own) + ")");
    }
    if (::X509_check_purpose(own, server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT, 0) !=
        1) {
      return bad_file(names.cert, files.cert,
                      "(" + name_of(own) + ") is not a certificate for TLS " +
                          (server ? "servers" : "clients") + "; its extended key usage must have " +
                          (server ? "serverAuth" : "clientAuth"));
    }
    if (::SSL_CTX_use_certificate(ctx, own) != 1 ||
        ::SSL_CTX_use_PrivateKey(ctx, std::get<KeyPtr>(key).get()) != 1) {
      return bad_file(names.cert, files.cert,
                      "(" + name_of(own) + ") is not taken by OpenSSL: " + internal("").text);
    }
    for (std::size_t i = 1; i < chain.size(); ++i) {
      if (SSL_CTX_add1_chain_cert(ctx, chain[i].get()) != 1) return internal("the chain");
    }
    out->about_ = name_of(own) + ", valid until " + time_text(::X509_get0_notAfter(own));
  }

  if (!files.ca.empty()) {
    auto certs = read_certs(files.ca, names.ca);
    if (auto* error = std::get_if<Error>(&certs)) return std::move(*error);
    X509_STORE* store = ::SSL_CTX_get_cert_store(ctx);
    for (const auto& one : std::get<std::vector<CertPtr>>(certs)) {
      if (::X509_STORE_add_cert(store, one.get()) != 1) return internal("the CAs");
      // What a client with several certificates chooses by.
      if (server) ::SSL_CTX_add_client_CA(ctx, one.get());
    }
    // Any of them may be given without the ones above it.
    ::X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  } else if (!server) {
    ::SSL_CTX_set_default_verify_paths(ctx);
  }
  // A client without a certificate may still use what is open.
  if (!server || !files.ca.empty()) ::SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
  if (server) {
    ::SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
  } else {
    ::SSL_CTX_set_alpn_protos(ctx, kAlpn, sizeof kAlpn - 1);
  }
  ::ERR_clear_error();
  out->context_ = context.release();
  return out;
}

std::shared_ptr<TlsChannel> TlsContext::channel(const std::string& host) const {
  SSL* ssl = ::SSL_new(context_);
  if (ssl == nullptr) throw std::bad_alloc();
  if (side_ == Side::kServer) {
    ::SSL_set_accept_state(ssl);
  } else {
    ::SSL_set_connect_state(ssl);
    auto* rules = ::SSL_get0_param(ssl);
    // The common name does not count, as in browsers.
    ::X509_VERIFY_PARAM_set_hostflags(
        rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const auto number = host.substr(0, host.find('%'));  // no certificate names a zone
    if (::X509_VERIFY_PARAM_set1_ip_asc(rules, number.c_str()) != 1) {
      ::X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size());
      SSL_set_tlsext_host_name(ssl, host.c_str());
    }
    ::ERR_clear_error();
  }
  return std::make_shared<TlsChannel>(ssl, trusted_);
}

bool TlsContext::takes_peer_of(const TlsChannel& channel) const {
  X509* cert = ::SSL_get0_peer_certificate(channel.native());
  if (cert == nullptr) return false;
  const StorePtr verification(::X509_STORE_CTX_new());
  if (!verification ||
      ::X509_STORE_CTX_init(verification.get(), ::SSL_CTX_get_cert_store(context_), cert,
                            ::SSL_get_peer_cert_chain(channel.native())) != 1) {
    return false;
  }
  ::X509_STORE_CTX_set_default(verification.get(),
                               side_ == Side::kServer ? "ssl_client" : "ssl_server");
  const bool taken = ::X509_verify_cert(verification.get()) == 1;
  ::ERR_clear_error();
  return taken;
}

std::string TlsContext::warning() const {
  X509* own = ::SSL_CTX_get0_certificate(context_);
  if (own == nullptr) return "";
  auto fault = date_fault(own);
  if (!fault.empty()) return fault;
  int days = 0;
  int seconds = 0;
  if (::ASN1_TIME_diff(&days, &seconds, nullptr, ::X509_get0_notAfter(own)) == 1 &&
      days < kWarnDays) {
    return "expires soon, on " + time_text(::X509_get0_notAfter(own));
  }
  return "";
}

std::string peer_name(const TlsChannel& channel) {
  X509* cert = ::SSL_get0_peer_certificate(channel.native());
  return cert == nullptr ? "" : name_of(cert);
}

// ---- TlsServer
// ------------------------------------------------------------------------------------

namespace {

constexpr TlsContext::Names kServerNames = {"http-tls-cert", "http-tls-key", "http-client-ca"};

void say_dates(const TlsContext& context, const std::string& path) {
  if (const auto warning = context.warning(); !warning.empty()) {
    spdlog::error(
        "http: http-tls-cert: {} ({}) {}; clients will refuse it: renew it, it is read "
        "again by itself",
        in_quotes(path), context.about(), warning);
  }
}

}  // namespace

std::vector<FileStamp> TlsServer::stamps() const {
  std::vector<FileStamp> out;
  for (const auto* path : {&files_.cert, &files_.key, &files_.ca}) {
    if (!path->empty()) out.emplace_back(*path);
  }
  return out;
}

Result<std::unique_ptr<TlsServer>> TlsServer::open(TlsFiles files) {
  std::unique_ptr<TlsServer> out(new TlsServer(std::move(files)));
  // The stamps first: a change after them is seen at the next look.
  out->seen_ = out->stamps();
  out->settled_ = std::all_of(out->seen_.begin(), out->seen_.end(),
                              [](const auto& one) { return one.settled(); });
  auto loaded = TlsContext::load(out->files_, TlsContext::Side::kServer, kServerNames);
  if (auto* error = std::get_if<Error>(&loaded)) return std::move(*error);
  out->context_ = std::get<std::shared_ptr<TlsContext>>(std::move(loaded));
  say_dates(*out->context_, out->files_.cert);
  return out;
}

std::shared_ptr<TlsContext> TlsServer::current() {
  const std::lock_guard lock(mutex_);
  auto now = stamps();
  if (now == seen_ && settled_) return context_;
  settled_ = std::all_of(now.begin(), now.end(), [](const auto& one) { return one.settled(); });
  seen_ = std::move(now);
  auto loaded = TlsContext::load(files_, TlsContext::Side::kServer, kServerNames);
  if (const auto* error = std::get_if<Error>(&loaded)) {
    if (error->text != fault_) {
      spdlog::error("http: {}; the files that were read before stay in use", error->text);
    }
    fault_ = error->text;
    return context_;
  }
  auto& next = std::get<std::shared_ptr<TlsContext>>(loaded);
  if (next->about() != context_->about() || !fault_.empty()) {
    spdlog::info("http: the certificate is {} now", next->about());
    say_dates(*next, files_.cert);
  }
  fault_.clear();
  context_ = std::move(next);
  return context_;
}

}  // namespace stub::http
