// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/fake_etcd.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace ha::testing {
namespace {

int listen_somewhere(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(fd, address, size) != 0 || ::listen(fd, 16) != 0 ||
      ::getsockname(fd, address, &size) != 0) {
    ADD_FAILURE() << "cannot listen";
  }
  port = ntohs(at.sin_port);
  return fd;
}

bool send_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

std::string header(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

std::uint16_t free_port() {
  std::uint16_t port = 0;
  ::close(listen_somewhere(port));
  return port;
}

FakeEtcd::FakeEtcd() {
  on("/version", {json(R"({"etcdserver":"3.5.9","etcdcluster":"3.5.0"})")});
  listener_ = listen_somewhere(port_);
  acceptor_ = std::thread([this] { accept(); });
}

FakeEtcd::~FakeEtcd() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  hang_up();
  for (std::thread& thread : threads_) thread.join();
  for (const int fd : open_) ::close(fd);
}

FakeEtcd::Reply FakeEtcd::json(const std::string& body, const std::string& status) {
  return {"HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n\r\n" + body};
}

void FakeEtcd::on(const std::string& path, std::vector<Reply> replies) {
  const std::lock_guard lock(mutex_);
  replies_[path] = {replies.begin(), replies.end()};
}

// Closed at the end only, so that no number is used again meanwhile.
void FakeEtcd::hang_up() {
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
}

std::vector<FakeEtcd::Request> FakeEtcd::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<FakeEtcd::Request> FakeEtcd::requests(const std::string& path) const {
  std::vector<Request> all = requests();
  std::erase_if(all, [&](const Request& one) { return one.path != path; });
  return all;
}

void FakeEtcd::accept() {
  for (int connection = 1;; ++connection) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd, connection] { serve(fd, connection); });
  }
}

void FakeEtcd::serve(int fd, int connection) {
  std::string in;
  char piece[4096];
  for (;;) {
    const std::size_t end = in.find("\r\n\r\n");
    std::size_t whole = std::string::npos;
    if (end != std::string::npos) {
      const std::string length = header(in, "Content-Length");
      whole = end + 4 + (length.empty() ? 0 : std::stoul(length));
    }
    if (in.size() < whole) {
      const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
      if (n <= 0) return;
      in.append(piece, static_cast<std::size_t>(n));
      continue;
    }
    const std::size_t path = in.find(' ') + 1;
    const Request request{in.substr(path, in.find(' ', path) - path),
                          in.substr(end + 4, whole - end - 4), header(in, "Authorization"),
                          connection};
    in.erase(0, whole);
    const Reply reply = reply_to(request);
    do {
      if (!send_all(fd, reply.bytes)) return;
    } while (reply.endless);
    if (reply.closes) {
      ::shutdown(fd, SHUT_RDWR);
      return;
    }
  }
}

FakeEtcd::Reply FakeEtcd::reply_to(const Request& request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(request);
  auto found = replies_.find(request.path);
  if (found == replies_.end()) return json("Not Found", "404 Not Found");
  Reply reply = found->second.front();
  if (found->second.size() > 1) found->second.pop_front();
  return reply;
}

}  // namespace ha::testing
