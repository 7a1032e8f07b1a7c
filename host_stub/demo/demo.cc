#include "demo/demo.h"

#include <fmt/format.h>

#include <array>

#include "cli/broker_client.h"
#include "cli/progress.h"
#include "cli/promotion.h"
#include "demo/node.h"
#include "demo/temp_dir.h"
#include "demo/view.h"
#include "ha/plugin.h"

namespace stub::demo {
namespace {

// Small, so that the demo crosses segments many times and its stores stay small.
constexpr const char* kSegmentSize = "16M";
constexpr std::chrono::seconds kStepTimeout{30};
constexpr std::chrono::milliseconds kLook{20};
// A line's acknowledgement may fail after the failover too (a busy machine); then the open ones are
// sent again, so many times at most.
constexpr int kMaxRuns = 10;

class Demo {
 public:
  Demo(const DemoOptions& options, const Interrupt& interrupt, const Input& input, TempDir dir)
      : options_(options), interrupt_(interrupt), input_(input), dir_(std::move(dir)) {}

  Result<DemoReport> run() {
    const auto start = std::chrono::steady_clock::now();
    if (options_.keep) view_.say("stores and logs: " + dir_.path());
    if (auto error = start_all()) return with_logs(std::move(*error));
    if (auto error = feed_and_kill()) return with_logs(std::move(*error));
    if (auto error = fail_over()) return with_logs(std::move(*error));
    if (auto error = feed_the_rest()) return with_logs(std::move(*error));
    if (auto error = wait_until_all_hold_everything()) return with_logs(std::move(*error));
    view_.say(fmt::format("reading every line back from slave {} ({})", returned_ + 1,
                          nodes_[returned_]->url()));
    auto verdict = judge(nodes_[returned_]->url(), input_, feeder_, interrupt_);
    if (auto* error = std::get_if<Error>(&verdict)) return with_logs(std::move(*error));
    view_.finish();
    const auto progress = feeder_.progress();
    return DemoReport{
        .verdict = std::get<Verdict>(verdict),
        .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
        .p50_us = progress.p50_us,
        .p99_us = progress.p99_us,
        .killed_at = killed_at_};
  }

 private:
  Error with_logs(Error error) {
    view_.finish();
    for (std::size_t i = 0; i < nodes_.size() && error.status != HA_SHUTDOWN; ++i) {
      error.text += fmt::format("\n  node {}: {}", i + 1, last_line(log_path(i)));
    }
    return error;
  }

  std::string log_path(std::size_t i) const {
    return fmt::format("{}/node{}.log", dir_.path(), i + 1);
  }

  // master: "" = it is one.
  std::optional<Error> start_node(std::size_t i, const std::string& store,
                                  const std::string& master) {
    const std::vector<std::pair<std::string, std::string>> flags = {
        {"--role", master.empty() ? "master" : "slave"},
        {"--store", dir_.path() + "/" + store},
        {"--http", "127.0.0.1:0"},
        {"--ha-listen", "127.0.0.1:0"},
        {"--metrics", "127.0.0.1:0"},
        {"--segment-size", kSegmentSize},
        {"--option", fmt::format("in_sync_replicas={}", kAcks)},
        // An empty slave gets the whole log, not only its last segment as RocketMQ would have it.
        {"--option", "bootstrap=earliest"}};
    std::vector<std::string> arguments = {"serve"};
    for (const auto& [flag, value] : flags) arguments.insert(arguments.end(), {flag, value});
    if (!master.empty()) arguments.insert(arguments.end(), {"--master", master});
    auto node = Node::start(options_.ha_stub, arguments, log_path(i));
    if (auto* error = std::get_if<Error>(&node)) return std::move(*error);
    nodes_[i] = std::get<std::unique_ptr<Node>>(std::move(node));
    view_.say(fmt::format("node {} ({}, pid {}): status {}/v1/status, metrics {}", i + 1,
                          master.empty() ? "master" : "slave", nodes_[i]->pid(), nodes_[i]->url(),
                          nodes_[i]->metrics_url()));
    return std::nullopt;
  }

  // Until the predicate holds of the node's status.
  template <class Predicate>
  std::optional<Error> await(std::size_t node, const std::string& what, Predicate holds) {
    const auto deadline = std::chrono::steady_clock::now() + kStepTimeout;
    auto opened = cli::BrokerClient::open(nodes_[node]->url());
    if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
    while (true) {
      auto status = std::get<cli::BrokerClient>(opened).status();
      if (auto* error = std::get_if<Error>(&status)) return std::move(*error);
      if (holds(std::get<cli::NodeStatus>(status))) return std::nullopt;
      if (interrupt_.wait_for(kLook)) return Error{HA_SHUTDOWN, 0, "interrupted"};
      if (std::chrono::steady_clock::now() >= deadline) {
        return Error{
            HA_TIMEOUT, 0,
            fmt::format("{} did not happen within {} s; node {} says {}", what,
                        kStepTimeout.count(), node + 1, std::get<cli::NodeStatus>(status).json)};
      }
    }
  }

  std::optional<Error> await_replicas(std::size_t node, std::size_t count) {
    return await(node, fmt::format("the connection of {} slave(s)", count),
                 [&](const cli::NodeStatus& status) {
                   std::size_t there = 0;
                   for (const auto& one : status.replicas) there += one.state == "transfer" ? 1 : 0;
                   return there >= count;
                 });
  }

  std::optional<Error> start_all() {
    if (auto error = start_node(0, "store1", "")) return error;
    for (const std::size_t i : {1u, 2u}) {
      if (auto error = start_node(i, fmt::format("store{}", i + 1), nodes_[0]->ha())) return error;
    }
    view_.set_master(nodes_[0]->url());
    return await_replicas(0, 2);
  }

  std::optional<Error> feed_and_kill() {
    view_.say(fmt::format("sending {} lines of {} ({} times), each waiting for one slave",
                          cli::grouped(input_.lines()), options_.file, input_.repeated()));
    bool killed = false;
    const auto fed = feeder_.feed(nodes_[0]->url(), input_.lines() / 2, [&] {
      killed_at_ = feeder_.acknowledged();
      view_.set_master("");
      view_.say(fmt::format("SIGKILL for the master (node 1) with {} lines acknowledged",
                            cli::grouped(killed_at_)));
      nodes_[0]->kill();
      killed = true;
    });
    if (killed) return std::nullopt;
    if (const auto* error = std::get_if<Error>(&fed)) return *error;
    return Error{HA_INTERNAL, 0, "the file was sent before the master could be killed"};
  }

  std::optional<Error> fail_over() {
    const std::array<std::string, 2> slaves = {nodes_[1]->url(), nodes_[2]->url()};
    auto best = cli::fullest({slaves[0], slaves[1]});
    if (auto* error = std::get_if<Error>(&best)) return std::move(*error);
    const auto& held = std::get<cli::Fullest>(best);
    const std::size_t chosen = held.index;
    auto promoted = cli::promote(slaves[chosen], {slaves[1 - chosen]});
    if (auto* error = std::get_if<Error>(&promoted)) return std::move(*error);
    master_ = 1 + chosen;
    other_ = 2 - chosen;
    view_.say(fmt::format("node 2 holds {} bytes of whole records, node 3 {}: node {} is promoted",
                          cli::grouped(held.whole_ends[0]), cli::grouped(held.whole_ends[1]),
                          master_ + 1));
    auto client = cli::BrokerClient::open(nodes_[other_]->url());
    if (auto* error = std::get_if<Error>(&client)) return std::move(*error);
    auto followed = std::get<cli::BrokerClient>(client).follow(nodes_[master_]->ha());
    if (auto* error = std::get_if<Error>(&followed)) return std::move(*error);
    view_.say(fmt::format("node {} follows it", other_ + 1));
    view_.set_master(nodes_[master_]->url());
    return await_replicas(master_, 1);
  }

  // Sends what is open until all is settled; the old master comes back half-way.
  std::optional<Error> feed_the_rest() {
    std::optional<Error> returned;
    bool back = false;
    const auto bring_back = [&] {
      back = true;
      view_.say("node 1 comes back as a slave, with an empty store");
      returned = start_node(0, "store1-again", nodes_[master_]->ha());
    };
    std::string last_trouble;
    for (int run = 0; run < kMaxRuns && !feeder_.done(); ++run) {
      auto survivors = feeder_.find_survivors(nodes_[master_]->url());
      if (auto* error = std::get_if<Error>(&survivors)) return std::move(*error);
      view_.say(
          fmt::format("{} lines without an acknowledgement are on the new master all the same; the "
                      "others go out "
                      "(again)",
                      cli::grouped(std::get<std::int64_t>(survivors))));
      const auto mark = back ? INT64_MAX : input_.lines() * 3 / 4;
      const auto fed = feeder_.feed(nodes_[master_]->url(), mark, bring_back);
      if (returned) return returned;
      if (const auto* error = std::get_if<Error>(&fed)) {
        if (error->status == HA_SHUTDOWN) return *error;
        last_trouble = error->text;
        view_.say("the producer was interrupted: " + last_trouble);
      }
    }
    if (!feeder_.done()) {
      return Error{HA_IO, 0, "lines stay without an acknowledgement: " + last_trouble};
    }
    if (!back) bring_back();
    return returned;
  }

  std::optional<Error> wait_until_all_hold_everything() {
    view_.say("waiting until both slaves hold everything");
    std::int64_t end = 0;
    if (auto error =
            await(master_, "that both slaves hold everything", [&](const cli::NodeStatus& status) {
              std::size_t full = 0;
              end = status.end;
              for (const auto& one : status.replicas) {
                full += one.ack_offset == status.end ? 1 : 0;
              }
              return full >= 2;
            })) {
      return error;
    }
    for (const auto slave : {other_, returned_}) {
      if (auto error =
              await(slave, "that a slave shows what it holds",
                    [&](const cli::NodeStatus& status) { return status.whole_end == end; })) {
        return error;
      }
    }
    return std::nullopt;
  }

  const DemoOptions& options_;
  const Interrupt& interrupt_;
  const Input& input_;
  TempDir dir_;  // outlives the nodes
  std::array<std::unique_ptr<Node>, 3> nodes_;
  Feeder feeder_{input_, interrupt_};
  View view_{feeder_, options_.json};
  std::size_t master_ = 0;
  std::size_t other_ = 0;
  const std::size_t returned_ = 0;  // the old master
  std::int64_t killed_at_ = 0;
};

}  // namespace

Result<DemoReport> run_demo(const DemoOptions& options, const Interrupt& interrupt) {
  auto input = Input::read(options.file, options.min_lines);
  if (auto* error = std::get_if<Error>(&input)) return std::move(*error);
  auto dir = TempDir::make(options.keep);
  if (auto* error = std::get_if<Error>(&dir)) return std::move(*error);
  Demo demo(options, interrupt, std::get<Input>(input), std::get<TempDir>(std::move(dir)));
  return demo.run();
}

}  // namespace stub::demo
