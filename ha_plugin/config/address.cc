// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/config/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace ha::net {
namespace {

template <class Int>
bool parse_number(std::string_view text, Int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// In messages: enough to recognise what was given.
std::string shown(std::string_view text) { return std::string(text.substr(0, 128)); }

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// With the zone of a link-local one, which is an interface's name or number (RFC 4007). Whether
// there is such an interface is seen at the time of use.
bool is_ipv6(std::string_view text) {
  const std::size_t percent = text.find('%');
  in6_addr ignored{};
  if (inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &ignored) != 1)
    return false;
  if (percent == std::string_view::npos) return true;
  const std::string_view zone = text.substr(percent + 1);
  return !zone.empty() && zone.size() < IF_NAMESIZE &&
         std::all_of(zone.begin(), zone.end(), is_plain);
}

}  // namespace

bool Address::is_number() const {
  in_addr ignored{};
  return host.find(':') != std::string::npos || inet_pton(AF_INET, host.c_str(), &ignored) == 1;
}

std::string Address::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string origin_of(const std::string& ip) {
  in6_addr v6{};
  // An address with a zone is of the link: each machine there has its own.
  if (inet_pton(AF_INET6, ip.c_str(), &v6) != 1) return ip;
  std::memset(v6.s6_addr + 8, 0, 8);
  char text[INET6_ADDRSTRLEN];
  return std::string(inet_ntop(AF_INET6, &v6, text, sizeof text)) + "/64";
}

std::string missing_interface(const std::string& host) {
  const std::size_t percent = host.find('%');
  if (percent == std::string::npos) return "";
  const std::string zone = host.substr(percent + 1);
  unsigned number = 0;
  if (parse_number(zone, number) || ::if_nametoindex(zone.c_str()) != 0) return "";
  return fmt::format("there is no network interface '{}'", zone);
}

std::string parse_address(std::string_view text, bool allow_port_0, Address& out) {
  const auto bad = [&](const char* why) {
    return fmt::format(
        "'{}' is not an address: {} (try 10.0.0.7:10912, [::1]:10912 or broker-a:10912)",
        shown(text), why);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("it has no port");
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return bad("the part in brackets is not an IPv6 address");
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address needs brackets");
  } else if (!std::all_of(host.begin(), host.end(), is_plain)) {
    return bad("a host name consists of letters, digits, '-', '_' and '.'");
  }
  if (host.empty()) return bad("it has no host");
  if (host.size() > 253) return bad("a host name has at most 253 characters");  // RFC 1035
  std::uint16_t port = 0;
  if (!parse_number(text.substr(colon + 1), port)) return bad("the port is not a number to 65535");
  if (port == 0 && !allow_port_0) return bad("port 0 cannot be connected to");
  out = {std::string(host), port};
  return "";
}

bool AllowList::to_bytes(const std::string& ip, Bytes& out, bool& is_v4) {
  in_addr v4{};
  is_v4 = inet_pton(AF_INET, ip.c_str(), &v4) == 1;
  if (is_v4) {
    out.fill(0);
    out[10] = out[11] = 0xff;
    std::memcpy(out.data() + 12, &v4, 4);
    return true;
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, ip.c_str(), &v6) != 1) return false;
  std::memcpy(out.data(), &v6, out.size());
  return true;
}

std::string for_each_item(std::string_view list,
                          const std::function<std::string(std::string_view)>& each) {
  while (!trim(list).empty()) {
    const std::size_t comma = list.find(',');
    if (std::string wrong = each(trim(list.substr(0, comma))); !wrong.empty()) return wrong;
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return "";
}

std::string AllowList::parse(std::string_view text, AllowList& out) {
  AllowList list;
  std::string wrong = for_each_item(text, [&](std::string_view item) -> std::string {
    const std::size_t slash = item.find('/');
    Network network;
    network.text = item;
    bool is_v4 = false;
    bool good = to_bytes(std::string(item.substr(0, slash)), network.prefix, is_v4);
    const int most = is_v4 ? 32 : 128;
    network.bits = most;
    if (good && slash != std::string_view::npos) {
      good = parse_number(item.substr(slash + 1), network.bits) && network.bits >= 0 &&
             network.bits <= most;
    }
    if (!good) {
      return fmt::format(
          "'{}' is not a network in CIDR notation (try 10.0.0.0/8, 10.0.0.7 or fd00::/8)",
          shown(item));
    }
    if (is_v4) network.bits += 96;
    list.networks_.push_back(std::move(network));
    return "";
  });
  if (wrong.empty()) out = std::move(list);
  return wrong;
}

bool AllowList::allows(const std::string& ip) const {
  if (networks_.empty()) return true;
  Bytes bytes{};
  bool is_v4 = false;
  // A link-local peer's address carries the interface it was seen on: fe80::1%eth0.
  if (!to_bytes(ip.substr(0, ip.find('%')), bytes, is_v4)) return false;
  for (const Network& network : networks_) {
    int left = network.bits;
    bool same = true;
    for (std::size_t i = 0; left > 0 && same; ++i, left -= 8) {
      const int shift = left >= 8 ? 0 : 8 - left;
      same = (bytes[i] >> shift) == (network.prefix[i] >> shift);
    }
    if (same) return true;
  }
  return false;
}

std::string AllowList::text() const {
  std::string all;
  for (const Network& network : networks_) all += (all.empty() ? "" : ",") + network.text;
  return all;
}

}  // namespace ha::net
