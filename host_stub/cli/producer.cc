// SPDX-License-Identifier: Apache-2.0
#include "cli/producer.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stub::cli {
namespace {

// A batch is kept well below the broker's limit on a body (8 MiB); one line may be 4 MiB.
constexpr std::size_t kMaxBatchBytes = std::size_t{1} << 20;
// The window holds this many batches: one is made while others travel and wait.
constexpr std::int64_t kBatchesPerWindow = 4;

}  // namespace

Producer::Producer(const ProduceOptions& options, NodeFinder& finder, int input)
    : options_(options),
      finder_(finder),
      sender_(finder.node().connection(), options.timeout_ms),
      reader_(input),
      input_(input) {
  // A node that is gone must not take the time in which the others could be tried.
  if (finder.retries()) sender_.connect_within(BrokerClient::kTimeout);
  request_.method = "POST";
  request_.content_type = "application/octet-stream";
  request_.target = "/v1/topics/" + http::percent_encode(options.topic) +
                    "/messages?lines=1&acks=" + http::percent_encode(options.acks) +
                    (options.durable ? "&durability=durable" : "") +
                    "&timeout_ms=" + std::to_string(options.timeout_ms);
}

bool Producer::run() {
  while (step()) show_progress();
  failed_ += sender_.messages_in_flight();  // of a connection that broke
  for (const auto& batch : again_) failed_ += batch.count;
  progress_.clear();
  return failed_ == 0 && !stopped_;
}

std::string Producer::summary() const {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  // Boost.JSON writes 0.412 as 4.12E-1: not for people, who read this line too.
  return fmt::format(
      "{{\"sent\":{},\"acked\":{},\"failed\":{},\"seconds\":{:.3f},\"p50_us\":{},"
      "\"p99_us\":{}}}\n",
      sent_, acked_, failed_, seconds, latency_.percentile(0.5), latency_.percentile(0.99));
}

// False when nothing is left to do.
bool Producer::step() {
  if (!stopped_ && !again_.empty()) {
    resend();
  } else if (!stopped_ && !reader_.finished()) {
    take_lines();
  } else if (!broken_ && sender_.batches_in_flight() > 0) {
    receive();
  } else {
    return false;
  }
  return true;
}

void Producer::take_lines() {
  if (!has_room()) {
    receive();
  } else if (!send_lines() && !stopped_ && !reader_.ended()) {
    wait_for_something();
  }
}

bool Producer::has_room() const {
  return sender_.messages_in_flight() < options_.window &&
         sender_.batches_in_flight() < BatchSender::kMaxBatches;
}

// Sends the complete lines that are here, as far as the window and a batch's size allow.
bool Producer::send_lines() {
  const auto share = std::max<std::int64_t>(1, options_.window / kBatchesPerWindow);
  const auto room = std::min(options_.window - sender_.messages_in_flight(), share);
  UnsentBatch batch{.first = lines_};
  while (batch.count < room && batch.body.size() < kMaxBatchBytes) {
    const auto line = reader_.next();
    if (!line) break;
    batch.body.append(*line).push_back('\n');
    ++batch.count;
  }
  if (batch.count == 0) return false;
  // A connection that ended while nothing was on it says nothing of these lines.
  if (finder_.retries()) sender_.drop_if_closed();
  lines_ += batch.count;
  send(batch);
  return true;
}

void Producer::send(const UnsentBatch& batch) {
  request_.body = batch.body;
  const auto in_flight = sender_.messages_in_flight();
  const auto done = sender_.send(request_, batch.first, batch.count);
  const bool written = sender_.messages_in_flight() > in_flight;
  if (written && !batch.written) sent_ += batch.count;
  const auto* error = std::get_if<Error>(&done);
  if (error == nullptr) return;
  if (written) return break_off(error->text);
  again_.push_back(batch);
  turn_away(error->text);
  if (!finder_.retries()) break_off(error->text);
}

// What the old node still answers comes first: a batch may be stored there yet.
void Producer::resend() {
  if (sender_.batches_in_flight() > 0) return receive();
  const auto found = finder_.next(said_, location_);
  if (const auto* error = std::get_if<Error>(&found)) {
    return fail(fmt::format("lines from {} on: {}", again_.front().first + 1, error->text));
  }
  sender_.use(finder_.node().connection());
  std::vector<UnsentBatch> batches = std::exchange(again_, {});
  std::sort(batches.begin(), batches.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto it = batches.begin(); it != batches.end(); ++it) {
    // Once one is turned away the others wait with it, and keep their order.
    if (again_.empty() && !stopped_)
      send(*it);
    else
      again_.push_back(std::move(*it));
  }
}

// Until there is input to read or an answer to take.
void Producer::wait_for_something() {
  auto& connection = finder_.node().connection();
  pollfd either[2] = {{input_, POLLIN, 0}, {connection.descriptor(), POLLIN, 0}};
  const bool answers = sender_.batches_in_flight() > 0;
  if (answers && connection.has_input()) return receive();
  if (::poll(either, answers ? 2 : 1, -1) < 0 && errno != EINTR) {
    return fail(std::string("poll: ") + std::strerror(errno));
  }
  if (answers && either[1].revents != 0) receive();
  if (either[0].revents == 0 || stopped_) return;
  const auto filled = reader_.fill();
  if (const auto* error = std::get_if<Error>(&filled)) {
    ++failed_;
    fail(error->text);
  }
}

void Producer::receive() {
  auto outcome = sender_.receive();
  if (const auto* error = std::get_if<Error>(&outcome)) return break_off(error->text);
  settle(std::get<BatchOutcome>(std::move(outcome)));
}

void Producer::settle(BatchOutcome batch) {
  if (batch.acknowledged) {
    acked_ += batch.count;
    latency_.add(batch.us, batch.count);
    return finder_.succeeded();
  }
  if (send_again(batch)) {
    turn_away(batch.text, batch.location);
    again_.push_back({batch.first, batch.count, std::move(batch.body), true});
    return;
  }
  failed_ += batch.count;
  fail(fmt::format("lines {} to {}: {}", batch.first + 1, batch.first + batch.count, batch.text),
       batch.final_refusal);
}

bool Producer::send_again(const BatchOutcome& batch) const {
  if (!finder_.retries() || stopped_) return false;
  return batch.not_stored || (options_.retry_unknown && batch.open);
}

void Producer::turn_away(const std::string& said, const std::string& location) {
  said_ = said;
  location_ = location;
}

// The first failure is told in words; the sum is in the last line.
void Producer::fail(const std::string& text, bool stop) {
  if (!told_) progress_.note("ha_stub: " + text);
  told_ = true;
  stopped_ = stopped_ || stop;
}

// The outcome of all that is in flight is open.
void Producer::break_off(const std::string& text) {
  if (finder_.retries() && options_.retry_unknown && !stopped_) {
    for (auto& batch : sender_.take_all()) again_.push_back(std::move(batch));
    return turn_away(text);
  }
  const auto open = sender_.first_in_flight();
  fail(!open ? text
             : fmt::format("{}; the outcome of lines {} to {} is open{}", text, *open + 1, lines_,
                           finder_.retries() ? " (--retry-unknown sends such lines again, which "
                                               "may store them twice)"
                                             : ""));
  broken_ = true;
}

void Producer::show_progress() {
  if (!progress_.due()) return;
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - start_).count();
  progress_.show(fmt::format(
      "{} acknowledged  {}/s  p50 {}  p99 {}", grouped(acked_),
      grouped(static_cast<std::int64_t>(static_cast<double>(acked_) / std::max(seconds, 0.001))),
      duration_text(latency_.percentile(0.5)), duration_text(latency_.percentile(0.99))));
}

}  // namespace stub::cli
