// SPDX-License-Identifier: Apache-2.0
// Who a peer has proved to be, and what it may therefore call itself.
//
// A certificate names a node by a URI, ha:CLUSTER/ID, or by a DNS name, ID.CLUSTER. Its common name
// and its IP addresses name nobody: the first is free text, the second says where a node was.
// A key file names a node by what its keys were made for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ha::core {

// The ids, in this cluster, that the peer may use. Never empty once it has proved who it is.
struct ProvedNames {
  std::vector<std::string> ids = {};
  bool any = false;  // it belongs to this cluster, and which node it is was not asked
  // As the peer's certificate or key has it, for messages.
  std::string shown = {};

  bool empty() const { return ids.empty(); }
  bool has(std::string_view id) const;
};

// The id that a certificate's URI or DNS name gives to a node of that cluster; none when it is
// about something else. DNS names are compared without regard to case, and give ids in lower case.
std::optional<std::string> id_of_uri(std::string_view uri, std::string_view cluster);
std::optional<std::string> id_of_dns(std::string_view name, std::string_view cluster);

// "" or why a peer that proved to be one of those is not whom it says it is. On a connection
// without proof there is nothing to compare.
std::string check_claim(const ProvedNames& proved, std::string_view claimed);
// "" or why it is not the node that was dialled. dialled "" = that node's id is not known.
std::string check_dialled(const ProvedNames& proved, std::string_view dialled);

}  // namespace ha::core
