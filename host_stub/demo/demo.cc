// SPDX-License-Identifier: Apache-2.0
#include "demo/demo.h"

#include <fmt/format.h>

#include <array>

#include "cli/broker_client.h"
#include "cli/progress.h"
#include "cli/promotion.h"
#include "demo/free_port.h"
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
// sent again, at most this many times.
constexpr int kMaxRuns = 10;

// What the master acknowledges while no slave is there.
constexpr const char* kBelowPolicyTopic = "below-policy";
constexpr std::int64_t kBelowPolicyLines = 1000;
// Short, so that the demo is.
constexpr std::array<std::pair<const char*, const char*>, 3> kDegrade = {
    {{"degrade_after_ms", "200"}, {"degraded_hold_ms", "200"}, {"missing_copies", "degrade"}}};

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
    if (auto error = leave_the_master_alone()) return with_logs(std::move(*error));
    if (auto error = go_on_without_slaves()) return with_logs(std::move(*error));
    if (auto error = let_nobody_promote()) return with_logs(std::move(*error));
    view_.say(fmt::format("reading every line back from slave {} ({})", returned_ + 1,
                          nodes_[returned_]->url()));
    auto verdict = judge(nodes_[returned_]->url(), input_, feeder_, interrupt_);
    if (auto* error = std::get_if<Error>(&verdict)) return with_logs(std::move(*error));
    auto below_policy = count_below_policy(nodes_[returned_]->url());
    if (auto* error = std::get_if<Error>(&below_policy)) return with_logs(std::move(*error));
    view_.finish();
    const auto progress = feeder_.progress();
    return DemoReport{
        .verdict = std::get<Verdict>(verdict),
        .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
        .p50_us = progress.p50_us,
        .p99_us = progress.p99_us,
        .killed_at = killed_at_,
        .cut_bytes = cut_bytes_,
        .below_policy = kBelowPolicyLines,
        .below_policy_found = std::get<std::int64_t>(below_policy),
        .taken_over_us = taken_over_us_};
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

  static std::string id(std::size_t i) { return fmt::format("n{}", i + 1); }

  // The set names addresses before there is a node, so the ports are chosen here.
  std::optional<Error> choose_ports() {
    std::vector<std::unique_ptr<FreePort>> held;  // until all are chosen: no port twice
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      auto port = FreePort::take();
      if (auto* error = std::get_if<Error>(&port)) return std::move(*error);
      held.push_back(std::move(std::get<std::unique_ptr<FreePort>>(port)));
      addresses_[i] = fmt::format("127.0.0.1:{}", held.back()->number());
      replicas_ += (i == 0 ? "" : ",") + id(i) + "@" + addresses_[i];
    }
    return std::nullopt;
  }

  std::optional<Error> start_node(std::size_t i, const std::string& role) {
    std::vector<std::pair<std::string, std::string>> flags = {
        {"--role", role},
        {"--store", dir_.path() + "/store" + id(i)},
        {"--http", "127.0.0.1:0"},
        {"--ha-listen", addresses_[i]},
        {"--metrics", "127.0.0.1:0"},
        {"--segment-size", kSegmentSize},
        {"--cluster-id", "demo"},
        {"--replica-id", id(i)},
        {"--replicas", replicas_},
        // A few producers may be quicker than the slaves of a new master.
        {"--option", "missing_copies=block"}};
    if (!coordinator_.empty()) flags.emplace_back("--option", "coordinator=" + coordinator_);
    std::vector<std::string> arguments = {"serve"};
    for (const auto& [flag, value] : flags) arguments.insert(arguments.end(), {flag, value});
    auto node = Node::start(options_.ha_stub, arguments, log_path(i));
    if (auto* error = std::get_if<Error>(&node)) return std::move(*error);
    nodes_[i] = std::get<std::unique_ptr<Node>>(std::move(node));
    view_.say(fmt::format("node {} ({}, pid {}): status {}/v1/status, metrics {}", i + 1, role,
                          nodes_[i]->pid(), nodes_[i]->url(), nodes_[i]->metrics_url()));
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
    if (auto error = choose_ports()) return error;
    if (auto error = start_node(0, "master")) return error;
    for (const std::size_t i : {1u, 2u}) {
      if (auto error = start_node(i, "slave")) return error;
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

  // One of nodes 2 and 3 becomes master: the one that holds more, if they have not the same.
  std::optional<Error> fail_over() {
    const std::array<std::string, 2> slaves = {nodes_[1]->url(), nodes_[2]->url()};
    auto best = cli::fullest({slaves[0], slaves[1]});
    if (auto* error = std::get_if<Error>(&best)) return std::move(*error);
    const auto& held = std::get<cli::Fullest>(best);
    auto promoted = cli::promote(slaves[held.index], {});
    if (auto* error = std::get_if<Error>(&promoted)) return std::move(*error);
    master_ = 1 + held.index;
    other_ = 2 - held.index;
    view_.say(fmt::format("node 2 holds {} bytes of whole records, node 3 {}: node {} is promoted",
                          cli::grouped(held.whole_ends[0]), cli::grouped(held.whole_ends[1]),
                          master_ + 1));
    view_.say(std::get<cli::Promotion>(promoted).text);
    view_.set_master(nodes_[master_]->url());
    if (auto error = await_replicas(master_, 1)) return error;
    // What it took over is shown once a second node holds it too; only then can one ask what is
    // there.
    return await(master_, "that the new master shows what it holds",
                 [](const cli::NodeStatus& now) { return now.confirm == now.whole_end; });
  }

  static std::optional<Error> produce(const std::string& url, const std::string& target,
                                      const std::string& body) {
    auto client = cli::BrokerClient::open(url);
    if (auto* error = std::get_if<Error>(&client)) return std::move(*error);
    http::Client& connection = std::get<cli::BrokerClient>(client).connection();
    auto sent = connection.send(
        {.method = "POST", .target = target, .body = body, .content_type = "text/plain"},
        kStepTimeout);
    if (auto* error = std::get_if<Error>(&sent)) return std::move(*error);
    auto answer = connection.receive(kStepTimeout);
    if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
    const auto& response = std::get<http::ClientResponse>(answer);
    if (response.status == 200) return std::nullopt;
    return Error{HA_IO, 0, url + " did not take a message: " + cli::refusal_text(response)};
  }

  // The master takes a message that no other node gets, and dies. Two copies never existed, so it
  // goes when the old master comes back.
  std::optional<Error> leave_the_master_alone() {
    const std::size_t old = master_;
    view_.say(fmt::format("SIGKILL for both slaves; node {} alone takes a message more", old + 1));
    for (const std::size_t slave : {other_, returned_}) nodes_[slave]->kill();
    if (auto error = produce(nodes_[old]->url(), "/v1/topics/alone/messages?acks=1",
                             "no other node ever has this")) {
      return error;
    }
    view_.say(fmt::format("SIGKILL for node {}; the others come back", old + 1));
    nodes_[old]->kill();
    for (const std::size_t slave : {other_, returned_}) {
      if (auto error = start_node(slave, "slave")) return error;
    }
    auto promoted = cli::promote(nodes_[other_]->url(), {});
    if (auto* error = std::get_if<Error>(&promoted)) return std::move(*error);
    view_.say(std::get<cli::Promotion>(promoted).text);
    view_.say(fmt::format("node {} is master; node {} comes back as the master that it was",
                          other_ + 1, old + 1));
    if (auto error = start_node(old, "master")) return error;
    auto error = await(old, "that the old master is cut", [&](const cli::NodeStatus& status) {
      cut_bytes_ = status.truncated;
      return status.role == "slave" && status.truncated > 0;
    });
    if (error) return error;
    master_ = other_;
    other_ = old;
    view_.set_master(nodes_[master_]->url());
    view_.say(
        fmt::format("it found its successor, cut {} bytes that no other node ever had off its log "
                    "(kept beside its store) and follows",
                    cli::grouped(cut_bytes_)));
    return wait_until_all_hold_everything();
  }

  // Without a slave an acknowledgement is not a guarantee: a journal says what and since when,
  // until enough nodes hold it.
  std::optional<Error> go_on_without_slaves() {
    auto master = cli::BrokerClient::open(nodes_[master_]->url());
    if (auto* error = std::get_if<Error>(&master)) return std::move(*error);
    for (const auto& [key, value] : kDegrade) {
      auto set = std::get<cli::BrokerClient>(master).set_option(key, value);
      if (auto* error = std::get_if<Error>(&set)) return std::move(*error);
    }
    view_.say(fmt::format(
        "node {} may go on without slaves from now on (missing_copies=degrade); SIGKILL for both",
        master_ + 1));
    for (const std::size_t slave : {other_, returned_}) nodes_[slave]->kill();
    std::string lines;
    for (std::int64_t line = 0; line < kBelowPolicyLines; ++line)
      lines += fmt::format("{}\n", line);
    const auto sent = std::chrono::steady_clock::now();
    if (auto error = produce(
            nodes_[master_]->url(),
            fmt::format("/v1/topics/{}/messages?acks={}&timeout_ms={}&lines=1", kBelowPolicyTopic,
                        kAcks, std::chrono::milliseconds(kStepTimeout / 2).count()),
            lines)) {
      return error;
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - sent;
    view_.say(fmt::format("{} lines were acknowledged anyway, after {}",
                          cli::grouped(kBelowPolicyLines),
                          cli::duration_text(static_cast<std::int64_t>(took.count()))));
    if (auto error =
            await_journal("that the journal names what was acknowledged below policy", false)) {
      return error;
    }
    view_.say("both slaves come back");
    for (const std::size_t slave : {other_, returned_}) {
      if (auto error = start_node(slave, "slave")) return error;
    }
    if (auto error =
            await_journal("that enough nodes hold what was acknowledged below policy", true)) {
      return error;
    }
    return wait_until_all_hold_everything();
  }

  // With an etcd a slave takes over by itself.
  std::optional<Error> let_nobody_promote() {
    if (find_program("etcd").empty()) {
      view_.say(
          "there is no program 'etcd' here (Debian: etcd-server), so the act where nobody promotes "
          "is left out");
      return std::nullopt;
    }
    if (auto error = start_etcd()) return error;
    view_.say("the nodes start again, all as slaves, with etcd as their coordinator");
    for (const auto& node : nodes_) node->stop();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (auto error = start_node(i, "slave")) return error;
    }
    std::chrono::steady_clock::duration took{};
    if (auto error = acknowledge_somewhere(took)) return error;
    if (auto error = wait_until_all_hold_everything()) return error;
    const std::size_t old = master_;
    view_.say(fmt::format("node {} became master by itself; SIGKILL for it", old + 1));
    nodes_[old]->kill();
    if (auto error = acknowledge_somewhere(took)) return error;
    taken_over_us_ = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    view_.say(fmt::format("{} later node {} acknowledges a message; nobody promoted it",
                          cli::duration_text(taken_over_us_), master_ + 1));
    if (auto error = start_node(old, "slave")) return error;
    return wait_until_all_hold_everything();
  }

  std::optional<Error> start_etcd() {
    std::array<std::string, 2> urls;
    {
      std::array<std::unique_ptr<FreePort>, 2> held;
      for (std::size_t i = 0; i < held.size(); ++i) {
        auto port = FreePort::take();
        if (auto* error = std::get_if<Error>(&port)) return std::move(*error);
        held[i] = std::move(std::get<std::unique_ptr<FreePort>>(port));
        urls[i] = fmt::format("http://127.0.0.1:{}", held[i]->number());
      }
    }
    const auto& [clients, peers] = urls;
    auto started = Node::launch(
        find_program("etcd"),
        {"--data-dir", dir_.path() + "/etcd", "--listen-client-urls", clients,
         "--advertise-client-urls", clients, "--listen-peer-urls", peers,
         "--initial-advertise-peer-urls", peers, "--initial-cluster", "default=" + peers},
        dir_.path() + "/etcd.log");
    if (auto* error = std::get_if<Error>(&started)) return std::move(*error);
    etcd_ = std::get<std::unique_ptr<Node>>(std::move(started));
    coordinator_ = "etcd:" + clients;
    return std::nullopt;
  }

  // Until one of the nodes, which becomes master_, has taken a message. took: how long that was.
  std::optional<Error> acknowledge_somewhere(std::chrono::steady_clock::duration& took) {
    const auto began = std::chrono::steady_clock::now();
    const std::string target = fmt::format("/v1/topics/taken-over/messages?acks={}", kAcks);
    std::optional<Error> last;
    while (std::chrono::steady_clock::now() - began < kStepTimeout) {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        last = produce(nodes_[i]->url(), target, "to the master");
        if (last) continue;
        took = std::chrono::steady_clock::now() - began;
        master_ = i;
        view_.set_master(nodes_[i]->url());
        return std::nullopt;
      }
      if (interrupt_.wait_for(kLook)) return Error{HA_SHUTDOWN, 0, "interrupted"};
    }
    return Error{HA_TIMEOUT, 0,
                 fmt::format("no node became master within {} s; the last one said: {}",
                             kStepTimeout.count(), last->text)};
  }

  // Until the master's journal has a range, and it is healed or is not; says it.
  std::optional<Error> await_journal(const std::string& what, bool healed) {
    cli::DegradedRange last;
    auto error = await(master_, what, [&](const cli::NodeStatus& status) {
      if (status.degraded.empty()) return false;
      last = status.degraded.back();
      return (last.healed_ms != 0) == healed;
    });
    if (!error) view_.say("acknowledged with too few copies: " + cli::to_text(last));
    return error;
  }

  // How many of these lines, in their order, a node holds.
  static Result<std::int64_t> count_below_policy(const std::string& url) {
    auto client = cli::BrokerClient::open(url);
    if (auto* error = std::get_if<Error>(&client)) return std::move(*error);
    ConsumeQuery query;
    query.topic = kBelowPolicyTopic;
    query.max = kBelowPolicyLines + 1;
    auto page = std::get<cli::BrokerClient>(client).consume(query);
    if (auto* error = std::get_if<Error>(&page)) return std::move(*error);
    std::int64_t found = 0;
    for (const auto& message : std::get<ConsumeResult>(page).messages) {
      found += message.body == std::to_string(found) ? 1 : 0;
    }
    return found;
  }

  // Sends what is open until all is settled; the old master comes back half-way.
  std::optional<Error> feed_the_rest() {
    std::optional<Error> returned;
    bool back = false;
    const auto bring_back = [&] {
      back = true;
      view_.say("node 1 comes back as the master that it was, and finds its successor");
      returned = start_node(0, "master");
    };
    std::string last_trouble;
    for (int run = 0; run < kMaxRuns && !feeder_.done(); ++run) {
      auto survivors = feeder_.find_survivors(nodes_[master_]->url());
      if (auto* error = std::get_if<Error>(&survivors)) return std::move(*error);
      view_.say(fmt::format(
          "{} lines without an acknowledgement are on the new master anyway; the others go "
          "out (again)",
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
    for (std::size_t slave = 0; slave < nodes_.size(); ++slave) {
      if (slave == master_) continue;
      if (auto error =
              await(slave, "that a slave shows what it holds",
                    [&](const cli::NodeStatus& status) { return status.confirm == end; })) {
        return error;
      }
    }
    return std::nullopt;
  }

  const DemoOptions& options_;
  const Interrupt& interrupt_;
  const Input& input_;
  TempDir dir_;  // outlives the nodes
  std::unique_ptr<Node> etcd_;
  std::string coordinator_;  // the option; empty = without
  std::array<std::unique_ptr<Node>, 3> nodes_;
  std::array<std::string, 3> addresses_;
  std::string replicas_;
  Feeder feeder_{input_, interrupt_};
  View view_{feeder_, options_.json};
  std::size_t master_ = 0;
  std::size_t other_ = 0;
  const std::size_t returned_ = 0;  // the old master
  std::int64_t killed_at_ = 0;
  std::int64_t cut_bytes_ = 0;
  std::int64_t taken_over_us_ = -1;
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
