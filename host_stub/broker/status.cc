// SPDX-License-Identifier: Apache-2.0
// What the broker says about itself.

#include <algorithm>
#include <boost/json.hpp>

#include "broker/broker_log.h"
#include "broker/local_broker.h"

namespace stub {
namespace {

namespace json = boost::json;

// It turns once a second; a disk may hold up one turn, and a busy machine a few.
constexpr std::int64_t kIoHeldUpMs = 5000;

// "" unless one of this broker's hooks holds the plugin's I/O thread up.
std::string held_up_reason(const ha::Snapshot& now) {
  if (now.values.io_turn_age_ms < kIoHeldUpMs) return "";
  return "replication stands still: the plugin's I/O thread has not turned for " +
         std::to_string(now.values.io_turn_age_ms / 1000) +
         " s (is the disk of --store stuck? a stack trace of thread ha-io shows where)";
}

}  // namespace

ha::Snapshot LocalBroker::snapshot() const {
  if (instance_) {
    if (auto taken = instance_->snapshot()) return *std::move(taken);
  }
  return {};
}

std::string LocalBroker::status_json() {
  const store::LogBounds bounds = log_->bounds();
  const std::string master = master_address();
  const GroupOffsets::Size groups = groups_->size();
  json::object topics;
  for (const auto& topic : index_.topics())
    topics[topic.topic] = {{"messages", topic.messages}, {"queues", topic.queues}};
  json::object out{{"role", role_name(role())},
                   {"role_text", role_text()},
                   {"master", nullptr},
                   {"bounds",
                    {{"min", bounds.min},
                     {"end", bounds.end},
                     {"durable", bounds.durable},
                     {"confirm", bounds.confirm},
                     {"segment_size", log_->segment_bytes()}}},
                   {"whole_end", bounds.whole_end},
                   {"bounded", log_->bounded()},
                   {"topics", std::move(topics)},
                   {"scheduled", index_.schedule().pending()},
                   {"groups",
                    {{"pairs", groups.pairs},
                     {"pending", groups.pending},
                     {"max_pairs", kMaxGroupEntries},
                     {"bytes", groups.bytes},
                     {"max_bytes", kMaxGroupBytes}}},
                   {"flush", options_.flush == FlushPolicy::kSync ? "sync" : "async"},
                   {"store", options_.store_dir},
                   {"failed", nullptr},
                   {"ha", nullptr}};
  if (role() == Role::kSlave && !master.empty()) out["master"] = master;
  if (const auto failed = log_->failed())
    out["failed"] = failed->text;
  else if (const auto full = log_->full())
    out["failed"] = "the log takes no appends: " + full->text;
  if (const auto text = instance_->status_json()) {
    json::error_code broken;
    auto parsed = json::parse(*text, broken);
    out["ha"] = broken ? json::value(nullptr) : std::move(parsed);
  }
  return json::serialize(out);
}

std::string LocalBroker::metrics_text() {
  const auto text = instance_->metrics_text();
  return (text ? *text : std::string()) +
         "# HELP ha_stub_log_lines_dropped_total Log lines that nobody read in time.\n"
         "# TYPE ha_stub_log_lines_dropped_total counter\n"
         "ha_stub_log_lines_dropped_total " +
         std::to_string(dropped_log_lines()) + "\n";
}

std::string LocalBroker::not_ready_reason() {
  if (stopping_) return "this node is stopping";
  if (const auto failed = log_->failed()) return failed->text;
  if (auto held_up = held_up_reason(snapshot()); !held_up.empty()) return held_up;
  if (const auto full = log_->full()) return "the log takes no appends: " + full->text;
  if (role() == Role::kNone) return "this node has no role; promote it or let it follow a master";
  if (role() == Role::kMaster) return "";
  return why_not_following();
}

// A slave that has no master yet serves what it holds: a set may have none for as long as it likes.
// One that knows its master and does not get to it falls behind.
std::string LocalBroker::why_not_following() const {
  const ha::Snapshot now = snapshot();
  const auto text = instance_->status_json();
  json::error_code broken;
  const json::value status = text ? json::parse(*text, broken) : json::value();
  const json::value* client =
      status.is_object() ? status.as_object().if_contains("client") : nullptr;
  if (client == nullptr || !client->is_object()) return "";
  const auto& link = client->as_object();
  const auto text_of = [&](const char* key) {
    const json::value* value = link.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : "";
  };
  const json::value* ms = link.if_contains("not_following_ms");
  const json::value* refused = link.if_contains("refused");
  const std::int64_t for_ms = ms != nullptr && ms->is_int64() ? ms->get_int64() : 0;
  const bool knows_one = !master_address().empty() ||
                         (refused != nullptr && refused->is_bool() && refused->get_bool());
  const bool too_long = knows_one && for_ms > options_.not_ready_after_ms;
  if (now.values.client_state != HA_STATE_SUSPEND && !too_long) return "";
  const std::string master = text_of("master_address");
  const std::string words = text_of("last_words");
  return "this slave has not followed " + (master.empty() ? "a master" : master) + " for " +
         std::to_string(for_ms / 1000) + " s: " + (words.empty() ? "no answer yet" : words);
}

Standing LocalBroker::standing() {
  Standing out{.role = role()};
  if (out.role == Role::kMaster) {
    if (stopping_)
      out.refuses = "this node is stopping";
    else if (!writable_)
      out.refuses = "this node is leaving the role of master";
    else if (const auto failed = log_->failed())
      out.refuses = failed->text;
    else if (const auto full = log_->full())
      out.refuses = "the log takes no appends: " + full->text;
  } else if (out.role == Role::kSlave && !stopping_) {
    const ha::Snapshot now = snapshot();
    out.follows = now.values.client_state == HA_STATE_TRANSFER;
    const std::int64_t end = board_.heard_from(now.values.master_address).end;
    if (out.follows && end >= 0)
      out.lag_bytes = std::max<std::int64_t>(0, end - log_->bounds().end);
  }
  return out;
}

std::optional<MasterPlace> LocalBroker::master_place() {
  if (role() != Role::kSlave) return std::nullopt;
  const ha::Snapshot now = snapshot();
  if (now.values.client_state != HA_STATE_TRANSFER) return std::nullopt;
  MasterNews news = board_.heard_from(now.values.master_address);
  if (news.url.empty()) return std::nullopt;
  return MasterPlace{std::move(news.url), std::move(news.id), now.values.master_address};
}

std::string LocalBroker::ha_address() const { return snapshot().values.listen_address; }

std::string LocalBroker::metrics_address() const { return snapshot().values.metrics_address; }

}  // namespace stub
