// SPDX-License-Identifier: Apache-2.0
// The set under torture: its nodes, their coordinator, the network between them, what is broken and
// when it ends.
//
// Threads: the run's first thread.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/system/small_disk.h"
#include "tests/torture/etcd.h"
#include "tests/torture/member.h"
#include "tests/torture/mesh.h"
#include "tests/torture/name_service.h"

namespace ha::torture {

inline constexpr int kNodes = 3;

// SIGINT or SIGTERM came.
struct Interrupted : std::exception {};

struct WorldOptions {
  std::filesystem::path folder;
  std::uint64_t seed = 1;
  bool coordinator = false;           // nodes have one, and nobody promotes them
  std::int64_t small_disk_bytes = 0;  // of the last node's disk, in memory; 0 = it has none
};

class World {
 public:
  explicit World(const WorldOptions& options);

  Member& node(int index) { return *members_[static_cast<std::size_t>(index)]; }
  Mesh* mesh() { return mesh_.get(); }                         // nullptr = no network faults here
  NameService* name_service() { return name_service_.get(); }  // nullptr = nodes have addresses
  Etcd* etcd() { return etcd_.get(); }                         // nullptr = operators promote
  // The last node's disk is small and can be full.
  bool has_small_disk() const { return disk_ != nullptr; }
  void fill_disk(Milliseconds time);
  std::vector<Endpoint> endpoints() const;
  std::vector<std::string> names() const;

  // A number from low to high.
  int between(int low, int high);
  int any_node() { return between(0, kNodes - 1); }
  // Of a node that is started again.
  std::string any_role() { return etcd_ || between(0, 1) == 1 ? "slave" : "master"; }
  std::vector<int> shuffled();

  // Who says that it is master, of the newest epoch; -1 = nobody.
  int master();
  // A node that the set does not have now, as that master says; -1 = it has all, or is changing.
  int left_out(int master);
  // Another node than that.
  int other_than(int node);
  bool working(int index) { return node(index).running() && !node(index).stopped(); }

  // Does it in so many ms, or when everything heals.
  void later(Milliseconds delay, std::function<void()> what);
  // Does what is due. Throws Failure when a process ended by itself, Interrupted when the user
  // wants.
  void pump();
  void wait(Milliseconds time);
  bool wait_until(const std::function<bool()>& holds, Milliseconds deadline);
  // Takes back all that is broken, and starts what is down.
  void heal();

  // Replaces the cluster's key a step further: the next one is appended on all nodes, then put
  // first, then alone. Says what it did.
  std::string rotate_keys();

  // The place of an etcd member in the mesh.
  static int host_of(int member) { return kNodes + member; }

  // One line for whoever watches, and for the file operator.log.
  void say(const std::string& line) const;
  // What all nodes say of themselves, and the ends of their logs.
  std::string portrait();

 private:
  void start_etcd(const std::vector<int>& ports);

  struct Due {
    system::Clock::time_point at;
    std::function<void()> what;
  };
  const std::filesystem::path folder_;
  std::mt19937_64 random_;
  std::unique_ptr<Mesh> mesh_;
  std::unique_ptr<NameService> name_service_;
  std::unique_ptr<Etcd> etcd_;
  std::unique_ptr<system::SmallDisk> disk_;
  bool disk_was_full_ = false;  // since all was healed
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<Due> due_;
  int rotation_ = 0;  // steps so far
};

// Makes SIGINT and SIGTERM end the run in order.
void catch_signals();

}  // namespace ha::torture
