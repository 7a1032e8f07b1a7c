// SPDX-License-Identifier: Apache-2.0
// A TLS client driven by hand, over OpenSSL's own socket functions and so not over the code under
// test.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

#include "http/certs.h"

namespace stub::test {

struct RawTlsPlan {
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  Pem cert = {};                  // shown when asked; empty = none
  std::string alpn = {};          // with its length bytes
  const char* ciphers = nullptr;  // of 1.2
};

class RawTls {
 public:
  explicit RawTls(const std::string& address, const RawTlsPlan& plan = {});
  ~RawTls();
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;

  bool connected() const { return connected_; }
  const std::string& error() const { return error_; }  // OpenSSL's words
  int version() const { return ::SSL_version(ssl_); }
  std::string peer() const;  // its certificate's CN
  std::string alpn() const;
  void send(std::string_view bytes);
  // One answer: its header and body. Shorter when the connection ended.
  std::string read_answer();
  std::string read_all();
  // Until the peer closes the connection below, whatever it sends.
  void await_close();
  // The peer said that it is done, before it closed.
  bool ended_well() const { return ended_well_; }

 private:
  bool fill();

  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  bool ended_well_ = false;
  std::string error_;
  std::string input_;
};

}  // namespace stub::test
