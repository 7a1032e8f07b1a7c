// SPDX-License-Identifier: Apache-2.0
// Certificates and keys from PEM files, checked whole before they are used, and the two sides of
// TLS that are made of them. Version 1.2 at least, for browsers and load balancers; 1.3 where both
// can.
//
// Errors are in words, with the file and, of a certificate, its name, its dates and who signed it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "http/secret_files.h"
#include "http/small_file.h"
#include "http/tls_channel.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace stub::http {

// What makes channels.
class TlsContext {
 public:
  enum class Side { kServer, kClient };
  // The flags that gave the files, for error texts: "http-tls-cert", ....
  struct Names {
    const char* cert;
    const char* key;
    const char* ca;
  };

  static Result<std::shared_ptr<TlsContext>> load(const TlsFiles& files, Side side,
                                                  const Names& names);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // host: whom the other side's certificate has to name; for a client.
  std::shared_ptr<TlsChannel> channel(const std::string& host = "") const;
  // True when the peer showed a certificate that this context takes, now.
  bool takes_peer_of(const TlsChannel& channel) const;

  // "'CN=a', valid until 2027-01-01 00:00:00 UTC", "" without a certificate.
  const std::string& about() const { return about_; }
  // What is wrong with this side's own certificate and still lets it be used: that it has expired,
  // or soon will have. "" = nothing.
  std::string warning() const;

 private:
  TlsContext(Side side, std::string trusted) : side_(side), trusted_(std::move(trusted)) {}

  const Side side_;
  const std::string trusted_;
  ssl_ctx_st* context_ = nullptr;
  std::string about_;
};

// The subject of the certificate that the peer showed, in quotes; "" = it showed none.
std::string peer_name(const TlsChannel& channel);

// A server's context, read again when its files change. Threads: any.
class TlsServer {
 public:
  // A certificate that cannot be used is an Error; one that has expired is an ERROR line in the
  // log: replication must not stay down for it.
  static Result<std::unique_ptr<TlsServer>> open(TlsFiles files);

  // Looks at the files first. When they have changed and are bad now, the context stays what it
  // was, and the log says it once.
  std::shared_ptr<TlsContext> current();
  bool knows_clients() const { return !files_.ca.empty(); }

 private:
  explicit TlsServer(TlsFiles files) : files_(std::move(files)) {}
  std::vector<FileStamp> stamps() const;

  const TlsFiles files_;
  std::mutex mutex_;
  std::vector<FileStamp> seen_;
  bool settled_ = false;
  std::shared_ptr<TlsContext> context_;
  std::string fault_;  // said in the log; "" = the files are good
};

}  // namespace stub::http
