// SPDX-License-Identifier: Apache-2.0
// Addresses as people write them: "10.0.0.7:10912", "[::1]:10912", "[fe80::1%eth0]:10912",
// "broker-a:10912", "10.0.0.0/8".
//
// Errors: parse functions return "" or one sentence with the value and the way out.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ha::net {

struct Address {
  std::string host;  // an IP address without brackets, "fe80::1%eth0" too, or a name
  std::uint16_t port = 0;

  std::string text() const;
  // An IP address, which no resolver is asked for.
  bool is_number() const;
};

// What one machine can send from: an IPv4 address, or the IPv6 network of 64 bits that it is in.
std::string origin_of(const std::string& ip);

// "" or why this machine cannot use the address now: its zone names no interface here.
std::string missing_interface(const std::string& host);

// allow_port_0: for addresses to listen on.
std::string parse_address(std::string_view text, bool allow_port_0, Address& out);

// Calls each, a function of a string_view, with every item of a comma-separated list, spaces
// trimmed, until one says what is wrong with it.
std::string for_each_item(std::string_view list,
                          const std::function<std::string(std::string_view)>& each);

// Networks in CIDR notation; empty allows everybody.
class AllowList {
 public:
  // Comma-separated; an address without a prefix length is that one address.
  static std::string parse(std::string_view text, AllowList& out);

  // ip: textual IPv4 or IPv6 address; an IPv4-mapped one counts as IPv4.
  bool allows(const std::string& ip) const;
  std::string text() const;
  bool empty() const { return networks_.empty(); }  // allows all

 private:
  using Bytes = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d
  struct Network {
    Bytes prefix{};
    int bits = 0;
    std::string text;
  };
  static bool to_bytes(const std::string& ip, Bytes& out, bool& is_v4);

  std::vector<Network> networks_;
};

}  // namespace ha::net
