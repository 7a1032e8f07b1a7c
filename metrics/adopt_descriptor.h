// SPDX-License-Identifier: Apache-2.0
// Gives a descriptor to an Asio socket or acceptor. Asio owns it only once assign has succeeded:
// when it fails, or throws for lack of memory, the descriptor would stay open.
#pragma once

#include <unistd.h>

#include <boost/system/error_code.hpp>

namespace ha {

// Closes fd unless the socket has it.
template <class Socket, class Protocol>
void adopt_descriptor(Socket& socket, const Protocol& protocol, int fd,
                      boost::system::error_code& error) {
  try {
    socket.assign(protocol, fd, error);
  } catch (...) {
    ::close(fd);
    throw;
  }
  if (error) ::close(fd);
}

}  // namespace ha
