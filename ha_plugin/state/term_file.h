// SPDX-License-Identifier: Apache-2.0
// A node's core::Term on disk, in `state_dir`/ha_term.json or the host's store:
//
//   {"format":1,"promised":7,"promised_to":"b",
//    "epochs":[{"epoch":6,"start":0,"master":"a"}],"checksum":"f00d..."}
//
// The checksum is that of checked_json.h. A save is atomic and durable. A damaged file is an error,
// never an empty term: a node that forgot its promises could give them a second time.
//
// Threads: one at a time. load and save block for the disk; they run once per change of master.
#pragma once

#include <string>
#include <string_view>

#include "ha_plugin/core/term.h"
#include "ha_plugin/state/state_store.h"

namespace ha {

class TermFile {
 public:
  explicit TermFile(StateStore store) : store_(std::move(store)) {}

  // "" and out is what the disk holds, be it nothing; else what is wrong with it.
  std::string load(core::Term& out) const;
  // "" = it will be loaded from now on, also after a loss of power; else what failed.
  std::string save(const core::Term& term) const;

  std::string path() const;

 private:
  const StateStore store_;
};

std::string format_term(const core::Term& term);
// "" or what is wrong with the text.
std::string parse_term(std::string_view text, core::Term& out);

}  // namespace ha
