// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/base/date.h"

#include <fmt/format.h>

#include <ctime>

namespace ha {

std::string date_of(std::int64_t unix_s) {
  const auto at = static_cast<std::time_t>(unix_s);
  std::tm time{};
  if (::gmtime_r(&at, &time) == nullptr) return fmt::format("second {}", unix_s);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", time.tm_year + 1900, time.tm_mon + 1,
                     time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec);
}

}  // namespace ha
