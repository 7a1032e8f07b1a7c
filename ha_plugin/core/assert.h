// SPDX-License-Identifier: Apache-2.0
// What must hold here, or the code is wrong. Never for what a peer, a host or a file may cause:
// that gets an answer.
//
// HA_ASSERT is cheap (a comparison or two) and on in every build: a process that goes on after one
// of them could acknowledge what nobody holds, and to stop loses nothing that was acknowledged.
// HA_ASSERT_SLOW may cost more than what it stands in; it is on in debug, sanitizer and simulation
// builds (HA_SLOW_ASSERTS).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace ha::core {

[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
  std::abort();
}

}  // namespace ha::core

#define HA_ASSERT(condition) \
  ((condition) ? void(0) : ::ha::core::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef HA_SLOW_ASSERTS
#define HA_ASSERT_SLOW(condition) HA_ASSERT(condition)
#else
#define HA_ASSERT_SLOW(condition) void(0)
#endif
