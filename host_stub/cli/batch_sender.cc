// SPDX-License-Identifier: Apache-2.0
#include "cli/batch_sender.h"

#include <poll.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "cli/broker_client.h"

namespace stub::cli {
namespace {

namespace json = boost::json;

// How many messages of a refused batch are in the log; -1 = it does not say. A broker that refuses
// before it looks at the messages has the error alone. What is not a broker's, a proxy's page for
// one, says nothing.
std::int64_t stored(const std::string& body) {
  boost::system::error_code wrong;
  const auto value = json::parse(json::string_view(body.data(), body.size()), wrong);
  const auto* object = wrong ? nullptr : value.if_object();
  if (object == nullptr || !object->contains("error")) return -1;
  const auto* count = object->if_contains("stored");
  if (count == nullptr) return 0;
  return count->is_int64() ? count->get_int64() : -1;
}

}  // namespace

Result<std::monostate> BatchSender::send(const http::ClientRequest& request, std::int64_t first,
                                         std::int64_t count) {
  auto connected = connection_->connect(connect_);
  if (auto* error = std::get_if<Error>(&connected)) return std::move(*error);
  batches_.push_back({first, count, Clock::now(), request.body});
  messages_ += count;
  return connection_->send(request, patience_);
}

Result<BatchOutcome> BatchSender::receive() {
  auto answer = connection_->receive(patience_);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& response = std::get<http::ClientResponse>(answer);
  Batch batch = std::move(batches_.front());
  batches_.pop_front();
  messages_ -= batch.count;
  BatchOutcome out{.first = batch.first, .count = batch.count};
  out.us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - batch.sent).count();
  out.acknowledged = response.status == 200;
  out.final_refusal = response.status >= 400 && response.status < 500;
  if (out.acknowledged) return out;
  const bool turned_away = response.status == 421 || response.status == 503;
  out.not_stored = turned_away && stored(response.body) == 0;
  out.open = !out.not_stored && (turned_away || response.status >= 500);
  out.text = refusal_text(response);
  out.location = response.location;
  out.body = std::move(batch.body);
  return out;
}

void BatchSender::drop_if_closed() {
  if (!batches_.empty() || connection_->descriptor() < 0) return;
  pollfd readable{connection_->descriptor(), POLLIN, 0};
  // An answer to nothing is as bad as the end.
  if (::poll(&readable, 1, 0) > 0) connection_->close();
}

std::vector<UnsentBatch> BatchSender::take_all() {
  std::vector<UnsentBatch> out;
  for (auto& batch : batches_)
    out.push_back({batch.first, batch.count, std::move(batch.body), true});
  batches_.clear();
  messages_ = 0;
  return out;
}

std::optional<std::int64_t> BatchSender::first_in_flight() const {
  return batches_.empty() ? std::nullopt : std::optional(batches_.front().first);
}

}  // namespace stub::cli
