// SPDX-License-Identifier: Apache-2.0
// Loaded into a broker's JVM by LD_PRELOAD: the disk under its commit log fails, or the process
// dies at a call. Without it a test would need a device that fails, and the kernel's device mapper.
//
// HA_DISK_FAULTS names a file with lines `CALL WHAT`, which is read at each call. CALL: pwrite,
// fdatasync, fallocate, unlink (of files in a folder "commitlog") or msync (of any). WHAT: EIO;
// kill (before the call); killed (after it). What was called is appended to the file's name +
// ".calls": `CALL OFFSET SIZE ERRNO`.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

std::string read_whole(const char* path) {
  std::string text(4096, '\0');
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? 0 : ::read(fd, text.data(), text.size());
  if (fd >= 0) ::close(fd);
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return text;
}

bool is_log(std::string_view path) { return path.find("/commitlog/") != std::string_view::npos; }

bool is_log(int fd) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t n = ::readlink(link.c_str(), path, sizeof path);
  return n > 0 && is_log(std::string_view(path, static_cast<std::size_t>(n)));
}

class Call {
 public:
  explicit Call(const char* name) : name_(name) {
    const char* file = std::getenv("HA_DISK_FAULTS");
    if (file == nullptr) return;
    calls_ = std::string(file) + ".calls";
    const std::string all = "\n" + read_whole(file);
    const std::string wanted = "\n" + std::string(name) + " ";
    const auto at = all.find(wanted);
    if (at == std::string::npos) return;
    const auto begin = at + wanted.size();
    what_ = all.substr(begin, all.find('\n', begin) - begin);
  }
  // Runs it, or not.
  template <class Fn>
  auto run(long long offset, long long size, Fn&& fn) -> decltype(fn()) {
    if (what_ == "kill") ::kill(::getpid(), SIGKILL);
    decltype(fn()) result = -1;
    int error = EIO;
    if (what_ != "EIO") {
      errno = 0;
      result = fn();
      error = errno;
    }
    if (what_ == "killed") ::kill(::getpid(), SIGKILL);
    note(offset, size, result < 0 ? error : 0);
    errno = error;
    return result;
  }

 private:
  void note(long long offset, long long size, int error) const {
    if (calls_.empty()) return;
    const int fd = ::open(calls_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    const std::string line = std::string(name_) + " " + std::to_string(offset) + " " +
                             std::to_string(size) + " " + std::to_string(error) + "\n";
    (void)!::write(fd, line.data(), line.size());
    ::close(fd);
  }

  const char* name_;
  std::string what_;
  std::string calls_;
};

template <class Fn>
Fn* next(const char* name) {
  return reinterpret_cast<Fn*>(::dlsym(RTLD_NEXT, name));
}

ssize_t write_at(int fd, const void* data, size_t size, off_t offset) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite64");
  if (!is_log(fd)) return real(fd, data, size, offset);
  return Call("pwrite").run(offset, static_cast<long long>(size),
                            [&] { return real(fd, data, size, offset); });
}

int allocate(int fd, int mode, off_t offset, off_t size) {
  static auto* const real = next<int(int, int, off_t, off_t)>("fallocate64");
  if (!is_log(fd)) return real(fd, mode, offset, size);
  return Call("fallocate").run(offset, size, [&] { return real(fd, mode, offset, size); });
}

int delete_file(const char* name, const char* path) {
  auto* const real = next<int(const char*)>(name);
  if (!is_log(path)) return real(path);
  return Call("unlink").run(0, 0, [&] { return real(path); });
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return write_at(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
  return write_at(fd, data, size, offset);
}
int fallocate(int fd, int mode, off_t offset, off_t size) {
  return allocate(fd, mode, offset, size);
}
int fallocate64(int fd, int mode, off_t offset, off_t size) {
  return allocate(fd, mode, offset, size);
}
int fdatasync(int fd) {
  static auto* const real = next<int(int)>("fdatasync");
  return is_log(fd) ? Call("fdatasync").run(0, 0, [&] { return real(fd); }) : real(fd);
}
int msync(void* at, size_t size, int flags) {
  static auto* const real = next<int(void*, size_t, int)>("msync");
  return Call("msync").run(0, static_cast<long long>(size), [&] { return real(at, size, flags); });
}
int unlink(const char* path) noexcept { return delete_file("unlink", path); }
int remove(const char* path) noexcept { return delete_file("remove", path); }
}
