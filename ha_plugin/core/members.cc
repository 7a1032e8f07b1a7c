// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/members.h"

#include <algorithm>
#include <charconv>

namespace ha::core {
namespace {

constexpr std::string_view kVersion = "version ";

std::string text_of(const MemberGroup& group) {
  std::vector<std::string> ids = group.ids;
  std::sort(ids.begin(), ids.end());
  std::string text;
  for (const std::string& id : ids) text += (text.empty() ? "" : ",") + id;
  return text + " with default_copies " + std::to_string(group.copies);
}

// The old nodes that follow this master and take nothing more from an older set, itself included.
std::int32_t moved(const Members& set, const MemberChange::Look& look) {
  std::int32_t count = set.now.has(look.id) ? 1 : 0;
  for (const auto& one : look.followers) {
    if (one.version >= set.version && set.now.has(one.id)) ++count;
  }
  return count;
}

// How many old nodes must move. The rest are then too few for an acknowledgement or a promotion.
std::int32_t must_move(const Members& set) { return std::max(set.now.copies, set.now.promises()); }

std::optional<Members> refuse(std::string why, std::string& wrong) {
  wrong = std::move(why);
  return std::nullopt;
}

Members version_after(const Members& set, const std::string& master, std::int64_t epoch) {
  Members out = set;
  ++out.version;
  out.master = master;
  out.epoch = epoch;
  return out;
}

std::string cannot_change(const Members& set) {
  // Its master acknowledges alone, and in a joint set it may be in one of the groups only.
  if (set.now.copies < 2) {
    return "a set whose messages are acknowledged by one copy (option 'default_copies') cannot "
           "change while it runs: stop all nodes and change option 'replicas'";
  }
  if (set.stable()) return "";
  return set.joint() ? "another change of the set is under way"
                     : "'" + set.joining +
                           "' joins the set already, and there is one change at a time (to call it "
                           "off, remove it)";
}

}  // namespace

bool MemberGroup::has(const std::string& id) const {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::vector<MemberGroup> Members::groups() const {
  std::vector<MemberGroup> all{now};
  if (joint()) all.push_back(next);
  return all;
}

bool Members::enough(const std::vector<std::string>& who) const {
  const std::vector<MemberGroup> all = groups();
  return std::all_of(all.begin(), all.end(), [&](const MemberGroup& group) {
    return std::count_if(who.begin(), who.end(), [&](const auto& id) { return group.has(id); }) >=
           group.copies;
  });
}

std::vector<std::string> Members::counted() const {
  std::vector<std::string> all = now.ids;
  for (const std::string& id : next.ids) {
    if (!now.has(id)) all.push_back(id);
  }
  return all;
}

std::vector<std::string> Members::ids() const {
  std::vector<std::string> all = counted();
  if (!joining.empty()) all.push_back(joining);
  return all;
}

std::string Members::text() const {
  if (now.ids.empty()) return "";
  std::string text = text_of(now);
  if (joint()) text += " and " + text_of(next);
  return version == 0 ? text : std::string(kVersion) + std::to_string(version) + ": " + text;
}

std::int64_t version_of(std::string_view text) {
  if (!text.starts_with(kVersion)) return 0;
  text.remove_prefix(kVersion.size());
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end == text.data() + text.size() || *end != ':') return 0;
  return version;
}

bool may_lead(std::string_view leader, std::string_view follower) {
  return leader == follower || (!follower.empty() && version_of(leader) > version_of(follower));
}

std::optional<Members> with_member(const Members& set, const std::string& id,
                                   const std::string& master, std::int64_t epoch,
                                   std::string& wrong) {
  const std::vector<std::string> all = set.ids();
  if (std::find(all.begin(), all.end(), id) != all.end()) {
    return refuse("'" + id + "' is in the set already", wrong);
  }
  if (std::string why = cannot_change(set); !why.empty()) return refuse(std::move(why), wrong);
  Members out = version_after(set, master, epoch);
  out.joining = id;
  return out;
}

std::optional<Members> without_member(const Members& set, const std::string& id,
                                      const std::string& master, std::int64_t epoch,
                                      std::string& wrong) {
  Members out = version_after(set, master, epoch);
  if (!id.empty() && id == set.joining) {
    out.joining.clear();
    return out;
  }
  const std::vector<std::string> all = set.ids();
  if (std::find(all.begin(), all.end(), id) == all.end()) {
    return refuse("'" + id + "' is not in the set", wrong);
  }
  if (std::string why = cannot_change(set); !why.empty()) return refuse(std::move(why), wrong);
  if (id == master) {
    return refuse("'" + id + "' is the master: make another node master first (switchover)", wrong);
  }
  if (set.now.nodes() <= set.now.copies) {
    return refuse("a message is acknowledged by " + std::to_string(set.now.copies) +
                      " copies (option 'default_copies'), and without '" + id + "' the set has " +
                      std::to_string(set.now.nodes() - 1) + " nodes: add another node first",
                  wrong);
  }
  out.next = set.now;
  std::erase(out.next.ids, id);
  return out;
}

std::optional<Members> MemberChange::step(const Members& set, const Look& look) {
  if (version_ != set.version || epoch_ != look.epoch) {
    version_ = set.version;
    epoch_ = look.epoch;
    end_.reset();
  }
  if (set.stable()) return std::nullopt;
  Members out = version_after(set, look.id, look.epoch);
  if (!set.joint()) {
    const auto follower = std::find_if(look.followers.begin(), look.followers.end(),
                                       [&](const Follower& one) { return one.id == set.joining; });
    const bool has_all = end_ && follower != look.followers.end() && follower->ack >= *end_;
    // What it must hold is what the log held at the look before.
    end_ = look.end;
    if (!has_all) return std::nullopt;
    out.next = set.now;
    out.next.ids.push_back(set.joining);
    out.joining.clear();
    return out;
  }
  // The order matters: what is acknowledged by the old count until enough have moved must be held
  // by both counts too.
  if (!end_ && moved(set, look) >= must_move(set)) end_ = look.end;
  if (!end_ || look.held < *end_) return std::nullopt;
  out.now = set.next;
  out.next = {};
  return out;
}

std::string MemberChange::waits_for(const Members& set, const Look& look) const {
  if (set.stable()) return "";
  if (!set.joint()) return "'" + set.joining + "' to hold the whole log";
  if (!end_) {
    return std::to_string(must_move(set)) + " of the old nodes to have taken version " +
           std::to_string(set.version) + " and to follow; " + std::to_string(moved(set, look)) +
           " do";
  }
  return std::to_string(set.now.copies) + " copies among the old nodes and " +
         std::to_string(set.next.copies) + " among the new ones, up to " +
         std::to_string(end_->bytes()) + "; they reach " + std::to_string(look.held.bytes());
}

}  // namespace ha::core
