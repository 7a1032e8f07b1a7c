// SPDX-License-Identifier: Apache-2.0
#include "tests/system/node.h"

#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

namespace ha::system {
namespace {

constexpr std::size_t kLogTail = 3000;  // enough for the last thirty lines

std::string text_or(const json::value& document, const char* member) {
  const json::value* found = document.as_object().if_contains(member);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

}  // namespace

std::string program(const std::string& name) {
  const char* folder = std::getenv("HA_BIN_DIR");
  return std::string(folder != nullptr ? folder : HA_BINARY_DIR) + "/" + name;
}

Node::Node(std::filesystem::path folder, NodeOptions options)
    : folder_(std::move(folder)),
      options_(std::move(options)),
      http_(options_.ip + ":0"),
      ha_(options_.ip + ":0"),
      metrics_(options_.ip + ":0") {
  if (options_.store.empty()) options_.store = folder_ / options_.name;
  start();
}

Node::~Node() = default;

std::vector<std::string> Node::arguments() const {
  std::vector<std::string> all = {program("ha_stub"), "serve",
                                  "--role",           options_.role,
                                  "--store",          options_.store.string(),
                                  "--http",           http_,
                                  "--ha-listen",      ha_,
                                  "--segment-size",   std::to_string(options_.segment_size)};
  if (!options_.master.empty()) all.insert(all.end(), {"--master", options_.master});
  if (options_.metrics) all.insert(all.end(), {"--metrics", metrics_});
  for (const std::string& option : options_.options) all.insert(all.end(), {"--option", option});
  all.insert(all.end(), options_.more.begin(), options_.more.end());
  return all;
}

void Node::start() {
  ProcessOptions how;
  how.error_file = folder_ / (options_.name + ".log");
  how.network = options_.network;
  process_ = std::make_unique<Process>(arguments(), how);
  const auto line = process_->read_line();
  if (!line) {
    throw Failure(options_.name + " ended with " + std::to_string(process_->wait()) +
                  " before it was ready; its log ends:\n" + log_text());
  }
  ready_ = parse_json(*line);
  http_ = text_at(ready_, "http");
  ha_ = text_at(ready_, "ha");
  if (options_.metrics) metrics_ = text_or(ready_, "metrics");
}

void Node::start_as(const std::string& role, const std::string& master) {
  options_.role = role;
  options_.master = master;
  start();
}

void Node::kill() {
  process_->kill(SIGKILL);
  process_->wait();
}

void Node::suspend() const { process_->suspend(); }
void Node::resume() const { process_->kill(SIGCONT); }

int Node::terminate() {
  process_->kill(SIGTERM);
  return process_->wait();
}

Http Node::metrics_http() const { return Http(parse_address(metrics_), options_.network); }

std::string Node::log_text() const {
  std::ifstream file(folder_ / (options_.name + ".log"));
  std::string text(std::istreambuf_iterator<char>(file), {});
  return text.size() <= kLogTail ? text : "..." + text.substr(text.size() - kLogTail);
}

json::value Node::status() const {
  const HttpResponse response = http().get("/v1/status");
  if (response.status != 200) throw Failure(options_.name + " status: " + response.body);
  return response.document();
}

void Node::wait_for(const std::string& what,
                    const std::function<bool(const json::value&)>& holds) const {
  json::value last;
  wait_until(
      options_.name + " " + what,
      [&] {
        last = status();
        return holds(last);
      },
      [&] { return json::serialize(last); });
}

std::int64_t Node::connected_replicas() const {
  const json::value now = status();
  std::int64_t count = 0;
  for (const json::value& replica : at(now, "ha/replicas").as_array()) {
    if (flag_at(replica, "connected")) ++count;
  }
  return count;
}

void Node::wait_for_replicas(std::int64_t count) const {
  wait_until(
      options_.name + " has " + std::to_string(count) + " replicas",
      [&] { return connected_replicas() == count; }, [&] { return json::serialize(status()); });
}

void Node::wait_for_end_of(const Node& other) const {
  const std::int64_t end = other.log_end();
  wait_for("holds the log up to " + std::to_string(end),
           [&](const json::value& now) { return number_at(now, "ha/bounds/end") >= end; });
}

HttpResponse Node::produce(const std::string& topic, const std::string& body,
                           const std::string& acks, const std::string& query) const {
  return http().post("/v1/topics/" + topic + "/messages?acks=" + acks + query, body, "text/plain");
}

const json::object* find_replica(const json::value& status,
                                 const std::function<bool(const json::value&)>& wanted) {
  for (const json::value& replica : at(status, "ha/replicas").as_array()) {
    if (wanted(replica)) return &replica.as_object();
  }
  return nullptr;
}

double metric(const std::string& text, const std::string& series) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::strtod(line.c_str() + series.size(), nullptr);
  }
  return 0;
}

}  // namespace ha::system
