// SPDX-License-Identifier: Apache-2.0
// `ha_stub produce`: a message a line. Lines go out in batches on one connection, so they land in
// the log in the input's order; several batches are in flight. A batch is what has been read so
// far: a slow input's lines go out one by one, a file's in hundreds.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/batch_sender.h"
#include "cli/broker_client.h"
#include "cli/commands.h"
#include "cli/latency.h"
#include "cli/line_reader.h"
#include "cli/progress.h"
#include "http/api.h"
#include "http/query.h"
#include "http/text.h"

namespace stub::cli {
namespace {

// As many as a topic's consumers could catch up with in seconds; beyond it only memory grows.
constexpr std::int64_t kMaxWindow = 1'000'000;

struct ProduceOptions {
  BrokerFlags broker;
  std::string topic;
  std::string acks = "default";
  bool durable = false;
  std::int64_t timeout_ms = 3000;
  std::int64_t window = 1024;  // messages in flight
  std::string file = "-";
};

std::string check_acks(const std::string& text) {
  if (text == "all" || text == "quorum" || text == "async" || text == "default") return "";
  const auto number = http::parse_integer(text);
  if (number && *number >= 1 && *number <= INT32_MAX) return "";
  return http::in_quotes(text) +
         " must be a number of copies from 1 (2 waits for one slave), all, quorum or async";
}

// A batch is kept well below the broker's limit on a body (8 MiB); one line may be 4 MiB.
constexpr std::size_t kMaxBatchBytes = std::size_t{1} << 20;
// The window holds this many batches: one is made while others travel and wait.
constexpr std::int64_t kBatchesPerWindow = 4;

class Producer {
 public:
  Producer(const ProduceOptions& options, http::Client& connection, int input)
      : options_(options),
        sender_(connection, options.timeout_ms),
        connection_(connection),
        reader_(input),
        input_(input) {
    request_.method = "POST";
    request_.content_type = "application/octet-stream";
    request_.target = "/v1/topics/" + http::percent_encode(options.topic) +
                      "/messages?lines=1&acks=" + http::percent_encode(options.acks) +
                      (options.durable ? "&durability=durable" : "") +
                      "&timeout_ms=" + std::to_string(options.timeout_ms);
  }

  int run() {
    while (!stopped_ && !reader_.finished()) {
      if (!has_room()) {
        receive();
      } else if (!send_lines() && !stopped_ && !reader_.ended()) {
        wait_for_something();
      }
      show_progress();
    }
    while (!broken_ && sender_.batches_in_flight() > 0) {
      receive();
      show_progress();
    }
    failed_ += sender_.messages_in_flight();  // of a connection that broke
    progress_.clear();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    // Boost.JSON writes 0.412 as 4.12E-1: not for people, who read this line too.
    fmt::print(
        "{{\"sent\":{},\"acked\":{},\"failed\":{},\"seconds\":{:.3f},\"p50_us\":{},"
        "\"p99_us\":{}}}\n",
        sent_, acked_, failed_, seconds, latency_.percentile(0.5), latency_.percentile(0.99));
    return failed_ > 0 || stopped_ ? kExitFailed : kExitOk;
  }

 private:
  bool has_room() const {
    return sender_.messages_in_flight() < options_.window &&
           sender_.batches_in_flight() < BatchSender::kMaxBatches;
  }

  // Sends the complete lines that are here, as far as the window and a batch's size allow.
  bool send_lines() {
    const auto share = std::max<std::int64_t>(1, options_.window / kBatchesPerWindow);
    const auto room = std::min(options_.window - sender_.messages_in_flight(), share);
    request_.body.clear();
    std::int64_t count = 0;
    while (count < room && request_.body.size() < kMaxBatchBytes) {
      const auto line = reader_.next();
      if (!line) break;
      request_.body.append(*line).push_back('\n');
      ++count;
    }
    if (count == 0) return false;
    const auto in_flight = sender_.messages_in_flight();
    const auto done = sender_.send(request_, sent_, count);
    const bool written = sender_.messages_in_flight() > in_flight;
    (written ? sent_ : failed_) += count;
    if (const auto* error = std::get_if<Error>(&done)) break_off(error->text);
    return true;
  }

  // Until there is input to read or an answer to take.
  void wait_for_something() {
    pollfd either[2] = {{input_, POLLIN, 0}, {connection_.descriptor(), POLLIN, 0}};
    const bool answers = sender_.batches_in_flight() > 0;
    if (answers && connection_.has_input()) return receive();
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

  void receive() {
    const auto outcome = sender_.receive();
    if (const auto* error = std::get_if<Error>(&outcome)) return break_off(error->text);
    const auto& batch = std::get<BatchOutcome>(outcome);
    if (batch.acknowledged) {
      acked_ += batch.count;
      latency_.add(batch.us, batch.count);
      return;
    }
    failed_ += batch.count;
    fail(fmt::format("lines {} to {}: {}", batch.first + 1, batch.first + batch.count, batch.text),
         batch.final_refusal);
  }

  // The first failure is told in words; the sum is in the last line.
  void fail(const std::string& text, bool stop = true) {
    if (!told_) progress_.note("ha_stub: " + text);
    told_ = true;
    stopped_ = stopped_ || stop;
  }

  void break_off(const std::string& text) {
    const auto open = sender_.messages_in_flight();
    fail(open == 0 ? text
                   : fmt::format("{}; the outcome of lines {} to {} is open", text,
                                 sent_ - open + 1, sent_));
    broken_ = true;
  }

  void show_progress() {
    if (!progress_.due()) return;
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - start_).count();
    progress_.show(fmt::format(
        "{} acknowledged  {}/s  p50 {}  p99 {}", grouped(acked_),
        grouped(static_cast<std::int64_t>(static_cast<double>(acked_) / std::max(seconds, 0.001))),
        duration_text(latency_.percentile(0.5)), duration_text(latency_.percentile(0.99))));
  }

  const ProduceOptions& options_;
  BatchSender sender_;
  http::Client& connection_;
  LineReader reader_;
  int input_;
  http::ClientRequest request_;
  Latency latency_;
  Progress progress_{stderr, Progress::Elsewhere::kSilent};
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::int64_t sent_ = 0;
  std::int64_t acked_ = 0;
  std::int64_t failed_ = 0;
  bool told_ = false;
  bool stopped_ = false;  // no more lines are sent
  bool broken_ = false;   // no more answers come
};

int run_produce(const ProduceOptions& options) {
  auto client = open_client(options.broker);
  if (const auto* error = std::get_if<Error>(&client)) return complain(error->text);
  int input = STDIN_FILENO;
  if (options.file != "-") {
    input = ::open(options.file.c_str(), O_RDONLY | O_CLOEXEC);
    if (input < 0) {
      return complain("cannot open '" + options.file + "': " + std::strerror(errno) +
                      " (give a file that can be read, or - for standard input)");
    }
  }
  Producer producer(options, std::get<BrokerClient>(client).connection(), input);
  const int code = producer.run();
  if (input != STDIN_FILENO) ::close(input);
  return code;
}

}  // namespace

void add_produce(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ProduceOptions>();
  auto* command = add_client(app, "produce", "Send a message a line", options->broker);
  command->add_option("--topic", options->topic)->type_name("T")->required();
  command
      ->add_option("--acks", options->acks,
                   "copies, the master's included: 2 waits for one slave; default: the broker's "
                   "in_sync_replicas")
      ->type_name("N|all|quorum|async")
      ->check(check_acks);
  command->add_flag("--durable", options->durable, "copies have to survive a loss of power");
  command
      ->add_option("--timeout-ms", options->timeout_ms,
                   "how long a message may wait for its copies")
      ->check(whole_number(1, http::kMaxAckTimeoutMs))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--window", options->window, "messages in flight; 1 = one by one")
      ->check(whole_number(1, kMaxWindow))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("file", options->file, "what to send; - = standard input")
      ->type_name("FILE|-");
  command->callback([options, &exit_code] { exit_code = run_produce(*options); });
}

}  // namespace stub::cli
