// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/openssl_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/base/date.h"
#include "ha_plugin/core/one_line.h"
#include "ha_plugin/net/io/checked_file.h"
#include "ha_plugin/net/io/openssl_session.h"

namespace ha::net {
namespace {

// AES-128 first: the fastest where the processor helps, which is nearly everywhere.
constexpr char kSuites[] =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
// Of the suites above the first two hash with SHA-256, as a key of ours does.
constexpr unsigned char kSuiteOfKeys[] = {0x13, 0x01};

// Sent by both of our sides and, when the peer sends any, required: a browser that comes here by
// mistake, or is sent here, is told apart.
constexpr unsigned char kProtocol[] = {4, 'h', 'a', '/', '1'};

// A key of 32 bytes cannot be guessed; longer ones are not better.
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMostKeys = 16;  // for rotation two are enough

int no_pass_phrase(char*, int, int, void*) { return -1; }

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string this_clock() { return "this clock says " + date_of(unix_now_ms() / 1000); }

}  // namespace

std::string TlsFiles::fingerprint() const {
  std::string text;
  for (const std::string* path : {&cert, &key, &ca, &crl, &psk}) {
    text += fingerprint_of(*path) + ";";
  }
  return text;
}

std::shared_ptr<TlsContext> TlsContext::make(const TlsFiles& files, const std::string& cluster,
                                             const std::string& id, std::string& wrong,
                                             std::uint64_t rekey_bytes) {
  auto made = std::make_shared<OpenSslContext>(cluster, id, rekey_bytes);
  wrong = made->build(files);
  return wrong.empty() ? made : nullptr;
}

std::shared_ptr<TlsContext> TlsContext::make_endpoint(const TlsFiles& files, std::string& wrong) {
  auto made = std::make_shared<OpenSslContext>("", "", kRekeyBytes);
  wrong = made->build_endpoint(files);
  return wrong.empty() ? made : nullptr;
}

std::shared_ptr<TlsContext> TlsContext::make_client(const TlsFiles& files, std::string& wrong) {
  auto made = std::make_shared<OpenSslContext>("", "", kRekeyBytes);
  wrong = made->build_client(files);
  return wrong.empty() ? made : nullptr;
}

OpenSslContext::~OpenSslContext() {
  for (NamedKey& key : keys_) OPENSSL_cleanse(key.key.data(), key.key.size());
}

// What a node and the metrics endpoint have in common.
std::string OpenSslContext::begin() {
  if (std::string wrong = load(); !wrong.empty()) return wrong;
  ERR_clear_error();
  // OpenSSL's own library context and not one of ours: each thread that computes keeps a note of it
  // until the thread ends, so one of ours could be freed no sooner. The host's openssl.cnf is then
  // ours too: what it forbids, such as a cipher, is forbidden here.
  context_.reset(SSL_CTX_new(TLS_method()));
  buffers_.reset(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ha"));
  if (!context_ || !buffers_) return "OpenSSL has no TLS: " + error_text();
  BIO_meth_set_read_ex(buffers_.get(), OpenSslSession::bio_read);
  BIO_meth_set_write_ex(buffers_.get(), OpenSslSession::bio_write);
  BIO_meth_set_ctrl(buffers_.get(), OpenSslSession::bio_ctrl);
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, kSuites);
  // Nothing is resumed: a peer proves who it is each time, by what is in the files then.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  // Our order of suites: with a client's, one whose hash is not a key's could come first, and the
  // key would be passed over.
  SSL_CTX_set_options(context,
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
  return "";
}

std::string OpenSslContext::build_endpoint(const TlsFiles& files) {
  if (std::string wrong = begin(); !wrong.empty()) return wrong;
  for_ = For::kEndpoint;
  options_ = {"metrics_tls_cert", "metrics_tls_key", "metrics_tls_client_ca"};
  if (!files.ca.empty()) {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       on_verify);
    if (std::string wrong = load_authorities(files); !wrong.empty()) return wrong;
  }
  return load_certificate(files);
}

std::string OpenSslContext::build_client(const TlsFiles& files) {
  if (std::string wrong = begin(); !wrong.empty()) return wrong;
  for_ = For::kClient;
  options_ = {"coordinator_cert", "coordinator_key", "coordinator_ca"};
  // Not ours to choose: etcd 3.4 as its authors built it speaks nothing newer unless it is told to.
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, on_verify);
  if (std::string wrong = load_authorities(files); !wrong.empty()) return wrong;
  return files.cert.empty() ? "" : load_certificate(files);
}

std::string OpenSslContext::build(const TlsFiles& files) {
  if (std::string wrong = begin(); !wrong.empty()) return wrong;
  SSL_CTX* context = context_.get();
  SSL_CTX_set_alpn_protos(context, kProtocol, sizeof kProtocol);
  SSL_CTX_set_alpn_select_cb(context, on_alpn, nullptr);
  if (!files.psk.empty()) {
    if (std::string wrong = load_keys(files.psk); !wrong.empty()) return wrong;
    SSL_CTX_set_psk_use_session_callback(context, on_use_key);
    SSL_CTX_set_psk_find_session_callback(context, on_find_key);
    return "";
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
  if (std::string wrong = load_authorities(files); !wrong.empty()) return wrong;
  if (std::string wrong = load_revoked(files); !wrong.empty()) return wrong;
  return load_certificate(files);
}

std::string OpenSslContext::load_authorities(const TlsFiles& files) {
  std::string text;
  if (std::string wrong = read_checked(options_.ca, files.ca, Readers::kAnybody, text);
      !wrong.empty()) {
    return wrong;
  }
  const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  int found = 0;
  while (const Owned<X509> one{PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)}) {
    X509_STORE_add_cert(store, one.get());
    ++found;
  }
  ERR_clear_error();  // the end of the file is one
  if (found == 0)
    return fmt::format("option '{}': '{}' holds no PEM certificate", options_.ca, files.ca);
  return "";
}

std::string OpenSslContext::load_revoked(const TlsFiles& files) {
  if (files.crl.empty()) return "";
  std::string text;
  if (std::string wrong = read_checked("tls_crl", files.crl, Readers::kAnybody, text);
      !wrong.empty()) {
    return wrong;
  }
  const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  int found = 0;
  while (const Owned<X509_CRL> one{
      PEM_read_bio_X509_CRL(bio.get(), nullptr, no_pass_phrase, nullptr)}) {
    X509_STORE_add_crl(store, one.get());
    ++found;
  }
  ERR_clear_error();
  if (found == 0) {
    return fmt::format("option 'tls_crl': '{}' holds no PEM revocation list", files.crl);
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return "";
}

std::string OpenSslContext::load_certificate(const TlsFiles& files) {
  std::string text;
  if (std::string wrong = read_checked(options_.cert, files.cert, Readers::kAnybody, text);
      !wrong.empty()) {
    return wrong;
  }
  SSL_CTX* context = context_.get();
  Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const Owned<X509> leaf(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (!leaf) {
    return fmt::format("option '{}': '{}' holds no PEM certificate", options_.cert, files.cert);
  }
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return fmt::format("option '{}': '{}' cannot be used: {}", options_.cert, files.cert,
                       error_text());
  }
  while (Owned<X509> more{PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)}) {
    SSL_CTX_add1_chain_cert(context, more.get());
  }
  ERR_clear_error();
  const std::string shown = fmt::format("'{}'", files.cert);
  if (std::string wrong = check_own(leaf.get(), shown); !wrong.empty()) return wrong;
  not_after_ = unix_of(X509_get0_notAfter(leaf.get()));
  return load_key(files);
}

std::string OpenSslContext::load_key(const TlsFiles& files) {
  std::string text;
  if (std::string wrong = read_checked(options_.key, files.key, Readers::kNotOthers, text);
      !wrong.empty()) {
    return wrong;
  }
  const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  OPENSSL_cleanse(text.data(), text.size());
  if (!key) {
    ERR_clear_error();
    return fmt::format(
        "option '{}': '{}' holds no PEM private key, or one with a pass phrase, which nobody could "
        "type in",
        options_.key, files.key);
  }
  if (SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1 ||
      SSL_CTX_check_private_key(context_.get()) != 1) {
    ERR_clear_error();
    return fmt::format("option '{}': '{}' does not belong to the certificate in '{}'", options_.key,
                       files.key, files.cert);
  }
  return "";
}

// Whatever a peer would refuse it for is better said here.
std::string OpenSslContext::check_own(X509* leaf, const std::string& shown) const {
  const auto wrong = [&](const std::string& what) {
    return fmt::format("option '{}': {} {}", options_.cert, shown, what);
  };
  if (for_ == For::kClient) {
    if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) == 1) return "";
    return wrong("may not be used as a client's: it needs the extended key usage clientAuth");
  }
  if (for_ == For::kEndpoint) {
    if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) == 1) return "";
    return wrong("may not be used as a server's: it needs the extended key usage serverAuth");
  }
  if (!names_of(leaf).has(id_)) {
    return wrong(fmt::format(
        "is for {}; this node needs the URI ha:{}/{} or the DNS name {}.{} among its alternative "
        "names",
        describe(leaf), cluster_, id_, id_, cluster_));
  }
  if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1 ||
      X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1) {
    return wrong(
        "may not be used both as a server's and as a client's, and a node is both: it needs the "
        "extended key usages serverAuth and clientAuth");
  }
  const Owned<X509_STORE_CTX> check(X509_STORE_CTX_new());
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context_.get(), &chain);
  if (!check ||
      X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context_.get()), leaf, chain) != 1) {
    return wrong("cannot be checked: " + error_text());
  }
  X509_STORE_CTX_set_verify_cb(check.get(), pass_over_overdue_list);
  if (X509_verify_cert(check.get()) == 1) return "";
  const int error = X509_STORE_CTX_get_error(check.get());
  ERR_clear_error();
  return wrong(fmt::format("is not good by option 'tls_ca': {} ({}; {})",
                           X509_verify_cert_error_string(error), describe(leaf), this_clock()));
}

std::string OpenSslContext::load_keys(const std::string& path) {
  std::string text;
  if (std::string wrong = read_checked("tls_psk_file", path, Readers::kOwner, text);
      !wrong.empty()) {
    return wrong;
  }
  std::string wrong;
  std::size_t line_number = 0;
  for (std::size_t at = 0; at < text.size() && wrong.empty();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    NamedKey key;
    key.key.reserve(kKeyBytes);  // to grow would leave copies behind
    for (std::size_t i = 0; i + 1 < line.size() && hex(line[i]) >= 0 && hex(line[i + 1]) >= 0;
         i += 2) {
      key.key.push_back(static_cast<unsigned char>(hex(line[i]) * 16 + hex(line[i + 1])));
    }
    if (line.size() != 2 * kKeyBytes || key.key.size() != kKeyBytes) {
      wrong = fmt::format(
          "option 'tls_psk_file': line {} of '{}' is not {} hexadecimal digits (ha_stub keygen "
          "writes one)",
          line_number, path, 2 * kKeyBytes);
    } else if (keys_.size() == kMostKeys) {
      wrong = fmt::format("option 'tls_psk_file': '{}' has more than {} keys", path, kMostKeys);
    } else {
      const Key name = derive(key, "name", "");
      for (int i = 0; i < 4; ++i) key.name += fmt::format("{:02x}", name[static_cast<unsigned>(i)]);
      keys_.push_back(std::move(key));
    }
  }
  OPENSSL_cleanse(text.data(), text.size());
  if (wrong.empty() && keys_.empty()) {
    wrong =
        fmt::format("option 'tls_psk_file': '{}' holds no key (ha_stub keygen writes one)", path);
  }
  return wrong;
}

// HKDF (RFC 5869) with SHA-256, one block. A key is for one client and one server: one that served
// both directions would let a node's own words be played back to it.
OpenSslContext::Key OpenSslContext::derive(const NamedKey& key, const std::string& client,
                                           const std::string& server) const {
  constexpr char kSalt[] = "ha psk v1";
  Key extracted{};
  Key out{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), kSalt, sizeof kSalt - 1, key.key.data(), key.key.size(), extracted.data(),
       &size);
  std::string info = cluster_ + '\0' + client + '\0' + server + '\x01';
  HMAC(EVP_sha256(), extracted.data(), static_cast<int>(extracted.size()),
       reinterpret_cast<const unsigned char*>(info.data()), info.size(), out.data(), &size);
  OPENSSL_cleanse(extracted.data(), extracted.size());
  return out;
}

core::ProvedNames OpenSslContext::names_of(X509* certificate) const {
  core::ProvedNames names;
  const Owned<GENERAL_NAMES> all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = all ? sk_GENERAL_NAME_num(all.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(all.get(), i);
    if (one->type != GEN_URI && one->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text =
        one->type == GEN_URI ? one->d.uniformResourceIdentifier : one->d.dNSName;
    const std::string_view name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                static_cast<std::size_t>(ASN1_STRING_length(text)));
    const auto id =
        one->type == GEN_URI ? core::id_of_uri(name, cluster_) : core::id_of_dns(name, cluster_);
    if (id && !names.has(*id)) names.ids.push_back(*id);
  }
  if (!names.empty()) names.shown = describe(certificate);
  return names;
}

// Names, as the authority signed them, and its number, so that it can be found there.
std::string OpenSslContext::describe(X509* certificate) {
  std::string names;
  const Owned<GENERAL_NAMES> all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = all ? sk_GENERAL_NAME_num(all.get()) : 0;
  constexpr int kMostShown = 4;
  for (int i = 0; i < std::min(count, kMostShown); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(all.get(), i);
    if (one->type != GEN_URI && one->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text =
        one->type == GEN_URI ? one->d.uniformResourceIdentifier : one->d.dNSName;
    names +=
        fmt::format("{}'{}'", names.empty() ? "" : ", ",
                    std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                     static_cast<std::size_t>(ASN1_STRING_length(text))));
  }
  const auto name_text = [](const X509_NAME* name) {
    const Owned<BIO> bio(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
    char text[256];
    const int n = BIO_read(bio.get(), text, sizeof text);
    return std::string(text, static_cast<std::size_t>(std::max(n, 0)));
  };
  return core::one_line(fmt::format(
      "{} (subject '{}', issuer '{}')", names.empty() ? "no name" : names,
      name_text(X509_get_subject_name(certificate)), name_text(X509_get_issuer_name(certificate))));
}

std::int64_t OpenSslContext::unix_of(const ASN1_TIME* date) {
  std::tm time{};
  return ASN1_TIME_to_tm(date, &time) == 1 ? ::timegm(&time) : 0;
}

int OpenSslContext::pass_over_overdue_list(int good, X509_STORE_CTX* store) {
  return X509_STORE_CTX_get_error(store) == X509_V_ERR_CRL_HAS_EXPIRED ? 1 : good;
}

int OpenSslContext::pass_over_dates(int good, X509_STORE_CTX* store) {
  const int error = X509_STORE_CTX_get_error(store);
  return error == X509_V_ERR_CERT_HAS_EXPIRED ? 1 : pass_over_overdue_list(good, store);
}

int OpenSslContext::on_verify(int good, X509_STORE_CTX* store) {
  if (pass_over_overdue_list(good, store) == 1) return 1;
  const int error = X509_STORE_CTX_get_error(store);
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* session = static_cast<OpenSslSession*>(SSL_get_app_data(ssl));
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  const std::string which = certificate == nullptr ? "no name" : describe(certificate);
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      session->refused_because_ =
          fmt::format("its certificate, for {}, expired {}: renew it there; {}", which,
                      date_of(unix_of(X509_get0_notAfter(certificate))), this_clock());
      break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      session->refused_because_ =
          fmt::format("its certificate, for {}, is not valid before {}; {}", which,
                      date_of(unix_of(X509_get0_notBefore(certificate))), this_clock());
      break;
    case X509_V_ERR_CERT_REVOKED:
      session->refused_because_ = fmt::format("its certificate, for {}, was revoked", which);
      break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      session->refused_because_ = fmt::format(
          "its certificate, for {}, was signed by an authority that option '{}' does not name: "
          "append that one to the file, which is read again by itself",
          which, session->context_->options_.ca);
      break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      session->refused_because_ =
          fmt::format("its certificate, for {}, is not for '{}': add that to its alternative names",
                      which, session->dialled_);
      break;
    default:
      session->refused_because_ = fmt::format("its certificate, for {}, is not good: {}", which,
                                              X509_verify_cert_error_string(error));
  }
  return 0;
}

int OpenSslContext::on_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                            const unsigned char* in, unsigned int in_size, void*) {
  for (unsigned int at = 0; at + sizeof kProtocol <= in_size; at += in[at] + 1u) {
    if (std::memcmp(in + at, kProtocol, sizeof kProtocol) != 0) continue;
    *out = in + at + 1;
    *out_size = in[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_SESSION* OpenSslContext::session_with(SSL* ssl, const Key& key) {
  Owned<SSL_SESSION> session(SSL_SESSION_new());
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, kSuiteOfKeys);
  if (!session || cipher == nullptr ||
      SSL_SESSION_set1_master_key(session.get(), key.data(), key.size()) != 1 ||
      SSL_SESSION_set_cipher(session.get(), cipher) != 1 ||
      SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) != 1) {
    return nullptr;
  }
  return session.release();
}

// "1:KEY:CLUSTER/CLIENT>SERVER". No name holds any of these separators.
int OpenSslContext::on_use_key(SSL* ssl, const EVP_MD* md, const unsigned char** identity,
                               std::size_t* size, SSL_SESSION** session) {
  auto* self = static_cast<OpenSslSession*>(SSL_get_app_data(ssl));
  const OpenSslContext& context = *self->context_;
  *session = nullptr;
  *identity = nullptr;
  *size = 0;
  // After a HelloRetryRequest the suite's hash is known, and a key of ours goes with SHA-256 only.
  if (md != nullptr && EVP_MD_get_size(md) != static_cast<int>(std::tuple_size_v<Key>)) return 1;
  const NamedKey& key = context.keys_.front();
  self->key_name_ = key.name;
  self->key_identity_ =
      fmt::format("1:{}:{}/{}>{}", key.name, context.cluster_, context.id_, self->dialled_);
  Key derived = context.derive(key, context.id_, self->dialled_);
  *session = session_with(ssl, derived);
  OPENSSL_cleanse(derived.data(), derived.size());
  if (*session == nullptr) return 0;
  *identity = reinterpret_cast<const unsigned char*>(self->key_identity_.data());
  *size = self->key_identity_.size();
  return 1;
}

int OpenSslContext::on_find_key(SSL* ssl, const unsigned char* identity, std::size_t size,
                                SSL_SESSION** session) {
  auto* self = static_cast<OpenSslSession*>(SSL_get_app_data(ssl));
  const OpenSslContext& context = *self->context_;
  *session = nullptr;
  std::string_view text(reinterpret_cast<const char*>(identity), size);
  const auto cut = [&](char separator) {
    const std::size_t at = std::min(text.find(separator), text.size());
    const std::string_view part = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return part;
  };
  const std::string_view version = cut(':');
  const std::string_view key_name = cut(':');
  const std::string_view cluster = cut('/');
  const std::string client(cut('>'));
  const std::string server(text);
  if (version != "1")
    return 1;  // a client without a key of ours: the handshake fails for want of one
  if (cluster != context.cluster_) {
    self->refused_because_ = "its key is for another cluster";
  } else if (client.empty() ||
             !core::id_of_uri(fmt::format("ha:{}/{}", cluster, client), cluster)) {
    self->refused_because_ = "its key is for no node";
  } else if (client == context.id_) {
    // Its own words, played back, or a second node with this name.
    self->refused_because_ = fmt::format("its key is for '{}', which is this node", client);
  } else if (!server.empty() && server != context.id_) {
    self->refused_because_ = fmt::format("it wants to reach '{}' and not this node", server);
  } else {
    for (const NamedKey& key : context.keys_) {
      if (key.name != key_name) continue;
      Key derived = context.derive(key, client, server);
      *session = session_with(ssl, derived);
      OPENSSL_cleanse(derived.data(), derived.size());
      self->offered_ = client;
      self->key_name_ = key.name;
      return *session == nullptr ? 0 : 1;
    }
    self->refused_because_ = fmt::format(
        "its key, {}, is not in the file of option 'tls_psk_file' here", key_name.substr(0, 8));
  }
  return 1;
}

std::unique_ptr<TlsSession> OpenSslContext::accept() {
  return std::make_unique<OpenSslSession>(shared_from_this(), OpenSslSession::Side::kServer, "");
}

std::unique_ptr<TlsSession> OpenSslContext::dial(const std::string& dialled) {
  return std::make_unique<OpenSslSession>(shared_from_this(), OpenSslSession::Side::kClient,
                                          dialled);
}

}  // namespace ha::net
