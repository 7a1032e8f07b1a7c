// SPDX-License-Identifier: Apache-2.0
// One ha_stub serve process and its store: started, asked, signalled, started again where it was.
//
// Threads: one at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/system/http.h"
#include "tests/system/json.h"
#include "tests/system/process.h"

namespace ha::system {

struct NodeOptions {
  std::string name;  // of its store's folder and its log file
  std::string role = "master";
  std::string master = {};                            // HA address of the one to follow
  std::int64_t segment_size = std::int64_t{1} << 20;  // small, so that several roll in a test
  std::vector<std::string> options = {};              // KEY=VALUE, the plugin's
  bool metrics = false;
  std::string ip = "127.0.0.1";
  int network = -1;                    // descriptor of a network namespace
  std::filesystem::path store = {};    // "" = a folder named after the node
  std::vector<std::string> more = {};  // further arguments
};

class Node {
 public:
  // Starts it, and throws Failure with the end of its log when it does not get ready.
  Node(std::filesystem::path folder, NodeOptions options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Starts it again with the same store and ports, after it has ended.
  void start();
  // Starts it again as something else.
  void start_as(const std::string& role, const std::string& master);
  void kill();           // SIGKILL, and waits for the end
  void suspend() const;  // SIGSTOP
  void resume() const;   // SIGCONT
  int terminate();       // SIGTERM; the exit code
  Process& process() { return *process_; }

  const std::string& name() const { return options_.name; }
  const std::filesystem::path& store() const { return options_.store; }
  std::int64_t segment_size() const { return options_.segment_size; }
  const json::value& ready() const { return ready_; }  // what it printed
  const std::string& ha() const { return ha_; }
  int network() const { return options_.network; }
  std::string url() const { return "http://" + http_; }
  Http http() const { return Http(parse_address(http_), options_.network); }
  Http metrics_http() const;
  std::string log_text() const;

  json::value status() const;
  std::string metrics() const { return http().get("/metrics").body; }
  // Waits until the status is as wanted.
  void wait_for(const std::string& what,
                const std::function<bool(const json::value&)>& holds) const;
  std::int64_t log_min() const { return number_at(status(), "ha/bounds/min"); }
  std::int64_t log_end() const { return number_at(status(), "ha/bounds/end"); }
  std::int64_t connected_replicas() const;
  void wait_for_replicas(std::int64_t count) const;
  // Waits until it holds as much as the other does at this moment.
  void wait_for_end_of(const Node& other) const;

  // One message over HTTP. query: what follows "?acks=N", "&timeout_ms=500".
  HttpResponse produce(const std::string& topic, const std::string& body, const std::string& acks,
                       const std::string& query = "") const;

 private:
  std::vector<std::string> arguments() const;

  std::filesystem::path folder_;
  NodeOptions options_;
  std::unique_ptr<Process> process_;
  json::value ready_;
  std::string http_;
  std::string ha_;
  std::string metrics_;
};

// The status's entry of a replica that satisfies the condition, or NULL.
const json::object* find_replica(const json::value& status,
                                 const std::function<bool(const json::value&)>& wanted);

// The value of one series, as it is written: `ha_waits_pending`, `x_total{reason="y"}`. 0 when
// absent.
double metric(const std::string& text, const std::string& series);

// Path of a program of the build, "ha_stub".
std::string program(const std::string& name);

}  // namespace ha::system
