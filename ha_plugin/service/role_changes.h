// SPDX-License-Identifier: Apache-2.0
// The queue of role changes and the control thread that carries them out, one at a time.
//
// Each accepted change is carried out, even when the next one is waiting already, because each is
// answered by one role_changed. The queue also knows what the node will be once it is empty: calls
// that are about the role to come (set_master_address) must not wait for it.
//
// Threads: any, but for start, stop and clear: the thread that controls the instance.
// Locks: mutex_ guards everything below it and is never held while the host is called.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "ha_plugin/host/host.h"
#include "ha_plugin/service/role_change.h"
#include "metrics/mutex.h"

namespace ha {

class RoleChanges {
 public:
  explicit RoleChanges(const Host& host) : host_(host) {}

  // What else the control thread does, when nothing is in the queue: what must not hold up the I/O
  // thread.
  enum class Chore { kPollForNewerEpoch, kReadTlsFiles };

  // On the control thread: carry_out runs for each change, do_chore after do_soon.
  void start(std::function<void(const RoleChange&)> carry_out, std::function<void(Chore)> do_chore);
  // Returns when all that is in the queue is carried out. Nothing comes in any more.
  void stop();
  // After stop: as created.
  void clear();
  bool stopping() const;

  // The host asks for it.
  void request(RoleChange change);
  // The plugin itself wants them, in this order.
  void queue(const std::vector<RoleChange>& changes);
  // Once, however often it is asked for meanwhile.
  void do_soon(Chore chore);
  // Returns true if another change came or the thread is to stop, false if the time is up.
  bool wait_for_another(std::chrono::milliseconds timeout);
  // Returns true if the thread is to stop, false if the time is up.
  bool wait_for_stop(std::chrono::milliseconds timeout);

  // A change waits or is under way.
  bool busy() const;
  // The role that the host asked for last.
  core::Role asked() const;
  net::Address master() const;
  // Whom a change to slave follows: the newest address, unless that belongs to a later change.
  net::Address master_for(const RoleChange& change) const;
  // Returns false unless the node is, or is becoming, a slave.
  bool set_master(const net::Address& master);
  // A change ended otherwise than asked. The next change, if there is one, knows better.
  void settle(core::Role role, const net::Address& master);

 private:
  void run();

  const Host& host_;
  std::function<void(const RoleChange&)> carry_out_;
  std::function<void(Chore)> do_chore_;
  std::thread thread_;

  mutable Mutex mutex_;
  Condition wake_;
  std::deque<RoleChange> changes_ HA_GUARDED_BY(mutex_);
  bool stop_ HA_GUARDED_BY(mutex_) = false;
  bool changing_ HA_GUARDED_BY(mutex_) = false;
  std::set<Chore> chores_ HA_GUARDED_BY(mutex_);
  core::Role wanted_ HA_GUARDED_BY(mutex_) = core::Role::kNone;  // of the last accepted change
  core::Role asked_ HA_GUARDED_BY(mutex_) = core::Role::kNone;
  net::Address master_ HA_GUARDED_BY(mutex_);
};

}  // namespace ha
