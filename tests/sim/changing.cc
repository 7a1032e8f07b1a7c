// SPDX-License-Identifier: Apache-2.0
// A set whose nodes change: what the plugin does with the register, and its operator's orders.
#include <algorithm>

#include "tests/sim/node.h"
#include "tests/sim/register.h"

namespace ha::sim {

using core::Members;

Members Node::members() const {
  const Config& config = cluster_.config();
  if (misled()) return {0, {config.misled_ids, config.misled_copies}};
  return members_;
}

void Node::start_members() {
  members_ = disk_.members.version > 0 ? disk_.members : cluster_.config().first_members();
  change_ = {};
  set_revision_ = 0;
}

bool Node::save(const Members& set) {
  maybe_crash();
  if (fails("saving of the set")) {
    if (cluster_.rng().percent(30)) disk_.members = set;
    return false;
  }
  disk_.members = set;
  maybe_crash();
  return true;
}

// A newer set takes effect: durable first, for what others conclude from it.
bool Node::adopt(const Members& set) {
  if (set.version <= members_.version) return true;
  if (!cluster_.made(Fault::kSetBeforeDurable) && !save(set)) return false;
  members_ = set;
  cluster_.say([&] { return id() + " takes the set " + set.text() + ", joins: " + set.joining; });
  configure_supervisor();
  // What was promised to it was promised by the older set's count.
  const bool campaigns = promotion_ && !cluster_.made(Fault::kCandidacySurvives);
  if ((master() && members_.deposes(id(), epoch_)) || campaigns) {
    leave_role(core::Status::kEpoch, std::nullopt);
  }
  if (master()) {
    waits_.set_groups(members_, id());
    const std::vector<std::string> all = members_.ids();
    for (auto& [conn, in] : inbound_) {
      const bool in_set = std::find(all.begin(), all.end(), in->replica) != all.end();
      if (in->accepted && !in_set) close(*in);
    }
  } else if (link_ && (members_.joint() || !link_->serving)) {
    // The master hears with the next HELLO that this set is durable here.
    close_link();
    reconnect_at_ = clock();
  }
  return true;
}

// False = what was read is not this node's set, or nothing was read.
bool Node::read_register() {
  Register::Key key;
  if (cluster_.members()->read(index_, cluster_.now(), key) != Register::Said::kYes) return false;
  if (!adopt(key.set)) return false;
  set_revision_ = key.revision;
  return true;
}

// What is written follows from this node's set, so only that may be there.
void Node::write_register(const Members& next) {
  if (cluster_.members()->write(index_, cluster_.now(), next, set_revision_) ==
          Register::Said::kYes &&
      adopt(next)) {
    ++set_revision_;
  }
}

void Node::tick_members() {
  Register* const reg = cluster_.members();
  if (reg == nullptr || !reg->rng().percent(30)) return;
  if (!read_register() || !master()) return;
  const core::MemberChange::Look look = look_at_followers();
  if (const auto next = change_.step(members_, look)) {
    cluster_.say([&] { return id() + " writes the set " + next->text(); });
    if (next->stable()) cluster_.count(Stats::kChangesMade);
    write_register(*next);
  }
}

core::MemberChange::Look Node::look_at_followers() const {
  core::MemberChange::Look look{id(), epoch_, disk_.end(), waits_.held(disk_.end()), {}};
  for (const auto& [conn, in] : inbound_) {
    if (in->closed || !in->accepted || !in->session.reported()) continue;
    look.followers.push_back({in->replica, in->set_version, in->session.ack()});
  }
  return look;
}

// An operator adds a node, or takes one out.
void Node::order_change() {
  Register& reg = *cluster_.members();
  const Config& config = cluster_.config();
  const std::string& whom = config.ids[static_cast<std::size_t>(reg.rng().below(config.nodes))];
  const std::vector<std::string> all = members_.ids();
  const bool there = std::find(all.begin(), all.end(), whom) != all.end();
  std::string wrong;
  const auto next = there ? core::without_member(members_, whom, id(), epoch_, wrong)
                          : core::with_member(members_, whom, id(), epoch_, wrong);
  if (!next) return;
  cluster_.count(Stats::kChangesBegun);
  cluster_.say([&] { return id() + " is told to change the set: " + next->text(); });
  write_register(*next);
}

}  // namespace ha::sim
