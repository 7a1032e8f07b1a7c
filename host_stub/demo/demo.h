// SPDX-License-Identifier: Apache-2.0
// The demonstration: three brokers, a file's lines, the master killed in the middle, everything
// read back.
#pragma once

#include <string>

#include "broker/broker.h"
#include "demo/interrupt.h"
#include "demo/verdict.h"

namespace stub::demo {

struct DemoOptions {
  std::string file = "/var/lib/dpkg/status";
  std::int64_t min_lines = 0;  // the file is repeated to at least this many
  std::string ha_stub;         // the program
  bool json = false;           // the verdict as JSON; nothing else is shown
  bool keep = false;           // the stores and logs stay
};

struct DemoReport {
  Verdict verdict;
  double seconds = 0;
  std::int64_t p50_us = 0;
  std::int64_t p99_us = 0;
  std::int64_t killed_at = 0;           // lines acknowledged when the master was killed
  std::int64_t cut_bytes = 0;           // off the second master's log, which no other node ever had
  std::int64_t below_policy = 0;        // lines acknowledged while no slave was there
  std::int64_t below_policy_found = 0;  // of these, on the node that was read in the end
  // From the last SIGKILL to a message that a node which became master by itself acknowledged; -1 =
  // there was no etcd.
  std::int64_t taken_over_us = -1;

  bool good() const { return verdict.good() && below_policy_found == below_policy; }
};

Result<DemoReport> run_demo(const DemoOptions& options, const Interrupt& interrupt);

}  // namespace stub::demo
