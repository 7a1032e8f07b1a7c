// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/coordinator/host.h"

#include <utility>

#include "ha_plugin/core/one_line.h"

namespace ha {

HostCoordinator::HostCoordinator(const ext::Coordinator& host, const std::string& folder,
                                 std::string id, Count count)
    : host_(host),
      leader_(folder + "leader"),
      control_(folder + "control"),
      set_(folder + "set"),
      id_(std::move(id)),
      count_(std::move(count)) {}

CoordinatorAnswer HostCoordinator::grant(std::chrono::milliseconds ttl, Lease& granted) {
  std::int64_t lease = 0;
  std::int64_t granted_ms = 0;
  CoordinatorAnswer said = ask([&] { return host_.grant(ttl.count(), lease, granted_ms); });
  if (said.yes()) granted = {lease, std::chrono::milliseconds(granted_ms)};
  return said;
}

CoordinatorAnswer HostCoordinator::renew(const Lease& lease) {
  return ask([&] { return host_.renew(lease.id); });
}

CoordinatorAnswer HostCoordinator::revoke(const Lease& lease) {
  return ask([&] { return host_.revoke(lease.id); });
}

CoordinatorAnswer HostCoordinator::read(CoordinatorKeys& keys) {
  CoordinatorKeys got = seen_;
  CoordinatorAnswer said = ask([&] {
    HostResult result = read_key(leader_, got.leader);
    if (result.ok()) result = read_key(control_, got.control);
    return result.ok() ? read_key(set_, got.set) : result;
  });
  if (said.yes()) keys = seen_ = std::move(got);
  return said;
}

HostResult HostCoordinator::read_key(const std::string& name, CoordinatorKey& key) {
  std::string value;
  std::int64_t lease = 0;
  HostResult result = host_.read(name, value, lease);
  if (!result.ok()) return result;
  if (value.empty()) {
    key = {};
  } else if (key.revision == 0 || key.value != value || key.lease != lease) {
    key = {std::move(value), ++revisions_, lease};
  }
  return result;
}

CoordinatorAnswer HostCoordinator::take(const Lease& lease, std::int64_t revision) {
  // A key without a lease would be held for ever.
  if (lease.id == 0) return {Said::kNo, "this node has no lease to take the key with"};
  return change(leader_, seen_.leader, revision, id_, lease.id);
}

CoordinatorAnswer HostCoordinator::set_control(const std::string& value, std::int64_t revision) {
  return change(control_, seen_.control, revision, value, 0);
}

CoordinatorAnswer HostCoordinator::put_set(const std::string& value, std::int64_t revision) {
  return change(set_, seen_.set, revision, value, 0);
}

CoordinatorAnswer HostCoordinator::change(const std::string& name, const CoordinatorKey& before,
                                          std::int64_t revision, const std::string& value,
                                          std::int64_t lease) {
  if (revision != 0 && revision != before.revision) return {Said::kNo, "the key has changed"};
  const std::string& expected = revision == 0 ? std::string() : before.value;
  return ask([&] { return host_.compare_and_set(name, expected, value, lease); });
}

CoordinatorAnswer HostCoordinator::ask(const std::function<HostResult()>& call) {
  CoordinatorAnswer answer{Said::kUnknown, "this node stops"};
  if (!cancelled_) {
    const HostResult result = call();
    answer.said = result.ok()                                ? Said::kYes
                  : result.status == core::Status::kConflict ? Said::kNo
                                                             : Said::kUnknown;
    answer.text = core::one_line(result.text);
  }
  if (count_) count_(answer.said);
  return answer;
}

}  // namespace ha
