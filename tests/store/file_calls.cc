// SPDX-License-Identifier: Apache-2.0
#include "file_calls.h"

#include <dlfcn.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <utility>

namespace stub::test {
namespace {

std::mutex g_mutex;
FileCallHook g_hook;
std::atomic<bool> g_on{false};
std::atomic<std::int64_t> g_bytes{0};
thread_local bool t_inside = false;

// The errno of a call that is to fail, or 0.
int ask(const char* call) {
  if (!g_on || t_inside) return 0;
  const std::lock_guard lock(g_mutex);
  if (!g_hook) return 0;
  t_inside = true;
  const int wrong = g_hook(call);
  t_inside = false;
  return wrong;
}

template <class Call>
Call* next(Call*, const char* name) {
  return reinterpret_cast<Call*>(::dlsym(RTLD_NEXT, name));
}

template <class Call>
int simple(const char* name, const Call& call) {
  if (const int wrong = ask(name)) {
    errno = wrong;
    return -1;
  }
  return call();
}

// put(from, count): the real call for that part of the bytes.
template <class Put>
ssize_t in_halves(const char* name, std::size_t size, const Put& put) {
  if (!g_on || t_inside) return put(std::size_t{0}, size);
  int wrong = ask(name);
  std::size_t done = 0;
  if (wrong == 0 && size > 1) {
    const ssize_t first = put(std::size_t{0}, size / 2);
    if (first < 0) return first;
    done = static_cast<std::size_t>(first);
    wrong = ask("half a write");
  }
  if (wrong == 0) {
    const ssize_t rest = put(done, size - done);
    if (rest < 0) return rest;
    done += static_cast<std::size_t>(rest);
    g_bytes += static_cast<std::int64_t>(done);
    return static_cast<ssize_t>(done);
  }
  errno = wrong;
  return -1;
}

}  // namespace

FileCalls::FileCalls(FileCallHook hook) {
  const std::lock_guard lock(g_mutex);
  g_hook = std::move(hook);
  g_bytes = 0;
  g_on = true;
}

FileCalls::~FileCalls() {
  const std::lock_guard lock(g_mutex);
  g_on = false;
  g_hook = nullptr;
}

std::int64_t FileCalls::bytes_written() const { return g_bytes; }

}  // namespace stub::test

extern "C" ssize_t write(int fd, const void* data, std::size_t size) {
  static auto* const real = stub::test::next(&::write, "write");
  return stub::test::in_halves("write", size, [&](std::size_t from, std::size_t count) {
    return real(fd, static_cast<const char*>(data) + from, count);
  });
}

extern "C" ssize_t pwrite(int fd, const void* data, std::size_t size, off_t at) {
  static auto* const real = stub::test::next(&::pwrite, "pwrite");
  return stub::test::in_halves("pwrite", size, [&](std::size_t from, std::size_t count) {
    return real(fd, static_cast<const char*>(data) + from, count, at + static_cast<off_t>(from));
  });
}

extern "C" int fsync(int fd) {
  static auto* const real = stub::test::next(&::fsync, "fsync");
  return stub::test::simple("fsync", [&] { return real(fd); });
}

extern "C" int fdatasync(int fd) {
  static auto* const real = stub::test::next(&::fdatasync, "fdatasync");
  return stub::test::simple("fdatasync", [&] { return real(fd); });
}

extern "C" int rename(const char* from, const char* to) noexcept {
  static auto* const real = stub::test::next(&::rename, "rename");
  return stub::test::simple("rename", [&] { return real(from, to); });
}

extern "C" int unlink(const char* path) noexcept {
  static auto* const real = stub::test::next(&::unlink, "unlink");
  return stub::test::simple("unlink", [&] { return real(path); });
}
