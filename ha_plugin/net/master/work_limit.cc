// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/work_limit.h"

#include <algorithm>
#include <chrono>

namespace ha::net {

double WorkLimit::left(const Bucket& bucket, core::Time now) {
  const std::chrono::duration<double> passed = now - bucket.counted_at;
  return std::min<double>(kBurst, bucket.left + passed.count() * kPerSecond);
}

bool WorkLimit::take(const std::string& origin, core::Time now) {
  if (buckets_.size() >= kMostBuckets && !buckets_.contains(origin)) {
    std::erase_if(buckets_, [&](const auto& each) { return left(each.second, now) >= kBurst; });
  }
  const bool own = buckets_.size() < kMostBuckets || buckets_.contains(origin);
  Bucket& bucket = buckets_.try_emplace(own ? origin : "", Bucket{kBurst, now}).first->second;
  const double have = left(bucket, now);
  if (have < 1) return false;
  bucket = {have - 1, now};
  return true;
}

}  // namespace ha::net
