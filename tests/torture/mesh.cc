// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/mesh.h"

#include <unistd.h>

#include "tests/system/deadline.h"
#include "tests/system/process.h"

namespace ha::torture {
namespace {

// Fixed, so that a neighbour can be told where the other end is and where it is not.
constexpr const char* kNobodyMac = "02:00:00:00:78:99";
std::string mac(int from, int to) {
  return "02:00:00:00:78:" + std::to_string(from) + std::to_string(to);
}
std::string device(int to) { return "to" + std::to_string(to); }

}  // namespace

Mesh::Mesh(int nodes) {
  for (int node = 0; node < nodes; ++node) {
    networks_.push_back(std::make_unique<system::Network>());
    must_run(node, {"ip", "addr", "add", ip(node) + "/32", "dev", "lo"});
  }
  for (int left = 0; left < nodes; ++left) {
    for (int right = left + 1; right < nodes; ++right) lay_cable(left, right);
  }
  heal();
}

std::string Mesh::run(int node, std::vector<std::string> arguments) const {
  system::ProcessOptions how;
  how.network = network(node);
  const system::Outcome outcome = system::run(arguments, how);
  return outcome.exit_code == 0 ? "" : arguments.at(0) + ": " + outcome.errors;
}

void Mesh::must_run(int node, std::vector<std::string> arguments) const {
  if (std::string wrong = run(node, std::move(arguments)); !wrong.empty()) {
    throw system::Failure(wrong);
  }
}

void Mesh::lay_cable(int left, int right) {
  const std::string other =
      "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(network(right));
  must_run(left, {"ip", "link", "add", device(right), "address", mac(left, right), "type", "veth",
                  "peer", "name", device(left), "address", mac(right, left), "netns", other});
  for (const auto& [from, to] : {std::pair(left, right), std::pair(right, left)}) {
    must_run(from, {"ip", "link", "set", device(to), "up"});
    must_run(from, {"ip", "route", "add", ip(to), "dev", device(to), "src", ip(from)});
  }
}

void Mesh::show_the_way(int from, int to, const std::string& lladdr) const {
  must_run(from, {"ip", "neigh", "replace", ip(to), "lladdr", lladdr, "dev", device(to), "nud",
                  "permanent"});
}

// A wrong hardware address: the packets leave and nobody takes them, as with a broken fibre.
void Mesh::cut(int from, int to) { show_the_way(from, to, kNobodyMac); }

// A classic BPF program on the way out: a random number below the limit drops the packet. It needs
// neither netem nor iptables, which a kernel may lack.
std::string Mesh::lose(int from, int to, int percent) {
  shaped_ = true;
  const std::string limit = std::to_string(42949672LL * percent);
  if (std::string wrong = run(from, {"tc", "qdisc", "replace", "dev", device(to), "clsact"});
      !wrong.empty()) {
    return wrong;
  }
  return run(from, {"tc", "filter", "replace", "dev", device(to), "egress", "prio", "1", "handle",
                    "1", "protocol", "all", "bpf", "da", "bytecode",
                    "4,32 0 0 4294963256,53 0 1 " + limit + ",6 0 0 0,6 0 0 2"});
}

std::string Mesh::slow_down(int from, int to, int kbit) {
  shaped_ = true;
  return run(from, {"tc", "qdisc", "replace", "dev", device(to), "root", "tbf", "rate",
                    std::to_string(kbit) + "kbit", "burst", "16kb", "latency", "1000ms"});
}

void Mesh::heal() {
  const int nodes = static_cast<int>(networks_.size());
  for (int from = 0; from < nodes; ++from) {
    for (int to = 0; to < nodes; ++to) {
      if (from == to) continue;
      show_the_way(from, to, mac(to, from));
      if (!shaped_) continue;
      // Fails where there is nothing to take away.
      run(from, {"tc", "qdisc", "del", "dev", device(to), "clsact"});
      run(from, {"tc", "qdisc", "del", "dev", device(to), "root"});
    }
  }
  shaped_ = false;
}

}  // namespace ha::torture
