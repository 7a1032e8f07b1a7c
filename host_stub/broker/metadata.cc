// SPDX-License-Identifier: Apache-2.0
#include "broker/metadata.h"

#include <spdlog/spdlog.h>

#include <boost/json.hpp>

#include "broker/queue_offsets.h"
#include "ha/ext/metadata.h"

namespace stub {
namespace {

namespace json = boost::json;

constexpr std::string_view kMember = "\"queueOffsets\":";

}  // namespace

void Metadata::on_joined() { joined_.fetch_add(1); }

std::string Metadata::read() {
  const auto now = std::chrono::steady_clock::now();
  if (const std::uint64_t joined = joined_; joined != told_) {
    told_ = joined;
    tell_until_ = now + kTellQueuesFor;
    // A slave's log begins at the last segment or below.
    const std::int64_t end = log_.bounds().end;
    queues_ = encode_queue_counters(index_.counters_from(end - end % log_.segment_bytes()));
  } else if (now >= tell_until_) {
    queues_.clear();
  }
  std::string out = groups_.text();
  if (queues_.empty() || out.size() + kMember.size() + queues_.size() + 1 > HA_METADATA_MAX_BYTES)
    return out;
  out.pop_back();  // the closing brace; the table of groups stands before it
  out += ",";
  out += kMember;
  out += queues_;
  out += "}";
  return out;
}

std::optional<Error> Metadata::write(std::string_view state) {
  json::error_code failed;
  const auto parsed = json::parse({state.data(), state.size()}, failed);
  const auto* object = failed ? nullptr : parsed.if_object();
  const auto* queues = object != nullptr ? object->if_contains("queueOffsets") : nullptr;
  if (queues != nullptr) {
    store::QueueCounters counters;
    const std::string wrong = parse_queue_counters(json::serialize(*queues), counters);
    if (wrong.empty())
      index_.learn(counters);
    else
      spdlog::warn("the other node's table of queue offsets {}; it is not taken", wrong);
  }
  return groups_.replace(state);
}

}  // namespace stub
