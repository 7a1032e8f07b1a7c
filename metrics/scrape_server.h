// SPDX-License-Identifier: Apache-2.0
// Serves one text over HTTP: GET and HEAD of /metrics.
//
// All connections are in one event loop, so one that is silent, slow or hostile costs its own
// deadline and delays nobody. An answer ends its connection: a scrape every few seconds saves
// nothing by keeping one, and nobody can hold on to a place. When all places are taken, the oldest
// connection, which has had the longest time to ask, makes room for the next.
//
// A good guest in its process: no signal's disposition is touched (writes do not raise SIGPIPE),
// the thread blocks all signals, descriptors are close-on-exec from the start, nothing is printed.
//
// Threads: one of its own, "ha-metrics". start and stop: one thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "metrics/scrape_door.h"

namespace ha::metrics {

class ScrapeServer {
 public:
  static constexpr std::size_t kMostConnections = 64;

  ScrapeServer();
  ~ScrapeServer();
  ScrapeServer(const ScrapeServer&) = delete;
  ScrapeServer& operator=(const ScrapeServer&) = delete;

  // Serves what text returns, which is called on the server's thread, on "ADDR:PORT" or "[V6]:PORT"
  // (names are not looked up; "[::]" takes IPv4 too), to those whom door lets in; null:
  // everybody. Returns "" or one sentence: the address, why not, and the
  // way out. Throws nothing but bad_alloc.
  std::string start(const std::string& address, std::function<std::string()> text,
                    std::unique_ptr<ScrapeDoor> door = nullptr);
  // Closes every connection and ends the thread, without waiting for a client.
  void stop();
  int port() const;  // 0 when not serving

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
  std::string address_;
};

}  // namespace ha::metrics
