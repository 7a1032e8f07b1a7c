// DIR/lock: one process at a time has a store open for writing.
#pragma once

#include <optional>
#include <string>

#include "store/error.h"
#include "store/file.h"

namespace stub::store {

class StoreLock {
 public:
  // HA_STATE, with the holder's process id when it left one, while another has the store open. The
  // system drops the lock when the process dies, however it dies.
  static Result<StoreLock> acquire(const std::string& store_dir);

 private:
  explicit StoreLock(Descriptor fd) : fd_(std::move(fd)) {}
  Descriptor fd_;
};

}  // namespace stub::store
