// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/coordinator/orders.h"

#include <boost/json.hpp>

#include "ha_plugin/core/handshake.h"

namespace ha {

namespace json = boost::json;

namespace {

constexpr const char* kFailover = "failover";
constexpr const char* kWanted = "wanted";

}  // namespace

std::string Orders::text() const {
  json::object all{{kFailover, paused ? "manual" : "auto"}};
  if (!wanted.empty()) all[kWanted] = wanted;
  return json::serialize(all);
}

std::string Orders::parse(const std::string& text, Orders& out) {
  out = {};
  if (text.empty()) return "";
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  const json::object* all = error ? nullptr : value.if_object();
  if (all == nullptr) return "is not a JSON object";
  if (const json::value* failover = all->if_contains(kFailover)) {
    const json::string* name = failover->if_string();
    if (name == nullptr || (*name != "auto" && *name != "manual")) {
      return "has a 'failover' that is neither auto nor manual";
    }
    out.paused = *name == "manual";
  }
  if (const json::value* wanted = all->if_contains(kWanted)) {
    const json::string* id = wanted->if_string();
    if (id == nullptr || !core::check_name(std::string(*id)).empty()) {
      return "has a 'wanted' that is not the name of a node";
    }
    out.wanted = std::string(*id);
  }
  return "";
}

}  // namespace ha
