// SPDX-License-Identifier: Apache-2.0
// Who may read the metrics: TLS by a certificate, clients' certificates, and users with passwords.
// Meant as in Prometheus' exporter-toolkit: the files are looked at for each connection and each
// request, so new ones need no restart; a client_ca asks every client for a certificate; passwords
// are bcrypt's, in lines USER:HASH as `htpasswd -nB USER` writes them.
//
// Threads: the metrics server's, after check().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/line_limiter.h"
#include "ha_plugin/net/io/tls_context.h"
#include "metrics/scrape_door.h"

namespace ha::net {

class ScrapeDoor final : public metrics::ScrapeDoor {
 public:
  using Complain = std::function<void(std::int32_t level, const std::string& text)>;

  ScrapeDoor(const Settings& settings, Complain complain);

  // "" or which option's file is not good.
  std::string check();

  std::unique_ptr<Tls> open() override;
  bool admits(std::string_view authorization) override;

 private:
  std::string read_tls();
  void complain(const std::string& kind, const std::string& text);

  const TlsFiles files_;
  const std::string users_;
  const Complain complain_;
  core::LineLimiter lines_;
  std::string read_as_;  // the files' fingerprint when they were read last
  std::shared_ptr<TlsContext> context_;
};

}  // namespace ha::net
