// SPDX-License-Identifier: Apache-2.0
// Each call that a start, a create or a change of role makes for a resource fails once: the first
// of its kind, then the second, until none is left. A program of its own, since it stands between
// the plugin and the C library.

#include <dlfcn.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <utility>

#include "tests/unit/instance.h"
#include "tests/unit/peer.h"
#include "tests/unit/state_dir.h"

extern "C" const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host,
                                                   ha_error* error) noexcept;

namespace {

enum Kind { kNone, kThread, kSocket, kEpoll, kEventFd, kTimerFd, kMemory };
std::atomic<int> failing{kNone};
std::atomic<int> left{0};  // calls of that kind until one fails; below 0 = it has
// Memory fails on the thread that asked for it: a thread of the plugin's own must log and go on,
// which is not what is tested here.
thread_local bool fails_here = false;

bool fails(Kind kind) { return failing == kind && left.fetch_sub(1) == 1; }

template <class Function>
Function real(const char* name) {
  static_assert(sizeof(Function) == sizeof(void*));
  Function function;
  *reinterpret_cast<void**>(&function) = ::dlsym(RTLD_NEXT, name);
  return function;
}

int refuse(int error) {
  errno = error;
  return -1;
}

}  // namespace

extern "C" {
int pthread_create(pthread_t* thread, const pthread_attr_t* attr, void* (*run)(void*), void* arg) {
  if (fails(kThread)) return EAGAIN;
  static const auto call =
      real<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  return call(thread, attr, run, arg);
}
int socket(int domain, int type, int protocol) {
  if (fails(kSocket)) return refuse(EMFILE);
  static const auto call = real<int (*)(int, int, int)>("socket");
  return call(domain, type, protocol);
}
int epoll_create1(int flags) {
  if (fails(kEpoll)) return refuse(EMFILE);
  static const auto call = real<int (*)(int)>("epoll_create1");
  return call(flags);
}
int eventfd(unsigned int count, int flags) {
  if (fails(kEventFd)) return refuse(EMFILE);
  static const auto call = real<int (*)(unsigned int, int)>("eventfd");
  return call(count, flags);
}
int timerfd_create(int clock, int flags) {
  if (fails(kTimerFd)) return refuse(EMFILE);
  static const auto call = real<int (*)(int, int)>("timerfd_create");
  return call(clock, flags);
}
}

// Not inlined: GCC would take the two for a pair that does not match.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (fails_here && fails(kMemory)) throw std::bad_alloc();
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace ha::testing {
namespace {

std::ptrdiff_t count_in(const char* directory) {
  return std::distance(std::filesystem::directory_iterator(directory), {});
}

decltype(ha_host_api::log) real_log = nullptr;

// The host itself never runs out of memory: its log may allocate.
void let_the_log_allocate(MemoryHost& host) {
  real_log = host.table().log;
  host.table().log = [](void* ctx, std::int32_t level, const char* text,
                        std::int64_t size) noexcept {
    const bool before = std::exchange(fails_here, false);
    real_log(ctx, level, text, size);
    fails_here = before;
  };
}

// The n-th call of that kind fails from here to the end of its life.
class Armed {
 public:
  Armed(Kind kind, int n) {
    left = n;
    failing = kind;
    fails_here = true;
  }
  ~Armed() {
    fails_here = false;
    failing = kNone;
  }
  bool came() const { return left <= 0; }
};

class StartFaults : public ::testing::TestWithParam<Kind> {
 protected:
  struct Made {
    Made() {
      host.table().get_extension = nullptr;
      let_the_log_allocate(host);
    }
    MemoryHost host;
    ha_instance* instance = nullptr;
    ha_error error{};
  };
  StartFaults() : api_(ha_plugin_entry_v1(MemoryHost().api(), nullptr)) {}

  std::int32_t create(Made& made) {
    const ha_option options[] = {{"listen", "127.0.0.1:0"},
                                 {"wire", "native"},
                                 {"replica_id", "a"},
                                 {"replicas", "a@127.0.0.1:1,b@127.0.0.1:2"},
                                 {"prepare_timeout_ms", "10"},
                                 {"state_dir", state_.path().c_str()},
                                 {"metrics_listen", "127.0.0.1:0"}};
    ha_create_params params{};
    params.struct_size = sizeof(params);
    params.option_stride = sizeof(ha_option);
    params.options = options;
    params.option_count = std::size(options);
    params.host_ctx = &made.host;
    made.error.struct_size = sizeof(made.error);
    return api_->create(made.host.api(), &params, &made.instance, &made.error);
  }
  std::int32_t start(Made& made) {
    ha_role_change none{};
    none.struct_size = sizeof(none);
    return api_->start(made.instance, &none, &made.error);
  }

  const ha_plugin_api* api_;
  StateDir state_;
};

TEST_P(StartFaults, AFailedStartLeavesNothingStarted) {
  // A node that has lived before: its files are read.
  std::ofstream(state_.path() + "/ha_degraded.json") << R"({"format":1,"ranges":[]})";
  {
    Made warm;
    ASSERT_EQ(create(warm), HA_OK);
    api_->destroy(warm.instance);
  }
  const std::ptrdiff_t files = count_in("/proc/self/fd");
  const std::ptrdiff_t threads = count_in("/proc/self/task");
  int failures = 0;
  for (int n = 1;; ++n) {
    Made made;
    std::int32_t created = HA_OK;
    std::int32_t started = HA_OK;
    bool came = false;
    {
      const Armed armed(GetParam(), n);
      created = create(made);
      if (created == HA_OK) started = start(made);
      came = armed.came();
    }
    const std::string why = made.error.text;
    if (created != HA_OK) {
      EXPECT_EQ(made.instance, nullptr);
      ASSERT_EQ(create(made), HA_OK) << made.error.text;
    }
    if (created != HA_OK || started != HA_OK) {
      ++failures;
      EXPECT_NE(why, "") << "failure " << n;
      if (GetParam() == kThread) {
        EXPECT_NE(why.find("ha-"), std::string::npos) << why;
      }
      ASSERT_EQ(start(made), HA_OK) << "after failure " << n << ": " << made.error.text;
    }
    EXPECT_TRUE(made.host.wait_for_role(HA_ROLE_NONE)) << "failure " << n;
    EXPECT_EQ(api_->stop(made.instance, 0, &made.error), HA_OK);
    api_->destroy(made.instance);
    ASSERT_TRUE(made.host.misuse().empty());
    EXPECT_EQ(made.host.threads(), 0);
    ASSERT_EQ(count_in("/proc/self/fd"), files) << "after failure " << n;
    ASSERT_TRUE(Instance::eventually([&] { return count_in("/proc/self/task") == threads; }));
    if (!came) break;
  }
  // Asio does without the timer's descriptor.
  if (GetParam() != kTimerFd) {
    EXPECT_GT(failures, 0) << "nothing of that kind is asked for";
  }
}

// A node that cannot ask the others is told why and lives; the next try is a try.
TEST_P(StartFaults, AFailedChangeOfRoleIsToldAndTheNextWorks) {
  if (GetParam() == kThread) GTEST_SKIP() << "a change of role starts none";
  Made made;
  ASSERT_EQ(create(made), HA_OK);
  ASSERT_EQ(start(made), HA_OK);
  ASSERT_TRUE(made.host.wait_for_role(HA_ROLE_NONE));
  ha_role_change master{};
  master.struct_size = sizeof(master);
  master.role = HA_ROLE_MASTER;
  master.flags = HA_ROLE_CHANGE_FORCE;
  for (int n = 1;; ++n) {
    bool came = false;
    const std::size_t before = made.host.roles().size();
    {
      const Armed armed(GetParam(), n);
      const std::int32_t accepted = api_->set_role(made.instance, &master, &made.error);
      fails_here = false;
      if (accepted == HA_OK) {
        ASSERT_TRUE(Instance::eventually([&] { return made.host.roles().size() > before; }));
      } else {
        EXPECT_EQ(accepted, HA_NO_MEMORY);
      }
      came = armed.came();
    }
    if (made.host.roles().size() > before) {
      const RoleSeen told = made.host.roles().back();
      EXPECT_TRUE(told.role == HA_ROLE_MASTER || told.status < 0) << told.text;
    }
    if (!came) break;
  }
  EXPECT_EQ(made.host.roles().back().role, HA_ROLE_MASTER) << made.host.roles().back().text;
  api_->destroy(made.instance);
}

// The host's own calls do not fail, so they may not allocate while the plugin's are to fail.
decltype(ha_host_api::bounds) real_bounds = nullptr;
std::atomic<bool> next_allocation_fails{false};

// Whatever the I/O thread lacks memory for ends half-way: the slave begins again.
TEST(IoFault, ASlaveThatRanOutOfMemoryFollowsAgain) {
  Listener listener;
  MemoryHost host;
  let_the_log_allocate(host);
  real_bounds = host.table().bounds;
  host.table().bounds = [](void* ctx, ha_bounds* out) noexcept {
    if (next_allocation_fails.exchange(false)) {
      left = 1;
      failing = kMemory;
      fails_here = true;
    }
    return real_bounds(ctx, out);
  };
  // From the look at `bounds` that follows the append.
  host.on_append([](std::int64_t, std::int64_t) { next_allocation_fails = true; });
  Instance slave(host, {{"wire", "rocketmq"}, {"tail_check_bytes", "0"}});
  slave.start_slave(listener.address());
  {
    Peer master = listener.accept();
    ASSERT_EQ(master.read_report(), 0);
    ASSERT_TRUE(master.send_log(0, 50));
    ASSERT_TRUE(host.wait_for_end(50));
  }
  Peer again = listener.accept();
  EXPECT_EQ(again.read_report(), 50);
  EXPECT_TRUE(host.wait_for_log("the I/O thread could not go on"));
  failing = kNone;
}

const char* name_of(const ::testing::TestParamInfo<Kind>& kind) {
  constexpr const char* kNames[] = {"None",    "Thread",  "Socket", "Epoll",
                                    "EventFd", "TimerFd", "Memory"};
  return kNames[kind.param];
}
INSTANTIATE_TEST_SUITE_P(Kinds, StartFaults,
                         ::testing::Values(kThread, kSocket, kEpoll, kEventFd, kTimerFd, kMemory),
                         name_of);

}  // namespace
}  // namespace ha::testing
