// SPDX-License-Identifier: Apache-2.0
#include "cli/batch_sender.h"

#include "cli/broker_client.h"

namespace stub::cli {

Result<std::monostate> BatchSender::send(const http::ClientRequest& request, std::int64_t first,
                                         std::int64_t count) {
  auto connected = connection_.connect(patience_);
  if (auto* error = std::get_if<Error>(&connected)) return std::move(*error);
  batches_.push_back({first, count, Clock::now()});
  messages_ += count;
  return connection_.send(request, patience_);
}

Result<BatchOutcome> BatchSender::receive() {
  auto answer = connection_.receive(patience_);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& response = std::get<http::ClientResponse>(answer);
  const Batch batch = batches_.front();
  batches_.pop_front();
  messages_ -= batch.count;
  BatchOutcome out{.first = batch.first, .count = batch.count};
  out.us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - batch.sent).count();
  out.acknowledged = response.status == 200;
  out.final_refusal = response.status >= 400 && response.status < 500;
  if (!out.acknowledged) out.text = refusal_text(response);
  return out;
}

}  // namespace stub::cli
