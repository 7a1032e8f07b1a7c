// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace ha {

// "2026-11-28T07:14:00Z"
std::string date_of(std::int64_t unix_s);

}  // namespace ha
