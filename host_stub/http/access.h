// SPDX-License-Identifier: Apache-2.0
// Who may use which route. Routes that change a node (control) need a token of the control file;
// without such a file they are answered to this machine alone. Routes that read and write messages
// (data) need a token when there is a client file, and a control token will do. The rest is open:
// status, health, readiness, metrics.
//
// Threads: refuse and refused_json on any, several at once.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "http/exchange.h"
#include "http/token_file.h"

namespace stub::http {

enum class Need { kNothing, kData, kControl };

struct AccessOptions {
  std::string control_token_file = {};  // "" = none
  std::string client_token_file = {};
};

// The other end of a connection.
struct Peer {
  std::string address;    // "10.0.0.7:51234"
  bool loopback = false;  // 127.0.0.0/8, ::1, and the former as an IPv6 socket shows it
};
Peer peer_of(const boost::asio::ip::tcp::endpoint& remote);

class Access {
 public:
  // Without files: control for this machine, data for everybody.
  Access() = default;
  static Result<std::unique_ptr<Access>> open(const AccessOptions& options);

  // The answer to a client that may not do that; counted, and said in the log. path: the route's
  // pattern. A target as it was sent must not get into the log: a token may stand in it.
  std::optional<Response> refuse(Need need, std::string_view path, const Request& request,
                                 const Peer& peer);

  // False when everybody may.
  bool guards_data() const { return client_ != nullptr; }

  // {"not_local":0,"no_token":0,"wrong_token":0}, since the start.
  std::string refused_json() const;

 private:
  enum Why { kNotLocal, kNoToken, kWrongToken, kWhys };

  Response refusal(Why why, std::string_view path, const Request& request, const Peer& peer,
                   const std::string& text);
  void log(Why why, std::string_view path, const Request& request, const Peer& peer);

  std::unique_ptr<TokenFile> control_;
  std::unique_ptr<TokenFile> client_;
  std::atomic<std::int64_t> refused_[kWhys] = {};
  std::mutex log_mutex_;
  std::chrono::steady_clock::time_point next_line_{};
  std::int64_t unsaid_ = 0;
};

}  // namespace stub::http
