// SPDX-License-Identifier: Apache-2.0
// Three network namespaces, each pair joined by a cable of its own, whose directions can be cut,
// made lossy or slow one by one. Nothing has a name in the system: the kernel takes all of it away
// with the last descriptor, however the run ends.
//
// Threads: the run's first thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/system/network.h"

namespace ha::torture {

class Mesh {
 public:
  explicit Mesh(int nodes);

  int network(int node) const { return networks_[static_cast<std::size_t>(node)]->descriptor(); }
  static std::string ip(int node) { return "10.78.0." + std::to_string(node + 1); }

  // What `from` sends to `to` is lost; what `to` sends arrives.
  void cut(int from, int to);
  // So many percent of what `from` sends to `to` are lost; "" or why the kernel cannot.
  std::string lose(int from, int to, int percent);
  // What `from` sends to `to` passes at this rate, through a queue; "" or why the kernel cannot.
  std::string slow_down(int from, int to, int kbit);
  void heal();

 private:
  // "" or what the program said.
  std::string run(int node, std::vector<std::string> arguments) const;
  void must_run(int node, std::vector<std::string> arguments) const;
  void lay_cable(int left, int right);
  void show_the_way(int from, int to, const std::string& mac) const;

  std::vector<std::unique_ptr<system::Network>> networks_;
  bool shaped_ = false;
};

}  // namespace ha::torture
