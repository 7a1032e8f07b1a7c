// SPDX-License-Identifier: Apache-2.0
// JSON as bodies: of requests and of answers.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "http/exchange.h"

namespace stub::http {

bool is_json(std::string_view content_type);

// The Error says what is wrong: no JSON, a byte order mark, a member given twice.
Result<boost::json::value> parse_json(std::string_view body, boost::json::storage_ptr storage = {});

// 200 with the object on a line of its own.
Response json_response(const boost::json::object& object);

}  // namespace stub::http
