// SPDX-License-Identifier: Apache-2.0
// Who may write here, and when that changes.
//
// The fence: leaving master closes the log to messages before the plugin is even asked, and the
// role's report opens it again only when it names master and nobody has asked for another role
// since. So from the moment a slave's role holds not one local append can be under way.

#include <spdlog/spdlog.h>

#include <cstddef>

#include "broker/local_broker.h"

namespace stub {
namespace {

const char* role_name(std::int32_t role) {
  switch (role) {
    case HA_ROLE_MASTER:
      return "master";
    case HA_ROLE_SLAVE:
      return "slave";
    default:
      return "none";
  }
}

}  // namespace

void LocalBroker::set_writable(bool writable) {
  writable_ = writable;
  log_->set_writable(writable);
}

void LocalBroker::on_role_changed(const ha_role_report& report) {
  bool master = false;
  {
    const std::lock_guard lock(role_mutex_);
    // A coordinator's choice holds like one that was asked for here, unless another role has been
    // asked for since.
    const bool pending = role_answer_.number < role_asked_;
    if (report.reason == HA_REASON_COORDINATOR && report.role == HA_ROLE_MASTER && !pending) {
      wanted_role_ = HA_ROLE_MASTER;
    }
    master = report.role == HA_ROLE_MASTER && wanted_role_ == HA_ROLE_MASTER && !stopping_;
    if (master && role_ != Role::kMaster) {
      // Without epochs a new master's log is the log, so its readers see all of it. With them the
      // plugin goes on saying what enough nodes hold.
      if (report.epoch == 0) log_->confirm_all();
      groups_->limit();
      groups_->take_over();
    }
    // Under the lock: a change that is asked for right now closes the log after this, not before.
    epoch_ = report.epoch;
    set_writable(master);
  }
  if (master)
    scheduler_->start();
  else
    scheduler_->stop();
  const std::string text = report.text != nullptr ? report.text : "";
  hooks_->log_role(report);
  {
    const std::lock_guard lock(role_mutex_);
    role_ = static_cast<Role>(report.role);
    last_role_text_ = text;
    // A plugin from before 1.5 numbers nothing, so there any report may be the answer.
    const bool numbers =
        report.struct_size >= offsetof(ha_role_report, number) + sizeof(report.number);
    const std::int64_t number = numbers ? report.number : role_asked_;
    if (number != 0) role_answer_ = {number, report.status, text};
  }
  role_reported_.notify_all();
}

Result<std::monostate> LocalBroker::change_role(const ha::RoleRequest& request, bool starting,
                                                bool until_it_holds) {
  const std::lock_guard control(control_mutex_);
  if (stopping_) return make_error(HA_SHUTDOWN, "this node is stopping; its role stays as it is");
  ha::RoleRequest numbered = request;
  std::int32_t wanted_before = HA_ROLE_NONE;
  std::string master_before;
  {
    const std::lock_guard lock(role_mutex_);
    numbered.number = ++role_asked_;
    wanted_before = wanted_role_;
    master_before = master_address_;
    wanted_role_ = request.role;
    master_address_ = request.master_address;
    if (request.role != HA_ROLE_MASTER) set_writable(false);
  }
  const auto accepted = starting ? instance_->start(numbered) : instance_->set_role(numbered);
  if (!accepted) {
    const std::lock_guard lock(role_mutex_);
    wanted_role_ = wanted_before;
    master_address_ = master_before;
    set_writable(role() == Role::kMaster && wanted_role_ == HA_ROLE_MASTER && !stopping_);
    return Error{accepted.error().status, accepted.error().os_errno, accepted.error().text};
  }
  if (!until_it_holds) return std::monostate{};
  std::unique_lock lock(role_mutex_);
  const bool reported = role_reported_.wait_for(
      lock, kRoleChangeTimeout, [&] { return role_answer_.number >= numbered.number; });
  if (!reported)
    return make_error(HA_TIMEOUT, "the role " + std::string(role_name(request.role)) +
                                      " was accepted but does not hold after " +
                                      std::to_string(kRoleChangeTimeout.count()) +
                                      " s; look at the log and the status, then try again");
  if (role_answer_.status < 0) return make_error(role_answer_.status, role_answer_.text);
  return std::monostate{};
}

Result<std::monostate> LocalBroker::promote(bool force) {
  if (role() == Role::kMaster) return std::monostate{};
  return change_role({.role = HA_ROLE_MASTER, .force = force}, false);
}

Result<std::monostate> LocalBroker::demote() { return change_role({.role = HA_ROLE_SLAVE}, false); }

Result<std::monostate> LocalBroker::follow(const std::string& master_address) {
  if (master_address.empty())
    return make_error(HA_INVALID, "no master address was given (try 10.0.0.1:10912)");
  return change_role({.role = HA_ROLE_SLAVE, .master_address = master_address}, false);
}

std::string LocalBroker::master_address() const {
  // In a configured set the plugin may have found another than the one that was named.
  if (const ha::Snapshot now = snapshot(); now.values.master_address[0] != '\0') {
    return now.values.master_address;
  }
  const std::lock_guard lock(role_mutex_);
  return master_address_;
}

std::string LocalBroker::role_text() const {
  const std::lock_guard lock(role_mutex_);
  return last_role_text_;
}

}  // namespace stub
