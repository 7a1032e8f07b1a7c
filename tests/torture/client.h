// SPDX-License-Identifier: Apache-2.0
// An HTTP client that gives up early: a node may be stopped or cut off at any moment, and whoever
// waits for it must soon try another. (tests/system/http.h waits as long as a test may.)
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "tests/system/tcp.h"

namespace ha::torture {

using system::Failure;
using Milliseconds = std::chrono::milliseconds;

// Where a node's client API is: clients stand beside their node, so that a cut between nodes
// leaves them talking to a master that is cut off.
struct Endpoint {
  system::Address address;
  int network = -1;
  std::string token = {};  // of an operator; "" = none
};

// Nobody listens: nothing was sent.
struct NobodyThere : Failure {
  using Failure::Failure;
};

struct Answer {
  int status = 0;
  std::string body;
};

class Client {
 public:
  explicit Client(Endpoint server) : server_(std::move(server)) {}

  // Throws NobodyThere, or Failure when no whole answer came in time: the outcome is open then.
  Answer get(const std::string& target, Milliseconds deadline);
  Answer post(const std::string& target, std::string_view body, Milliseconds deadline);
  Answer put(const std::string& target, std::string_view json, Milliseconds deadline);

 private:
  Answer send(const std::string& what, const std::string& type, std::string_view body,
              Milliseconds deadline);
  Answer call(const std::string& request, Milliseconds deadline);
  std::string receive(system::Clock::time_point end);

  Endpoint server_;
  std::optional<system::Tcp> connection_;
};

}  // namespace ha::torture
