// SPDX-License-Identifier: Apache-2.0
#include "http/query.h"

#include <algorithm>
#include <charconv>

#include "ha/plugin.h"
#include "http/text.h"

namespace stub::http {

Query::Query(const Request& request, std::initializer_list<std::string_view> known)
    : request_(request) {
  for (auto it = request.query.begin(); it != request.query.end(); ++it) {
    const auto same = [&](const auto& other) { return other.first == it->first; };
    if (std::find(known.begin(), known.end(), it->first) == known.end()) {
      std::string names;
      for (const auto name : known) names += (names.empty() ? "" : ", ") + std::string(name);
      fail("query parameter " + in_quotes(it->first) +
           " is unknown here (known: " + (names.empty() ? "none" : names) + ")");
    } else if (std::find_if(request.query.begin(), it, same) != it) {
      fail("query parameter " + in_quotes(it->first) + " is given twice; give it once");
    }
  }
}

std::optional<std::string> Query::text(std::string_view name) const {
  for (const auto& [key, value] : request_.query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> Query::integer(std::string_view name, std::int64_t min,
                                           std::int64_t max) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  const auto number = parse_integer(*value);
  if (!number || *number < min || *number > max) {
    fail("query parameter '" + std::string(name) + "': " + in_quotes(*value) +
         not_whole_number(min, max));
    return std::nullopt;
  }
  return number;
}

std::optional<std::int64_t> Query::size(std::string_view name) {
  const auto value = text(name);
  if (!value) return std::nullopt;
  const auto bytes = parse_size(*value);
  if (!bytes)
    fail("query parameter '" + std::string(name) + "': " + in_quotes(*value) +
         std::string(kNotASize));
  return bytes;
}

bool Query::flag(std::string_view name) {
  const auto value = text(name);
  if (!value || *value == "0" || *value == "false") return false;
  if (value->empty() || *value == "1" || *value == "true") return true;
  fail("query parameter '" + std::string(name) + "': " + in_quotes(*value) + " is not 0 or 1");
  return false;
}

void Query::fail(std::string text) {
  if (!error_) error_ = Error{HA_INVALID, 0, std::move(text)};
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (std::to_string(value) != text) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(text.substr(0, digits));
  const auto unit = text.substr(digits);
  const int shift = unit.empty()                 ? 0
                    : unit == "k" || unit == "K" ? 10
                    : unit == "M"                ? 20
                    : unit == "G"                ? 30
                                                 : -1;
  if (!number || shift < 0 || *number > (INT64_MAX >> shift)) return std::nullopt;
  return *number << shift;
}

std::string not_whole_number(std::int64_t min, std::int64_t max) {
  return " is not a whole number from " + std::to_string(min) + " to " + std::to_string(max) +
         " (digits only, without leading zeros)";
}

}  // namespace stub::http
