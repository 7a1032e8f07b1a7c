// SPDX-License-Identifier: Apache-2.0
// Names to IP addresses, without a wait that cannot be ended.
//
// getaddrinfo blocks for as long as the resolver is silent (10 s and more) and cannot be cancelled.
// So each look-up has a thread of its own: one that waits for a dead name holds up no other name,
// and a stop leaves it behind. Why not something else: Asio's resolver has one thread for
// all names and joins it; c-ares can be cancelled, but knows only files and DNS of what
// nsswitch.conf may name; getaddrinfo_a shares its queue and its threads with the host, and in a
// forked child it waits for threads that are not there; a helper process would be a child that the
// host does not expect.
//
// A thread that is left behind runs code of this library. Before that happens the library is
// loaded again with RTLD_NODELETE, so that dlclose does not unload it under the thread. The host
// notices nothing else: the thread blocks all signals, calls nothing of the host, and ends when the
// system's resolver gives up. At most kMostAtOnce look-ups run in a process at a time, those left
// behind included, and one for each name and instance.
//
// The last good addresses of each name are remembered for when the resolver is silent or fails.
//
// Threads: any, but for the destructor.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ha::net {

class Resolver {
 public:
  static constexpr int kMostAtOnce = 32;

  using Addresses = std::vector<boost::asio::ip::address>;
  struct Answer {
    Addresses addresses;
    std::string error;  // why there are none
  };
  using Done = std::function<void(const Answer&)>;

  Resolver();
  // Leaves behind what still waits for the system's resolver.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

 private:
  struct Shared;

 public:
  // A look-up that somebody waits for. After it is gone, `done` is not posted any more.
  class Request {
   public:
    Request() = default;
    ~Request() { cancel(); }
    Request(Request&& other) noexcept { *this = std::move(other); }
    Request& operator=(Request&& other) noexcept;
    void cancel();

   private:
    friend class Resolver;
    std::shared_ptr<Shared> shared_;
    std::string name_;
    std::uint64_t id_ = 0;
  };

  // Posts done to the context once the look-up has ended, and keeps the context busy until then.
  [[nodiscard]] Request resolve(const std::string& name, boost::asio::io_context& context,
                                Done done);
  // Looks the name up for later use, unless it is being looked up already.
  void refresh(const std::string& name);
  // What the last look-up that was answered gave; nothing when none was.
  Addresses remembered(const std::string& name) const;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace ha::net
