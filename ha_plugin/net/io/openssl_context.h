// SPDX-License-Identifier: Apache-2.0
// TlsContext by OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ha_plugin/core/identity.h"
#include "ha_plugin/net/io/openssl.h"
#include "ha_plugin/net/io/tls_context.h"

namespace ha::net {

class OpenSslSession;

class OpenSslContext final : OpenSsl,
                             public TlsContext,
                             public std::enable_shared_from_this<OpenSslContext> {
 public:
  OpenSslContext(std::string cluster, std::string id, std::uint64_t rekey_bytes)
      : cluster_(std::move(cluster)), id_(std::move(id)), rekey_bytes_(rekey_bytes) {}
  ~OpenSslContext() override;

  // One of these, once, before anything else. "" or what is wrong.
  std::string build(const TlsFiles& files);
  std::string build_endpoint(const TlsFiles& files);
  std::string build_client(const TlsFiles& files);

  std::unique_ptr<TlsSession> accept() override;
  std::unique_ptr<TlsSession> dial(const std::string& dialled) override;
  std::int64_t not_after() const override { return not_after_; }
  bool uses_keys() const { return !keys_.empty(); }

 private:
  friend class OpenSslSession;
  using Key = std::array<unsigned char, 32>;
  struct NamedKey {
    std::string name;  // says which line a peer uses, and nothing about the key
    std::vector<unsigned char> key;
  };

  // The options that the files are from.
  struct Names {
    const char* cert = "tls_cert";
    const char* key = "tls_key";
    const char* ca = "tls_ca";
  };

  std::string begin();
  std::string load_certificate(const TlsFiles& files);
  std::string load_key(const TlsFiles& files);
  std::string check_own(X509* leaf, const std::string& shown) const;
  std::string load_authorities(const TlsFiles& files);
  std::string load_revoked(const TlsFiles& files);
  std::string load_keys(const std::string& path);
  Key derive(const NamedKey& key, const std::string& client, const std::string& server) const;
  core::ProvedNames names_of(X509* certificate) const;
  static std::string describe(X509* certificate);
  // Of a date in a certificate; 0 = it is none.
  static std::int64_t unix_of(const ASN1_TIME* date);

  // Of a certificate that was good once: that it has ended since lets it in nowhere, and throws it
  // out nowhere. A list that should have been replaced still says who was revoked before.
  static int pass_over_dates(int good, X509_STORE_CTX* store);
  static int pass_over_overdue_list(int good, X509_STORE_CTX* store);

  // OpenSSL's, which find the session in the SSL.
  static int on_verify(int good, X509_STORE_CTX* store);
  static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                     const unsigned char* in, unsigned int in_size, void* context);
  static int on_use_key(SSL* ssl, const EVP_MD* md, const unsigned char** identity,
                        std::size_t* size, SSL_SESSION** session);
  static int on_find_key(SSL* ssl, const unsigned char* identity, std::size_t size,
                         SSL_SESSION** session);
  static SSL_SESSION* session_with(SSL* ssl, const Key& key);

  const std::string cluster_;
  const std::string id_;
  const std::uint64_t rekey_bytes_;
  Names options_;
  enum class For { kNodes, kEndpoint, kClient } for_ = For::kNodes;
  std::vector<NamedKey> keys_;  // the first one is used, all are accepted
  std::int64_t not_after_ = 0;
  // In this order: what stands below was made with what stands above.
  Owned<BIO_METHOD> buffers_;
  Owned<SSL_CTX> context_;
};

}  // namespace ha::net
