// SPDX-License-Identifier: Apache-2.0
// What must hold whenever all three nodes are at rest: nothing acknowledged is missing, nothing is
// there twice, the three logs are the same bytes.
//
// Threads: the run's first thread, while producers are paused.
#pragma once

#include <cstdint>
#include <string>

#include "tests/torture/ledger.h"
#include "tests/torture/world.h"

namespace ha::torture {

class Check {
 public:
  Check(World& world, const Ledger& ledger) : world_(world), ledger_(ledger) {}

  // "" or what three nodes that have come to rest still lack: one master, two slaves that it
  // serves, one end, all of it shown to readers. With a coordinator: its key is the master's.
  std::string at_rest();

  // After a round, at rest: what is new on the master since the last look, and all acknowledged so
  // far; then the bytes that are new in the three logs. "" or what is wrong.
  std::string round();

  // At the end: each node's topic from the log's first byte ever, all bytes, and `ha_stub verify`
  // of each store once its node has ended. "" or what is wrong.
  std::string all();

  const Ledger::Verdict& verdict() const { return verdict_; }
  std::int64_t epoch() const { return epoch_; }
  bool logs_identical() const { return identical_; }

 private:
  // What was seen of a topic by one who reads it from one node or, in turn, several.
  struct Look {
    Ledger::Found found;
    std::vector<Range> skipped;  // as the reader was told
    std::int64_t cursor = 0;
  };
  // Counts the node's messages from the cursor on. "" or what is wrong.
  std::string look(int node, Look& look);
  std::string judge(const Look& look, const std::string& where);
  std::string compare(std::int64_t from);
  std::string compare_with_first(int node, std::int64_t from);
  // Where both logs begin.
  std::int64_t begin_of_both(int node);

  World& world_;
  const Ledger& ledger_;
  Look masters_;  // of the rounds so far
  // When the nodes were at rest last.
  int master_ = 0;
  std::int64_t end_ = 0;  // of all three logs
  std::int64_t epoch_ = 0;
  std::int64_t compared_ = 0;
  Ledger::Verdict verdict_;
  bool identical_ = true;
};

}  // namespace ha::torture
