// Prometheus' Exposer, made fit to be a guest in someone else's process.
//
// The Exposer is civetweb underneath, and civetweb takes itself for the owner of the process. What
// it does and what is done about it here:
//   - Each of its threads sets SIGPIPE to "ignored" for the whole process as it begins. `start`
//   waits
//     until all of them have begun and then puts the host's own disposition back. For the few
//     milliseconds between the two, SIGPIPE is ignored; civetweb offers no way around that. A host
//     that changes SIGPIPE on another thread at that very moment keeps its change unless it is to
//     "ignored". No other signal's disposition, no locale, no umask is touched (tested).
//   - Its threads inherit the starter's signal mask, so `start` blocks all signals around their
//     creation: no signal of the host is ever delivered to them, SIGPIPE included.
//   - Its descriptors are close-on-exec. The one of an accepted connection is made so by a second
//     call, so a fork and exec between the two by another thread of the host would inherit it.
//   - Its accepting thread would notice a stop only every two seconds; `stop` shuts its listening
//   socket
//     down first, which wakes it. civetweb itself forgets to close a connection that waits for a
//     worker while it stops: with more clients than workers at that moment, a descriptor each is
//     lost.
//   - It prints to no stream and opens no file: its messages end in the error text here.
//   - Whether it speaks IPv6 was decided when it was built; Debian's does not.
//
// Threads of its own: kWorkers that answer, one that accepts. start and stop: one thread at a time.
#pragma once

#include <prometheus/collectable.h>

#include <memory>
#include <string>

namespace prometheus {
class Exposer;
}

namespace ha::metrics {

class ScrapeServer {
 public:
  // Two, so that a scrape is answered while a slow client holds the other.
  static constexpr int kWorkers = 2;
  // A client that sends no request for so long is dropped; with two workers, two silent ones would
  // otherwise keep Prometheus out for civetweb's 30 s.
  static constexpr int kRequestTimeoutMs = 5000;

  ScrapeServer();
  ~ScrapeServer();
  ScrapeServer(const ScrapeServer&) = delete;
  ScrapeServer& operator=(const ScrapeServer&) = delete;

  // Serves the collectable at /metrics on "ADDR:PORT" or "[V6]:PORT"; names are not looked up.
  // Returns
  // "" or one sentence: the address, why not, and the way out. Throws nothing but bad_alloc.
  std::string start(const std::string& address,
                    const std::shared_ptr<prometheus::Collectable>& collectable);
  // Ends the threads; an answer that is being written is finished first. Up to two seconds while a
  // client holds a connection and sends nothing, else milliseconds.
  void stop();
  int port() const { return port_; }

 private:
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string address_;
  std::string ip_;
  int port_ = 0;
};

}  // namespace ha::metrics
