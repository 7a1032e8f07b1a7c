// SPDX-License-Identifier: Apache-2.0
// The newest epoch that the plugin has given, in DIR/newest_epoch. A call with an older one comes
// from a master whose time is over, and is refused.
//
// It outlives the process: after a restart an old master may still be there. It belongs to this
// log, so a store that moves to another set, whose epochs begin at 1, has to lose it.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "store/error.h"

namespace stub {

class NewestEpoch {
 public:
  explicit NewestEpoch(const std::string& store_dir) : path_(store_dir + "/newest_epoch") {}
  static Result<std::unique_ptr<NewestEpoch>> open(const std::string& store_dir);

  // Refuses an older epoch; remembers a newer one, on disk too. 0 is none, and always fine.
  std::optional<Error> check(std::int64_t epoch);

 private:
  const std::string path_;
  std::mutex mutex_;  // held while the file is written
  std::atomic<std::int64_t> newest_{0};
};

}  // namespace stub
