// SPDX-License-Identifier: Apache-2.0
// Where each queue goes on, beside the log: DIR/config/queueOffsets.json
//
//   {"min":1048576,"end":1048576,"unknown":0,"next":{"topic":{"0":12,"1":9}}}
//
// as store/queue_counters.h has it. The same text tells a slave that joined late. Bytes of a topic
// that are not graphic ASCII, and '%', stand as %XX.
//
// Threads: as of QueueCounterStore.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "store/queue_counters.h"

namespace stub {

std::string encode_queue_counters(const store::QueueCounters& counters);
// "" or what is wrong with the text: "has no number 'min'".
std::string parse_queue_counters(std::string_view text, store::QueueCounters& out);

class QueueOffsets final : public store::QueueCounterStore {
 public:
  explicit QueueOffsets(const std::string& store_dir)
      : directory_(store_dir + "/config"), path_(directory_ + "/queueOffsets.json") {}

  std::optional<store::QueueCounters> load(std::int64_t log_min) override;
  std::optional<Error> save(const store::QueueCounters& counters) override;
  void forget() override;

 private:
  const std::string directory_;
  const std::string path_;
};

}  // namespace stub
