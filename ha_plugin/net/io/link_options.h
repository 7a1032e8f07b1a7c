// SPDX-License-Identifier: Apache-2.0
// TCP on a connection to another node, or to etcd. Few packets are under way there, and a lost one
// holds up the heartbeats and acks behind it until it is sent again.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>

#include "ha_plugin/core/types.h"

namespace ha::net {

// Since Linux 6.15, and not in older headers.
inline constexpr int kTcpRtoMaxMs = 44;
// The least that the kernel takes.
inline constexpr int kLongestBetweenTriesMs = 1000;

// What a kernel does not know of it is left out.
inline void set_link_options(int fd) {
  const auto set = [fd](int option, int value) {
    ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
  };
  set(TCP_NODELAY, 1);
  // TCP doubles its pause after each try that is lost. On a network that loses a third of all
  // packets the link is soon silent for seconds. With this option the pause stays as it is for six
  // tries, while fewer than four packets are under way.
  set(TCP_THIN_LINEAR_TIMEOUTS, 1);
  // This one works however many packets there are. The kernel then gives up a connection on which
  // nothing comes through after about 15 s, not 15 minutes. A node gives up native links sooner.
  set(kTcpRtoMaxMs, kLongestBetweenTriesMs);
}

// How long a packet and its answer take there, as TCP expects it: the mean and four times the
// deviation. 0 = not known.
inline core::Time round_trip_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return std::chrono::microseconds(std::int64_t{info.tcpi_rtt} +
                                   4 * std::int64_t{info.tcpi_rttvar});
}

}  // namespace ha::net
