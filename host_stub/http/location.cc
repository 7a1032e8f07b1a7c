// SPDX-License-Identifier: Apache-2.0
#include "http/location.h"

#include <boost/asio/ip/address.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "ha/plugin.h"
#include "http/text.h"

namespace stub::http {
namespace {

constexpr std::string_view kHostBytes =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
constexpr std::string_view kUrlBytes =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/[]";

std::optional<boost::asio::ip::address> number_of(const std::string& host) {
  boost::system::error_code wrong;
  const auto number = boost::asio::ip::make_address(host, wrong);
  return wrong ? std::nullopt : std::optional(number);
}

bool is_loopback(const std::string& host) {
  const auto number = number_of(host);
  return host == "localhost" || (number && number->is_loopback());
}

// A name of its own machine is of no use to clients elsewhere: theirs may be another broker. Two
// nodes on one machine, which speak over loopback too, are for trying things.
bool is_of_use(const BrokerUrl& url, const std::string& ha_address) {
  if (!is_loopback(url.server.host)) return true;
  if (ha_address.empty()) return false;
  const auto ha = parse_host_port(ha_address, "master");
  const auto* followed = std::get_if<HostPort>(&ha);
  return followed != nullptr && is_loopback(followed->host);
}

// A proxy is sent a whole URL; what counts here follows its host.
std::string_view path_of(std::string_view target) {
  if (target.starts_with('/')) return target;
  const auto scheme = target.find("://");
  const auto slash = scheme == std::string_view::npos ? scheme : target.find('/', scheme + 3);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

}  // namespace

Result<BrokerUrl> parse_client_url(std::string_view text, std::string_view what) {
  const auto fail = [&](std::string_view why) {
    return Error{HA_INVALID, 0,
                 std::string(what) + ": " + in_quotes(text.substr(0, kMaxClientUrl)) + " " +
                     std::string(why) + " (try http://10.0.0.1:8080)"};
  };
  if (text.size() > kMaxClientUrl) return fail("is too long");
  // Before the URL's parser, which decodes: a host could hold a line's end then.
  if (text.find_first_not_of(kUrlBytes) != std::string_view::npos)
    return fail("is not http://HOST:PORT or https://HOST:PORT");
  if (text.find("://") == std::string_view::npos) return fail("has no http:// or https://");
  auto parsed = parse_broker_url(text);
  if (auto* error = std::get_if<Error>(&parsed)) {
    error->text = std::string(what) + ": " + error->text;
    return std::move(*error);
  }
  auto& url = std::get<BrokerUrl>(parsed);
  const auto number = number_of(url.server.host);
  if (number && number->is_unspecified()) return fail("names no host, but all addresses of one");
  if (!number && url.server.host.find_first_not_of(kHostBytes) != std::string::npos)
    return fail("has a host that is neither a name nor a number");
  return std::move(url);
}

std::string to_string(const BrokerUrl& url) {
  return (url.tls ? "https://" : "http://") + to_string(url.server);
}

std::string client_url_of(std::string_view listen_address, bool tls) {
  const auto url = parse_client_url((tls ? "https://" : "http://") + std::string(listen_address),
                                    "client-address");
  const auto* good = std::get_if<BrokerUrl>(&url);
  return good != nullptr ? to_string(*good) : std::string();
}

std::optional<BrokerUrl> parse_location(std::string_view location) {
  const auto scheme = location.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  const auto url = parse_client_url(location.substr(0, location.find('/', scheme + 3)), "Location");
  const auto* good = std::get_if<BrokerUrl>(&url);
  return good != nullptr ? std::optional(*good) : std::nullopt;
}

void name_master(Response& refusal, const MasterPlace& place, std::string_view target) {
  const auto parsed = parse_client_url(place.url, "master");
  const auto* url = std::get_if<BrokerUrl>(&parsed);
  if (url == nullptr || !is_of_use(*url, place.ha_address)) return;
  if (!refusal.body.ends_with("}\n")) return;
  boost::json::object master{{"url", to_string(*url)}};
  if (!place.id.empty()) master["id"] = repaired_utf8(place.id);
  refusal.body.resize(refusal.body.size() - 2);
  refusal.body += ",\"master\":" + boost::json::serialize(master) + "}\n";
  refusal.field = "Location: " + to_string(*url) + std::string(path_of(target));
}

}  // namespace stub::http
