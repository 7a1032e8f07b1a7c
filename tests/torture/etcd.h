// SPDX-License-Identifier: Apache-2.0
// The etcd cluster that nodes have as their coordinator: real members, each with a disk and a
// network of its own.
//
// Threads: the run's first thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/torture/client.h"
#include "tests/torture/daemon.h"

namespace ha::torture {

inline constexpr int kEtcdMembers = 3;

// "" when this machine has it; else what is missing.
std::string why_no_etcd();

class EtcdMember : public Daemon {
 public:
  // cluster: all members with their peer addresses, as etcd wants them.
  EtcdMember(std::string id, std::filesystem::path folder, Endpoint clients, system::Address peers,
             std::string cluster);

  // With the data that it had.
  void start();
  bool leads() const;

 private:
  const std::filesystem::path data_;
  const Endpoint clients_;
  const system::Address peers_;
  const std::string cluster_;
};

class Etcd {
 public:
  // Where each member is to its clients and to the others. Starts them, and waits for a leader.
  Etcd(const std::filesystem::path& folder, const std::vector<Endpoint>& clients,
       const std::vector<system::Address>& peers);

  EtcdMember& member(int index) { return *members_[static_cast<std::size_t>(index)]; }
  // -1 = none that answers.
  int leader();
  // The value of option coordinator.
  const std::string& option() const { return option_; }
  // Starts what is down, and lets go on what is stopped.
  void heal();

 private:
  std::vector<std::unique_ptr<EtcdMember>> members_;
  std::string option_ = "etcd:";
};

}  // namespace ha::torture
