// SPDX-License-Identifier: Apache-2.0
#include "store/store_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "ha/plugin.h"

namespace stub::store {

Result<StoreLock> StoreLock::acquire(const std::string& store_dir) {
  const std::string path = store_dir + "/lock";
  Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return system_error(errno, "cannot open the lock file '" + path + "'");
  struct flock first_byte {};
  first_byte.l_type = F_WRLCK;
  first_byte.l_whence = SEEK_SET;
  first_byte.l_len = 1;
  // The descriptor's own, so that no other one of this process gives it up by being closed.
  if (::fcntl(fd.get(), F_OFD_SETLK, &first_byte) != 0) {
    if (errno != EAGAIN && errno != EACCES)
      return system_error(errno, "cannot lock '" + path + "'");
    char holder[32] = {};
    const ssize_t size = ::pread(fd.get(), holder, sizeof holder - 1, 0);
    const std::string who = last_held_by_rocketmq(store_dir) ? " (a RocketMQ broker)"
                            : size > 0                       ? " (pid " + std::string(holder) + ")"
                                                             : "";
    return make_error(HA_STATE, "the store '" + store_dir + "' is open in another process" + who +
                                    "; stop that one, or give this one a directory of its own");
  }
  return StoreLock(std::move(fd));
}

void StoreLock::sign() {
  const std::string pid = std::to_string(::getpid());
  // On a full disk it may fail. A later open then has no name for its error, or scans more. In
  // place, and cut afterwards: the block that the file has is enough.
  const auto size = static_cast<ssize_t>(pid.size());
  const bool named =
      ::pwrite(fd_.get(), pid.data(), pid.size(), 0) == size && ::ftruncate(fd_.get(), size) == 0;
  static_cast<void>(named);
}

bool last_held_by_rocketmq(const std::string& store_dir) {
  const auto content = read_file(store_dir + "/lock");
  const auto* text = std::get_if<std::string>(&content);
  return text != nullptr && text->starts_with("lock");
}

}  // namespace stub::store
