// SPDX-License-Identifier: Apache-2.0
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
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "metrics/exporter.h"
#include "metrics/scrape_server.h"
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

TEST_F(Scrape, AnInvalidAddressIsRefusedWithAnExample) {
  for (const char* address : {"", ":", "9404", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                              "127.0.0.1:-1", "127.0.0.1:80s", "127.0.0.1:1,127.0.0.1:2", "::1:80",
                              "[127.0.0.1]:80", "[::1:80", "localhost:80", "1.2.3:4"}) {
    const std::string error = exporter_.serve(address);
    EXPECT_THAT(error, HasSubstr("'" + std::string(address) + "'"));
    EXPECT_THAT(error, HasSubstr("not an IP address and port"));
    EXPECT_EQ(exporter_.port(), 0);
  }
}

TEST_F(Scrape, Ipv6IsServedToo) {
  const std::string error = exporter_.serve("[::]:0");
  if (error.find("not supported") != std::string::npos) GTEST_SKIP() << "no IPv6 here: " << error;
  ASSERT_EQ(error, "");
  // The address of both families.
  EXPECT_THAT(http_get(exporter_.port(), "/metrics"), StartsWith("HTTP/1.1 200 OK"));
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
  EXPECT_GE(seen, 1);  // a sanitizer may start one of its own
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
    // The listener and both ends of the connection.
    ASSERT_TRUE(eventually([&] { return open_descriptors().size() >= before.size() + 3; }));
    for (const int fd : open_descriptors()) {
      if (before.contains(fd)) continue;
      EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << fd;
    }
    exporter_.stop();
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Scrape, OnlyGetAndHeadOfMetricsAreAnswered) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  const std::string got = http_get(exporter_.port(), "/metrics?x=1");
  EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK\r\n"));
  const auto ask = [&](const std::string& request) {
    HttpClient client(exporter_.port());
    client.send(request);
    return client.read_to_end();
  };
  const std::string head = ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  // Of the body that GET would have: ages in it grow, so it is not the same number twice.
  const auto length = head.find("Content-Length: ");
  ASSERT_NE(length, std::string::npos);
  EXPECT_GT(std::stol(head.substr(length + std::string("Content-Length: ").size())), 1000);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  const std::string post = ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_THAT(post, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(post, HasSubstr("Allow: GET, HEAD"));
  EXPECT_THAT(ask("GET /metric HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask("GET /metrics HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Scrape, AnInvalidRequestIsRefusedAndEnds) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  const auto ask = [&](const std::string& request) {
    HttpClient client(exporter_.port());
    client.send(request);
    return client.read_to_end();
  };
  EXPECT_THAT(ask("\x16\x03\x01 not HTTP\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask(std::string(100, '\0')), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(ask("GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 4"));
  {
    HttpClient half(exporter_.port());
    half.send("GET /metr");
    shutdown(half.fd(), SHUT_WR);
    EXPECT_EQ(half.read_to_end(), "");
  }
  EXPECT_THAT(http_get(exporter_.port(), "/metrics"), StartsWith("HTTP/1.1 200 OK"));
}

// More of them than there are places: the oldest makes room.
TEST_F(Scrape, SilentAndSlowConnectionsDelayNobody) {
  ASSERT_EQ(exporter_.serve("127.0.0.1:0"), "");
  std::vector<std::unique_ptr<HttpClient>> silent;
  const auto scrape_beside = [&](std::size_t count, const std::string& first_bytes,
                                 bool must_be_open = false) {
    silent.clear();
    for (std::size_t i = 0; i < count; ++i) {
      silent.push_back(std::make_unique<HttpClient>(exporter_.port()));
      ASSERT_TRUE(silent.back()->ok());
      if (!first_bytes.empty()) silent.back()->send(first_bytes);
    }
    EXPECT_THAT(http_get(exporter_.port(), "/metrics"), StartsWith("HTTP/1.1 200 OK"));
    // A queue would have come to it only after the one before it in that queue had been given up.
    if (!must_be_open) return;
    char byte = 0;
    EXPECT_EQ(recv(silent.back()->fd(), &byte, 1, MSG_DONTWAIT), -1) << "it was closed first";
  };
  scrape_beside(40, "");
  scrape_beside(40, "GET /metrics HT", true);
  scrape_beside(2 * ScrapeServer::kMostConnections, "");
  // Readers that take nothing of their answers, which are long.
  for (int i = 0; i < 250; ++i) metrics_.replica("replica-" + std::to_string(i))->set_address("x");
  scrape_beside(ScrapeServer::kMostConnections, "GET /metrics HTTP/1.1\r\n\r\n");
  // A silent one is let go, and stop waits for none of them.
  EXPECT_EQ(HttpClient(exporter_.port()).read_to_end(), "");
  HttpClient last(exporter_.port());
  exporter_.stop();
  EXPECT_EQ(last.read_to_end(), "");
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
