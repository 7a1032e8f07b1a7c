// SPDX-License-Identifier: Apache-2.0
// What operators ask the whole set for: the value of the engine's control key.
#pragma once

#include <string>

namespace ha {

struct Orders {
  bool paused = false;      // no change of master without an operator
  std::string wanted = {};  // the replica_id of the node that is to be master; "" = any

  std::string text() const;
  // "" or what is wrong with it. An empty text asks for nothing; members that are not known here
  // are left alone.
  static std::string parse(const std::string& text, Orders& out);
};

}  // namespace ha
