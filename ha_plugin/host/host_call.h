// SPDX-License-Identifier: Apache-2.0
// How a plugin thread calls the host.
//
// A hook throws nothing, but its thread may be ended in it: CPython does that (pthread_exit, up to
// 3.13) with every thread that wants the interpreter after it has begun to shut down, which is what
// becomes of a host that exits without stop. That unwinds the stack, and the first frame that
// promises to throw nothing would abort a process that is about to end well. So the thread stays
// where it is instead; there is nobody left to come back to.
#pragma once

#include <cxxabi.h>
#include <unistd.h>

#include <utility>

namespace ha {

template <class Result, class... Params, class... Args>
Result call_host(Result (*hook)(Params...), Args&&... args) {
  try {
    return hook(std::forward<Args>(args)...);
  } catch (const abi::__forced_unwind&) {
    for (;;) ::pause();
  }
}

}  // namespace ha
