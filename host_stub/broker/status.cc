// What the broker says about itself.

#include <boost/json.hpp>

#include "broker/local_broker.h"

namespace stub {
namespace {

namespace json = boost::json;

const char* role_word(Role role) {
  switch (role) {
    case Role::kMaster:
      return "master";
    case Role::kSlave:
      return "slave";
    case Role::kNone:
      break;
  }
  return "none";
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
  json::object out{{"role", role_word(role())},
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
  if (const auto failed = log_->failed()) out["failed"] = failed->text;
  if (const auto text = instance_->status_json()) {
    json::error_code broken;
    auto parsed = json::parse(*text, broken);
    out["ha"] = broken ? json::value(nullptr) : std::move(parsed);
  }
  return json::serialize(out);
}

std::string LocalBroker::metrics_text() {
  const auto text = instance_->metrics_text();
  return text ? *text : std::string();
}

std::string LocalBroker::not_ready_reason() {
  if (stopping_) return "this node is stopping";
  if (const auto failed = log_->failed()) return failed->text;
  if (role() == Role::kNone) return "this node has no role; promote it or let it follow a master";
  if (role() == Role::kMaster) return "";
  // A slave serves reads while its master is away, so only a link that cannot mend itself counts.
  const ha::Snapshot now = snapshot();
  if (now.values.client_state == HA_STATE_SUSPEND)
    return "this slave stopped following " + master_address() + " (reason " +
           std::to_string(now.values.client_reason) + "); its log does not fit its master's";
  return "";
}

std::string LocalBroker::ha_address() const { return snapshot().values.listen_address; }

std::string LocalBroker::metrics_address() const { return snapshot().values.metrics_address; }

}  // namespace stub
