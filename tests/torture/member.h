// SPDX-License-Identifier: Apache-2.0
// One node of the set: its process, started and ended and asked again and again where it was.
//
// Threads: the run's first thread; endpoint() and what it names are for any.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "tests/system/json.h"
#include "tests/system/process.h"
#include "tests/torture/client.h"

namespace ha::torture {

namespace json = system::json;

inline constexpr std::int64_t kSegmentSize = std::int64_t{1} << 20;
// Little enough that old messages go all the time: readers that look back find them gone.
inline constexpr std::int64_t kRetentionBytes = 4 * kSegmentSize;

struct MemberPlan {
  std::string id;
  std::string ip;
  std::string host;  // as the others know it: a name, or the address
  int network = -1;
  int http_port = 0;
  int ha_port = 0;
  std::filesystem::path folder;  // of its log
  std::filesystem::path store;
  std::string ha() const { return ip + ":" + std::to_string(ha_port); }
};

class Member {
 public:
  Member(MemberPlan plan, std::string replicas);

  void start(const std::string& role);
  void kill();      // SIGKILL, and waits for the end
  int terminate();  // SIGTERM; the exit code
  void stop();      // SIGSTOP
  void go_on();     // SIGCONT
  bool running() const { return process_ != nullptr; }
  bool stopped() const { return stopped_; }
  // The exit code of a node that ended though nobody ended it.
  std::optional<int> ended_by_itself();

  // The key file, which is read at the start and now and then.
  void write_keys(const std::string& lines) const;

  const std::string& id() const { return plan_.id; }
  const std::filesystem::path& store() const { return plan_.store; }
  Endpoint endpoint() const { return {{plan_.ip, plan_.http_port}, plan_.network, kToken}; }
  // Nothing when it does not say in time.
  std::optional<json::value> status(Milliseconds deadline = Milliseconds(1000)) const;
  std::string log_text(std::size_t bytes) const;  // the end of its log

 private:
  // In a network of its own a node has no loopback clients, so promotions need a token.
  static constexpr const char* kToken = "promotions-of-the-torture";

  std::filesystem::path token_file() const { return plan_.folder / (plan_.id + ".token"); }
  std::filesystem::path key_file() const { return plan_.folder / (plan_.id + ".key"); }
  std::filesystem::path log_file() const { return plan_.folder / (plan_.id + ".log"); }

  const MemberPlan plan_;
  const std::string replicas_;
  std::unique_ptr<system::Process> process_;
  bool stopped_ = false;
};

struct Promotion {
  bool accepted = false;
  std::string text;  // of a refusal
};
// What an operator does; any thread.
Promotion promote(const Endpoint& node);
std::string set_option(const Endpoint& node, const std::string& key, const std::string& value);
std::string demote(const Endpoint& node);

}  // namespace ha::torture
