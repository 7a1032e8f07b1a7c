// SPDX-License-Identifier: Apache-2.0
// A minimal HTTP/1.1 client, written against the RFC and not against the server under test. One
// connection, kept alive.
//
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/system/json.h"
#include "tests/system/tcp.h"

namespace ha::system {

struct HttpResponse {
  int status = 0;
  std::string body;

  json::value document() const { return parse_json(body); }
};

class Http {
 public:
  explicit Http(Address server, int network = -1);

  // Throws Failure when no whole answer comes. A kept connection is opened again after a failure.
  HttpResponse get(const std::string& target);
  HttpResponse post(const std::string& target, std::string_view body = {},
                    std::string_view content_type = "application/json");
  HttpResponse put(const std::string& target, std::string_view body);

 private:
  HttpResponse send(const std::string& method, const std::string& target, std::string_view body,
                    std::string_view content_type);
  HttpResponse call(const std::string& head, std::string_view body);
  HttpResponse read_response();

  Address server_;
  int network_;
  std::optional<Tcp> connection_;
  std::string buffered_;
};

}  // namespace ha::system
