// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/set_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ha_plugin/config/option_values.h"

namespace ha {

using core::Status;

SetKeeper::SetKeeper(const Host& host, Settings& settings, metrics::HaMetrics& metrics)
    : host_(host),
      settings_(settings),
      metrics_(metrics.coordinator),
      file_(StateStore(settings.state_dir, &host)) {}

Outcome SetKeeper::load() {
  use({settings_.changed_set, settings_.replicas});
  if (!settings_.keeps_epochs()) return {};
  WrittenSet set;
  if (std::string wrong = file_.load(set); !wrong.empty()) {
    return {Status::kCorrupt,
            fmt::format("start: what this node's set was changed to cannot be read: {}; restore "
                        "the file",
                        wrong)};
  }
  if (set.members.version == 0) return {};
  if (settings_.default_copies != 0 && settings_.default_copies != set.members.now.copies) {
    host_.warn(
        fmt::format("option 'default_copies' is {}, and has no effect: the set was changed "
                    "while it ran, and has {} (docs/operate.md says how to change that)",
                    settings_.default_copies, set.members.now.copies));
  }
  if (settings_.replicas.ids() != set.replicas.ids()) {
    host_.info(
        fmt::format("the set was changed while it ran: it is {}, and not option 'replicas', "
                    "'{}'",
                    set.members.text(), settings_.replicas.text()));
  }
  use(set);
  return {};
}

std::string SetKeeper::take(const WrittenSet& set) {
  if (std::string failed = file_.save(set); !failed.empty()) return failed;
  use(set);
  const core::Members& members = set.members;
  host_.info("the set is now " + members.text() +
             (members.joining.empty() ? "" : "; '" + members.joining + "' joins it"));
  if (metrics_.set_outside.value() != 0) {
    host_.warn("this node, '" + settings_.replica_id +
               "', is not in that set: nobody serves it, and it does not become master (if the "
               "coordinator's keys are of another cluster, give this one its own 'cluster_id')");
  }
  return "";
}

void SetKeeper::use(const WrittenSet& set) {
  const std::vector<ReplicaList::Node> before = settings_.replicas.nodes;
  settings_.changed_set = set.members;
  settings_.replicas = set.replicas;
  // A node that has left the set keeps its own name, as the options want it.
  const auto self = std::ranges::find(before, settings_.replica_id, &ReplicaList::Node::id);
  const auto others = settings_.replicas.without(settings_.replica_id);
  if (self != before.end() && others.size() == settings_.replicas.nodes.size()) {
    settings_.replicas.nodes.push_back(*self);
  }
  std::vector<std::string> ids;
  ids.reserve(others.size());
  for (const ReplicaList::Node& node : others) ids.push_back(node.id);
  others_.set(std::move(ids));
  const core::Members members = settings_.members();
  const bool in = !settings_.keeps_epochs() || members.counts(settings_.replica_id) ||
                  members.joining == settings_.replica_id;
  metrics_.set_outside.set(in ? 0 : 1);
  metrics_.set_version.set(set.members.version);
  metrics_.set_changing.set(set.members.stable() ? 0 : 1);
  metrics_.set.set(settings_.set_text());
  metrics_.set_nodes.set(members.counted());
}

std::optional<WrittenSet> SetKeeper::after(const std::string& option, const std::string& value,
                                           std::int64_t epoch, std::string& wrong) const {
  WrittenSet set = current();
  const std::string& self = settings_.replica_id;
  std::optional<core::Members> next;
  if (option == "remove_member") {
    next = core::without_member(set.members, value, self, epoch, wrong);
  } else {
    Settings added;
    apply_replicas(added, value);
    const ReplicaList::Node& node = added.replicas.nodes.front();
    next = core::with_member(set.members, node.id, self, epoch, wrong);
    if (const std::string other = set.replicas.id_at(node.address); next && !other.empty()) {
      next.reset();
      wrong = fmt::format("'{}' has the address {} already", other, node.address.text());
    }
    if (next && set.replicas.nodes.size() >= kMostNodes) {
      next.reset();
      wrong = fmt::format("a set has at most {} nodes", kMostNodes);
    }
    set.replicas.nodes.push_back(node);
  }
  if (!next) return std::nullopt;
  set.members = *std::move(next);
  return set;
}

}  // namespace ha
