// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/identity.h"

#include <algorithm>

#include "ha_plugin/core/handshake.h"

namespace ha::core {
namespace {

constexpr std::string_view kScheme = "ha:";

// Not std::tolower: the host's locale has no say in it.
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::optional<std::string> valid_id(std::string id) {
  if (id.empty() || !check_name(id).empty()) return std::nullopt;
  return id;
}

}  // namespace

bool ProvedNames::has(std::string_view id) const {
  return any || std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::optional<std::string> id_of_uri(std::string_view uri, std::string_view cluster) {
  if (!uri.starts_with(kScheme)) return std::nullopt;
  uri.remove_prefix(kScheme.size());
  if (!uri.starts_with(cluster)) return std::nullopt;
  uri.remove_prefix(cluster.size());
  if (!uri.starts_with('/')) return std::nullopt;
  return valid_id(std::string(uri.substr(1)));
}

std::optional<std::string> id_of_dns(std::string_view name, std::string_view cluster) {
  const std::string whole = lower(name);
  const std::string suffix = "." + lower(cluster);
  if (!whole.ends_with(suffix)) return std::nullopt;
  return valid_id(whole.substr(0, whole.size() - suffix.size()));
}

std::string check_claim(const ProvedNames& proved, std::string_view claimed) {
  if (proved.empty() || proved.has(claimed)) return "";
  return "it proved to be " + proved.shown + ", and calls itself '" + std::string(claimed) + "'";
}

std::string check_dialled(const ProvedNames& proved, std::string_view dialled) {
  if (proved.empty() || dialled.empty() || proved.has(dialled)) return "";
  return "it proved to be " + proved.shown + ", and '" + std::string(dialled) + "' was to be there";
}

}  // namespace ha::core
