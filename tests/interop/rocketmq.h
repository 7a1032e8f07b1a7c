// SPDX-License-Identifier: Apache-2.0
// Real RocketMQ as child processes: name server, broker, and a driver of its clients. build.sh
// fetches the artifacts and leaves a class path for each version.
//
// Threads: one at a time. Processes end with the objects. Failures are thrown (tests/system).
#pragma once

#include <signal.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/json.h"
#include "tests/system/process.h"

namespace ha::interop {

namespace json = boost::json;
using Properties = std::vector<std::pair<std::string, std::string>>;

// Java on a busy machine: a broker's start takes 3 s of a quiet core.
inline constexpr std::chrono::seconds kJavaDeadline{180};

// The exit code of a JVM that SIGTERM ended.
inline constexpr int kTerminated = 128 + SIGTERM;

// "4.9.7". Where its class path lies; "" when build.sh did not get it.
std::filesystem::path built(const std::string& version);
inline bool is_v5(const std::string& version) { return version.starts_with("5."); }

// What hosts/rocketmq/build.sh leaves, the libraries beside it; "" when it could not.
std::filesystem::path plugin_jar();

// `count` ports in a row that nobody listens on; the first.
int free_ports(int count);

// One JVM: `class arguments...` with the class path of a version, its files under `folder`.
class Java {
 public:
  Java(const std::string& version, std::filesystem::path folder, std::string name);
  // Comes first on its class path from the next start on.
  void prepend(const std::filesystem::path& jar) { first_ = jar.string() + ":"; }
  // For the JVM itself, from the next start on.
  void set_jvm_options(std::vector<std::string> options) { jvm_options_ = std::move(options); }
  // `NAME=VALUE`, from the next start on.
  void set_environment(std::vector<std::string> variables) { environment_ = std::move(variables); }
  // Starts it and waits for the line of standard output that contains `ready`.
  void start(const std::vector<std::string>& arguments, const std::string& ready);
  // SIGTERM, as an operator's shutdown script; the exit code, which is kTerminated when all is
  // well.
  int stop();
  void kill();  // SIGKILL
  system::Process& process() { return *process_; }
  bool runs() const { return process_ != nullptr; }
  const std::filesystem::path& folder() const { return folder_; }
  // The end of what it printed and logged.
  std::string log_text() const;
  // Does any of its log files contain that?
  bool has_logged(const std::string& text) const;
  // All that it wrote to standard output and standard error until it was stopped.
  std::string said() const;

 private:
  std::string version_;
  std::filesystem::path folder_;
  std::string name_;
  std::string first_;
  std::vector<std::string> jvm_options_;
  std::vector<std::string> environment_;
  std::string printed_;
  std::unique_ptr<system::Process> process_;
};

class NameServer {
 public:
  // more: further properties, such as those of an embedded controller.
  NameServer(const std::string& version, const std::filesystem::path& folder, Properties more = {});
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  Java& java() { return java_; }

 private:
  int port_;
  Java java_;
};

struct BrokerOptions {
  std::string name = "b0";  // of the broker and of its folder
  std::string broker_name = "b";
  int id = 0;  // 0 = master
  std::string role = "ASYNC_MASTER";
  std::filesystem::path store = {};  // "" = a folder of its own
  bool plugin = false;               // hosts/rocketmq is its HA service
  Properties more = {};
  std::vector<std::string> jvm = {};          // options of the JVM
  std::vector<std::string> environment = {};  // of its process, beside the test's
};

// Small files, short timers: haSendHeartbeatInterval 500 ms, haHousekeepingInterval 3 s, segments
// of kSegmentBytes. `more` overrides any of it.
inline constexpr std::int64_t kSegmentBytes = std::int64_t{16} << 20;

class Broker {
 public:
  Broker(const std::string& version, const std::filesystem::path& folder,
         const std::string& name_server, BrokerOptions options);
  void start();
  // What start gives to BrokerStartup.
  std::filesystem::path write_configuration() const;
  int stop() { return java_.stop(); }
  void kill() { java_.kill(); }
  void suspend() { java_.process().suspend(); }
  void resume() { java_.process().kill(SIGCONT); }
  BrokerOptions& options() { return options_; }  // for the next start

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string ha() const { return "127.0.0.1:" + std::to_string(port_ + 1); }
  int ha_port() const { return port_ + 1; }
  const std::filesystem::path& store() const { return options_.store; }
  // Slaves' connections that the broker has open, as the kernel sees them.
  int ha_connections() const;
  const std::string& name() const { return options_.name; }
  Java& java() { return java_; }

 private:
  std::string version_;
  std::string name_server_;
  BrokerOptions options_;
  int port_;
  Java java_;
};

// One message as producer and consumer saw it; see Driver.java.
using Manifest = std::vector<std::string>;
Manifest read_manifest(const std::filesystem::path& file);

class Driver {
 public:
  Driver(const std::string& version, const std::filesystem::path& folder);

  // How often producers ask the name server where a topic is. Set before the first produce.
  int route_poll_ms = 30000;

  // Counts of outcomes: "SEND_OK", "FLUSH_SLAVE_TIMEOUT", "MQBrokerException/1/...".
  using Outcomes = std::map<std::string, int>;
  struct Produce {
    std::string topic = "T";
    std::string prefix = "m";
    int from = 0;
    int count = 1;
    int max = 1 << 20;  // bytes of the longest body; most are short
    int threads = 4;
    int timeout_ms = 20000;
    int delay_level = 0;  // RocketMQ's: 1 = 1 s, 2 = 5 s, 3 = 10 s
    bool half = false;    // in a transaction that ends only when the broker asks
    // Not for produced(): here are those that ended with SEND_OK, and nothing else.
    std::filesystem::path acknowledged = {};
  };
  Outcomes produce(const std::string& name_server, const Produce& what);
  // What produce stored so far, in order of topic lines; failures are not in it, nor what was
  // delayed or half.
  Manifest produced() const { return read_manifest(produced_file_); }

  // Reads with a new consumer group until `count` different messages came or the time is over.
  Manifest consume(const std::string& name_server, const std::string& topic, std::size_t count,
                   int seconds = 120);
  // The keys of `count` messages, and of what else comes with them. A message may come twice.
  // popping_at: the group pops at that broker (5.x), which hands out the queues.
  std::set<std::string> consume_keys(const std::string& name_server, const std::string& topic,
                                     std::size_t count, const Broker* popping_at = nullptr);

  // A raw request of RocketMQ's remoting protocol.
  struct Answer {
    int code = -1;
    std::string fields;
    std::string remark;
    std::string body;
    json::value document() const;  // of the body; throws when the answer is a refusal
  };
  Answer call(const std::string& address, int code, const Properties& fields = {},
              const std::string& body = "");
  // The same, repeated over a connection of its own until release (a registration is held so).
  Answer hold(const std::string& address, int code, const Properties& fields,
              const std::string& body);
  void release() { ask("release"); }

  // The broker's commit log end.
  std::int64_t max_offset(const Broker& broker);
  std::int64_t min_offset(const Broker& broker);
  // Of that log: bytes that are not in the queues yet.
  std::int64_t undispatched(const Broker& broker);
  // In all queues of a topic together.
  std::size_t messages(const Broker& broker, const std::string& topic, int queues);
  void create_topic(const Broker& broker, const std::string& topic, int queues);
  // The broker's own word on its replicas (GET_BROKER_HA_STATUS, 5.x).
  json::value ha_status(const Broker& broker);

  Java& java() { return java_; }

 private:
  Manifest consume_as(const std::string& group, const std::string& name_server,
                      const std::string& topic, std::size_t count, int seconds,
                      const std::string& more = "");
  std::string ask(const std::string& line);
  json::value runtime_info(const Broker& broker);
  Answer request(const std::string& verb, const std::string& address, int code,
                 const Properties& fields, const std::string& body);

  Java java_;
  std::filesystem::path produced_file_;
  int groups_ = 0;
};

}  // namespace ha::interop
