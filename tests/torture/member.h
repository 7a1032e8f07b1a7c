// SPDX-License-Identifier: Apache-2.0
// One node of the set: its process, its keys, what it says of itself.
//
// Threads: the run's first thread; endpoint() and what it names are for any.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tests/system/json.h"
#include "tests/torture/client.h"
#include "tests/torture/daemon.h"

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
  std::string coordinator;  // the option; "" = without
  // As in option replicas.
  std::string replica() const { return id + "@" + host + ":" + std::to_string(ha_port); }
  std::string ha() const { return ip + ":" + std::to_string(ha_port); }
};

class Member : public Daemon {
 public:
  Member(MemberPlan plan, std::string replicas);

  void start(const std::string& role);
  // The key file, which is read at the start and now and then.
  void write_keys(const std::string& lines) const;

  std::string replica() const { return plan_.replica(); }
  const std::filesystem::path& store() const { return plan_.store; }
  Endpoint endpoint() const { return {{plan_.ip, plan_.http_port}, plan_.network, kToken}; }
  // Nothing when it does not say in time.
  std::optional<json::value> status(Milliseconds deadline = Milliseconds(1000)) const;

 private:
  // In a network of its own a node has no loopback clients, so promotions need a token.
  static constexpr const char* kToken = "promotions-of-the-torture";

  std::filesystem::path token_file() const { return plan_.folder / (plan_.id + ".token"); }
  std::filesystem::path key_file() const { return plan_.folder / (plan_.id + ".key"); }

  const MemberPlan plan_;
  const std::string replicas_;
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
