// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/coordinator/etcd_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <exception>
#include <stdexcept>

#include "ha_plugin/core/one_line.h"

namespace ha::etcd {
namespace {

namespace json = boost::json;

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kMostToken = 4096;  // a JWT has some hundred bytes
constexpr std::size_t kMostSaid = 200;
// In seconds. etcd grants more than was asked for if its elections take longer: a minute or so.
constexpr std::int64_t kMostTtl = 24 * 3600;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

template <class Number>
Number to_number(std::string_view digits) {
  Number number{};
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || wrong != std::errc{} || end != digits.data() + digits.size()) {
    throw std::invalid_argument("this is not a number");
  }
  return number;
}

// Absent: 0.
template <class Number = std::int64_t>
Number number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return 0;
  if (value->is_string()) return to_number<Number>(view(value->get_string()));
  return value->to_number<Number>();  // not written by any version so far, but nothing else either
}

// Absent: "".
std::string bytes_of(const json::object& object, std::string_view name) {
  std::string bytes;
  const json::value* value = object.if_contains(name);
  if (value != nullptr && !from_base64(view(value->as_string()), bytes)) {
    throw std::invalid_argument("this is not base64");
  }
  return bytes;
}

// No cluster and no election has the number 0.
Header header_of(const json::object& object) {
  const json::object& header = object.at("header").as_object();
  const Header out{number_of<std::uint64_t>(header, "cluster_id"),
                   number_of<std::uint64_t>(header, "raft_term")};
  if (out.cluster == 0 || out.term == 0) throw std::invalid_argument("its header is not whole");
  return out;
}

// Calls take with the body's object. Whatever take finds missing or of another kind is thrown.
template <class Take>
bool parse(std::string_view body, Take take) {
  try {
    return take(json::parse(json::string_view(body.data(), body.size())).as_object());
  } catch (const std::exception&) {
    return false;
  }
}

// The parts of one txn.
std::string txn(std::string_view key, std::int64_t revision, json::object then) {
  json::object compare{{"result", "EQUAL"}, {"key", to_base64(key)}};
  if (revision == 0) {
    compare["target"] = "CREATE";
    compare["create_revision"] = "0";
  } else {
    compare["target"] = "MOD";
    compare["mod_revision"] = std::to_string(revision);
  }
  return json::serialize(json::object{{"compare", json::array{std::move(compare)}},
                                      {"success", json::array{std::move(then)}}});
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  unsigned bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xffff;
    for (held += 8; held >= 6;) {
      held -= 6;
      out += kDigits[bits >> held & 63];
    }
  }
  if (held > 0) out += kDigits[bits << (6 - held) & 63];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

bool from_base64(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0) return false;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  unsigned bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return false;
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 255);
  }
  return held < 6 && (bits & ((1u << held) - 1)) == 0;
}

std::string grant_request(std::int64_t ttl_s) {
  return json::serialize(json::object{{"TTL", std::to_string(ttl_s)}});
}

std::string lease_request(std::int64_t id) {
  return json::serialize(json::object{{"ID", std::to_string(id)}});
}

// Its end is the first key that is not below it. The keys of others, such as PREFIX/CLUSTER2/, are
// not.
std::string range_request(std::string_view prefix) {
  std::string end(prefix);
  end.back() = static_cast<char>(end.back() + 1);  // it ends with '/'
  return json::serialize(json::object{{"key", to_base64(prefix)}, {"range_end", to_base64(end)}});
}

std::string put_request(std::string_view key, std::string_view value, std::int64_t lease,
                        std::int64_t revision) {
  json::object put{{"key", to_base64(key)}, {"value", to_base64(value)}};
  if (lease != 0) put["lease"] = std::to_string(lease);
  return txn(key, revision, {{"request_put", std::move(put)}});
}

std::string authenticate_request(std::string_view user, std::string_view password) {
  return json::serialize(
      json::object{{"name", json::string_view(user.data(), user.size())},
                   {"password", json::string_view(password.data(), password.size())}});
}

bool parse_granted(std::string_view body, Granted& out) {
  return parse(body, [&](const json::object& all) {
    out = {header_of(all), number_of(all, "ID"), number_of(all, "TTL")};
    return out.id > 0 && out.ttl_s > 0 && out.ttl_s <= kMostTtl;
  });
}

bool parse_renewed(std::string_view body, std::int64_t id, Renewed& out) {
  return parse(body, [&](const json::object& all) {
    const json::object& result = all.at("result").as_object();
    out = {header_of(result), std::max<std::int64_t>(number_of(result, "TTL"), 0)};
    return number_of(result, "ID") == id;
  });
}

bool parse_revoked(std::string_view body, Header& out) {
  return parse(body, [&](const json::object& all) {
    out = header_of(all);
    return true;
  });
}

bool parse_found(std::string_view body, std::string_view folder, Found& out) {
  return parse(body, [&](const json::object& all) {
    out = {header_of(all), {}};
    const json::value* kvs = all.if_contains("kvs");
    const json::array none;
    const json::array& list = kvs == nullptr ? none : kvs->as_array();
    for (const json::value& value : list) {
      const json::object& kv = value.as_object();
      std::string name = bytes_of(kv, "key");
      if (!name.starts_with(folder)) return false;
      name.erase(0, folder.size());
      CoordinatorKey key{bytes_of(kv, "value"), number_of(kv, "mod_revision"),
                         number_of(kv, "lease")};
      if (key.revision <= 0) return false;
      if (name == "leader") {
        out.keys.leader = std::move(key);
      } else if (name == "control") {
        out.keys.control = std::move(key);
      } else if (name == "set") {
        out.keys.set = std::move(key);
      }
    }
    // A part of the keys would be read as: the others are absent.
    const json::value* more = all.if_contains("more");
    return number_of<std::uint64_t>(all, "count") == list.size() &&
           (more == nullptr || !more->as_bool());
  });
}

bool parse_changed(std::string_view body, Changed& out) {
  return parse(body, [&](const json::object& all) {
    out = {header_of(all), false};
    const json::value* succeeded = all.if_contains("succeeded");
    out.done = succeeded != nullptr && succeeded->as_bool();
    if (!out.done) return true;
    const json::object& response = all.at("responses").as_array().at(0).as_object();
    return response.at("response_put").is_object();
  });
}

bool parse_token(std::string_view body, std::string& out) {
  return parse(body, [&](const json::object& all) {
    header_of(all);
    out = view(all.at("token").as_string());
    return !out.empty() && out.size() <= kMostToken &&
           std::all_of(out.begin(), out.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  });
}

bool parse_version(std::string_view body, int& out, std::string& text) {
  return parse(body, [&](const json::object& all) {
    const std::string_view version = view(all.at("etcdserver").as_string());
    text = core::one_line(version, kMostSaid);
    const std::size_t dot = version.find('.');
    const std::size_t end = std::min(version.find_first_of(".-+", dot + 1), version.size());
    if (dot == std::string_view::npos) return false;
    const int major = to_number<int>(version.substr(0, dot));
    const int minor = to_number<int>(version.substr(dot + 1, end - dot - 1));
    if (major < 0 || major > 1000 || minor < 0 || minor > 99) return false;
    out = 100 * major + minor;
    return true;
  });
}

bool is_fault(std::string_view body) {
  return parse(body, [](const json::object& all) { return all.contains("error"); });
}

// Three shapes: {"error":TEXT,"message":TEXT,"code":N} of 3.4 and 3.5, without "error" since 3.6,
// and {"error":{"message":TEXT,...}} of streams. The texts are etcd's and the same in all;
// statuses are not (412 and 400 stand for one code), and codes are coarse.
Fault parse_fault(unsigned status, std::string_view body) {
  std::string said;
  parse(body, [&](const json::object& all) {
    const json::value* nested = all.if_contains("error");
    const json::object& object =
        nested != nullptr && nested->is_object() ? nested->get_object() : all;
    said = view(object.at("message").as_string());
    return true;
  });
  Fault fault{Fault::Kind::kUnavailable,
              said.empty() ? fmt::format("HTTP status {}", status)
                           : fmt::format("'{}'", core::one_line(said, kMostSaid))};
  const auto has = [&](std::string_view words) { return said.find(words) != std::string::npos; };
  if (has("invalid auth token") || has("revision in header is old") || has("user name is empty") ||
      status == 401) {
    fault.kind = Fault::Kind::kToken;
  } else if (has("authentication failed")) {
    fault.kind = Fault::Kind::kPassword;
  } else if (has("authentication is not enabled")) {
    fault.kind = Fault::Kind::kNoUsers;
  } else if (has("permission denied")) {
    fault.kind = Fault::Kind::kDenied;
  } else if (has("requested lease not found")) {
    fault.kind = Fault::Kind::kLease;
  }
  return fault;
}

}  // namespace ha::etcd
