// SPDX-License-Identifier: Apache-2.0
// What a node proves itself with, and what it asks of its peers: made from files, checked whole,
// and never changed. New files make a new one; sessions keep the one that they began with.
//
// TLS 1.3 and nothing older. With certificates both sides have one, of an authority in tls_ca. With
// a key file both sides derive a key from a line of it, for this pair of nodes and this direction:
// whoever has the file can be any node of the cluster, which certificates prevent.
//
// Threads: any; sessions are their owners'.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ha_plugin/net/io/tls_session.h"

namespace ha::net {

struct TlsFiles {
  std::string cert;
  std::string key;
  std::string ca;
  std::string crl;  // "" = nothing is revoked
  std::string psk;  // instead of the four above

  // Another text once one of them has changed.
  std::string fingerprint() const;

  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

class TlsContext {
 public:
  // How much may be sent under one key: AES-GCM bears 2^24.5 full records (RFC 8446, section 5.5),
  // about 388 GB.
  static constexpr std::uint64_t kRekeyBytes = std::uint64_t{64} << 30;

  // The context of that node; or null, and wrong says which option is.
  static std::shared_ptr<TlsContext> make(const TlsFiles& files, const std::string& cluster,
                                          const std::string& id, std::string& wrong,
                                          std::uint64_t rekey_bytes = kRekeyBytes);
  // For the metrics endpoint, whose clients are not nodes: with a ca they need a certificate that
  // it signed, for any name. Options metrics_tls_cert, metrics_tls_key, metrics_tls_client_ca.
  static std::shared_ptr<TlsContext> make_endpoint(const TlsFiles& files, std::string& wrong);
  // For a server that is not a node, such as the coordinator: TLS 1.2 too, a certificate for the
  // host that is dialled, and one of our own only if there is a cert. Options coordinator_cert,
  // coordinator_key, coordinator_ca.
  static std::shared_ptr<TlsContext> make_client(const TlsFiles& files, std::string& wrong);
  TlsContext() = default;
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  virtual ~TlsContext() = default;

  virtual std::unique_ptr<TlsSession> accept() = 0;
  // dialled: the id of the node that is to be there; "" = it is not known. By make_client's: the
  // server's host, a name or an IP address.
  virtual std::unique_ptr<TlsSession> dial(const std::string& dialled) = 0;

  // Unix time in seconds at which the own certificate ends; 0 = there is none.
  virtual std::int64_t not_after() const = 0;
};

}  // namespace ha::net
