// SPDX-License-Identifier: Apache-2.0
// ha_check PLUGIN [PATIENCE_MS]: drives a plugin through its states and says which rules it breaks.
//
// First one node alone: every call in every state, refused waits, roles. Where that shows no fault,
// a master and a slave in this process: records, waits of each kind, a change of role, a stop with
// waits open. Prints a line PLUGIN_MISUSE per kind of fault; exits 0 when there are none, 1 when
// there are some, 2 when the plugin cannot be loaded.
#include <cstdlib>
#include <iostream>

#include "checking_host/node.h"

namespace ha::check {
namespace {

void check_alone(const Plugin& plugin, Misuses& misuses, std::chrono::milliseconds patience) {
  Node node(plugin, misuses, patience);
  if (node.create() && node.start(HA_ROLE_MASTER, "")) {
    node.produce("alone\n", 1, std::chrono::seconds(1));
    misuses.require(node.last_answer() == HA_DONE || node.last_answer() == HA_OK, "wrong_status",
                    "a wait for the master's own copy was refused");
    node.produce("nobody\n", 2, std::chrono::seconds(1));
    if (node.last_answer() != HA_OK) {  // an accepted one is judged by its callback
      misuses.require(
          node.last_answer() == HA_SLAVE_NOT_AVAILABLE ||
              node.last_answer() == HA_IN_SYNC_REPLICAS_NOT_ENOUGH,
          "wrong_status",
          "a wait for two copies without a slave ended with " + std::to_string(node.last_answer()));
    }
    node.set_role(HA_ROLE_SLAVE, "");
    node.produce("not mine\n", 1, std::chrono::seconds(1));
    misuses.require(node.last_answer() == HA_NOT_MASTER || node.last_answer() == HA_OK,
                    "wrong_status",
                    "a wait on a slave ended with " + std::to_string(node.last_answer()));
    node.set_role(HA_ROLE_NONE, "");
  }
  node.stop_and_destroy();
}

void check_pair(const Plugin& plugin, Misuses& misuses, std::chrono::milliseconds patience) {
  constexpr int kRecords = 200;
  Node master(plugin, misuses, patience);
  Node slave(plugin, misuses, patience);
  if (!master.create() || !slave.create()) return;
  if (master.start(HA_ROLE_MASTER, "") && slave.start(HA_ROLE_SLAVE, master.address())) {
    misuses.require(master.log().expect_event(HA_REPLICA_JOINED, patience), "no_replica",
                    "no replica joined the master in time");
    WatchedWait* last = nullptr;
    for (int i = 0; i < kRecords; ++i) {
      last = &master.produce("record " + std::to_string(i) + "\n", 2, std::chrono::seconds(60));
    }
    misuses.require(last->finished(patience) && last->status() == HA_OK, "wait_failed",
                    "a wait for two copies did not end OK although a slave follows");
    misuses.require(slave.log().content() == master.log().content(), "bytes_differ",
                    "the slave's log is not the master's");
    // Nobody can hold this one: it ends by its deadline, the next by stop.
    master.produce("too many\n", 3, std::chrono::seconds(1));
    slave.set_role(HA_ROLE_NONE, "");
    slave.set_role(HA_ROLE_SLAVE, master.address());
    master.produce("open at stop\n", 3, std::chrono::seconds(60));
  }
  master.stop_and_destroy();
  slave.stop_and_destroy();
}

int run(const char* path, std::chrono::milliseconds patience) {
  Misuses misuses;
  {
    test::MemoryLog log;
    const auto plugin = Plugin::load(path, bind_host(log));
    if (!plugin) {
      std::cout << plugin.error().text << std::endl;
      return 2;
    }
    check_alone(*plugin, misuses, patience);
    if (misuses.count() == 0) check_pair(*plugin, misuses, patience);
  }
  std::cout << misuses.count() << " kinds of misuse" << std::endl;
  return misuses.count() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ha::check

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::cerr << "usage: ha_check PLUGIN [PATIENCE_MS]\n";
    return 2;
  }
  const long patience = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 30'000;
  return ha::check::run(argv[1], std::chrono::milliseconds(patience));
}
