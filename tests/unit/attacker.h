// SPDX-License-Identifier: Apache-2.0
// An attacker's tools: a relay that can change bytes on the way, and a port that answers whatever
// the test wants. Each has a thread of its own, which ends with the object.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ha_plugin/net/io/tls_context.h"
#include "ha_plugin/wire/native.h"
#include "tests/unit/peer.h"

namespace ha::testing {

// A port on 127.0.0.1 and the connections to it, each watched together with the one that serve()
// made for it, if any.
class Port {
 public:
  std::int64_t port() const { return listener_.port(); }
  std::string address() const { return listener_.address(); }

 protected:
  struct Caller {
    Peer near;
    Peer far;
    std::unique_ptr<net::TlsSession> tls;
  };
  // Called for what comes on each; nothing = that side is at its end. False closes both.
  using Take = std::function<bool(Caller& caller, bool from_far, std::span<const std::byte> bytes)>;

  void serve(std::function<bool(Caller& caller)> on_call, Take take);
  void end();

 private:
  void run();
  bool read(Caller& caller, bool from_far);

  Listener listener_;
  std::function<bool(Caller&)> on_call_;
  Take take_;
  std::list<Caller> callers_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

// Leads to another port. Bytes go through as they are, or into TLS towards that port (a client
// with what the context proves), or out of it (a server).
class Road : public Port {
 public:
  enum class Tls { kToTarget, kFromCaller };

  explicit Road(std::int64_t target, std::shared_ptr<net::TlsContext> context = nullptr,
                Tls tls = Tls::kToTarget, const std::string& dialled = "");
  ~Road() { end(); }

  // The last byte of what comes next from there becomes another.
  void flip_from_caller() { flip_[0] = true; }
  void flip_from_target() { flip_[1] = true; }
  bool flipped() const { return !flip_[0] && !flip_[1]; }

 private:
  bool carry(Caller& caller, bool from_far, std::span<const std::byte> bytes);

  const Tls tls_;
  std::atomic<bool> flip_[2] = {false, false};
};

// Says the same to everybody who connects, and counts what it hears in return.
class Impostor : public Port {
 public:
  explicit Impostor(std::vector<wire::native::Bytes> words);
  ~Impostor() { end(); }

  std::size_t callers() const { return called_; }
  std::size_t heard() const { return heard_; }

 private:
  std::atomic<std::size_t> called_ = 0;
  std::atomic<std::size_t> heard_ = 0;
};

}  // namespace ha::testing
