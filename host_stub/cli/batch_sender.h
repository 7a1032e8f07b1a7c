// SPDX-License-Identifier: Apache-2.0
// Batches of messages on one connection, several in flight, answered in the order they were sent
// in: so a producer's messages land in the log in its own order.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "http/client.h"

namespace stub::cli {

struct UnsentBatch {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::string body = {};
  bool written = false;  // once, to a node that did not store it or did not say
};

struct BatchOutcome {
  std::int64_t first = 0;  // what send was told
  std::int64_t count = 0;
  bool acknowledged = false;
  bool final_refusal = false;  // a 4xx: the next batch would be refused too
  bool not_stored = false;     // refused, and nothing of it is in the log: another may take it
  bool open = false;           // some of it is in the log, or may be
  std::string text = {};       // why not, in the broker's words
  std::string location = {};   // where the refusal sends us; "" = nowhere
  std::string body = {};       // of a batch that was not acknowledged
  std::int64_t us = 0;         // from the batch's send to its answer
};

class BatchSender {
 public:
  // More requests than this on one connection only wait in the broker's queue (its own limit is
  // 16).
  static constexpr std::size_t kMaxBatches = 8;

  // ack_timeout_ms: the broker's bound on one batch; the connection is given a little more.
  BatchSender(http::Client& connection, std::int64_t ack_timeout_ms)
      : connection_(&connection), patience_(ack_timeout_ms + 10'000), connect_(patience_) {}

  void connect_within(std::chrono::milliseconds timeout) { connect_ = timeout; }
  // Batches go there from now on. REQUIRES: none in flight.
  void use(http::Client& connection) { connection_ = &connection; }
  // Closes a connection that its peer has closed while nothing was in flight.
  void drop_if_closed();

  // first and count name the batch in its outcome. After an Error the connection is closed. The
  // batch is in flight unless it was never written, because there was no connection to write to.
  Result<std::monostate> send(const http::ClientRequest& request, std::int64_t first,
                              std::int64_t count);
  // Waits for the oldest batch's answer. After an Error the connection is closed, and what is in
  // flight has an open outcome: it may be stored.
  Result<BatchOutcome> receive();

  // What was in flight when the connection broke: it is not any more.
  std::vector<UnsentBatch> take_all();

  std::optional<std::int64_t> first_in_flight() const;
  std::int64_t messages_in_flight() const { return messages_; }
  std::size_t batches_in_flight() const { return batches_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Batch {
    std::int64_t first;
    std::int64_t count;
    Clock::time_point sent;
    std::string body;
  };

  http::Client* connection_;
  std::chrono::milliseconds patience_;
  std::chrono::milliseconds connect_;
  std::deque<Batch> batches_;
  std::int64_t messages_ = 0;
};

}  // namespace stub::cli
