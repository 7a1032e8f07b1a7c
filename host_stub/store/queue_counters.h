// SPDX-License-Identifier: Apache-2.0
// Where queues go on when the log holds none of their messages any more. Retention takes messages;
// the numbers of a queue must not start again.
//
// Threads: load, save and forget are called one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "store/error.h"

namespace stub::store {

struct QueueCounters {
  std::int64_t min = 0;  // the counters are as they stood at this log offset
  // A log that holds [min, end) knows every queue: it is named here, or has a record in that range.
  std::int64_t end = 0;
  // Where a queue begins that neither is named nor has a record. 0 unless counters were lost.
  std::int64_t unknown = 0;
  std::map<std::string, std::map<std::int32_t, std::int64_t>, std::less<>> next;  // by topic

  bool operator==(const QueueCounters&) const = default;
};

class QueueCounterStore {
 public:
  virtual ~QueueCounterStore() = default;
  // nullopt: there are none, they cannot be read, or they end below log_min, so that they lack what
  // the log has lost. Says so.
  virtual std::optional<QueueCounters> load(std::int64_t log_min) = 0;
  // On stable storage when it returns no error.
  virtual std::optional<Error> save(const QueueCounters& counters) = 0;
  virtual void forget() = 0;
};

}  // namespace stub::store
