// SPDX-License-Identifier: Apache-2.0
// The command line of `ha_stub`.
#pragma once

namespace stub::cli {

// Parses and runs the command named; returns the exit code.
int run(int argc, const char* const* argv);

}  // namespace stub::cli
