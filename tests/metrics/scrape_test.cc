// The endpoint over real HTTP, and what it does to the process that it is a guest in.
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <clocale>
#include <csignal>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "metrics/exporter.h"
#include "metrics/listening_socket.h"
#include "tests/metrics/http_client.h"
#include "tests/metrics/populated.h"

namespace ha::metrics {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::set<int> numbers_in(const char* folder) {
  std::set<int> numbers;
  DIR* dir = opendir(folder);
  while (const dirent* entry = readdir(dir)) {
    const int number = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number != dirfd(dir)) numbers.insert(number);
  }
  closedir(dir);
  return numbers;
}

std::set<int> open_descriptors() { return numbers_in("/proc/self/fd"); }
std::set<int> threads() { return numbers_in("/proc/self/task"); }

unsigned long long blocked_signals(int thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk:")) return std::stoull(line.substr(7), nullptr, 16);
  }
  return 0;
}

void pipe_handler(int) {}

class Scrape : public testing::Test {
 protected:
  Scrape() { populate(metrics_); }

  HaMetrics metrics_;
  Exporter exporter_{metrics_};
};

TEST_F(Scrape, AnswersWithTheTextOverHttp) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  ASSERT_GT(exporter_.port(), 0);
  const std::string answer = http_get(exporter_.port(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain"));
  EXPECT_THAT(answer, HasSubstr("\n# TYPE ha_replica_lag_bytes gauge\n"));
  EXPECT_THAT(answer, HasSubstr("\nha_replica_lag_bytes{id=\"10.0.0.7\"} 600\n"));
  metrics_.log_end.set(10'001);
  EXPECT_THAT(http_get(exporter_.port(), "/metrics"),
              HasSubstr("\nha_replica_lag_bytes{id=\"10.0.0.7\"} 601\n"));
  EXPECT_THAT(http_get(exporter_.port(), "/"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(Scrape, StopsAndServesAgain) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  const int port = exporter_.port();
  exporter_.stop();
  EXPECT_EQ(exporter_.port(), 0);
  EXPECT_EQ(http_get(port, "/metrics"), "");
  exporter_.stop();
  ASSERT_EQ(exporter_.serve("127.0.0.1:" + std::to_string(port)), "");
  EXPECT_EQ(exporter_.port(), port);
}

TEST_F(Scrape, APortInUseIsNamedWithItsCause) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  const std::string address = "127.0.0.1:" + std::to_string(exporter_.port());
  Exporter second(metrics_);
  const std::string error = second.serve(address);
  EXPECT_THAT(error, HasSubstr("'" + address + "'"));
  EXPECT_THAT(error, HasSubstr("Address already in use"));
  EXPECT_THAT(error, HasSubstr("port 0"));
  EXPECT_EQ(second.port(), 0);
  EXPECT_EQ(second.serve("127.0.0.1:0"), "");
}

TEST_F(Scrape, AnAddressOfAnotherMachineIsNamedWithItsCause) {
  EXPECT_THAT(exporter_.serve("192.0.2.1:9404"),
              testing::AllOf(HasSubstr("'192.0.2.1:9404'"), HasSubstr("Cannot assign")));
}

TEST_F(Scrape, WhatIsNoAddressIsRefusedWithAnExample) {
  for (const char* address : {"", ":", "9404", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                              "127.0.0.1:-1", "127.0.0.1:80s", "127.0.0.1:1,127.0.0.1:2", "::1:80",
                              "[127.0.0.1]:80", "[::1:80", "localhost:80", "1.2.3:4"}) {
    const std::string error = exporter_.serve(address);
    EXPECT_THAT(error, HasSubstr("'" + std::string(address) + "'"));
    EXPECT_THAT(error, HasSubstr("not an IP address and port"));
    EXPECT_EQ(exporter_.port(), 0);
  }
}

TEST_F(Scrape, Ipv6IsServedOrRefusedForItsOwnReason) {
  const std::string error = exporter_.serve("[::1]:0");
  if (error.empty()) {
    EXPECT_GT(exporter_.port(), 0);
  } else {
    EXPECT_THAT(error, HasSubstr("'[::1]:0'"));
    EXPECT_THAT(error, testing::AnyOf(HasSubstr("without IPv6"), HasSubstr("cannot bind")));
  }
}

TEST_F(Scrape, ServingTwiceIsRefused) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  const int port = exporter_.port();
  EXPECT_THAT(exporter_.serve("127.0.0.1:0"), HasSubstr("already serving"));
  EXPECT_EQ(exporter_.port(), port);
}

TEST_F(Scrape, TwoExportersInOneProcessAreIndependent) {
  HaMetrics other_metrics;
  other_metrics.log_end.set(77);
  Exporter other(other_metrics);
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  ASSERT_EQ(other.serve("127.0.0.1:0"), "");
  EXPECT_THAT(http_get(other.port(), "/metrics"), HasSubstr("\nha_log_end_offset_bytes 77\n"));
  exporter_.stop();
  EXPECT_THAT(http_get(other.port(), "/metrics"), HasSubstr("\nha_log_end_offset_bytes 77\n"));
}

TEST_F(Scrape, LeavesSignalHandlersMaskLocaleAndUmaskAlone) {
  struct sigaction ours {};
  ours.sa_handler = pipe_handler;
  struct sigaction original {};
  ASSERT_EQ(sigaction(SIGPIPE, &ours, &original), 0);
  std::vector<struct sigaction> before(NSIG);
  for (int s = 1; s < NSIG; ++s) sigaction(s, nullptr, &before[static_cast<std::size_t>(s)]);
  const mode_t mask = umask(S_IRWXO);
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  const unsigned long long blocked = blocked_signals(gettid());

  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  EXPECT_NE(http_get(exporter_.port(), "/metrics"), "");
  const auto expect_unchanged = [&] {
    for (int s = 1; s < NSIG; ++s) {
      struct sigaction now {};
      if (sigaction(s, nullptr, &now) != 0) continue;
      EXPECT_EQ(now.sa_handler, before[static_cast<std::size_t>(s)].sa_handler) << "signal " << s;
    }
    EXPECT_EQ(std::setlocale(LC_ALL, nullptr), locale);
    EXPECT_EQ(blocked_signals(gettid()), blocked);
  };
  expect_unchanged();
  exporter_.stop();
  expect_unchanged();
  EXPECT_EQ(umask(mask), static_cast<mode_t>(S_IRWXO));
  sigaction(SIGPIPE, &original, nullptr);
}

TEST_F(Scrape, AHostThatIgnoresSigpipeGoesOnIgnoringIt) {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction original {};
  sigaction(SIGPIPE, &ignore, &original);
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  struct sigaction now {};
  sigaction(SIGPIPE, &original, &now);
  EXPECT_EQ(now.sa_handler, SIG_IGN);
}

TEST_F(Scrape, ItsThreadsBlockEverySignal) {
  const std::set<int> before = threads();
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  int seen = 0;
  for (const int thread : threads()) {
    if (before.contains(thread)) continue;
    ++seen;
    for (const int s : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM}) {
      EXPECT_TRUE(blocked_signals(thread) >> (s - 1) & 1u)
          << "thread " << thread << " signal " << s;
    }
  }
  EXPECT_GE(seen, 3);  // a sanitizer may start one of its own
}

// SIGPIPE has its default disposition again: a write to a client that is gone must not kill us.
TEST_F(Scrape, SurvivesClientsThatHangUp) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  struct sigaction now {};
  sigaction(SIGPIPE, nullptr, &now);
  ASSERT_EQ(now.sa_handler, SIG_DFL);
  for (int i = 0; i < 50; ++i) {
    HttpClient client(exporter_.port());
    ASSERT_TRUE(client.ok());
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  EXPECT_THAT(http_get(exporter_.port(), "/metrics"), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(Scrape, ItsDescriptorsAreCloseOnExecAndClosedAtTheEnd) {
  const std::set<int> before = open_descriptors();
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  {
    HttpClient client(exporter_.port());
    ASSERT_TRUE(client.send("GET /metrics HT"));
    // The listener, our own end of the connection, and civetweb's.
    ASSERT_TRUE(eventually([&] { return open_descriptors().size() >= before.size() + 3; }));
    for (const int fd : open_descriptors()) {
      if (before.contains(fd)) continue;
      EXPECT_TRUE(eventually([&] { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; })) << fd;
    }
    // Served to its end: one that no worker has begun with is what civetweb forgets when it stops.
    ASSERT_TRUE(client.send("TP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 200 OK"));
  }
  exporter_.stop();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Scrape, OnlyTheListeningSocketOfThatAddressIsFound) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  const int port = exporter_.port();
  HttpClient client(port);
  const int fd = find_listening_socket("127.0.0.1", port);
  ASSERT_GE(fd, 0);
  EXPECT_NE(fd, client.fd());
  EXPECT_EQ(find_listening_socket("127.0.0.2", port), -1);
  EXPECT_EQ(find_listening_socket("0.0.0.0", port), -1);
  exporter_.stop();
  EXPECT_EQ(find_listening_socket("127.0.0.1", port), -1);
}

TEST_F(Scrape, ConcurrentScrapesWhileTheWriterBumps) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  std::atomic<bool> done{false};
  std::thread writer([&] {
    auto replica = metrics_.replica("10.0.0.7");
    for (int i = 0; !done.load(); ++i) {
      replica->bytes_sent.add();
      replica->set_address("10.0.0.7:" + std::to_string(i % 1000));
      metrics_.ack_latency.observe(i);
      metrics_.replica(std::to_string(i % 500));
    }
  });
  std::vector<std::thread> scrapers;
  for (int t = 0; t < 2; ++t) {
    scrapers.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        EXPECT_THAT(http_get(exporter_.port(), "/metrics"), StartsWith("HTTP/1.1 200 OK"));
        EXPECT_THAT(exporter_.text(), HasSubstr("ha_ack_latency_seconds_count"));
      }
    });
  }
  for (auto& scraper : scrapers) scraper.join();
  done.store(true);
  writer.join();
}

}  // namespace
}  // namespace ha::metrics
