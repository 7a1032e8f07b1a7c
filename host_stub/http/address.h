// SPDX-License-Identifier: Apache-2.0
// Where something listens or is reached: "ADDR:PORT", "[v6]:PORT", and http URLs of brokers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/broker.h"

namespace stub::http {

struct HostPort {
  std::string host;  // a name or a number, IPv6 without its brackets, "fe80::1%eth0" too
  std::uint16_t port = 0;
};

// "127.0.0.1:8080", "[::1]:8080", "[fe80::1%eth0]:8080", "localhost:0". `what` names the value in
// the error text.
Result<HostPort> parse_host_port(std::string_view text, std::string_view what);

// The way back, with brackets around IPv6.
std::string to_string(const HostPort& address);

struct BrokerUrl {
  HostPort server;
  bool tls = false;
};

// "http://HOST[:PORT][/]", the same with https, or "HOST:PORT". Port 80, or 443, where a URL names
// none. The zone of a link-local address is "%25eth0" in a URL (RFC 6874) and "%eth0" elsewhere.
// Errors: another scheme, a path, a query or a user in it, since the API's paths begin at the root.
Result<BrokerUrl> parse_broker_url(std::string_view text);

}  // namespace stub::http
