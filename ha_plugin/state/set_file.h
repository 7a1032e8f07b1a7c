// SPDX-License-Identifier: Apache-2.0
// A set that was changed while it ran, as it is written down: in the coordination engine's key
// `set`, and in `state_dir`/ha_set.json or the host's store.
//
//   {"version":4,"now":["a","b"],"copies":2,"next":["a","b","c"],"joining":"",
//    "nodes":{"a":"10.0.0.1:10912",...},"master":"a","epoch":7}
//
// core/members.h says what that means. "next" is there in a joint set only. The file has a checksum
// besides (checked_json.h), and a save is atomic and durable. A damaged file is an error, never a
// set as the options say: a node that forgot the newer set could help an older one to decide.
//
// Threads: one at a time. load and save block for the disk; they run once per change of the set.
#pragma once

#include <string>
#include <string_view>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/members.h"
#include "ha_plugin/state/state_store.h"

namespace ha {

struct WrittenSet {
  core::Members members;  // version 0 = there is none
  ReplicaList replicas;   // where the nodes are, those that join too
};

std::string format_set(const WrittenSet& set);
// "" or what is wrong with the text.
std::string parse_set(std::string_view text, WrittenSet& out);

class SetFile {
 public:
  explicit SetFile(StateStore store) : store_(std::move(store)) {}

  // "" and out is what the disk holds, be it nothing; else what is wrong with it.
  std::string load(WrittenSet& out) const;
  // "" = it will be loaded from now on, also after a loss of power; else what failed.
  std::string save(const WrittenSet& set) const;

 private:
  const StateStore store_;
};

}  // namespace ha
