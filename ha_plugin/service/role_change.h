// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ha_plugin/config/address.h"
#include "ha_plugin/core/types.h"

namespace ha {

struct RoleChange {
  core::Role role = core::Role::kNone;
  net::Address master;     // of a slave; empty = none known yet
  std::int64_t epoch = 0;  // of a master: the least to take
  bool force = false;      // become master whatever other nodes say
  // Become master as soon as enough nodes answer, unless another node is master: a start.
  bool keep_trying = false;
  // If it cannot be master, look for the node that is: this one was slave or master before.
  bool follow_if_refused = false;
  // Of a master: only these nodes are asked, for they have just said that they would promise. Empty
  // = all.
  std::vector<std::string> ask = {};
  std::string hand_over_to = {};  // that node of the set is to be master next
  std::int64_t number = 0;        // the host's; 0 = the plugin's own change
  core::Reason reason = core::Reason::kRequested;
  std::string note = {};  // how it came to be, for the host
};

}  // namespace ha
