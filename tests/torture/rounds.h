// SPDX-License-Identifier: Apache-2.0
// The operator: lets the set work, breaks things, does what an operator must, heals, looks.
//
// Threads: the run's first thread.
#pragma once

#include <string>
#include <vector>

#include "tests/torture/check.h"
#include "tests/torture/faults.h"
#include "tests/torture/producers.h"
#include "tests/torture/readers.h"

namespace ha::torture {

// The longest time without an acknowledgement in a round, and the kinds of its faults.
struct Gap {
  Milliseconds time;
  std::vector<std::string> faults;
};

class Rounds {
 public:
  // help: does by hand what nodes that do not find together by themselves need.
  Rounds(World& world, Producers& producers, Readers& readers, Ledger& ledger, bool help)
      : world_(world),
        producers_(producers),
        readers_(readers),
        ledger_(ledger),
        help_(help),
        check_(world, ledger) {}

  // Starts the nodes; one becomes master. These three throw Failure when something is wrong.
  void begin();
  void round();
  void finish();

  int done() const { return done_; }
  const Tally& tally() const { return tally_; }
  const Check& check() const { return check_; }
  const std::vector<Gap>& gaps() const { return gaps_; }
  // From the operator's command to the first acknowledgement, of each promotion that he needed.
  const std::vector<Milliseconds>& takeovers() const { return takeovers_; }

 private:
  // Promotes one node after the other until acknowledgements come. With a coordinator it only waits
  // for them. False = none came in that time.
  bool make_it_work(Milliseconds patience, Milliseconds deadline);
  bool promote_in_turn();
  void come_to_rest();
  void help(bool again);
  void bring_back();
  void allow_resets();
  void forbid_resets();
  bool acks_come(Milliseconds within);

  World& world_;
  Producers& producers_;
  Readers& readers_;
  Ledger& ledger_;
  const bool help_;
  Check check_;
  Tally tally_;
  std::vector<Gap> gaps_;
  std::vector<Milliseconds> takeovers_;
  std::string last_refusal_;
  std::vector<int> allowed_;  // nodes that may empty a confirmed log
  int done_ = 0;
};

}  // namespace ha::torture
