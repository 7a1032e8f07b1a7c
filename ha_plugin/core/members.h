// SPDX-License-Identifier: Apache-2.0
// Which nodes a set consists of, and how that changes while the set runs.
//
// A set is as its options say until it is changed for the first time. From then on a register says
// what it is: one value in the coordination engine, changed by compare-and-set only, so that the
// versions of the set form one line. A node that reads a newer one makes it durable before it acts
// by it, and never goes back.
//
// The trap: with N nodes and c copies, N - c + 1 promises meet every set of c copies (term.h). One
// node more, and N - c + 1 of the old nodes need not meet c copies of which one is on the new node.
// So a set does not go from the old nodes to the new ones at once. In between it is joint: n copies
// are n of the old nodes and n of the new ones, and a candidate needs the promises of both. Joint
// meets old, and new meets joint; old and new must never decide side by side. Therefore a joint set
// ends only when
//   1. enough old nodes follow its master and have the joint set durable. The other old nodes are
//      then too few to acknowledge or to promise anything. Those that moved refuse a node that
//      leads by an older set, and what they promised before is below this master's epoch;
//   2. after that, enough copies by both counts hold what the master's log held then. So whatever
//      was acknowledged by the old count is found by the new one.
// A set carries the epoch of the master that wrote it. A master of an older epoch that reads it
// has been deposed, perhaps by the old count alone: it must not go on by the new one.
//
// A master or candidate decides by its own set. The nodes that follow it may have an older one. A
// new node first follows without being counted, until it has the whole log. There is one change at
// a time, of one node.
//
// The rules only decide: the register, files and sockets are the caller's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ha_plugin/core/types.h"

namespace ha::core {

// Some nodes, and the copies among them that an acknowledgement stands for.
struct MemberGroup {
  std::vector<std::string> ids;
  std::int32_t copies = 1;

  bool has(const std::string& id) const;
  std::int32_t nodes() const { return static_cast<std::int32_t>(ids.size()); }
  // How many of them meet every set of `copies`.
  std::int32_t promises() const { return nodes() - copies + 1; }
  friend bool operator==(const MemberGroup&, const MemberGroup&) = default;
};

struct Members {
  std::int64_t version = 0;  // 0 = as the options say
  MemberGroup now = {};
  MemberGroup next = {};     // of a joint set: what it becomes; else without nodes
  std::string joining = {};  // follows and does not count; "" = nobody does
  // Who wrote this version, as master of which epoch.
  std::string master = {};
  std::int64_t epoch = 0;

  bool joint() const { return !next.ids.empty(); }
  bool stable() const { return !joint() && joining.empty(); }
  // now, and next if there is one.
  std::vector<MemberGroup> groups() const;
  // Are those as many as a message needs copies, by each count?
  bool enough(const std::vector<std::string>& who) const;
  // All whose copies and promises count.
  std::vector<std::string> counted() const;
  // Those, and the one that joins: all that may follow.
  std::vector<std::string> ids() const;
  // Does that node's promise count, and its copy? Any of these may be master: if only those might
  // that are in both groups, one of the others that is ahead of them would be in everybody's way.
  bool counts(const std::string& id) const { return now.has(id) || next.has(id); }
  // Is a master of that epoch at an end by this set, which it did not write?
  bool deposes(const std::string& id, std::int64_t its_epoch) const {
    return !counts(id) || epoch > its_epoch || (epoch == its_epoch && version > 0 && master != id);
  }
  // In words, the same for two nodes whenever they count alike. Addresses are left out: nodes may
  // know each other by different ones. "" = no set is configured.
  std::string text() const;

  friend bool operator==(const Members&, const Members&) = default;
};

// What a node with the set `leader` decides is decided for one with the set `follower` too: the
// texts are the same, or the leader's is of a newer version.
bool may_lead(std::string_view leader, std::string_view follower);

// The next version as that master of that epoch writes it, or in wrong why there is none, one
// sentence.
std::optional<Members> with_member(const Members& set, const std::string& id,
                                   const std::string& master, std::int64_t epoch,
                                   std::string& wrong);
std::optional<Members> without_member(const Members& set, const std::string& id,
                                      const std::string& master, std::int64_t epoch,
                                      std::string& wrong);

// How a master brings a change to its end.
class MemberChange {
 public:
  struct Follower {
    std::string id;
    std::int64_t version = 0;  // of its set, durable
    Offset ack;
  };
  struct Look {
    std::string id;          // the master's
    std::int64_t epoch = 0;  // of which it is master
    Offset end;              // of its log
    // As far as enough copies hold it now, by every count of this set. Not the confirm offset: that
    // never falls, so it may be what the count of an older set came to.
    Offset held;
    std::vector<Follower> followers;
  };
  // The set to write as the next version, as soon as it may be.
  std::optional<Members> step(const Members& set, const Look& look);
  // What the change waits for, in words.
  std::string waits_for(const Members& set, const Look& look) const;

 private:
  std::int64_t version_ = 0;
  std::int64_t epoch_ = 0;
  std::optional<Offset> end_;  // what has to be held before the next step
};

// The version that such a text has; 0 = none.
std::int64_t version_of(std::string_view set_text);

}  // namespace ha::core
