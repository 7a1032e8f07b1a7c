// SPDX-License-Identifier: Apache-2.0
#include "broker/metadata.h"

#include <spdlog/spdlog.h>

#include <boost/json.hpp>

#include "broker/queue_offsets.h"
#include "ha/ext/metadata.h"

namespace stub {
namespace {

namespace json = boost::json;

constexpr const char* kMaster = "master";
constexpr const char* kQueues = "queueOffsets";

std::string member_text(const char* name, std::string_view value) {
  std::string out = "\"";
  return out.append(name).append("\":").append(value);
}

}  // namespace

void Metadata::on_joined() { joined_.fetch_add(1); }

std::uint64_t Metadata::version() {
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::seconds pause(1 + told_bytes_ / kEndBytesPerSecond);
  if (const std::int64_t end = log_.bounds().end; end != told_end_ && now - end_told_ >= pause) {
    told_end_ = end;
    end_told_ = now;
    ++end_changes_;
  }
  return groups_.version() + joined_ + board_.version() + end_changes_;
}

// Before the closing brace of an object that has a member; left out where it does not fit.
void Metadata::add(std::string& out, std::string_view member) const {
  if (out.size() + member.size() + 1 > HA_METADATA_MAX_BYTES) return;
  out.pop_back();
  out.append(",").append(member).append("}");
}

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
  const MasterNews news = board_.to_tell(log_.bounds().end, followed_());
  add(out, member_text(kMaster, json::serialize(encode_master_news(news))));
  if (!queues_.empty()) add(out, member_text(kQueues, queues_));
  told_bytes_ = out.size();
  return out;
}

std::optional<Error> Metadata::write(std::string_view state) {
  json::error_code failed;
  const auto parsed = json::parse({state.data(), state.size()}, failed);
  const auto* object = failed ? nullptr : parsed.if_object();
  const auto* queues = object != nullptr ? object->if_contains(kQueues) : nullptr;
  const auto* master = object != nullptr ? object->if_contains(kMaster) : nullptr;
  // A master that names no address has taken back what it named before.
  if (object != nullptr)
    board_.learn(master != nullptr ? parse_master_news(*master) : MasterNews{}, followed_());
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
