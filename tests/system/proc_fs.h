// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace ha::system {

// Files come and go with the log's segments; what a peer can leak is sockets.
std::size_t open_sockets(pid_t pid);
std::size_t thread_count(pid_t pid);
std::int64_t resident_bytes(pid_t pid);

}  // namespace ha::system
