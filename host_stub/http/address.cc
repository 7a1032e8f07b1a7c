// SPDX-License-Identifier: Apache-2.0
#include "http/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <boost/url/parse.hpp>
#include <charconv>

#include "ha/plugin.h"
#include "http/text.h"

namespace stub::http {
namespace {

constexpr std::string_view kPlain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

Error invalid(std::string text) { return Error{HA_INVALID, 0, std::move(text)}; }

// With the zone of a link-local one, an interface's name or number. Whether there is such an
// interface is seen at the time of use.
bool is_ipv6(std::string_view text) {
  const auto percent = text.find('%');
  in6_addr ignored{};
  if (::inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &ignored) != 1)
    return false;
  if (percent == std::string_view::npos) return true;
  const auto zone = text.substr(percent + 1);
  return !zone.empty() && zone.size() < IF_NAMESIZE &&
         zone.find_first_not_of(kPlain) == std::string_view::npos;
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text, std::string_view what) {
  const auto fail = [&](std::string_view why) -> Result<HostPort> {
    return invalid(std::string(what) + ": " + in_quotes(text) + " " + std::string(why) +
                   " (try 127.0.0.1:8080, [::1]:8080 or 127.0.0.1:0)");
  };
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail("has no closing bracket");
    out.host = text.substr(1, close - 1);
    if (!is_ipv6(out.host)) return fail("has no IPv6 address between its brackets");
    rest = text.substr(close + 1);
  } else {
    const auto colon = text.find(':');
    if (colon != text.rfind(':')) return fail("has several colons; IPv6 needs brackets");
    out.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (out.host.empty()) return fail("has no address");
  if (!text.starts_with('[') && out.host.find_first_not_of(kPlain) != std::string::npos) {
    return fail("has a host that does not consist of letters, digits, '-', '_' and '.'");
  }
  if (!rest.starts_with(':')) return fail("has no port");
  rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.port);
  if (rest.empty() || error != std::errc() || end != rest.data() + rest.size()) {
    return fail("has no port from 0 to 65535");
  }
  return out;
}

std::string to_string(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<BrokerUrl> parse_broker_url(std::string_view text) {
  if (text.find("://") == std::string_view::npos) {
    auto plain =
        parse_host_port(text.ends_with('/') ? text.substr(0, text.size() - 1) : text, "broker URL");
    if (auto* error = std::get_if<Error>(&plain)) return std::move(*error);
    return BrokerUrl{std::get<HostPort>(std::move(plain)), false};
  }
  const auto fail = [&](std::string_view why) -> Result<BrokerUrl> {
    return invalid("broker URL: " + in_quotes(text) + " " + std::string(why) +
                   " (try http://127.0.0.1:8080)");
  };
  // Boost.URL does not know zones. The rest of the URL is judged without it.
  std::string zone;
  std::string without_zone(text);
  const auto percent = text.find("%25");
  const auto close = text.find(']');
  if (percent < close && close != std::string_view::npos && text.find('[') < percent) {
    zone = "%" + std::string(text.substr(percent + 3, close - percent - 3));
    without_zone.erase(percent, close - percent);
  }
  const auto url = boost::urls::parse_uri(without_zone);
  if (!url) return fail("is not a URL");
  // Whatever the case of their letters.
  const bool tls = url->scheme_id() == boost::urls::scheme::https;
  if (!tls && url->scheme_id() != boost::urls::scheme::http)
    return fail("is not http or https, the schemes spoken here");
  if (url->has_userinfo()) return fail("names a user; leave it out");
  if (url->has_query() || url->has_fragment() ||
      (!url->encoded_path().empty() && url->encoded_path() != "/")) {
    return fail("has a path; give the broker's root only");
  }
  HostPort out{.host = url->host_address() + zone,
               .port = static_cast<std::uint16_t>(tls ? 443 : 80)};
  if (out.host.empty()) return fail("has no host");
  if (!zone.empty() && !is_ipv6(out.host)) return fail("has no interface's name behind its %25");
  if (url->has_port()) {
    // Not port_number(), which wraps around above 65535.
    const std::string_view port(url->port().data(), url->port().size());
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || end != port.data() + port.size() || out.port == 0) {
      return fail("has no port from 1 to 65535");
    }
  }
  return BrokerUrl{std::move(out), tls};
}

}  // namespace stub::http
