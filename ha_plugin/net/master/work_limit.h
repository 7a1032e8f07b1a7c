// SPDX-License-Identifier: Apache-2.0
// How often one origin may ask for what costs this node far more than the asker: a TLS handshake
// (up to a millisecond), or a HELLO, for which up to a mebibyte of the log is read and hashed.
//
// A member asks once per connection. Threads: the I/O thread.
#pragma once

#include <map>
#include <string>

#include "ha_plugin/core/types.h"

namespace ha::net {

class WorkLimit {
 public:
  // At a millisecond each, a twentieth of the I/O thread.
  static constexpr int kPerSecond = 50;
  static constexpr int kBurst = 100;

  // Returns false if the origin has to wait.
  bool take(const std::string& origin, core::Time now);

 private:
  struct Bucket {
    double left;
    core::Time counted_at;
  };
  // Those that are full again say nothing and are forgotten; should there still be more than this,
  // the newcomers share one.
  static constexpr std::size_t kMostBuckets = 4096;

  static double left(const Bucket& bucket, core::Time now);

  std::map<std::string, Bucket> buckets_;
};

}  // namespace ha::net
