// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 client that blocks, with a deadline on everything: for the command line, the
// demo and the tests. One connection, kept alive; requests may be pipelined with send and receive.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "http/address.h"

namespace stub::http {

class TlsContext;

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, percent-encoded
  std::string body = {};
  std::string content_type = "application/json";
};

struct ClientResponse {
  int status = 0;
  std::string body;
  std::string content_type;
  std::string allow;
  std::string location = {};
};

struct ClientOptions {
  std::string token = {};  // sent as 'Authorization: Bearer TOKEN'; "" = none
  std::shared_ptr<const TlsContext> tls = nullptr;  // nullptr = plain HTTP
};

class Client {
 public:
  using Duration = std::chrono::milliseconds;

  explicit Client(HostPort server, ClientOptions options = {});
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Sends one request and waits for its answer; connects first when needed. A kept connection that
  // the server has closed meanwhile is opened again, once, for requests that may be repeated (not
  // POST).
  Result<ClientResponse> call(const ClientRequest& request, Duration timeout);

  // Does nothing when connected. send does it too: call it first to know that a request whose send
  // fails may have been written.
  Result<std::monostate> connect(Duration timeout);
  // Pipelining: any number of sends, then as many receives, in the same order. After an error the
  // connection is closed and what was outstanding stays unanswered.
  Result<std::monostate> send(const ClientRequest& request, Duration timeout);
  Result<ClientResponse> receive(Duration timeout);

  // For poll(2) beside other input; -1 when not connected. Readable or has_input: receive will find
  // something.
  int descriptor() const;
  bool has_input() const;
  const HostPort& server() const;
  bool uses_tls() const;
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// For one segment or one query value of a target.
std::string percent_encode(std::string_view text);

}  // namespace stub::http
