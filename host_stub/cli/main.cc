// SPDX-License-Identifier: Apache-2.0
// The `ha_stub` program: a reference broker that loads a replication plugin, and the commands to
// use it.

#include <signal.h>

#include "cli/parse.h"

int main(int argc, char** argv) {
  // A reader that closes the pipe ends in a write error, which every command reports.
  ::signal(SIGPIPE, SIG_IGN);
  return stub::cli::run(argc, argv);
}
