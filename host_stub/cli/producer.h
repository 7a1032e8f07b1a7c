// SPDX-License-Identifier: Apache-2.0
// Lines of a descriptor to a topic, in batches on one connection, so they land in the log in the
// input's order; several batches are in flight. A batch is what has been read so far: a slow
// input's lines go out one by one, a file's in hundreds.
//
// With a list of brokers it goes on at another one when its own is not the master any more, or is
// gone. A batch that is known not to be stored is sent again, once all answers of the old node are
// there. One whose outcome is open ends the run, or with retry_unknown is sent again too: it may
// then be stored twice.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/batch_sender.h"
#include "cli/latency.h"
#include "cli/line_reader.h"
#include "cli/node_finder.h"
#include "cli/progress.h"

namespace stub::cli {

struct ProduceOptions {
  std::string topic;
  std::string acks = "default";
  bool durable = false;
  std::int64_t timeout_ms = 3000;
  std::int64_t window = 1024;  // messages in flight
  bool retry_unknown = false;
};

class Producer {
 public:
  // The finder outlives it; so does the descriptor.
  Producer(const ProduceOptions& options, NodeFinder& finder, int input);

  // Until the input ends or it cannot go on. True = all lines are acknowledged.
  bool run();
  // {"sent":3,...}, after run.
  std::string summary() const;

 private:
  bool step();
  void take_lines();
  bool has_room() const;
  bool send_lines();
  void send(const UnsentBatch& batch);
  void resend();
  void wait_for_something();
  void receive();
  void settle(BatchOutcome batch);
  void turn_away(const std::string& said, const std::string& location = "");
  bool send_again(const BatchOutcome& batch) const;
  void fail(const std::string& text, bool stop = true);
  void break_off(const std::string& text);
  void show_progress();

  const ProduceOptions options_;
  NodeFinder& finder_;
  BatchSender sender_;
  LineReader reader_;
  const int input_;
  http::ClientRequest request_;
  Latency latency_;
  Progress progress_{stderr, Progress::Elsewhere::kSilent};
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<UnsentBatch> again_;  // to be sent to another node
  std::string said_;                // by the node that turned them away
  std::string location_;
  std::int64_t lines_ = 0;  // taken from the input
  std::int64_t sent_ = 0;
  std::int64_t acked_ = 0;
  std::int64_t failed_ = 0;
  bool told_ = false;
  bool stopped_ = false;  // no more lines are sent
  bool broken_ = false;   // no more answers come
};

}  // namespace stub::cli
