// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/io_thread.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <future>

namespace ha::net {
namespace {

using Clock = std::chrono::steady_clock;

// A sleep is longer than the pause between two pieces of work by the time that the wake-up took,
// here and, while both sides sleep, at the peer's: about as long again as a pause worth spinning
// for.
constexpr int kWorthSpinning = 2;

thread_local bool is_plugin_thread = false;
thread_local IoThread* this_io_thread = nullptr;

int make_bell() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return fd;
}

}  // namespace

bool on_plugin_thread() { return is_plugin_thread; }
void mark_plugin_thread() { is_plugin_thread = true; }

std::thread start_quiet_thread(const char* name, std::function<void()> body) {
  // A thread inherits its creator's mask: block, create, restore leaves no instant in which the new
  // thread could take the host's signal.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread thread([name, body = std::move(body)] {
      pthread_setname_np(pthread_self(), name);
      mark_plugin_thread();
      body();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
  } catch (const std::system_error& e) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw std::system_error(
        e.code(),
        fmt::format("cannot start thread '{}' (limits on threads: ulimit -u, TasksMax, pids.max)",
                    name));
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
}

IoThread::IoThread() : bell_(context_), bell_fd_(make_bell()) {
  try {
    bell_.assign(bell_fd_);
  } catch (...) {
    ::close(bell_fd_);  // nobody has it yet
    throw;
  }
}

IoThread::~IoThread() { join(); }

void IoThread::start(std::function<void()> on_ring, std::function<void()> on_thread_start,
                     std::function<void()> on_thread_stop,
                     std::function<void(const char*)> on_fault) {
  on_ring_ = std::move(on_ring);
  on_fault_ = std::move(on_fault);
  context_.restart();
  try {
    work_.emplace(context_.get_executor());
    listen_for_rings();
    thread_ = start_quiet_thread(
        "ha-io", [this, begin = std::move(on_thread_start), end = std::move(on_thread_stop)] {
          this_io_thread = this;
          begin();
          run();
          end();
        });
  } catch (...) {
    boost::system::error_code ignored;
    bell_.cancel(ignored);
    work_.reset();
    context_.poll();  // what was begun ends here, so that another start begins it once
    throw;
  }
}

void IoThread::join() {
  if (!thread_.joinable()) return;
  boost::asio::post(context_, [this] {
    boost::system::error_code ignored;
    bell_.cancel(ignored);
    work_.reset();
  });
  thread_.join();
}

void IoThread::run() {
  for (;;) {
    try {
      return serve();
    } catch (const std::exception& e) {
      spinning_.store(false, std::memory_order_seq_cst);
      try {
        on_fault_(e.what());
      } catch (const std::exception&) {
        // Memory is still short. The next tick finds what was missed.
      }
    }
  }
}

void IoThread::serve() {
  for (auto before = Clock::now(); context_.run_one() > 0; before = Clock::now()) {
    const auto pause = Clock::now() - before;
    answer_rings();
    if (pause < kWorthSpinning * busy_poll_) spin();
    gathering_ = false;
  }
}

void IoThread::answer_rings() {
  while (answer_ring()) {
    if (rung_.load(std::memory_order_relaxed)) context_.poll_one();  // sockets have their turn
  }
}

void IoThread::gather() {
  if (this_io_thread != nullptr) this_io_thread->gathering_ = true;
}

void IoThread::spin() {
  spinning_.store(true, std::memory_order_seq_cst);
  for (auto last = Clock::now(); work_ && !gathering_ && Clock::now() - last < busy_poll_;) {
    // Both in turn, one handler at a time: with a replica that is far behind there is always
    // another one, and busy producers ring without end.
    const bool rang = answer_ring();
    if (context_.poll_one() > 0 || rang)
      last = Clock::now();
    else
      std::this_thread::yield();
  }
  spinning_.store(false, std::memory_order_seq_cst);
  answer_rings();  // a ring before that wrote nothing
}

void IoThread::ring() {
  if (rung_.exchange(true, std::memory_order_seq_cst)) return;
  if (this_io_thread == this || spinning_.load(std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  // The counter cannot overflow and the descriptor is open: nothing to check.
  [[maybe_unused]] const ssize_t written = ::write(bell_fd_, &one, sizeof(one));
}

void IoThread::listen_for_rings() {
  bell_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                   [this](const boost::system::error_code& error) {
                     if (error || !work_) return;
                     std::uint64_t count = 0;
                     [[maybe_unused]] const ssize_t got = ::read(bell_fd_, &count, sizeof(count));
                     listen_for_rings();
                   });
}

bool IoThread::answer_ring() {
  if (!work_ || !rung_.load(std::memory_order_seq_cst)) return false;
  // Cleared before the work is looked at: a ring from now on asks for another turn.
  rung_.store(false, std::memory_order_seq_cst);
  on_ring_();
  return true;
}

void IoThread::run_sync(const std::function<void()>& fn) {
  if (!thread_.joinable()) {
    fn();
    return;
  }
  std::promise<void> done;
  boost::asio::post(context_, [&] {
    try {
      fn();
      done.set_value();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  });
  done.get_future().get();
}

}  // namespace ha::net
