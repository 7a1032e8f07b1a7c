// SPDX-License-Identifier: Apache-2.0
// A guest in someone else's process: what the plugin must not change, take over or leave behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "raw_slave.h"
#include "test_node.h"

namespace ha::test {
namespace {

namespace fs = std::filesystem;

const Options kWithMetrics = {{"metrics_listen", "127.0.0.1:0"}};

// The value behind "name:" in a file of /proc.
std::string proc_value(const fs::path& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":"))
      return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  }
  return "";
}

std::set<std::string> entries(const fs::path& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.insert(entry.path().filename());
  return names;
}

// Descriptor -> what it is. The one that lists the directory is gone by the time it is looked up.
std::map<std::string, std::string> descriptors() {
  std::map<std::string, std::string> all;
  for (const std::string& fd : entries("/proc/self/fd")) {
    std::error_code gone;
    const fs::path target = fs::read_symlink("/proc/self/fd/" + fd, gone);
    if (!gone) all[fd] = target.string();
  }
  return all;
}

TEST(Guest, ItsThreadsBlockEverySignal) {
  const auto before = entries("/proc/self/task");
  Pair pair(kWithMetrics);
  int looked_at = 0;
  for (const std::string& tid : entries("/proc/self/task")) {
    if (before.contains(tid)) continue;
    const fs::path status = "/proc/self/task/" + tid + "/status";
    const std::uint64_t blocked = std::stoull(proc_value(status, "SigBlk"), nullptr, 16);
    for (int signal = 1; signal < SIGRTMAX; ++signal) {
      // KILL and STOP cannot be blocked; those below SIGRTMIN are the C library's own.
      if (signal == SIGKILL || signal == SIGSTOP || (signal >= 32 && signal < SIGRTMIN)) continue;
      EXPECT_TRUE((blocked >> (signal - 1)) & 1)
          << "thread " << proc_value(status, "Name") << " takes signal " << signal;
    }
    ++looked_at;
  }
  EXPECT_GE(looked_at, 4) << "an I/O thread and a control thread for each of two instances";
}

TEST(Guest, TheCallersOwnSignalMaskStays) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    Pair pair(kWithMetrics);
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    for (int signal = 1; signal < SIGRTMAX; ++signal) {
      EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
    }
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

TEST(Guest, ItsDescriptorsAreCloseOnExecAndGoWithIt) {
  const auto before = descriptors();
  {
    Pair pair(kWithMetrics);
    const std::int64_t end = pair.master.produce("x\n");
    ASSERT_EQ(pair.master.instance.wait_blocking({.end = end, .acks = 2}), HA_OK);
    int looked_at = 0;
    for (const auto& [fd, what] : descriptors()) {
      if (before.contains(fd)) continue;
      const auto flags = std::stoul(proc_value("/proc/self/fdinfo/" + fd, "flags"), nullptr, 8);
      EXPECT_TRUE(flags & O_CLOEXEC) << "descriptor " << fd << " (" << what
                                     << ") would leak into every program the host starts";
      ++looked_at;
    }
    EXPECT_GE(looked_at, 6) << "two listeners, two metrics listeners, both ends of a connection";
  }
  EXPECT_EQ(descriptors(), before);
}

// The C library adds it to whatever it sets, a restored default too: it changes nothing.
constexpr int kRestorer = 0x04000000;

// Everything of the process that a library could change behind its host's back.
struct ProcessState {
  std::map<int, std::pair<void (*)(int), int>> handlers;
  std::string locale = std::setlocale(LC_ALL, nullptr);
  mode_t mask = 0;
  std::map<int, std::pair<rlim_t, rlim_t>> limits;
  std::vector<std::string> environment;
  fs::path directory = fs::current_path();

  ProcessState() {
    for (int signal = 1; signal < SIGRTMAX; ++signal) {
      struct sigaction action {};
      if (sigaction(signal, nullptr, &action) == 0) {
        handlers[signal] = {action.sa_handler, action.sa_flags & ~kRestorer};
      }
    }
    mask = umask(0);
    umask(mask);
    for (int what = 0; what < static_cast<int>(RLIM_NLIMITS); ++what) {
      rlimit limit{};
      if (getrlimit(static_cast<__rlimit_resource_t>(what), &limit) == 0) {
        limits[what] = {limit.rlim_cur, limit.rlim_max};
      }
    }
    for (char** at = environ; *at != nullptr; ++at) environment.emplace_back(*at);
  }
};

void expect_same(const ProcessState& before, const char* when) {
  SCOPED_TRACE(when);
  const ProcessState now;
  EXPECT_EQ(now.handlers, before.handlers);
  EXPECT_EQ(now.locale, before.locale);
  EXPECT_EQ(now.mask, before.mask);
  EXPECT_EQ(now.limits, before.limits);
  EXPECT_EQ(now.environment, before.environment);
  EXPECT_EQ(now.directory, before.directory);
}

TEST(Guest, ChangesNothingOfTheProcess) {
  const ProcessState before;
  {
    TestNode master(kWithMetrics);
    expect_same(before, "after create");
    master.start(HA_ROLE_MASTER);
    expect_same(before, "after start");
    EXPECT_TRUE(master.instance.metrics_text());
    EXPECT_TRUE(master.instance.stop(std::chrono::milliseconds(0)));
    expect_same(before, "after stop");
  }
  expect_same(before, "after destroy");
}

TEST(Guest, TwoInstancesAreIndependent) {
  TestNode first(Options{{"in_sync_replicas", "2"}});
  TestNode second;
  first.start(HA_ROLE_MASTER);
  second.start(HA_ROLE_MASTER);
  EXPECT_NE(first.address(), second.address());
  EXPECT_EQ(first.instance.check_acks(HA_ACKS_DEFAULT), HA_SLAVE_NOT_AVAILABLE);
  EXPECT_EQ(second.instance.check_acks(HA_ACKS_DEFAULT), HA_OK);
  EXPECT_TRUE(first.instance.stop(std::chrono::milliseconds(0)));
  EXPECT_EQ(first.instance.check_acks(1), HA_SHUTDOWN);
  EXPECT_EQ(second.instance.check_acks(1), HA_OK);

  TestNode slave;
  slave.start(HA_ROLE_SLAVE, second.address());
  ASSERT_TRUE(second.log.expect_event(HA_REPLICA_JOINED));
  const std::int64_t end = second.produce("x\n");
  EXPECT_EQ(second.instance.wait_blocking({.end = end, .acks = 2}), HA_OK);
  EXPECT_THAT(first.log.lines(), testing::Not(testing::HasSubstr("joined")));
}

// Holds the plugin's I/O thread inside pin, where it is about to write to a slave.
class GatedLog : public MemoryLog {
 public:
  std::int32_t pin(std::int64_t offset, std::int64_t size, ha_span& out) override {
    {
      std::unique_lock lock(mutex_);
      held_ = true;
      changed_.notify_all();
      changed_.wait_for(lock, kPatience, [this] { return open_; });
    }
    return MemoryLog::pin(offset, size, out);
  }
  bool wait_until_held() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return held_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool open_ = false;
};

TEST(Guest, APeerThatVanishesRaisesNoSigpipe) {
  signal(SIGPIPE, SIG_DFL);  // a raised one ends this process
  BasicTestNode<GatedLog> master;
  master.start(HA_ROLE_MASTER);
  master.produce("a record\n");
  RawSlave slave(master.address());
  slave.report(0);
  ASSERT_TRUE(master.log.wait_until_held());
  slave.leave_broken();
  master.log.open();  // what is written now meets EPIPE
  EXPECT_TRUE(master.log.expect_event(HA_REPLICA_LEFT));
  EXPECT_TRUE(master.instance.stop(std::chrono::milliseconds(0)));
}

TEST(Guest, AMasterThatVanishesRaisesNoSigpipe) {
  signal(SIGPIPE, SIG_DFL);
  TestNode slave(Options{{"reconnect_max_ms", "50"}});
  auto master = std::make_unique<TestNode>();
  master->start(HA_ROLE_MASTER);
  slave.start(HA_ROLE_SLAVE, master->address());
  ASSERT_TRUE(master->log.expect_event(HA_REPLICA_JOINED));
  master.reset();
  EXPECT_TRUE(slave.instance.stop(std::chrono::milliseconds(0)));
}

TEST(Guest, NeitherCallsNorIsCalledAfterStop) {
  Pair pair;
  ASSERT_TRUE(pair.master.instance.stop(std::chrono::milliseconds(0)));
  const std::string lines = pair.master.log.lines();
  pair.master.instance.notify_appended(1);
  EXPECT_EQ(pair.master.instance.wait_blocking({.end = 1, .acks = 2}), HA_SHUTDOWN);
  EXPECT_EQ(pair.master.log.pins(), 0);
  EXPECT_EQ(pair.master.log.lines(), lines);
}

}  // namespace
}  // namespace ha::test
