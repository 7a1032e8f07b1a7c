// SPDX-License-Identifier: Apache-2.0
#include "broker/names.h"

#include <algorithm>
#include <array>

#include "ha/plugin.h"
#include "store/quoted.h"
#include "store/record.h"
#include "store/schedule_index.h"

namespace stub {
namespace {

constexpr std::array<std::string_view, 8> kOwnTopics = {
    store::kScheduleTopic,      "SCHEDULE_TOPIC_XXXX",         "SCHEDULE_TOPIC_XXXX_V2",
    "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",          "OFFSET_MOVED_EVENT"};

bool in_names(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '%' || c == '|' || c == '-';
}

std::optional<Error> check_name(const char* what, std::string_view name, std::size_t most) {
  const bool good = !name.empty() && name.size() <= most && std::ranges::all_of(name, in_names);
  if (good) return std::nullopt;
  return make_error(HA_INVALID, std::string(what) + " " + in_quotes(name) + " (" +
                                    std::to_string(name.size()) + " bytes): a " + what +
                                    "'s name must have 1 to " + std::to_string(most) +
                                    " of these: letters, digits, % | _ -");
}

}  // namespace

std::optional<Error> check_topic_name(std::string_view topic) {
  return check_name("topic", topic, static_cast<std::size_t>(store::kMaxTopicBytes));
}

std::optional<Error> check_group_name(std::string_view group) {
  return check_name("group", group, kMaxGroupNameBytes);
}

std::optional<Error> check_send_topic(std::string_view topic) {
  if (auto wrong = check_topic_name(topic)) return wrong;
  if (std::find(kOwnTopics.begin(), kOwnTopics.end(), topic) == kOwnTopics.end())
    return std::nullopt;
  return make_error(HA_INVALID, "topic " + in_quotes(topic) +
                                    " is a broker's own and takes no messages from clients; use "
                                    "another name");
}

}  // namespace stub
