// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/engine.h"

#include <utility>
#include <vector>

namespace ha::sim {

Engine::Engine(std::uint64_t seed) : rng_(seed ^ 0xE7CDU), lies_(rng_.percent(60)) {}

bool Engine::lie(std::int64_t permille) {
  if (honest_ || !lies_ || !rng_.permille(permille)) return false;
  ++lies;
  return true;
}

bool Engine::away(std::uint32_t node, Time now) {
  ++requests;
  expire(now);
  if (honest_) return false;
  if (now < away_until_[node]) return true;
  if (rng_.permille(5)) {  // for all
    for (Time& until : away_until_) until = now + kMs * rng_.between(5, 150);
  } else if (rng_.permille(20)) {
    away_until_[node] = now + kMs * rng_.between(5, 150);
  }
  return now < away_until_[node] || rng_.permille(20);
}

void Engine::expire(Time now) {
  std::vector<std::uint64_t> over;
  for (const auto& [lease, until] : leases_) {
    if (now >= until || lie(10)) over.push_back(lease);  // early
  }
  for (const std::uint64_t lease : over) {
    if (!lie(100)) drop(lease);  // late
  }
  // What a lie has put under a lease that is over.
  if (honest_ && !key_.holder.empty() && !leases_.contains(key_.lease)) set({});
}

void Engine::drop(std::uint64_t lease) {
  leases_.erase(lease);
  if (key_.lease == lease && !key_.holder.empty()) set({});
}

void Engine::set(Key key) { before_ = std::exchange(key_, std::move(key)); }

Engine::Said Engine::grant(std::uint32_t node, Time now, Time ttl, std::uint64_t& lease) {
  if (away(node, now)) return Said::kUnknown;
  lease = ++last_;
  leases_[lease] = now + ttl;
  return Said::kYes;
}

Engine::Said Engine::renew(std::uint32_t node, Time now, Time ttl, std::uint64_t lease) {
  if (away(node, now)) return Said::kUnknown;
  if (lie(20)) return Said::kYes;  // success that was none
  if (!leases_.contains(lease) || lie(10)) return Said::kNo;
  leases_[lease] = now + ttl;
  return lie(20) ? Said::kUnknown : Said::kYes;
}

Engine::Said Engine::revoke(std::uint32_t node, Time now, std::uint64_t lease) {
  if (away(node, now)) return Said::kUnknown;
  if (!lie(50)) drop(lease);
  return Said::kYes;
}

Engine::Said Engine::read(std::uint32_t node, Time now, Key& key) {
  if (away(node, now)) return Said::kUnknown;
  key = lie(50) ? before_ : key_;
  return Said::kYes;
}

Engine::Said Engine::take(std::uint32_t node, Time now, std::uint64_t lease, const std::string& id,
                          std::uint64_t revision) {
  if (away(node, now)) return Said::kUnknown;
  const bool free = key_.holder.empty() ? revision == 0 : revision == key_.revision;
  if (!free && !lie(50)) return Said::kNo;
  if (lie(30)) return Said::kYes;  // nothing of it was done
  if (!leases_.contains(lease) && !lie(500)) return Said::kNo;
  set({id, ++last_, lease});
  return lie(30) ? Said::kUnknown : Said::kYes;
}

}  // namespace ha::sim
