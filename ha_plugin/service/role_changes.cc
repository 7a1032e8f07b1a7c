// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/role_changes.h"

#include <utility>

#include "ha_plugin/net/io/io_thread.h"

namespace ha {

using core::Role;

void RoleChanges::start(std::function<void(const RoleChange&)> carry_out,
                        std::function<void(Chore)> do_chore) {
  carry_out_ = std::move(carry_out);
  do_chore_ = std::move(do_chore);
  thread_ = net::start_quiet_thread("ha-control", [this] { run(); });
}

void RoleChanges::stop() {
  {
    const Lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RoleChanges::clear() {
  const Lock lock(mutex_);
  stop_ = false;
  chores_.clear();
  changes_.clear();
  wanted_ = asked_ = Role::kNone;
}

bool RoleChanges::stopping() const {
  const Lock lock(mutex_);
  return stop_;
}

void RoleChanges::run() {
  host_.thread_lifecycle().started("ha-control");
  Lock lock(mutex_);
  for (;;) {
    while (!stop_ && chores_.empty() && changes_.empty()) wake_.wait(lock);
    if (!changes_.empty()) {
      const RoleChange change = std::move(changes_.front());
      changes_.pop_front();
      changing_ = true;
      lock.unlock();
      carry_out_(change);
      lock.lock();
      changing_ = false;
      continue;
    } else if (stop_) {
      break;
    } else {
      const Chore chore = chores_.extract(chores_.begin()).value();
      lock.unlock();
      do_chore_(chore);
    }
    lock.lock();
  }
  lock.unlock();
  host_.thread_lifecycle().stopping("ha-control");
}

void RoleChanges::request(RoleChange change) {
  net::Address master = change.master;
  {
    const Lock lock(mutex_);
    // A node that starts has not been slave or master before.
    if (asked_ == Role::kNone) change.follow_if_refused = false;
    const Role role = change.role;
    changes_.push_back(std::move(change));  // the last that may fail
    wanted_ = asked_ = role;
    master_ = std::move(master);
  }
  wake_.notify_all();
}

void RoleChanges::queue(const std::vector<RoleChange>& changes) {
  {
    const Lock lock(mutex_);
    if (stop_) return;
    changes_.insert(changes_.end(), changes.begin(), changes.end());
    wanted_ = changes.back().role;
    master_ = changes.back().master;
  }
  wake_.notify_all();
}

void RoleChanges::do_soon(Chore chore) {
  {
    const Lock lock(mutex_);
    chores_.insert(chore);
  }
  wake_.notify_all();
}

bool RoleChanges::wait_for_another(std::chrono::milliseconds timeout) {
  const auto at = std::chrono::steady_clock::now() + timeout;
  Lock lock(mutex_);
  while (!stop_ && changes_.empty()) {
    if (!wake_.wait_until(lock, at)) return stop_ || !changes_.empty();
  }
  return true;
}

bool RoleChanges::wait_for_stop(std::chrono::milliseconds timeout) {
  const auto at = std::chrono::steady_clock::now() + timeout;
  Lock lock(mutex_);
  while (!stop_) {
    if (!wake_.wait_until(lock, at)) break;
  }
  return stop_;
}

bool RoleChanges::busy() const {
  const Lock lock(mutex_);
  return changing_ || !changes_.empty();
}

Role RoleChanges::asked() const {
  const Lock lock(mutex_);
  return asked_;
}

net::Address RoleChanges::master() const {
  const Lock lock(mutex_);
  return master_;
}

net::Address RoleChanges::master_for(const RoleChange& change) const {
  const Lock lock(mutex_);
  return changes_.empty() ? master_ : change.master;
}

bool RoleChanges::set_master(const net::Address& master) {
  const Lock lock(mutex_);
  if (wanted_ != Role::kSlave) return false;
  master_ = master;
  return true;
}

void RoleChanges::settle(Role role, const net::Address& master) {
  const Lock lock(mutex_);
  if (!changes_.empty()) return;
  wanted_ = role;
  master_ = master;
}

}  // namespace ha
