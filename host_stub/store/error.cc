// SPDX-License-Identifier: Apache-2.0
#include "store/error.h"

#include <system_error>

#include "ha/plugin.h"

namespace stub {

Error system_error(int os_errno, std::string text) {
  text += ": ";
  text += std::system_category().message(os_errno);  // strerror is not safe on several threads
  return Error{HA_IO, os_errno, std::move(text)};
}

}  // namespace stub
