// SPDX-License-Identifier: Apache-2.0
#include "http/count_reads.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

namespace stub::test {
namespace {

struct Counters {
  std::atomic<std::size_t> calls{0};
  std::atomic<std::size_t> bytes{0};
  std::atomic<std::size_t> widest{0};

  Reads read() const { return {calls.load(), bytes.load(), widest.load()}; }
};

Counters g_tests;
Counters g_others;

void count(std::size_t asked, ssize_t got) {
  if (got <= 0) return;
  auto& counters = ::gettid() == ::getpid() ? g_tests : g_others;
  counters.calls.fetch_add(1);
  counters.bytes.fetch_add(static_cast<std::size_t>(got));
  auto widest = counters.widest.load();
  while (widest < asked && !counters.widest.compare_exchange_weak(widest, asked)) {
  }
}

template <class Call>
Call* next(Call*, const char* name) {
  return reinterpret_cast<Call*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

Reads test_reads() { return g_tests.read(); }
Reads server_reads() { return g_others.read(); }
void forget_widest() { g_others.widest = 0; }

}  // namespace stub::test

extern "C" ssize_t recv(int fd, void* buffer, std::size_t size, int flags) {
  static auto* const real = stub::test::next(&::recv, "recv");
  const auto got = real(fd, buffer, size, flags);
  stub::test::count(size, got);
  return got;
}

extern "C" ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static auto* const real = stub::test::next(&::recvmsg, "recvmsg");
  std::size_t size = 0;
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) size += message->msg_iov[i].iov_len;
  const auto got = real(fd, message, flags);
  stub::test::count(size, got);
  return got;
}
