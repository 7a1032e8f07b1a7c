// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/set_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/state/checked_json.h"

namespace ha {
namespace {

namespace json = boost::json;

constexpr const char* kSetFile = "ha_set.json";
// There is room above it to count on.
constexpr std::int64_t kMostVersions = std::int64_t{1} << 62;

json::array array_of(const std::vector<std::string>& ids) {
  return json::array(ids.begin(), ids.end());
}

json::object object_of(const WrittenSet& set) {
  const core::Members& members = set.members;
  json::object nodes;
  for (const std::string& id : members.ids()) {
    const auto node = std::ranges::find(set.replicas.nodes, id, &ReplicaList::Node::id);
    if (node != set.replicas.nodes.end()) nodes[id] = node->address.text();
  }
  json::object object{{"version", members.version},
                      {"now", array_of(members.now.ids)},
                      {"copies", members.now.copies}};
  if (members.joint()) object["next"] = array_of(members.next.ids);
  object["joining"] = members.joining;
  object["nodes"] = std::move(nodes);
  object["master"] = members.master;
  object["epoch"] = members.epoch;
  return object;
}

// All below throw what Boost.JSON throws where a member is missing or of another kind.

std::string name_in(const json::value& value) {
  std::string id(value.as_string());
  if (const std::string wrong = core::check_name(id); id.empty() || !wrong.empty()) {
    throw std::invalid_argument(fmt::format("'{}' is not the name of a node", id));
  }
  return id;
}

core::MemberGroup group_of(const json::value& ids, std::int64_t copies) {
  core::MemberGroup group;
  for (const json::value& id : ids.as_array()) {
    group.ids.push_back(name_in(id));
    if (std::count(group.ids.begin(), group.ids.end(), group.ids.back()) > 1) {
      throw std::invalid_argument(fmt::format("it has node '{}' twice", group.ids.back()));
    }
  }
  if (copies < 1 || copies > group.nodes()) {
    throw std::invalid_argument(
        fmt::format("it has {} nodes and wants {} copies", group.nodes(), copies));
  }
  group.copies = static_cast<std::int32_t>(copies);
  return group;
}

WrittenSet set_of(const json::object& object) {
  WrittenSet set;
  core::Members& members = set.members;
  members.version = object.at("version").as_int64();
  if (members.version < 1 || members.version > kMostVersions) {
    throw std::invalid_argument(fmt::format("its version is not 1 to {}", kMostVersions));
  }
  const std::int64_t copies = object.at("copies").as_int64();
  members.now = group_of(object.at("now"), copies);
  if (const json::value* next = object.if_contains("next")) members.next = group_of(*next, copies);
  if (const json::value& joining = object.at("joining"); !joining.as_string().empty()) {
    members.joining = name_in(joining);
  }
  members.master = name_in(object.at("master"));
  members.epoch = object.at("epoch").as_int64();
  if (!core::is_epoch(members.epoch)) throw std::invalid_argument("its epoch is not one");
  const json::object& nodes = object.at("nodes").as_object();
  if (members.ids().size() > kMostNodes) {
    throw std::invalid_argument(fmt::format("it has more than {} nodes", kMostNodes));
  }
  for (const std::string& id : members.ids()) {
    const std::string address(nodes.at(id).as_string());
    ReplicaList::Node node{id, {}};
    if (std::string wrong = net::parse_address(address, false, node.address); !wrong.empty()) {
      throw std::invalid_argument(fmt::format("node '{}' {}", id, wrong));
    }
    set.replicas.nodes.push_back(std::move(node));
  }
  return set;
}

}  // namespace

std::string format_set(const WrittenSet& set) { return json::serialize(object_of(set)); }

std::string parse_set(std::string_view text, WrittenSet& out) {
  try {
    out = set_of(json::parse(json::string_view(text.data(), text.size())).as_object());
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

std::string SetFile::load(WrittenSet& out) const {
  out = {};
  std::string text;
  if (std::string failed = store_.load(kSetFile, text); !failed.empty()) return failed;
  if (text.empty()) return "";
  try {
    out = set_of(without_checksum(text));
    return "";
  } catch (const std::exception& e) {
    return fmt::format("'{}' is damaged: {}", store_.path(kSetFile), e.what());
  }
}

std::string SetFile::save(const WrittenSet& set) const {
  return store_.save(kSetFile, with_checksum(object_of(set)));
}

}  // namespace ha
