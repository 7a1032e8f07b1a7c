// SPDX-License-Identifier: Apache-2.0
// The metric families: the one table of names, types, labels and help texts, and the reading that
// fills it. Pure: the time comes in as an argument, so a test knows every value.
//
// The collector can only fill a family that the table has: an unknown name does not compile.
#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "metrics/ha_metrics.h"

namespace ha::metrics {

struct FamilySpec {
  const char* name;
  prometheus::MetricType type;
  std::array<const char*, 2> labels;  // NULL where there is none
  const char* help;
};

// Every family there can be, in the order in which it is shown.
std::span<const FamilySpec> family_table();

// All families, those without a sample included. now_ns is the steady clock that HaMetrics is
// written with. Threads: any; locks the replica table for a look-up only.
std::vector<prometheus::MetricFamily> collect_families(const HaMetrics& metrics,
                                                       std::int64_t now_ns);

}  // namespace ha::metrics
