// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/config/option_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/asio/ip/address.hpp>
#include <filesystem>
#include <system_error>

#include "ha_plugin/core/handshake.h"

namespace ha {
namespace {

// To listen is by number: what a name stands for is the resolver's to say and may change, and start
// would have to wait for it.
std::string parse_own_address(std::string_view v, net::Address& out) {
  net::Address address;
  if (std::string wrong = net::parse_address(v, true, address); !wrong.empty()) return wrong;
  if (!address.is_number()) {
    return fmt::format("needs an IP address, not a name (try 0.0.0.0:{})", address.port);
  }
  out = address;
  return "";
}

// Two names that resolve to one address are not seen here.
bool is_same_address(const net::Address& a, const net::Address& b) {
  const auto plain = [](const std::string& host) {
    boost::system::error_code error;
    const auto ip = boost::asio::ip::make_address(host, error);
    return error ? boost::algorithm::to_lower_copy(host) : ip.to_string();
  };
  return a.port == b.port && plain(a.host) == plain(b.host);
}

}  // namespace

std::string apply_listen(Settings& s, std::string_view v) { return parse_own_address(v, s.listen); }

std::string apply_allow(Settings& s, std::string_view v) {
  return net::AllowList::parse(v, s.allow);
}

std::string apply_metrics_listen(Settings& s, std::string_view v) {
  net::Address address;
  if (!v.empty()) {
    if (std::string wrong = parse_own_address(v, address); !wrong.empty()) return wrong;
  }
  s.metrics_listen = v;
  return "";
}

std::string apply_accept(Settings& s, std::string_view v) {
  Accept accept{false, false};
  std::string wrong = net::for_each_item(v, [&](std::string_view part) -> std::string {
    if (part == "native")
      accept.native = true;
    else if (part == "rocketmq")
      accept.rocketmq = true;
    else
      return "is not a list of native and rocketmq";
    return "";
  });
  if (wrong.empty() && v.empty()) wrong = "lets nobody in (try native,rocketmq)";
  if (wrong.empty()) s.accept = accept;
  return wrong;
}

std::string apply_replicas(Settings& s, std::string_view v) {
  ReplicaList list;
  std::string wrong = net::for_each_item(v, [&](std::string_view part) -> std::string {
    const std::size_t at = part.find('@');
    const std::string id(part.substr(0, at));
    ReplicaList::Node node{id, {}};
    if (at == std::string_view::npos || id.empty()) {
      return fmt::format("has '{}', which is not ID@HOST:PORT", part);
    }
    if (std::string bad = core::check_name(id); !bad.empty())
      return fmt::format("has '{}', which {}", id, bad);
    if (std::string bad = net::parse_address(part.substr(at + 1), false, node.address);
        !bad.empty()) {
      return bad;
    }
    const auto known = list.ids();
    if (std::find(known.begin(), known.end(), id) != known.end())
      return fmt::format("has '{}' twice", id);
    // One process would promise, and be counted as a copy, for both.
    for (const ReplicaList::Node& other : list.nodes) {
      if (!is_same_address(other.address, node.address)) continue;
      return fmt::format("has the address {} twice, for '{}' and '{}': each node needs its own",
                         node.address.text(), other.id, id);
    }
    if (list.nodes.size() == kMostNodes) {
      return fmt::format("has more than {} nodes", kMostNodes);
    }
    list.nodes.push_back(std::move(node));
    return "";
  });
  if (wrong.empty()) s.replicas = std::move(list);
  return wrong;
}

std::string apply_coordinator(Settings& s, std::string_view v) {
  constexpr std::string_view kEtcd = "etcd:";
  CoordinatorAddress engine;
  if (v.empty()) {
    s.coordinator = engine;
    return "";
  }
  if (v == "host") {
    engine.host = true;
    s.coordinator = engine;
    return "";
  }
  if (!v.starts_with(kEtcd)) {
    return "does not begin with the engine's name (try etcd:http://10.0.0.1:2379,10.0.0.2:2379, or "
           "host for the lock service of the host)";
  }
  v.remove_prefix(kEtcd.size());
  constexpr std::string_view kHttps = "https://";
  constexpr std::string_view kHttp = "http://";
  engine.https = v.starts_with(kHttps);
  std::string wrong = net::for_each_item(v, [&](std::string_view part) -> std::string {
    if (part.starts_with(engine.https ? kHttp : kHttps)) return "mixes http and https";
    if (part.starts_with(kHttps)) part.remove_prefix(kHttps.size());
    if (part.starts_with(kHttp)) part.remove_prefix(kHttp.size());
    net::Address address;
    std::string bad = net::parse_address(part, false, address);
    if (bad.empty()) engine.endpoints.push_back(std::move(address));
    return bad;
  });
  if (wrong.empty() && engine.endpoints.empty()) wrong = "names no endpoint";
  if (wrong.empty()) s.coordinator = std::move(engine);
  return wrong;
}

std::string apply_prefix(Settings& s, std::string_view v) {
  constexpr std::size_t kLongest = 200;
  const bool plain = std::ranges::all_of(v, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (!v.starts_with('/') || v.ends_with('/') || !plain || v.size() > kLongest) {
    return fmt::format(
        "is not a path of keys: '/' and at most {} more characters, no spaces, no '/' at its end "
        "(try /ha)",
        kLongest - 1);
  }
  s.coordinator_prefix = v;
  return "";
}

std::string apply_state_dir(Settings& s, std::string_view v) {
  std::error_code ignored;
  if (!v.empty() && !std::filesystem::is_directory(std::filesystem::path(v), ignored)) {
    return "is not a directory (create it first)";
  }
  s.state_dir = v;
  return "";
}

std::string apply_tls_reload(Settings& s, std::string_view v) {
  if (!v.empty() && v != "now") return "is not 'now'";
  if (!v.empty()) ++s.tls_reloads;
  return "";
}

namespace {

std::string check_node(std::string_view v) {
  Settings parsed;
  if (std::string wrong = apply_replicas(parsed, v); !wrong.empty()) return wrong;
  return parsed.replicas.nodes.size() == 1 ? "" : "is not one node, ID@HOST:PORT";
}

}  // namespace

std::string ask_for_member(Settings& s, std::string_view v) {
  if (v.empty()) return "";
  s.request = "add_member";
  return check_node(v);
}

std::string ask_for_no_member(Settings& s, std::string_view v) {
  if (!v.empty()) s.request = "remove_member";
  return core::check_name(std::string(v));
}

std::string ask_for_switchover(Settings& s, std::string_view v) {
  if (!v.empty()) s.request = "switchover";
  return core::check_name(std::string(v));
}

std::string ask_for_pause(Settings& s, std::string_view v) {
  if (!v.empty()) s.request = "pause";
  return v.empty() || v == "true" || v == "false" ? "" : "is neither true nor false";
}

std::string CoordinatorAddress::text() const {
  std::string all = host ? "host" : "";
  for (const net::Address& one : endpoints) {
    all += (all.empty() ? (https ? "etcd:https://" : "etcd:http://") : ",") + one.text();
  }
  return all;
}

std::string Accept::text() const {
  return std::string(native ? "native" : "") + (native && rocketmq ? "," : "") +
         (rocketmq ? "rocketmq" : "");
}

core::Members Settings::members() const {
  if (changed_set.version > 0) return changed_set;
  const auto nodes = static_cast<std::int64_t>(replicas.nodes.size());
  const std::int64_t copies = default_copies > 0 ? default_copies : nodes / 2 + 1;
  return {0, {replicas.ids(), static_cast<std::int32_t>(copies)}};
}

std::int64_t Settings::copies_by_default() const {
  return keeps_epochs() ? members().now.copies : in_sync_replicas;
}

std::int32_t Settings::quorum() const {
  if (!keeps_epochs()) return 0;
  const core::Members set = members();
  return std::max(set.now.nodes(), set.next.nodes()) / 2 + 1;
}

std::vector<std::string> ReplicaList::ids() const {
  std::vector<std::string> all;
  for (const Node& node : nodes) all.push_back(node.id);
  return all;
}

std::vector<ReplicaList::Node> ReplicaList::without(std::string_view id) const {
  std::vector<Node> others = nodes;
  std::erase_if(others, [&](const Node& node) { return node.id == id; });
  return others;
}

std::string ReplicaList::id_at(const net::Address& address) const {
  for (const Node& node : nodes) {
    if (is_same_address(node.address, address)) return node.id;
  }
  return "";
}

std::string ReplicaList::text() const {
  std::string all;
  for (const Node& node : nodes) {
    all += fmt::format("{}{}@{}", all.empty() ? "" : ",", node.id, node.address.text());
  }
  return all;
}

}  // namespace ha
