// SPDX-License-Identifier: Apache-2.0
// The least HTTP client that a test of the metrics' endpoint needs: blocking, one request, IPv4.
#pragma once

#include <string>

namespace ha::metrics {

class HttpClient {
 public:
  explicit HttpClient(int port);  // connects to 127.0.0.1; ok() says whether it could
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool send(const std::string& bytes);
  std::string read_to_end();

 private:
  int fd_ = -1;
};

// The whole answer, headers included; "" when nobody listens.
std::string http_get(int port, const std::string& path);

}  // namespace ha::metrics
