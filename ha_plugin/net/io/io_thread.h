// SPDX-License-Identifier: Apache-2.0
// The plugin's one I/O thread: an io_context, and a doorbell that host threads ring.
//
// The doorbell is an eventfd behind a flag: any number of rings until the I/O thread answers cost
// one system call, and none when the thread looks at the flag anyway: when it rings itself, or
// while it spins. It outlives the thread, so that a late ring after stop does no harm.
//
// To sleep and be woken is most of what a message's way costs, in time and in CPU. So the thread
// looks for more work for a while before it sleeps (option busy_poll_us), but only when that is
// likely to pay: when its last sleep was short. Work that comes seldom finds it asleep and costs
// nothing between. It yields between two looks: on few cores whoever has work for it may need this
// very CPU.
//
// Threads: ring and run_sync from any thread; set_busy_poll on the I/O thread; everything else from
// the control thread.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <system_error>
#include <thread>

namespace ha::net {

class IoThread {
 public:
  IoThread();
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  boost::asio::io_context& context() { return context_; }

  // on_thread_start and on_thread_stop run on the thread, around everything else. on_fault hears
  // what a handler threw (there was no memory, mostly); the thread goes on. May be called again
  // after it threw, or after join.
  void start(std::function<void()> on_ring, std::function<void()> on_thread_start,
             std::function<void()> on_thread_stop, std::function<void(const char* what)> on_fault);
  // Lets the thread finish its handlers; REQUIRES: nothing keeps the context busy for ever.
  void join();
  bool running() const { return thread_.joinable(); }

  // Wait-free but for one write(2) when the thread may be asleep.
  void ring();

  // How long it looks for more work before it sleeps; 0 = not at all.
  void set_busy_poll(std::chrono::microseconds pause) { busy_poll_ = pause; }

  // On the I/O thread, elsewhere it does nothing: the rest of what was just worked on is on its way
  // and cheaper to take up in one piece, so the thread had better sleep than look for it.
  static void gather();

  // Runs fn on the I/O thread and returns when it is done, or throws what it threw; inline when
  // there is no thread.
  void run_sync(const std::function<void()>& fn);

 private:
  void run();
  void serve();
  void spin();
  void listen_for_rings();
  bool answer_ring();
  void answer_rings();

  boost::asio::io_context context_{1};
  boost::asio::posix::stream_descriptor bell_;
  int bell_fd_;
  std::atomic<bool> rung_{false};
  std::atomic<bool> spinning_{false};
  std::chrono::microseconds busy_poll_{0};  // I/O thread
  bool gathering_ = false;                  // I/O thread
  std::function<void()> on_ring_;
  std::function<void(const char*)> on_fault_;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::thread thread_;
};

// Starts a thread of that name (15 bytes at most) that handles no signal of the host's process.
// Throws std::system_error, which names it.
std::thread start_quiet_thread(const char* name, std::function<void()> body);

// True on a thread of any plugin instance: [control] calls from there would wait for themselves.
bool on_plugin_thread();
// Marks the calling thread for its life.
void mark_plugin_thread();

}  // namespace ha::net
