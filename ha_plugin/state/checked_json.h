// SPDX-License-Identifier: Apache-2.0
// A JSON object that says of itself whether it is whole: its last member, "checksum", is XXH3-64,
// in hexadecimal, of the same object without it as Boost.JSON writes it.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace ha {

std::string with_checksum(boost::json::object object);
// Throws std::exception, whose text says what is wrong.
boost::json::object without_checksum(std::string_view text);

}  // namespace ha
