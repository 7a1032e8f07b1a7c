#include "metrics/knock.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

namespace ha::metrics {
namespace {

// Connects to ip:port and hangs up. On Linux the unspecified address leads to this machine too.
void knock(const std::string& ip, int port) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const auto network_port = htons(static_cast<std::uint16_t>(port));
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = network_port;
    size = sizeof(*v4);
  } else if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = network_port;
    size = sizeof(*v6);
  }
  const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // The outcome does not matter: a connection wakes civetweb, a refusal means that it has gone.
  static_cast<void>(connect(fd, reinterpret_cast<const sockaddr*>(&storage), size));
  close(fd);
}

}  // namespace

KnockUntilDone::KnockUntilDone(const std::string& ip, int port)
    : thread_([this, ip, port] {
        std::unique_lock lock(mutex_);
        do {
          lock.unlock();
          knock(ip, port);
          lock.lock();
        } while (!changed_.wait_for(lock, kKnockInterval, [this] { return done_; }));
      }) {}

KnockUntilDone::~KnockUntilDone() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace ha::metrics
