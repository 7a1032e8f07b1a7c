// SPDX-License-Identifier: Apache-2.0
// HTTP to one of several servers that are as good as each other, over one connection that is kept.
//
// The caller gives a deadline. A request that has no answer by then fails, and its connection is
// closed: a late answer must not be taken for the answer to the next request.
//
// Threads: one at a time, but for cancel.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ha_plugin/config/address.h"
#include "ha_plugin/net/io/resolver.h"
#include "ha_plugin/net/io/tls_context.h"

namespace ha {

struct HttpAnswer {
  std::string failure;  // "" = there is an answer; else one clause
  bool sent = false;    // the server may have got the request, or a part of it
  unsigned status = 0;
  std::string body;
};

class HttpClient {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMostAnswer = std::size_t{1} << 20;

  // files: null = without TLS. The files are read again when they have changed.
  HttpClient(std::vector<net::Address> endpoints, std::unique_ptr<net::TlsFiles> files,
             net::Resolver& resolver);
  ~HttpClient();

  // "" or what is wrong with the files.
  std::string check();

  // Connects to the endpoint in use, unless the last connection is still good. Returns "" or one
  // clause that says what failed. fresh: this is a new connection.
  std::string open(Deadline deadline, bool& fresh);
  // REQUIRES: open() went well since the last failure. body "": a GET. authorization "": none.
  HttpAnswer ask(std::string_view path, std::string_view body, std::string_view authorization,
                 Deadline deadline);
  // Ends the connection and goes on to the next endpoint.
  void next();

  std::string endpoint() const;  // the one in use

  // From any thread. What is under way fails at once, and whatever comes after it.
  void cancel();
  bool cancelled() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ha
