// SPDX-License-Identifier: Apache-2.0
#include "tests/system/network.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/system/deadline.h"
#include "tests/system/privilege.h"
#include "tests/system/process.h"

namespace ha::system {
namespace {

// Fixed, so that a neighbour can be told where the other end is and where it is not.
constexpr const char* kLeftMac = "02:00:00:00:77:01";
constexpr const char* kRightMac = "02:00:00:00:77:02";
constexpr const char* kNobodyMac = "02:00:00:00:77:99";

std::string path_of(int descriptor) {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(descriptor);
}

void ip(const Network& network, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ip");
  ProcessOptions how;
  how.network = network.descriptor();
  const Outcome outcome = run(arguments, how);
  if (outcome.exit_code == 0) return;
  std::string line;
  for (const std::string& argument : arguments) line += argument + " ";
  throw Failure(line + ": " + outcome.errors);
}

}  // namespace

std::string why_no_networks() {
  std::string failed;
  // A thread of its own: the step cannot be taken back.
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) failed = std::generic_category().message(errno);
  }).join();
  if (!failed.empty()) return "needs network namespaces, which root may make: " + failed;
  return run({"ip", "-V"}).exit_code == 0 ? "" : "needs the program ip (package iproute2)";
}

Network::Network() {
  std::thread([this] {
    if (unshare(CLONE_NEWNET) != 0) return;
    descriptor_ = Descriptor(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  }).join();
  if (!descriptor_) throw Failure("cannot make a network namespace");
  ip(*this, {"link", "set", "lo", "up"});
}

Cable::Cable(const Network& left, const Network& right) : left_(left), right_(right) {
  ip(left_, {"link", "add", "left", "address", kLeftMac, "type", "veth", "peer", "name", "right",
             "address", kRightMac, "netns", path_of(right_.descriptor())});
  ip(left_, {"addr", "add", left_ip_ + "/24", "dev", "left"});
  ip(right_, {"addr", "add", right_ip_ + "/24", "dev", "right"});
  heal();
}

void Cable::cut() const { ip(left_, {"link", "set", "left", "down"}); }

// A wrong hardware address: the packets leave and nobody takes them, as with a broken fibre.
void Cable::cut_left_to_right() const {
  ip(left_,
     {"neigh", "replace", right_ip_, "lladdr", kNobodyMac, "dev", "left", "nud", "permanent"});
}
void Cable::cut_right_to_left() const {
  ip(right_,
     {"neigh", "replace", left_ip_, "lladdr", kNobodyMac, "dev", "right", "nud", "permanent"});
}

void Cable::heal() const {
  ip(left_, {"link", "set", "left", "up"});
  ip(right_, {"link", "set", "right", "up"});
  ip(left_,
     {"neigh", "replace", right_ip_, "lladdr", kRightMac, "dev", "left", "nud", "permanent"});
  ip(right_,
     {"neigh", "replace", left_ip_, "lladdr", kLeftMac, "dev", "right", "nud", "permanent"});
}

}  // namespace ha::system
