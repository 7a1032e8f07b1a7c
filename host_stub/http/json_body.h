// SPDX-License-Identifier: Apache-2.0
// A request's body as JSON.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "broker/broker.h"

namespace stub::http {

bool is_json(std::string_view content_type);

// The Error says what is wrong: no JSON, a byte order mark, a member given twice.
Result<boost::json::value> parse_json(std::string_view body, boost::json::storage_ptr storage = {});

}  // namespace stub::http
