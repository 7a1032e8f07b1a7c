// SPDX-License-Identifier: Apache-2.0
// The engine that the nodes of a set in one process share: etcd itself, or what their hosts bring.
#pragma once

#include <memory>
#include <string>

#include "ha_plugin/coordinator/coordinator.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"

namespace ha::testing {

class SetEngine {
 public:
  virtual ~SetEngine() = default;

  // "" or why it did not start.
  virtual std::string start() = 0;
  // Before the host's node is created.
  virtual void offer_to(MemoryHost& host) = 0;
  virtual Options options() const = 0;
  // As a node with that id, of cluster "prod". Goes with the engine.
  virtual Coordinator& connect(const std::string& id) = 0;
  // Without a lease, as an operator does.
  virtual void put_by_hand(const std::string& key, const std::string& value) = 0;
  // It answers no more.
  virtual void kill() = 0;
};

// kind: "etcd" or "host".
std::unique_ptr<SetEngine> make_set_engine(const std::string& kind);

}  // namespace ha::testing
