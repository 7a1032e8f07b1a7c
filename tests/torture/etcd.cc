// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/etcd.h"

#include <cstdlib>

#include "tests/system/deadline.h"
#include "tests/system/json.h"

namespace ha::torture {
namespace {

constexpr Milliseconds kAnswerWithin{500};

std::string url(const system::Address& address) { return "http://" + address.text(); }

}  // namespace

std::string why_no_etcd() {
  constexpr int kNotFound = 127;
  if (system::run({"etcd", "--version"}).exit_code != kNotFound) return "";
  return "etcd is not in PATH: install it (Debian's package is etcd-server)";
}

EtcdMember::EtcdMember(std::string id, std::filesystem::path folder, Endpoint clients,
                       system::Address peers, std::string cluster)
    : Daemon(id, folder, clients.network),
      data_(folder / id),
      clients_(std::move(clients)),
      peers_(std::move(peers)),
      cluster_(std::move(cluster)) {}

void EtcdMember::start() {
  const std::string clients = url(clients_.address);
  const std::string peers = url(peers_);
  run({"etcd", "--name", id(), "--data-dir", data_.string(), "--listen-client-urls", clients,
       "--advertise-client-urls", clients, "--listen-peer-urls", peers,
       "--initial-advertise-peer-urls", peers, "--initial-cluster", cluster_,
       "--initial-cluster-state", "new", "--logger", "zap"},
      "");
}

bool EtcdMember::leads() const {
  if (!running() || stopped()) return false;
  try {
    const Answer answer = Client(clients_).post("/v3/maintenance/status", "{}", kAnswerWithin);
    if (answer.status != 200) return false;
    const system::json::value status = system::parse_json(answer.body);
    return system::text_at(status, "leader") == system::text_at(status, "header/member_id");
  } catch (const Failure&) {
    return false;
  }
}

Etcd::Etcd(const std::filesystem::path& folder, const std::vector<Endpoint>& clients,
           const std::vector<system::Address>& peers) {
  // etcd wants to be told so where it is not supported.
  setenv("ETCD_UNSUPPORTED_ARCH", "arm64", 0);
  std::string cluster;
  for (int i = 0; i < kEtcdMembers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::string comma = i == 0 ? "" : ",";
    cluster += comma + "e" + std::to_string(i) + "=" + url(peers[at]);
    option_ += comma + url(clients[at].address);
  }
  for (int i = 0; i < kEtcdMembers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    members_.push_back(std::make_unique<EtcdMember>("e" + std::to_string(i), folder, clients[at],
                                                    peers[at], cluster));
  }
  heal();
  system::wait_until("etcd has a leader", [this] { return leader() >= 0; });
}

int Etcd::leader() {
  for (int i = 0; i < kEtcdMembers; ++i) {
    if (member(i).leads()) return i;
  }
  return -1;
}

void Etcd::heal() {
  for (const auto& member : members_) {
    if (member->stopped()) member->go_on();
    if (!member->running()) member->start();
  }
}

}  // namespace ha::torture
