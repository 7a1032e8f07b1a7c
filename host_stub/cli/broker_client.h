// SPDX-License-Identifier: Apache-2.0
// A broker as the command line and the demo see it: the client API's calls, typed.
//
// Threads: one at a time, as for http::Client.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "http/client.h"
#include "http/secret_files.h"

namespace stub::cli {

struct ReplicaStatus {
  std::string id;
  std::string address;
  std::string state;  // "transfer", ...
  bool in_sync = false;
  std::int64_t ack_offset = -1;
  std::int64_t lag_bytes = 0;
  std::int64_t lag_ms = -1;  // -1 = unknown
  std::int64_t gone_ms = 0;  // since it left
  std::string gone_reason;   // why it left
};

// What was acknowledged with fewer copies than the policy asks for.
struct DegradedRange {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t since_ms = 0;    // Unix time
  std::int64_t healed_ms = 0;   // when it was closed: enough nodes hold it; 0 = they do not
  std::int64_t lost_from = -1;  // or what lies from there on is lost; -1 = nothing is
};

// In words, one line.
std::string to_text(const DegradedRange& range);

// Which nodes count, by that node.
struct SetStatus {
  std::int64_t version = 0;
  std::string text;
  std::vector<std::string> nodes;
  bool changing = false;
  std::string waits_for;  // on the master
};

// What a node with option coordinator says of it.
struct CoordinatorStatus {
  bool configured = false;
  bool answers = false;
  std::string holder;              // of the master's key; "" = nobody
  std::int64_t lease_left_ms = 0;  // 0 = this node does not hold it
  bool paused = false;
  SetStatus set = {};
};

struct NodeStatus {
  std::string role;            // "master", "slave", "none"
  std::string role_text;       // how it came to be
  std::string master;          // what a slave follows; "" = nobody
  std::int64_t epoch = 0;      // the newest that its log has entered; 0 = it keeps none
  std::int64_t promised = 0;   // nothing of an epoch below is taken
  std::int64_t truncated = 0;  // bytes cut off its log since its start
  std::string ha_address;
  std::string client_state;   // a slave's link to its master
  std::string client_reason;  // why that link last ended; "none" = it never did
  std::int64_t min = 0;
  std::int64_t end = 0;
  std::int64_t whole_end = 0;           // end of the last whole record
  std::int64_t confirm = 0;             // readers see the records below
  std::vector<ReplicaStatus> replicas;  // those connected
  std::vector<ReplicaStatus> gone;      // those that were
  std::vector<DegradedRange> degraded;
  std::string blocked;  // why producers wait, one line; "" = they do not
  std::vector<std::string> warnings;
  CoordinatorStatus coordinator;
  std::string json;  // all of it, as the broker sent it
};

// How a broker lets this program in.
struct BrokerAccess {
  std::string token_file = {};  // its first token is sent; "" = none
  http::TlsFiles tls = {};      // for https
};

class BrokerClient {
 public:
  // Reads the files of `access`. Nothing is sent yet.
  static Result<BrokerClient> open(std::string_view url, const BrokerAccess& access = {});
  static Result<BrokerClient> open(http::BrokerUrl broker, const BrokerAccess& access);

  // A broker that does not answer for this long is not there.
  static constexpr std::chrono::milliseconds kTimeout{5000};
  // Taking a role cuts the log and restarts services; the broker does one command after the other.
  static constexpr std::chrono::milliseconds kCommandTimeout{30'000};

  Result<NodeStatus> status(std::chrono::milliseconds timeout = kTimeout);
  // force: in a configured set, whatever its other nodes say.
  Result<std::monostate> promote(bool force = false);
  Result<std::monostate> demote();
  Result<std::monostate> follow(const std::string& master);
  Result<std::monostate> set_option(const std::string& key, const std::string& value);
  // wait_ms: how long the broker may wait for a first message.
  Result<ConsumeResult> consume(const ConsumeQuery& query, std::int64_t wait_ms = 0);

  // Of the Errors of these calls: true when another broker may do it. One that was refused for good
  // (4xx) will be refused there too.
  static bool may_pass(const Error& error);

  std::string url() const;  // "http://HOST:PORT", or https
  http::Client& connection() { return connection_; }

 private:
  explicit BrokerClient(http::Client connection) : connection_(std::move(connection)) {}
  Result<std::monostate> command(const http::ClientRequest& request);
  Result<std::string> call(const http::ClientRequest& request, std::chrono::milliseconds timeout);

  http::Client connection_;
};

// The words of a refusal: "CODE: message" of the answer's error object, or the start of its body.
std::string refusal_text(const http::ClientResponse& response);

}  // namespace stub::cli
