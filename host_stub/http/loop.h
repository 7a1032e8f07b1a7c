// SPDX-License-Identifier: Apache-2.0
// One I/O thread and the connections that it serves. Everything of a connection happens on its
// loop's thread, so sessions need no locks; other threads post.
//
// Inside the server only: this header shows Asio.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "http/api.h"
#include "http/limited_warning.h"
#include "http/server.h"
#include "http/tls_context.h"
#include "http/worker.h"

namespace stub::http {

class Session;

// What all connections share.
struct Shared {
  explicit Shared(ServerOptions server_options) : options(std::move(server_options)) {}

  const ServerOptions options;
  Broker* broker = nullptr;  // this and the rest are set before the first session starts
  std::unique_ptr<Access> access;
  std::unique_ptr<TlsServer> tls;  // nullptr = plain HTTP
  std::unique_ptr<Api> api;
  std::unique_ptr<Worker> worker;

  // Counted from the accept until the session is gone; `ended` tells when it falls to 0.
  void connection_added() { connections.fetch_add(1); }
  void connection_gone() {
    if (connections.fetch_sub(1) != 1) return;
    const std::lock_guard lock(ended_mutex);
    ended.notify_all();
  }
  // Says in the log why TLS with that client did not come about, seldom: a scan must not fill it.
  LimitedWarning tls_failed;

  std::atomic<std::size_t> connections{0};
  std::mutex ended_mutex;
  std::condition_variable ended;
};

class Loop {
 public:
  explicit Loop(Shared& shared) : shared_(shared), sweep_(context_) {}
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::io_context& context() { return context_; }
  Shared& shared() { return shared_; }
  bool draining() const { return draining_; }

  void start();
  void stop();  // closes every connection and joins the thread

  // From any thread: gives that session an answer. Answers that come close together wake the loop
  // once.
  void answer(std::weak_ptr<Session> session, std::uint64_t slot, Response response);

  // On the loop's thread.
  // Appends it at the end of this turn, together with those of other connections.
  void produce(Produce what);
  void add(std::shared_ptr<Session> session);
  void remove(const std::shared_ptr<Session>& session);
  void drain();

 private:
  struct Answer {
    std::weak_ptr<Session> session;
    std::uint64_t slot = 0;
    Response response;
  };
  void run();
  void run_sweep();
  void give_answers();
  void append();

  Shared& shared_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
  // Deadlines are looked at once in a while rather than timed one by one: a timer per connection
  // would be moved on every request, and a second more does no harm.
  boost::asio::steady_timer sweep_;
  std::set<std::shared_ptr<Session>> sessions_;
  std::vector<Produce> produces_;
  std::size_t produce_bytes_ = 0;
  std::mutex answers_mutex_;
  std::vector<Answer> answers_;
  bool draining_ = false;
  std::thread thread_;
};

}  // namespace stub::http
