// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/member.h"

#include <fstream>

#include "tests/system/node.h"

namespace ha::torture {
namespace {

// Readers see all of it, or what was there before.
void write_secret(const std::filesystem::path& path, const std::string& text) {
  using std::filesystem::perms;
  const std::filesystem::path next = path.string() + ".next";
  std::ofstream(next) << text;
  std::filesystem::permissions(next, perms::owner_read | perms::owner_write);
  std::filesystem::rename(next, path);
}

}  // namespace

Member::Member(MemberPlan plan, std::string replicas)
    : Daemon(plan.id, plan.folder, plan.network),
      plan_(std::move(plan)),
      replicas_(std::move(replicas)) {
  write_secret(token_file(), std::string(kToken) + "\n");
}

void Member::write_keys(const std::string& lines) const { write_secret(key_file(), lines); }

void Member::start(const std::string& role) {
  const std::string http = plan_.ip + ":" + std::to_string(plan_.http_port);
  std::vector<std::string> arguments = {system::program("ha_stub"),
                                        "serve",
                                        "--role",
                                        role,
                                        "--store",
                                        plan_.store.string(),
                                        "--http",
                                        http,
                                        "--control-token-file",
                                        token_file().string(),
                                        "--ha-listen",
                                        plan_.ha(),
                                        "--segment-size",
                                        std::to_string(kSegmentSize),
                                        "--retention-bytes",
                                        std::to_string(kRetentionBytes),
                                        "--replica-id",
                                        plan_.id,
                                        "--replicas",
                                        replicas_,
                                        "--cluster-id",
                                        "torture"};
  for (const char* option : {"native_heartbeat_ms=100", "native_housekeeping_ms=1000",
                             "wire_probe_ms=500", "connect_timeout_ms=500", "reconnect_max_ms=500",
                             "prepare_timeout_ms=1000", "tls=require"}) {
    arguments.insert(arguments.end(), {"--option", option});
  }
  arguments.insert(arguments.end(), {"--option", "tls_psk_file=" + key_file().string()});
  if (!plan_.coordinator.empty()) {
    arguments.insert(arguments.end(), {"--option", "coordinator=" + plan_.coordinator, "--option",
                                       "coordinator_ttl_ms=2000"});
  }
  run(arguments, " as " + role);
}

std::optional<json::value> Member::status(Milliseconds deadline) const {
  if (!running() || stopped()) return std::nullopt;
  try {
    const Answer answer = Client(endpoint()).get("/v1/status", deadline);
    if (answer.status != 200) return std::nullopt;
    return system::parse_json(answer.body);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

Promotion promote(const Endpoint& node) {
  // Two rounds of questions, and a role change that may wait for the disk.
  constexpr Milliseconds kDeadline{15'000};
  try {
    const Answer answer = Client(node).post("/v1/promote", "", kDeadline);
    if (answer.status == 200) return {true, ""};
    return {false, system::text_at(system::parse_json(answer.body), "error/message")};
  } catch (const Failure& failure) {
    return {false, failure.what()};
  }
}

std::string set_option(const Endpoint& node, const std::string& key, const std::string& value) {
  constexpr Milliseconds kDeadline{15'000};
  try {
    const Answer answer =
        Client(node).put("/v1/options/" + key, "{\"value\":\"" + value + "\"}", kDeadline);
    return answer.status == 200 ? "" : answer.body;
  } catch (const Failure& failure) {
    return failure.what();
  }
}

std::string demote(const Endpoint& node) {
  constexpr Milliseconds kDeadline{15'000};
  try {
    const Answer answer = Client(node).post("/v1/demote", "", kDeadline);
    return answer.status == 200 ? "" : answer.body;
  } catch (const Failure& failure) {
    return failure.what();
  }
}

}  // namespace ha::torture
