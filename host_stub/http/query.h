// SPDX-License-Identifier: Apache-2.0
// The query parameters of one request, each read with its bounds. The first fault is kept and ends
// the request: an unknown name, since a misspelt `ack=2` must not be taken for the default; a name
// given twice; a value out of bounds.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "http/exchange.h"

namespace stub::http {

class Query {
 public:
  Query(const Request& request, std::initializer_list<std::string_view> known);

  std::optional<std::string> text(std::string_view name) const;
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::int64_t integer_or(std::string_view name, std::int64_t absent, std::int64_t min,
                          std::int64_t max) {
    return integer(name, min, max).value_or(absent);
  }
  // Bytes, from 0.
  std::optional<std::int64_t> size(std::string_view name);
  // "1", "true" or no value = true; "0", "false" or absent = false.
  bool flag(std::string_view name);

  void fail(std::string text);
  const std::optional<Error>& error() const { return error_; }

 private:
  const Request& request_;
  std::optional<Error> error_;
};

// A whole number as std::to_string writes it: nothing around it, no plus, no leading zeros. So one
// number has one spelling, in paths too.
std::optional<std::int64_t> parse_integer(std::string_view text);

// Bytes: such a number with k, M or G (powers of 1024) or without.
std::optional<std::int64_t> parse_size(std::string_view text);

// The rest of an error text, for a text that is not such a size.
inline constexpr std::string_view kNotASize =
    " is not a number of bytes (try 1073741824, 1024M or 1G)";

// The rest of an error text, for a value that is not such a number or is out of bounds.
std::string not_whole_number(std::int64_t min, std::int64_t max);

}  // namespace stub::http
