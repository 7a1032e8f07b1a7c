// SPDX-License-Identifier: Apache-2.0
// The standard library's mutex, lock and condition variable, with the names that clang's analysis
// of threads knows: a member that is HA_GUARDED_BY(mutex_) does not compile where the mutex is not
// held (-Wthread-safety, CMake preset clang). Other compilers see the standard library alone.
//
// A condition is waited for in a loop, not with a predicate: the analysis does not look into
// lambdas.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#ifdef __clang__
#define HA_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define HA_THREAD_ATTRIBUTE(x)
#endif
#define HA_GUARDED_BY(mutex) HA_THREAD_ATTRIBUTE(guarded_by(mutex))
#define HA_HOLDS(mutex) HA_THREAD_ATTRIBUTE(requires_capability(mutex))

namespace ha {

class HA_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() HA_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() HA_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class Lock;
  std::mutex mutex_;
};

class HA_THREAD_ATTRIBUTE(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) HA_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : lock_(mutex.mutex_) {}
  ~Lock() HA_THREAD_ATTRIBUTE(release_capability()) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  void lock() HA_THREAD_ATTRIBUTE(acquire_capability()) { lock_.lock(); }
  void unlock() HA_THREAD_ATTRIBUTE(release_capability()) { lock_.unlock(); }

 private:
  friend class Condition;
  std::unique_lock<std::mutex> lock_;
};

class Condition {
 public:
  // Both wake for no reason at times.
  void wait(Lock& lock) { condition_.wait(lock.lock_); }
  // Returns false if the time is up.
  bool wait_until(Lock& lock, std::chrono::steady_clock::time_point at) {
    return condition_.wait_until(lock.lock_, at) == std::cv_status::no_timeout;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace ha
