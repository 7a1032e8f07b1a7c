// SPDX-License-Identifier: Apache-2.0
#include "tests/system/small_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "tests/system/deadline.h"
#include "tests/system/descriptor.h"
#include "tests/system/privilege.h"

namespace ha::system {
namespace {

std::string errno_text() { return std::generic_category().message(errno); }

// A thread's step into a mount namespace of its own, once.
std::string enter_own_mounts() {
  static const std::string failed = [] {
    if (unshare(CLONE_NEWNS) != 0) return "unshare(CLONE_NEWNS): " + errno_text();
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return "mount --make-rprivate /: " + errno_text();
    }
    return std::string();
  }();
  return failed;
}

}  // namespace

std::string why_no_mounts() {
  const std::string failed = enter_own_mounts();
  return failed.empty() ? "" : "needs to mount a small disk, which root may: " + failed;
}

SmallDisk::SmallDisk(std::filesystem::path folder, std::int64_t bytes)
    : folder_(std::move(folder)) {
  const std::string size = "size=" + std::to_string(bytes);
  if (mount("ha_system", folder_.c_str(), "tmpfs", 0, size.c_str()) != 0) {
    throw Failure("mount tmpfs at " + folder_.string() + ": " + errno_text());
  }
}

SmallDisk::~SmallDisk() { umount2(folder_.c_str(), MNT_DETACH); }

void SmallDisk::fill() const {
  const Descriptor file(
      ::open((folder_ / "ballast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw Failure("cannot lay ballast: " + errno_text());
  // In small pieces: others write to the disk meanwhile, and the last page must be taken too.
  constexpr off_t kPiece = 4096;
  off_t size = 0;
  while (fallocate(file.get(), 0, size, kPiece) == 0) size += kPiece;
  if (errno != ENOSPC) throw Failure("cannot lay ballast: " + errno_text());
}

void SmallDisk::free() const { std::filesystem::remove(folder_ / "ballast"); }

}  // namespace ha::system
