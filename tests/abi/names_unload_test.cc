// SPDX-License-Identifier: Apache-2.0
// dlclose while the plugin's look-up of a name is still blocked in the system's resolver, which is
// this program's own here.
#include <gtest/gtest.h>
#include <netdb.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include "test_node.h"

namespace {

std::mutex mutex;
std::condition_variable changed;
bool silent = false;
int waiting = 0;

int wait_and_fail() {
  std::unique_lock lock(mutex);
  ++waiting;
  changed.notify_all();
  changed.wait(lock, [] { return !silent; });
  --waiting;
  return EAI_AGAIN;
}

bool wait_for_look_up() {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, std::chrono::seconds(20), [] { return waiting > 0; });
}

void set_silent(bool now) {
  const std::lock_guard lock(mutex);
  silent = now;
  changed.notify_all();
}

}  // namespace

extern "C" int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) {
  return wait_and_fail();
}

namespace ha::test {
namespace {

bool is_mapped() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(HA_TEST_PLUGIN) != std::string::npos) return true;
  }
  return false;
}

bool is_there(const std::string& thread) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream name(task.path() / "comm");
    std::string found;
    if (std::getline(name, found) && found == thread) return true;
  }
  return false;
}

// Looks again and again until it holds.
bool eventually(const std::function<bool()>& met) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!met()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(UnloadDuringALookUp, ALookUpThatHasEndedKeepsNothing) {
  {
    TestNode slave;
    slave.start(HA_ROLE_SLAVE, "failing.test:10912");
    ASSERT_TRUE(eventually([&] {
      return slave.log.lines().find("cannot resolve 'failing.test'") != std::string::npos;
    })) << slave.log.lines();
  }
  EXPECT_FALSE(is_mapped());
}

TEST(UnloadDuringALookUp, OneThatIsLeftBehindFindsItsCode) {
  set_silent(true);
  {
    TestNode slave;
    slave.start(HA_ROLE_SLAVE, "silent.test:10912");
    ASSERT_TRUE(wait_for_look_up());
  }
  EXPECT_TRUE(is_there("ha-name"));
  EXPECT_TRUE(is_mapped()) << "the look-up's thread runs this code";
  set_silent(false);
  EXPECT_TRUE(eventually([] { return !is_there("ha-name"); }));
}

}  // namespace
}  // namespace ha::test
