// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/memory_locks.h"

#include <iterator>

#include "ha/plugin.h"

namespace ha::testing {

std::int32_t MemoryLocks::grant(std::int64_t ttl_ms, std::int64_t& lease,
                                std::int64_t& granted_ms) {
  const std::lock_guard lock(mutex_);
  if (away_) return HA_TIMEOUT;
  const std::chrono::milliseconds ttl(ttl_ms);
  lease = ++last_lease_;
  granted_ms = ttl_ms;
  leases_[lease] = {ttl, std::chrono::steady_clock::now() + ttl};
  return HA_OK;
}

std::int32_t MemoryLocks::renew(std::int64_t lease) {
  const std::lock_guard lock(mutex_);
  if (away_) return HA_TIMEOUT;
  end_leases();
  const auto at = leases_.find(lease);
  if (at == leases_.end()) return HA_CONFLICT;
  at->second.until = std::chrono::steady_clock::now() + at->second.ttl;
  return HA_OK;
}

std::int32_t MemoryLocks::revoke(std::int64_t lease) {
  const std::lock_guard lock(mutex_);
  if (away_) return HA_TIMEOUT;
  end_leases();
  if (!leases_.contains(lease)) return HA_CONFLICT;
  drop(lease);
  return HA_OK;
}

std::int32_t MemoryLocks::read(const std::string& key, std::string& value, std::int64_t& lease) {
  const std::lock_guard lock(mutex_);
  if (away_) return HA_TIMEOUT;
  end_leases();
  const auto at = keys_.find(key);
  if (at == keys_.end()) return HA_OK;
  value = at->second.value;
  lease = at->second.lease;
  return HA_OK;
}

std::int32_t MemoryLocks::compare_and_set(const std::string& key, const std::string& expected,
                                          const std::string& value, std::int64_t lease) {
  const std::lock_guard lock(mutex_);
  if (away_) return HA_TIMEOUT;
  end_leases();
  if (lease != 0 && !leases_.contains(lease)) return HA_CONFLICT;
  const auto at = keys_.find(key);
  if ((at == keys_.end() ? "" : at->second.value) != expected) return HA_CONFLICT;
  keys_[key] = {value, lease};
  return HA_OK;
}

void MemoryLocks::put(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  keys_[key] = {value, 0};
}

void MemoryLocks::go_away() {
  const std::lock_guard lock(mutex_);
  away_ = true;
}

void MemoryLocks::end_leases() {
  const Time now = std::chrono::steady_clock::now();
  for (auto at = leases_.begin(); at != leases_.end();) {
    const auto next = std::next(at);
    if (at->second.until <= now) drop(at->first);
    at = next;
  }
}

void MemoryLocks::drop(std::int64_t lease) {
  leases_.erase(lease);
  std::erase_if(keys_, [&](const auto& entry) { return entry.second.lease == lease; });
}

}  // namespace ha::testing
