// SPDX-License-Identifier: Apache-2.0
// The names of topics and consumer groups, by RocketMQ's rules: letters, digits and % | _ -. A
// topic's name has 1 to 127 bytes, a group's 1 to 255.
//
// So no name can hold the '@' between topic and group in DIR/config/consumerOffset.json, a
// separator of the properties in a record, or bytes that JSON cannot say.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "store/error.h"

namespace stub {

inline constexpr std::size_t kMaxGroupNameBytes = 255;

// nullopt = the name is good; else HA_INVALID, with the name and the rule that it breaks.
std::optional<Error> check_topic_name(std::string_view topic);
std::optional<Error> check_group_name(std::string_view group);
// May clients send there? Some topics are a broker's own: RocketMQ's take no messages from clients
// either, and would make something else of them when it reads this log.
std::optional<Error> check_send_topic(std::string_view topic);

}  // namespace stub
