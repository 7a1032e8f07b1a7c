// SPDX-License-Identifier: Apache-2.0
// Which broker of a list to talk to: the one that answers, and for writes the master among them.
//
// A node that turns a request away names the master when it knows it; the finder goes there, even
// when the list does not have it. Otherwise it takes the next of the list. After a round without
// success it pauses before each try. All of this ends after a timeout.
//
// Who is sent there by a node shows its token and its certificate to brokers of the list only, by
// their scheme, host and port: a node that lies must not collect them. From https it is never sent
// to http.
//
// Threads: one at a time. next sleeps.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/broker_client.h"

namespace stub::cli {

// "URL,URL,...": spaces around a URL do not count, and one that is there twice counts once. An
// empty place is an Error, since a name may be missing there.
Result<std::vector<http::BrokerUrl>> parse_broker_list(std::string_view text);

class NodeFinder {
 public:
  using Clock = std::chrono::steady_clock;

  // Begins at the first of the list. timeout: for how long next goes on; none = 30 s where the list
  // has several brokers, and not at all where it has one; 0 = not at all.
  static Result<NodeFinder> open(std::string_view list, const BrokerAccess& access,
                                 std::optional<std::chrono::milliseconds> timeout);

  BrokerClient& node() { return *node_; }
  bool retries() const { return timeout_.count() > 0; }

  // The node did not do what was asked and said that. location: where it sent us, "" = nowhere.
  // The Error names each broker that was tried, with what it said last.
  Result<std::monostate> next(const std::string& said, std::string_view location = "");
  // It did. The time of the next failure counts from that one on.
  void succeeded();

 private:
  NodeFinder(std::vector<http::BrokerUrl> list, BrokerAccess access,
             std::chrono::milliseconds timeout)
      : list_(std::move(list)), access_(std::move(access)), timeout_(timeout) {}

  void note(const std::string& said);
  Error give_up() const;
  std::chrono::milliseconds pause() const;
  http::BrokerUrl choose(std::string_view location);
  bool in_list(const http::BrokerUrl& url) const;
  std::optional<Error> go_to(const http::BrokerUrl& url);

  std::vector<http::BrokerUrl> list_;
  BrokerAccess access_;
  std::chrono::milliseconds timeout_;
  std::optional<BrokerClient> node_;
  std::size_t at_ = 0;     // of the list, where the next round goes on
  std::size_t tries_ = 0;  // since the last success
  std::optional<Clock::time_point> failing_since_;
  std::vector<std::pair<std::string, std::string>> said_;  // by URL, since the last success
};

}  // namespace stub::cli
