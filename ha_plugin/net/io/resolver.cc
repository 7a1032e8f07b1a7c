// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/resolver.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "ha_plugin/net/io/io_thread.h"
#include "metrics/mutex.h"

namespace ha::net {

namespace {

// In this process, with those of other instances and of instances that are gone. A forked child has
// a copy of the number and none of the threads.
std::atomic<int> running{0};
std::atomic<pid_t> counted_in{0};

boost::asio::ip::address address_of(const addrinfo& one) {
  boost::asio::ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), one.ai_addr, one.ai_addrlen);
  return endpoint.address();
}

// Blocks as long as the system's resolver likes.
Resolver::Answer look_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (failed == EAI_SYSTEM) return {{}, std::generic_category().message(errno)};
  if (failed != 0) return {{}, ::gai_strerror(failed)};
  Resolver::Answer answer;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    const auto address = address_of(*one);
    auto& all = answer.addresses;
    if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
  }
  ::freeaddrinfo(found);
  if (answer.addresses.empty()) answer.error = "it has no IP address";
  return answer;
}

// Returns false if dlclose may unload this code.
bool keep_this_library() {
  Dl_info info{};
  link_map* map = nullptr;
  if (::dladdr1(reinterpret_cast<void*>(&keep_this_library), &info, reinterpret_cast<void**>(&map),
                RTLD_DL_LINKMAP) == 0 ||
      map == nullptr) {
    return false;
  }
  if (map->l_name == nullptr || map->l_name[0] == '\0') return true;  // part of the program itself
  return ::dlopen(map->l_name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
}

}  // namespace

// Outlives the resolver as long as a thread that was left behind needs it.
struct Resolver::Shared {
  struct Waiter {
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
    Done done;
  };
  struct Name {
    Addresses last_good;
    bool running = false;
    std::thread thread;  // of the look-up that runs, or of the last one that ended
    std::map<std::uint64_t, Waiter> waiters;
  };

  // "" or why no look-up runs.
  static std::string start(const std::shared_ptr<Shared>& shared, const std::string& name)
      HA_HOLDS(shared->mutex);
  static void run(Shared& shared, const std::string& name);

  Mutex mutex;
  std::uint64_t next_id HA_GUARDED_BY(mutex) = 1;
  std::map<std::string, Name> names HA_GUARDED_BY(mutex);
};

std::string Resolver::Shared::start(const std::shared_ptr<Shared>& shared,
                                    const std::string& name) {
  Name& entry = shared->names[name];
  if (entry.running) return "";
  // It has given its answer under the mutex and wants nothing more of it.
  if (entry.thread.joinable()) entry.thread.join();
  if (counted_in.exchange(::getpid()) != ::getpid()) running = 0;
  if (running.fetch_add(1) >= kMostAtOnce) {
    running.fetch_sub(1);
    return fmt::format(
        "{} look-ups wait for the system's resolver already, and there may be no more",
        kMostAtOnce);
  }
  try {
    entry.thread = start_quiet_thread("ha-name", [shared, name] { run(*shared, name); });
  } catch (const std::system_error& error) {
    running.fetch_sub(1);
    return error.what();
  } catch (...) {
    running.fetch_sub(1);
    throw;
  }
  entry.running = true;
  return "";
}

void Resolver::Shared::run(Shared& shared, const std::string& name) {
  Answer answer;
  try {
    answer = look_up(name);
  } catch (const std::exception& error) {  // memory
    answer.error = error.what();
  }
  const Lock lock(shared.mutex);
  running.fetch_sub(1);
  Name& entry = shared.names[name];
  entry.running = false;
  if (!answer.addresses.empty()) entry.last_good = answer.addresses;
  for (auto& [id, waiter] : std::exchange(entry.waiters, {})) {
    boost::asio::post(waiter.work.get_executor(), [done = waiter.done, answer] { done(answer); });
  }
}

Resolver::Resolver() : shared_(std::make_shared<Shared>()) {}

Resolver::~Resolver() {
  std::vector<std::thread> ended;
  {
    const Lock lock(shared_->mutex);
    for (auto& [name, entry] : shared_->names) {
      entry.waiters.clear();
      if (!entry.thread.joinable()) continue;
      // The order matters: while the mutex is held the thread has not given its answer yet, so it
      // cannot run to its end before the library is kept. Should that fail, to wait is the lesser
      // evil: a thread whose code is unloaded takes the host's process down.
      if (entry.running && keep_this_library()) {
        entry.thread.detach();
      } else {
        ended.push_back(std::move(entry.thread));
      }
    }
  }
  for (std::thread& thread : ended) thread.join();
}

Resolver::Request& Resolver::Request::operator=(Request&& other) noexcept {
  cancel();
  shared_ = std::move(other.shared_);
  name_ = std::move(other.name_);
  id_ = std::exchange(other.id_, 0);
  return *this;
}

void Resolver::Request::cancel() {
  if (!shared_) return;
  const std::shared_ptr<Shared> shared = std::exchange(shared_, nullptr);
  const Lock lock(shared->mutex);
  const auto entry = shared->names.find(name_);
  if (entry != shared->names.end()) entry->second.waiters.erase(id_);
}

Resolver::Request Resolver::resolve(const std::string& name, boost::asio::io_context& context,
                                    Done done) {
  const Lock lock(shared_->mutex);
  if (std::string error = Shared::start(shared_, name); !error.empty()) {
    boost::asio::post(
        context, [done = std::move(done), answer = Answer{{}, std::move(error)}] { done(answer); });
    return {};
  }
  Request request;
  request.shared_ = shared_;
  request.name_ = name;
  request.id_ = shared_->next_id++;
  shared_->names[name].waiters.emplace(
      request.id_,
      Shared::Waiter{boost::asio::make_work_guard(context.get_executor()), std::move(done)});
  return request;
}

void Resolver::refresh(const std::string& name) {
  const Lock lock(shared_->mutex);
  Shared::start(shared_, name);
}

Resolver::Addresses Resolver::remembered(const std::string& name) const {
  const Lock lock(shared_->mutex);
  const auto entry = shared_->names.find(name);
  return entry == shared_->names.end() ? Addresses{} : entry->second.last_good;
}

}  // namespace ha::net
