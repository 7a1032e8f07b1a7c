// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "ha_plugin/core/types.h"

namespace ha {

// A status and the words for it.
struct Outcome {
  core::Status status = core::Status::kOk;
  std::string text;
  int os_errno = 0;
  bool ok() const { return status == core::Status::kOk; }
};

}  // namespace ha
