// SPDX-License-Identifier: Apache-2.0
// Asio opens descriptors that a child of the host's would inherit; these it would not.
#pragma once

#include <sys/socket.h>

#include <boost/system/error_code.hpp>
#include <cerrno>

#include "metrics/adopt_descriptor.h"

namespace ha::net {

// Opens a socket or an acceptor for that protocol.
template <class Socket, class Protocol>
boost::system::error_code open_cloexec(Socket& socket, const Protocol& protocol) {
  boost::system::error_code error;
  const int fd = ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {errno, boost::system::system_category()};
  adopt_descriptor(socket, protocol, fd, error);
  return error;
}

}  // namespace ha::net
