// Finds a socket that a library listens on and does not give out.
#pragma once

#include <string>

namespace ha::metrics {

// The descriptor in this process that listens on ip:port (the numbers, as the socket was bound), or
// -1. There can be but one unless it was bound with SO_REUSEPORT. Only asks; changes nothing.
int find_listening_socket(const std::string& ip, int port);

}  // namespace ha::metrics
