// SPDX-License-Identifier: Apache-2.0
// TlsSession by OpenSSL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ha_plugin/core/identity.h"
#include "ha_plugin/net/io/openssl_context.h"
#include "ha_plugin/net/io/tls_session.h"

namespace ha::net {

class OpenSslSession final : OpenSsl, public TlsSession {
 public:
  // dialled: as in TlsContext::dial.
  OpenSslSession(std::shared_ptr<const OpenSslContext> context, Side side, std::string dialled);

  void feed(std::span<const std::byte> bytes) override { in_ = bytes; }
  Read read(std::span<std::byte> into, std::size_t& size) override;
  bool write(std::span<const std::byte> bytes) override;
  std::span<const std::byte> output() const override { return std::span(out_).subspan(out_begin_); }
  void sent(std::size_t bytes) override;
  const core::ProvedNames& proved() const override { return proved_; }
  std::string check_again(const TlsContext& context) const override;
  const core::Refusal& failure() const override { return failure_; }
  bool peer_spoke() const override { return peer_spoke_; }

 private:
  friend class OpenSslContext;

  void establish();
  void expect_host();
  void fail(const std::string& what, core::Reason reason = core::Reason::kTls);

  // OpenSSL's, as a BIO.
  static int bio_read(BIO* bio, char* into, std::size_t room, std::size_t* size);
  static int bio_write(BIO* bio, const char* from, std::size_t bytes, std::size_t* size);
  static long bio_ctrl(BIO* bio, int command, long number, void* pointer);

  const std::shared_ptr<const OpenSslContext> context_;
  const Side side_;
  const std::string dialled_;
  Owned<SSL> ssl_;
  std::span<const std::byte> in_;
  std::vector<std::byte> out_;
  std::size_t out_begin_ = 0;
  std::vector<std::byte> early_;  // written before the handshake was over
  std::uint64_t written_ = 0;     // under the key in use
  core::ProvedNames proved_;
  std::string key_identity_;     // what a client with a key calls itself
  std::string offered_;          // whose key the server found last
  std::string key_name_;         // which line of the key file is in use
  std::string refused_because_;  // what on_verify had against the peer's certificate
  core::Refusal failure_;
  bool peer_spoke_ = false;
};

}  // namespace ha::net
