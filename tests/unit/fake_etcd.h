// SPDX-License-Identifier: Apache-2.0
// A server that answers as a test wants it: like etcd, or like nothing that etcd would say.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ha_plugin/config/address.h"

namespace ha::testing {

class FakeEtcd {
 public:
  struct Request {
    std::string path;
    std::string body;
    std::string authorization;
    int connection = 0;  // counted from 1
  };
  struct Reply {
    std::string bytes;     // HTTP, or not
    bool closes = false;   // after that
    bool endless = false;  // says the bytes again and again
  };

  FakeEtcd();
  ~FakeEtcd();
  FakeEtcd(const FakeEtcd&) = delete;
  FakeEtcd& operator=(const FakeEtcd&) = delete;

  static Reply json(const std::string& body, const std::string& status = "200 OK");
  static Reply raw(const std::string& bytes, bool closes = false) { return {bytes, closes}; }
  static Reply silence() { return {}; }

  // What is said to the requests for that path, one after the other; the last one stays. A path
  // without any is answered 404, but for /version.
  void on(const std::string& path, std::vector<Reply> replies);
  // Ends the connections that are open.
  void hang_up();

  net::Address address() const { return {"127.0.0.1", port_}; }
  std::vector<Request> requests() const;
  std::vector<Request> requests(const std::string& path) const;

 private:
  void accept();
  void serve(int fd, int connection);
  Reply reply_to(const Request& request);

  mutable std::mutex mutex_;
  std::map<std::string, std::deque<Reply>> replies_;
  std::vector<Request> requests_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
};

// A port of this machine that nobody listens on.
std::uint16_t free_port();

}  // namespace ha::testing
