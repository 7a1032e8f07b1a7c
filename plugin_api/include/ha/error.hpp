// SPDX-License-Identifier: Apache-2.0
// ha/error.hpp - how the C++ wrapper reports: a value or an Error, never an exception of its own.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "ha/plugin.h"

namespace ha {

struct Error {
  std::int32_t status = HA_INTERNAL;  // HA_*, negative
  std::int32_t os_errno = 0;          // 0 when the system had no part in it
  std::string text;                   // what failed, the value, the way out
};

// A value, or why there is none: `if (!result) use(result.error().text);`. value() on an error
// throws BadResult; operator* and error() do not check.
template <class T>
using Result = boost::system::result<T, Error>;

class BadResult : public std::runtime_error {
 public:
  explicit BadResult(const Error& error) : std::runtime_error(error.text), error_(error) {}
  const Error& error() const { return error_; }

 private:
  Error error_;
};

// Found by boost::system::result for value() on an error.
[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw BadResult(error);
}

namespace detail {

inline ha_error empty_error() {
  ha_error error{};
  error.struct_size = sizeof(error);
  return error;
}

// call names what was tried where the plugin gave no words.
inline Error to_error(std::int32_t status, const ha_error& error, const char* call) {
  std::string text = error.text;
  if (text.empty()) text = std::string(call) + " failed with status " + std::to_string(status);
  return {status, error.os_errno, std::move(text)};
}

}  // namespace detail
}  // namespace ha
