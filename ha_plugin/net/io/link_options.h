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
inline constexpr int kLongestBetweenTries_ms = 1000;

// What a kernel does not know of it is left out.
inline void set_link_options(int fd) {
  const auto set = [fd](int option, int value) {
    ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
  };
  set(TCP_NODELAY, 1);
  // By itself TCP waits twice as long for each try that is lost too: on a network that loses a
  // third of all packets that soon makes a silence of seconds. With fewer than four packets under
  // way it now does not, six times in a row.
  set(TCP_THIN_LINEAR_TIMEOUTS, 1);
  // However many packets there are. The kernel then gives a connection up after about 15 s without
  // any way through, instead of 15 minutes; native links are given up sooner by this node itself.
  set(kTcpRtoMaxMs, kLongestBetweenTries_ms);
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
