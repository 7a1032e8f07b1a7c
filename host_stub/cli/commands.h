// SPDX-License-Identifier: Apache-2.0
// The commands of `ha_stub`, one function each; the exit code is what they return. They print
// results on standard output and everything else on standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/serve_settings.h"

namespace stub::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // it was tried and did not work, or not all of it
inline constexpr int kExitUsage = 2;   // the command line or the configuration is wrong

struct ProduceOptions {
  std::string broker;
  std::string topic;
  std::string acks = "default";
  bool durable = false;
  std::int64_t timeout_ms = 3000;
  std::int64_t window = 1024;  // messages in flight
  std::string file = "-";
};

struct ConsumeOptions {
  std::string broker;
  std::string topic;
  std::optional<int> queue;
  std::optional<std::int64_t> from;
  std::optional<std::int64_t> max;
  bool follow = false;
  bool json = false;
};

struct StatusOptions {
  std::string broker;
  bool json = false;
  bool watch = false;
};

int run_serve(const ServeSettings& settings);
int run_produce(const ProduceOptions& options);
int run_consume(const ConsumeOptions& options);
int run_status(const StatusOptions& options);
int run_promote(const std::string& broker, const std::vector<std::string>& peers, bool force);
int run_demote(const std::string& broker);
int run_follow(const std::string& broker, const std::string& master);
// One after the other, until one is refused.
int run_set(const std::string& broker, const PluginOptions& options);
int run_verify(const std::string& store_dir);

// "ha_stub: TEXT" on standard error; returns kExitFailed.
int complain(const std::string& text);

}  // namespace stub::cli
