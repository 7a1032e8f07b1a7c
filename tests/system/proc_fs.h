// What the kernel says of a process.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace ha::system {

std::size_t open_descriptors(pid_t pid);
std::size_t thread_count(pid_t pid);

}  // namespace ha::system
