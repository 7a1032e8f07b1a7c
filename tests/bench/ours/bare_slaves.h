// SPDX-License-Identifier: Apache-2.0
// Bare slaves on RocketMQ's wire: one process with many connections, which acknowledges what comes
// on each and throws it away. What many slaves cost their master and its producers, without stores.
//
// Errors end the process.
#pragma once

#include <cstdint>

namespace ha::bench {

// For bench_fork. count: an std::int64_t, the number of slaves. Hears the port, an int, and tells
// one byte when all are connected. They stay until `in` ends.
void run_bare_slaves(int in, int out, void* count);

}  // namespace ha::bench
