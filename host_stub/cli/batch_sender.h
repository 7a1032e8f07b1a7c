// SPDX-License-Identifier: Apache-2.0
// Batches of messages on one connection, several in flight, answered in the order they were sent
// in: so a producer's messages land in the log in its own order.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "broker/broker.h"
#include "http/client.h"

namespace stub::cli {

struct BatchOutcome {
  std::int64_t first = 0;  // what send was told
  std::int64_t count = 0;
  bool acknowledged = false;
  bool final_refusal = false;  // a 4xx: the next batch would be refused too
  std::string text = {};       // why not, in the broker's words
  std::int64_t us = 0;         // from the batch's send to its answer
};

class BatchSender {
 public:
  // More requests than this on one connection only wait in the broker's queue (its own limit is
  // 16).
  static constexpr std::size_t kMaxBatches = 8;

  // ack_timeout_ms: the broker's bound on one batch; the connection is given a little more.
  BatchSender(http::Client& connection, std::int64_t ack_timeout_ms)
      : connection_(connection), patience_(ack_timeout_ms + 10'000) {}

  // first and count name the batch in its outcome. After an Error the connection is closed. The
  // batch is in flight unless it was never written, because there was no connection to write to.
  Result<std::monostate> send(const http::ClientRequest& request, std::int64_t first,
                              std::int64_t count);
  // Waits for the oldest batch's answer. After an Error the connection is closed, and what is in
  // flight has an open outcome: it may be stored.
  Result<BatchOutcome> receive();

  std::int64_t messages_in_flight() const { return messages_; }
  std::size_t batches_in_flight() const { return batches_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Batch {
    std::int64_t first;
    std::int64_t count;
    Clock::time_point sent;
  };

  http::Client& connection_;
  std::chrono::milliseconds patience_;
  std::deque<Batch> batches_;
  std::int64_t messages_ = 0;
};

}  // namespace stub::cli
