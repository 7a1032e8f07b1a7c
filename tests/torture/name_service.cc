// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/name_service.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <system_error>
#include <thread>

#include "tests/system/deadline.h"
#include "tests/torture/mesh.h"

namespace ha::torture {
namespace {

using system::Failure;

// All lines have one length: to change a byte of the file is one step, which no reader sees half
// done.
constexpr int kLineBytes = 64;
constexpr int kLinesPerNode = 2;

std::string line(const std::string& ip, const std::string& name) {
  std::ostringstream out;
  out << ' ' << std::left << std::setw(kLineBytes - 2) << (ip + " " + name) << '\n';
  return out.str();
}

void put_over(const std::filesystem::path& folder, const std::string& name,
              const std::string& text) {
  const auto file = folder / name;
  std::ofstream(file) << text;
  if (mount(file.c_str(), ("/etc/" + name).c_str(), nullptr, MS_BIND, nullptr) != 0) {
    throw Failure("mount over /etc/" + name + ": " + std::generic_category().message(errno));
  }
}

// A socket that nobody reads, in that network.
system::Descriptor silent_server(int network) {
  system::Descriptor server;
  // A thread of its own: the step cannot be taken back.
  std::thread([&] {
    if (setns(network, CLONE_NEWNET) != 0) return;
    system::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(53);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0) {
      server = std::move(socket);
    }
  }).join();
  if (!server) throw Failure("cannot make a silent name server");
  return server;
}

}  // namespace

std::string NameService::name(int node) {
  return std::string(1, static_cast<char>('a' + node)) + ".torture";
}

NameService::NameService(const std::filesystem::path& folder, const Mesh& mesh, int nodes)
    : nodes_(nodes) {
  std::string hosts;
  for (int node = 0; node < nodes; ++node) {
    hosts += line("::1", name(node)) + line(Mesh::ip(node), name(node));
    servers_.push_back(silent_server(mesh.network(node)));
  }
  const std::filesystem::path files = folder / "etc";
  std::filesystem::create_directories(files);
  for (const auto& [file, text] :
       {std::pair<std::string, std::string>{"hosts", hosts},
        {"resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"},
        {"nsswitch.conf", "hosts: files dns\n"}}) {
    put_over(files, file, text);
    mounted_.push_back("/etc/" + file);
  }
  hosts_ = system::Descriptor(::open((files / "hosts").c_str(), O_WRONLY | O_CLOEXEC));
}

NameService::~NameService() {
  for (const std::string& file : mounted_) umount2(file.c_str(), MNT_DETACH);
}

void NameService::heal() {
  for (int node = 0; node < nodes_; ++node) speak(node);
}

void NameService::mark(int node, char first) const {
  for (int i = 0; i < kLinesPerNode; ++i) {
    const off_t at = static_cast<off_t>(kLineBytes) * (node * kLinesPerNode + i);
    if (::pwrite(hosts_.get(), &first, 1, at) != 1) {
      throw Failure("hosts: " + std::generic_category().message(errno));
    }
  }
}

}  // namespace ha::torture
