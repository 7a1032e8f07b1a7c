// SPDX-License-Identifier: Apache-2.0
// Counts the calls that read from sockets in this program. The program's own recv and recvmsg stand
// before the C library's and call them.
#pragma once

#include <cstddef>

namespace stub::test {

struct Reads {
  std::size_t calls = 0;   // that got bytes
  std::size_t bytes = 0;   // what they got
  std::size_t widest = 0;  // the most that one of them asked for
};

// Since the start: of the first thread, which runs the tests, and of all others.
Reads test_reads();
Reads server_reads();
void forget_widest();  // of the others

inline Reads operator-(const Reads& after, const Reads& before) {
  return {after.calls - before.calls, after.bytes - before.bytes, after.widest};
}

}  // namespace stub::test
