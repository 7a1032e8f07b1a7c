// SPDX-License-Identifier: Apache-2.0
// What a host hook answered, in C++ types.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "ha/plugin.h"
#include "ha_plugin/core/types.h"

namespace ha {

// What a host hook answered, and its words if it gave any.
struct HostResult {
  core::Status status = core::Status::kOk;
  std::string text;
  bool misuse = false;  // the host broke the contract: asking again does not help
  bool ok() const { return status == core::Status::kOk; }
};

// Why a connection must end when a hook that it needs did not do its part.
inline core::Refusal to_refusal(HostResult result) {
  return {result.misuse                           ? core::Reason::kHostMisuse
          : result.status == core::Status::kEpoch ? core::Reason::kEpoch
                                                  : core::Reason::kHostError,
          std::move(result.text)};
}

// ---- for the classes that call hooks ----

// A code that this version does not know is INTERNAL (the ABI's rule for receivers).
core::Status known(std::int32_t status);
ha_error empty_error();
HostResult result_of(std::int32_t status, const ha_error& error, const char* hook);
// What breaks the contract. Whatever followed from believing it would be wrong.
HostResult misuse(const std::string& what);

}  // namespace ha
