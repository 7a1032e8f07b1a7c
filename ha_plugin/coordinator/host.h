// SPDX-License-Identifier: Apache-2.0
// Coordinator by the host's own lock service, through extension ha.host.coordinator/1.
//
// The keys are named as those of etcd. The host compares values; Coordinator counts revisions. So
// this class numbers what it reads: a key has the same revision for as long as its value and lease
// are the same. A key that went and came back in between with the same value passes for unchanged.
// For the leader key that costs a change of master at most, and for the control key nothing.
//
// cancel cannot end a call that the host is in.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "ha_plugin/coordinator/coordinator.h"
#include "ha_plugin/host/extensions.h"

namespace ha {

class HostCoordinator final : public Coordinator {
 public:
  using Count = std::function<void(Said said)>;

  // folder: "PREFIX/CLUSTER/". id: this node's. REQUIRES: host.present().
  HostCoordinator(const ext::Coordinator& host, const std::string& folder, std::string id,
                  Count count = {});

  CoordinatorAnswer grant(std::chrono::milliseconds ttl, Lease& granted) override;
  CoordinatorAnswer renew(const Lease& lease) override;
  CoordinatorAnswer revoke(const Lease& lease) override;
  CoordinatorAnswer read(CoordinatorKeys& keys) override;
  CoordinatorAnswer take(const Lease& lease, std::int64_t revision) override;
  CoordinatorAnswer set_control(const std::string& value, std::int64_t revision) override;
  CoordinatorAnswer put_set(const std::string& value, std::int64_t revision) override;
  void cancel() override { cancelled_ = true; }

 private:
  CoordinatorAnswer ask(const std::function<HostResult()>& call);
  HostResult read_key(const std::string& name, CoordinatorKey& key);
  // Sets it if it still has that revision; before: as it was read last.
  CoordinatorAnswer change(const std::string& name, const CoordinatorKey& before,
                           std::int64_t revision, const std::string& value, std::int64_t lease);

  const ext::Coordinator& host_;
  const std::string leader_;
  const std::string control_;
  const std::string set_;
  const std::string id_;
  const Count count_;
  CoordinatorKeys seen_;
  std::int64_t revisions_ = 0;
  std::atomic<bool> cancelled_{false};
};

}  // namespace ha
