// SPDX-License-Identifier: Apache-2.0
// The barrier at the C boundary: every exception becomes a code, and an Outcome the caller's
// ha_error.
#pragma once

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "ha/plugin.h"
#include "ha_plugin/base/outcome.h"

namespace ha {

// A day: a longer drain is a mistake in units.
inline constexpr std::int64_t kMostStopMs = 86'400'000;

inline std::int32_t report(ha_error* error, std::int32_t status, int os_errno, const char* text) {
  // A caller's struct that is too short for the text is left alone.
  if (error != nullptr && error->struct_size >= sizeof(ha_error)) {
    error->status = status;
    error->os_errno = os_errno;
    const std::size_t n = std::min(std::strlen(text), sizeof(error->text) - 1);
    std::memcpy(error->text, text, n);
    error->text[n] = '\0';
  }
  return status;
}

template <class Fn>
std::int32_t guarded(ha_error* error, Fn&& fn) noexcept {
  try {
    const Outcome outcome = fn();
    return report(error, static_cast<std::int32_t>(outcome.status), outcome.os_errno,
                  outcome.text.c_str());
  } catch (const std::bad_alloc&) {
    return report(error, HA_NO_MEMORY, 0, "out of memory");
  } catch (const std::system_error& e) {
    return report(error, HA_IO, e.code().value(), e.what());
  } catch (const boost::system::system_error& e) {  // Asio's, which is not std's
    return report(error, HA_IO, e.code().value(), e.what());
  } catch (const std::exception& e) {
    return report(error, HA_INTERNAL, 0, e.what());
  } catch (...) {
    return report(error, HA_INTERNAL, 0, "an exception of an unknown type");
  }
}

// For calls that return only the code.
template <class Fn>
std::int32_t guarded_code(Fn&& fn) noexcept {
  return guarded(nullptr, [&]() -> Outcome { return {fn(), {}, 0}; });
}

}  // namespace ha
