// SPDX-License-Identifier: Apache-2.0
// What went wrong, in words a person can act on, and the code that plugin_api has for it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace stub {

// status is one of plugin_api's codes (HA_*).
struct Error {
  std::int32_t status = 0;
  int os_errno = 0;
  std::string text;
};

// A value, or why there is none. std::get_if<Error>(&result) tells which.
template <class T>
using Result = std::variant<T, Error>;

inline Error make_error(std::int32_t status, std::string text) {
  return Error{status, 0, std::move(text)};
}

// The system said no: its words follow ours.
Error system_error(int os_errno, std::string text);

}  // namespace stub
