// SPDX-License-Identifier: Apache-2.0
// Somebody who listens where a slave dials, and says that he is its master.
//
// He knows all that a node of the set knows, and lies where the slave can tell: about who he is,
// with an epoch out of reach, or to have a log emptied whose readers saw something. A slave that
// takes his answer has promised what he said, and then no node of the set may be promised more.
#pragma once

#include <span>
#include <string>

#include "ha_plugin/wire/native.h"
#include "tests/sim/net.h"

namespace ha::sim {

class Node;
class Rng;

class Impostor {
 public:
  // dialled: whom the victim thinks that it speaks to.
  Impostor(Net& net, Rng& rng, const Config& config, ConnId id, const Node& victim,
           std::uint32_t dialled);
  void read(std::span<const std::byte> bytes);

 private:
  void greet();
  void answer();

  Net& net_;
  const ConnId id_;
  const Node& victim_;
  std::string name_;
  std::int64_t above_ = 1;  // so far above what the victim knows of
  bool resets_ = false;     // wants the victim's log emptied
  bool opened_ = false;
  bool over_ = false;
  wire::ReportGather opening_;
  core::Greeting greeting_;
  wire::native::Reader reader_{wire::native::Reader::Side::kMaster};
};

}  // namespace ha::sim
