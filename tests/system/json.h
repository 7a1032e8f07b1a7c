// SPDX-License-Identifier: Apache-2.0
// Boost.JSON with look-ups that name what is missing.
#pragma once

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

namespace ha::system {

namespace json = boost::json;

// Throws Failure with the text when it is no JSON.
json::value parse_json(std::string_view text);

// The value at "a/b/2/c". Throws Failure that names the path and shows the whole document.
const json::value& at(const json::value& document, std::string_view path);
std::int64_t number_at(const json::value& document, std::string_view path);
std::string text_at(const json::value& document, std::string_view path);
bool flag_at(const json::value& document, std::string_view path);

}  // namespace ha::system
