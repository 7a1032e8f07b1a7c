// SPDX-License-Identifier: Apache-2.0
#include "cli/promotion.h"

#include "ha/plugin.h"

namespace stub::cli {
namespace {

Result<std::int64_t> whole_end(const std::string& url, const BrokerAccess& access) {
  auto client = BrokerClient::open(url, access);
  if (auto* error = std::get_if<Error>(&client)) return std::move(*error);
  auto status = std::get<BrokerClient>(client).status();
  if (auto* error = std::get_if<Error>(&status)) return std::move(*error);
  return std::get<NodeStatus>(status).whole_end;
}

}  // namespace

Result<Promotion> promote(const std::string& broker_url, const std::vector<std::string>& peers,
                          bool force, const BrokerAccess& access) {
  auto own = whole_end(broker_url, access);
  if (auto* error = std::get_if<Error>(&own)) return std::move(*error);
  Promotion out{.whole_end = std::get<std::int64_t>(own)};
  for (const auto& peer : peers) {
    // A malformed URL is the operator's slip, not a peer that is down.
    auto url = http::parse_broker_url(peer);
    if (auto* error = std::get_if<Error>(&url)) return std::move(*error);
    const auto other = whole_end(peer, access);
    if (const auto* error = std::get_if<Error>(&other)) {
      out.notes.push_back("peer " + peer + " was not asked: " + error->text);
    } else if (std::get<std::int64_t>(other) > out.whole_end) {
      return Error{HA_CONFLICT, 0,
                   broker_url + " is not promoted: peer " + peer + " holds whole records up to " +
                       std::to_string(std::get<std::int64_t>(other)) + ", this one up to " +
                       std::to_string(out.whole_end) + " (promote " + peer +
                       ", or leave it out of --peers to give up the difference)"};
    }
  }
  auto client = BrokerClient::open(broker_url, access);
  if (auto* error = std::get_if<Error>(&client)) return std::move(*error);
  auto done = std::get<BrokerClient>(client).promote(force);
  if (auto* error = std::get_if<Error>(&done)) return std::move(*error);
  const auto status = std::get<BrokerClient>(client).status();
  if (const auto* now = std::get_if<NodeStatus>(&status)) out.text = now->role_text;
  return out;
}

Result<Fullest> fullest(const std::vector<std::string>& broker_urls) {
  Fullest out;
  std::int64_t most = -1;
  std::string why;
  for (const auto& url : broker_urls) {
    const auto held = whole_end(url, {});
    if (const auto* error = std::get_if<Error>(&held)) {
      why += (why.empty() ? "" : "; ") + error->text;
      out.whole_ends.push_back(-1);
      continue;
    }
    out.whole_ends.push_back(std::get<std::int64_t>(held));
    if (out.whole_ends.back() > most) {
      most = out.whole_ends.back();
      out.index = out.whole_ends.size() - 1;
    }
  }
  if (most < 0) return Error{HA_IO, 0, "no broker answers: " + why};
  return out;
}

}  // namespace stub::cli
