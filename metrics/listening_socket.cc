#include "metrics/listening_socket.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>

namespace ha::metrics {
namespace {

bool listens_on(int fd, const std::string& ip, int port) {
  int listening = 0;
  socklen_t size = sizeof(listening);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
    return false;
  }
  sockaddr_storage bound{};
  size = sizeof(bound);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return false;
  const auto network_port = htons(static_cast<std::uint16_t>(port));
  if (bound.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound);
    in_addr wanted{};
    return inet_pton(AF_INET, ip.c_str(), &wanted) == 1 && v4->sin_port == network_port &&
           v4->sin_addr.s_addr == wanted.s_addr;
  }
  if (bound.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&bound);
    in6_addr wanted{};
    return inet_pton(AF_INET6, ip.c_str(), &wanted) == 1 && v6->sin6_port == network_port &&
           std::memcmp(&v6->sin6_addr, &wanted, sizeof(wanted)) == 0;
  }
  return false;
}

}  // namespace

int find_listening_socket(const std::string& ip, int port) {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return -1;
  int found = -1;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = std::atoi(entry->d_name);
    if (!listens_on(fd, ip, port)) continue;
    found = fd;
    break;
  }
  closedir(folder);
  return found;
}

}  // namespace ha::metrics
