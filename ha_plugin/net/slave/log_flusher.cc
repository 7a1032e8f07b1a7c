// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/log_flusher.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "ha_plugin/net/io/io_thread.h"

namespace ha::net {

void LogFlusher::request(const Request& request) {
  if (last_ == request) return;
  {
    const Lock lock(mutex_);
    if (stopping_) return;
    next_ = request;
  }
  changed_.notify_one();
  if (!thread_.joinable()) thread_ = start_quiet_thread("ha-flush", [this] { run(); });
  last_ = request;
}

void LogFlusher::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LogFlusher::run() {
  host_.thread_lifecycle().started("ha-flush");
  Lock lock(mutex_);
  for (;;) {
    while (!stopping_ && !next_) changed_.wait(lock);
    if (stopping_) break;
    const Request request = *std::exchange(next_, std::nullopt);
    lock.unlock();
    HostResult result = host_.flush(request.end);
    boost::asio::post(context_,
                      [this, request, result = std::move(result)] { done_(request, result); });
    lock.lock();
  }
  lock.unlock();
  host_.thread_lifecycle().stopping("ha-flush");
}

}  // namespace ha::net
