// SPDX-License-Identifier: Apache-2.0
#include "tests/system/privilege.h"

#include <cstdlib>
#include <string_view>

namespace ha::system {

bool required(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace ha::system
