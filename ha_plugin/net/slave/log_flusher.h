// SPDX-License-Identifier: Apache-2.0
// Makes a slave's log durable before it is acknowledged (option ack_durable).
//
// One flush at a time, on a thread of its own, since the host's hook blocks for as long as the disk
// takes. What the log has gained meanwhile shares the next one: under load a flush covers all that
// arrived during the one before, which is all that a group commit is.
//
// Threads: request on the I/O thread, where the answers come too; the hook on the thread
// "ha-flush", which starts with the first request; stop on the control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host.h"
#include "metrics/mutex.h"

namespace ha::net {

class LogFlusher {
 public:
  struct Request {
    core::Offset end;           // everything below is to be durable
    std::uint64_t attempt = 0;  // the caller's, to tell late answers
    friend bool operator==(const Request&, const Request&) = default;
  };
  using Done = std::function<void(const Request& request, const HostResult& result)>;

  LogFlusher(boost::asio::io_context& context, const Host& host, Done done)
      : context_(context), host_(host), done_(std::move(done)) {}
  ~LogFlusher() { stop(); }
  LogFlusher(const LogFlusher&) = delete;
  LogFlusher& operator=(const LogFlusher&) = delete;

  // Takes the place of one that has not begun, which is then never answered; nothing when it is the
  // last one once more. Throws std::system_error when the thread cannot be started; another try
  // may.
  void request(const Request& request);

  // Returns when the host is not called any more. The last answer may still come.
  void stop();

 private:
  void run();

  boost::asio::io_context& context_;
  const Host& host_;
  const Done done_;
  std::optional<Request> last_;  // the I/O thread's
  Mutex mutex_;
  Condition changed_;
  std::optional<Request> next_ HA_GUARDED_BY(mutex_);
  bool stopping_ HA_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ha::net
