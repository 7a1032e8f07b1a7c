// SPDX-License-Identifier: Apache-2.0
// `./run soak-rocketmq`: a set of unmodified brokers is moved from master to master each minute
// while producers go on, for HA_SOAK_MINUTES. Nothing that was acknowledged is lost or doubled, and
// the three processes, which live as long as it takes, do not grow.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "tests/interop/broker_set.h"
#include "tests/system/proc_fs.h"

namespace ha::interop {
namespace {

using system::Clock;

// One reading of a broker's process.
struct Sample {
  double heap = 0;       // MiB that Java's objects take after a collection
  double anonymous = 0;  // MiB of memory that is no file's: the heap and all else
  double threads = 0;
  double alone = 0;    // those that are in no pool of RocketMQ's
  double ours = 0;     // those of the plugin and its host
  double sockets = 0;  // descriptors
  double files = 0;    // other descriptors, but for those of the store, which grows
};

// So often each broker has been the master once, and its pools have their threads.
constexpr std::size_t kWarmUp = 3;

// RocketMQ starts the threads of these one by one, up to a fixed number. A master has more.
constexpr const char* kPools[] = {"AdminBroker",  "ClientManage",   "ConsumerManage",
                                  "PullMessage",  "SendMessage",    "PutMessage",
                                  "QueryMessage", "EndTransaction", "ScheduleMessage",
                                  "NettyServer",  "NettyClient",    "Transactional"};

// What may grow from the first third after that to the last, at most. RocketMQ's connections come
// and go, and a topic a minute takes heap.
struct Column {
  const char* name;
  double Sample::*value;
  double most;
};
constexpr Column kColumns[] = {
    {"heap MiB", &Sample::heap, 12},          {"anonymous MiB", &Sample::anonymous, 24},
    {"threads", &Sample::threads, 64},        {"in no pool", &Sample::alone, 6},
    {"plugin's threads", &Sample::ours, 0},   {"sockets", &Sample::sockets, 8},
    {"other descriptors", &Sample::files, 4},
};

std::string jcmd(pid_t pid, const std::string& command) {
  const system::Outcome outcome =
      system::run({"jcmd", std::to_string(pid), command}, {}, kJavaDeadline);
  if (outcome.exit_code != 0) throw system::Failure("jcmd " + command + ": " + outcome.output);
  return outcome.output;
}

// The serial collector's "... total 1K, used 1K ..." of the young and the old generation.
double heap_mib(pid_t pid) {
  jcmd(pid, "GC.run");
  const std::string text = jcmd(pid, "GC.heap_info");
  double kib = 0;
  for (const char* generation : {"def new generation", "tenured generation"}) {
    const auto at = text.find("used ", text.find(generation));
    if (at == std::string::npos)
      throw system::Failure("no " + std::string(generation) + ": " + text);
    kib += std::stod(text.substr(at + 5));
  }
  return kib / 1024;
}

double anonymous_mib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; file >> word;) {
    if (word == "RssAnon:" && file >> word) return std::stod(word) / 1024;
  }
  throw system::Failure("/proc has no RssAnon");
}

void count_threads(pid_t pid, Sample& now) {
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    if (!std::getline(file, name)) continue;  // it has ended
    ++now.threads;
    const auto begins = [&](const char* pool) { return name.starts_with(pool); };
    if (std::ranges::none_of(kPools, begins)) ++now.alone;
    // The one that looks up a node's name comes and goes.
    if (name.starts_with("ha-") && name != "ha-name") ++now.ours;
  }
}

double descriptors(pid_t pid, const std::string& store) {
  double count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    const std::string to = std::filesystem::read_symlink(entry.path(), gone).string();
    if (!gone && !to.starts_with("socket:") && !to.starts_with(store)) ++count;
  }
  return count;
}

Sample read(pid_t pid, const std::string& store) {
  Sample now;
  now.heap = heap_mib(pid);
  now.anonymous = anonymous_mib(pid);
  count_threads(pid, now);
  now.sockets = static_cast<double>(system::open_sockets(pid));
  now.files = descriptors(pid, store);
  return now;
}

double mean(std::span<const Sample> samples, double Sample::*value) {
  const double sum =
      std::accumulate(samples.begin(), samples.end(), 0.0,
                      [&](double all, const Sample& one) { return all + one.*value; });
  return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

class Soak : public BrokerSet {
 protected:
  void SetUp() override {
    if (std::getenv("HA_SOAK_MINUTES") == nullptr) {
      GTEST_SKIP() << "it takes long: ./run soak-rocketmq";
    }
    BrokerSet::SetUp();
  }
  Properties also() override {
    return {{"mappedFileSizeCommitLog", std::to_string(kSegmentBytes)}};
  }
  // All memory that the heap may take is taken at the start, so what grows later is not the heap.
  std::vector<std::string> jvm() override {
    return {"-Xcheck:jni", "-XX:+DisplayVMOutputToStderr", "-Xms256m", "-Xmx256m",
            "-XX:+AlwaysPreTouch"};
  }
  std::filesystem::path file(const std::string& topic) const {
    return folder_.path() / ("acknowledged-" + topic);
  }
  // Until that time.
  Driver::Outcomes load(const std::string& topic, Clock::time_point end) {
    constexpr int kBatch = 1000;
    Driver::Outcomes all;
    for (int from = 0; Clock::now() < end; from += kBatch) {
      const auto some = driver().produce(name_server().address(), {.topic = topic,
                                                                   .prefix = topic,
                                                                   .from = from,
                                                                   .count = kBatch,
                                                                   .max = 4096,
                                                                   .threads = 2,
                                                                   .acknowledged = file(topic)});
      for (const auto& [outcome, count] : some) all[outcome] += count;
    }
    return all;
  }
  // The master steps down, and the one of the others that holds more takes over.
  int move_from(int master) {
    const system::Outcome demoted = system::stub({"demote", "--broker", url(master)});
    EXPECT_EQ(demoted.exit_code, 0) << demoted.errors;
    return promote_another(master);
  }
  void wait_for_puts_to(const std::string& topic) {
    system::wait_until(
        "puts are acknowledged", [&] { return HostBroker::put("first", 1, topic) == stored(1); },
        {}, kJavaDeadline);
  }
  // Consumers get what was acknowledged, and no message twice.
  void expect_once(int master, const std::string& topic) {
    const Manifest got = consume_all(master, topic);
    expect_among(read_manifest(file(topic)), got);
    std::set<std::string> keys;
    for (const std::string& line : got) {
      std::istringstream words(line);
      std::string key;
      words >> key >> key >> key;
      if (key.starts_with(topic)) {
        EXPECT_TRUE(keys.insert(key).second) << key << " is there twice";
      }
    }
  }
  // Each request starts a thread of the control door until it has all that it may.
  void fill_doors_pools() {
    constexpr int kMore = 20;  // than it may have
    for (int i = 0; i < kNodes; ++i) {
      for (int request = 0; request < kMore; ++request) status(i);
    }
  }
  void measure() {
    for (int i = 0; i < kNodes; ++i) {
      samples_[static_cast<std::size_t>(i)].push_back(
          read(broker(i).java().process().pid(), broker(i).store().string()));
    }
  }
  void print_minute(int minute, int master, const Driver::Outcomes& outcomes) const {
    std::cout << "minute " << minute << ", master b-" << master + 1 << ", puts:";
    int failed = 0;
    for (const auto& [outcome, count] : outcomes) {
      if (outcome == "SEND_OK") {
        std::cout << ' ' << count << " acknowledged,";
      } else {
        failed += count;
      }
    }
    std::cout << ' ' << failed << " not\n" << std::fixed << std::setprecision(1);
    for (const auto& samples : samples_) {
      std::cout << "  ";
      for (const Column& column : kColumns) {
        std::cout << column.name << ' ' << samples.back().*column.value << "  ";
      }
      std::cout << '\n';
    }
    std::cout << std::flush;
  }
  // After the warm-up: first third and last third, and the growth an hour.
  void expect_flat() const {
    std::cout << std::left << std::setw(8) << "broker" << std::setw(20) << "what" << std::right
              << std::setw(12) << "first third" << std::setw(12) << "last third" << std::setw(12)
              << "an hour" << '\n';
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      const std::span<const Sample> all =
          std::span(samples_[i]).subspan(std::min(kWarmUp, samples_[i].size() - 1));
      const std::size_t third = std::max<std::size_t>(all.size() / 3, 1);
      for (const Column& column : kColumns) {
        const double first = mean(all.first(third), column.value);
        const double last = mean(all.last(third), column.value);
        const double minutes = static_cast<double>(all.size() - third);
        std::cout << std::left << std::setw(8) << "b-" + std::to_string(i + 1) << std::setw(20)
                  << column.name << std::right << std::setw(12) << first << std::setw(12) << last
                  << std::setw(12) << (minutes > 0 ? (last - first) / minutes * 60 : 0) << '\n';
        EXPECT_LE(last - first, column.most) << "b-" << i + 1 << ": " << column.name;
      }
    }
  }

  std::array<std::vector<Sample>, kNodes> samples_;
};

TEST_P(Soak, ThreeBrokersAreMovedEachMinuteAndDoNotGrow) {
  const int minutes = std::stoi(std::getenv("HA_SOAK_MINUTES"));
  const auto topic = [](int minute) { return "S" + std::to_string(minute); };
  fill_doors_pools();
  promote(0);
  int master = 0;
  int all = 0;
  for (int minute = 1; minute <= minutes; ++minute) {
    create_topic(broker(master), topic(minute), 4);
    wait_for_puts_to(topic(minute));
    const auto end = Clock::now() + std::chrono::minutes(1);
    auto producers = std::async(std::launch::async, [&] { return load(topic(minute), end); });
    promote(master);  // it is that already
    master = move_from(master);
    const Driver::Outcomes outcomes = producers.get();
    wait_for_puts_to(topic(minute));
    expect_once(master, topic(minute));
    measure();
    print_minute(minute, master, outcomes);
    all += outcomes.contains("SEND_OK") ? outcomes.at("SEND_OK") : 0;
    if (HasFailure()) break;
  }
  for (const int other : {1, 2}) {
    HostBroker::expect_same(broker(master), broker((master + other) % kNodes));
  }
  for (int minute = 1; minute <= minutes; ++minute) expect_once(master, topic(minute));
  std::cout << all << " acknowledged puts, none lost or doubled: " << (HasFailure() ? "NO" : "yes")
            << '\n';
  expect_flat();
  for (int i = 0; i < kNodes; ++i) {
    EXPECT_EQ(broker(i).stop(), kTerminated);
    EXPECT_EQ(jni_faults(broker(i).java().said()), "") << broker(i).name();
  }
}

HA_INTEROP_SUITE_WITH(Soak, testing::Values("5.5.0"));

}  // namespace
}  // namespace ha::interop
