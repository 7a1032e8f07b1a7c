// SPDX-License-Identifier: Apache-2.0
// Whom a slave tries next, and after which pause.
//
// After a failure it tries again: quickly at first, at most reconnect_max_ms apart. What trying
// cannot mend (segments of another size, bytes that are no records) ends the search until it begins
// again. A wrong offset is in between: it may be the master that is to be mended, so it is tried
// again, at the longest pause. In a configured set each try goes to the next node, the one that was
// named first.
//
// Threads: the I/O thread only.
#pragma once

#include <random>
#include <vector>

#include "ha_plugin/config/address.h"
#include "ha_plugin/core/backoff.h"
#include "ha_plugin/core/types.h"

namespace ha::net {

class MasterSearch {
 public:
  // Whom to try, the first one first. None: nobody can be master.
  void begin(std::vector<Address> candidates);
  // The same while one is being followed, which is the first.
  void change(std::vector<Address> candidates);
  void clear() { candidates_.clear(); }

  bool empty() const { return candidates_.empty(); }
  bool gave_up() const { return gave_up_; }
  // REQUIRES: not empty().
  const Address& next() const { return candidates_[tries_ % candidates_.size()]; }

  // The one that is tried is a master that serves this slave.
  void on_progress() { backoff_.reset(); }
  // It has followed for a while.
  void on_following() { refused_by_ = {}; }

  struct Retry {
    bool give_up = false;
    bool patient = false;  // until the master is mended
    core::Time pause{};
  };
  // The try ended for that reason. longest: the pause after many. answered: somebody had taken the
  // connection.
  Retry on_end(core::Reason reason, core::Time longest, bool answered = false);

  // closed_first: the master closed the connection before its first byte. Returns true if it has
  // done so a few times in a row, which looks like a refusal by one that cannot say why.
  bool looks_refused(bool closed_first);

  // Is what this try ended with worth more to an operator than the last such words? What a master
  // refused this slave for is, while the other nodes of the set, which cannot know better, say that
  // they are no masters. Call before on_end.
  bool says_more(core::Reason reason);
  // The last words that said more were a master's refusal.
  bool refused() const { return !refused_by_.host.empty(); }

 private:
  std::vector<Address> candidates_;
  std::size_t tries_ = 0;  // in vain; says which of them is next
  int waited_ = 0;         // for the one that was named to become master
  bool gave_up_ = false;   // the last end was final
  int closed_first_in_a_row_ = 0;
  core::Backoff backoff_;
  std::minstd_rand random_{std::random_device{}()};
  Address refused_by_;  // empty = by nobody since it followed last
};

}  // namespace ha::net
