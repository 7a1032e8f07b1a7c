// SPDX-License-Identifier: Apache-2.0
// Failures as HTTP answers: {"error":{"code","message"}} with the fitting status.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "http/exchange.h"

namespace stub::http {

// The name of one of plugin_api's codes, such as "FLUSH_SLAVE_TIMEOUT"; unknown ones are
// "INTERNAL".
std::string_view status_name(std::int32_t status);

// 200 for success, 4xx for what the client can fix, 503 for what may pass, 504 for a wait that ran
// out.
int http_status(std::int32_t status);

// message: what failed, the value, the way out.
Response error_response(int http, std::string_view code, std::string_view message);
Response error_response(const Error& error);

}  // namespace stub::http
