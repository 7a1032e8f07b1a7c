// SPDX-License-Identifier: Apache-2.0
// Names for the nodes, in this run's mount namespace only: an /etc/hosts of its own, where each
// node has two addresses, the first of which nobody listens on; and behind that a name server that
// hears every question and answers none. So a name that is taken out of the file is silent.
//
// Threads: the run's first thread, which must be in a mount namespace of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/system/descriptor.h"

namespace ha::torture {

class Mesh;

class NameService {
 public:
  // Throws Failure where the files cannot be mounted.
  NameService(const std::filesystem::path& folder, const Mesh& mesh, int nodes);
  ~NameService();
  NameService(const NameService&) = delete;
  NameService& operator=(const NameService&) = delete;

  static std::string name(int node);
  void silence(int node) { mark(node, '#'); }
  void speak(int node) { mark(node, ' '); }
  void heal();

 private:
  void mark(int node, char first) const;

  int nodes_;
  system::Descriptor hosts_;
  std::vector<system::Descriptor> servers_;  // one in each network
  std::vector<std::string> mounted_;
};

}  // namespace ha::torture
