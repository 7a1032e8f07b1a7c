#include "store/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "ha/plugin.h"

namespace stub::store {

Result<StoreLock> StoreLock::acquire(const std::string& store_dir) {
  const std::string path = store_dir + "/lock";
  Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return system_error(errno, "cannot open the lock file '" + path + "'");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error(errno, "cannot lock '" + path + "'");
    char holder[32] = {};
    const ssize_t size = ::pread(fd.get(), holder, sizeof holder - 1, 0);
    return make_error(HA_STATE, "the store '" + store_dir + "' is open in another process" +
                                    (size > 0 ? " (pid " + std::string(holder) + ")" : "") +
                                    "; stop that one, or give this one a directory of its own");
  }
  const std::string pid = std::to_string(::getpid());
  // For the error text above only: that it may fail on a full disk does not matter.
  const bool named =
      ::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), pid.data(), pid.size(), 0) > 0;
  static_cast<void>(named);
  return StoreLock(std::move(fd));
}

}  // namespace stub::store
