// SPDX-License-Identifier: Apache-2.0
// What a hook says it did is compared with the host's log; an answer that is not true is written to
// the host's log as its misuse.
#pragma once

#include <string>

#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host_result.h"

namespace ha {

class Host;

// Writes it to the host's log.
HostResult report_misuse(const Host& host, const std::string& what);

// A hook that answers OK and does nothing, as one in another language that failed half-way may,
// must not become an ack: so the log is looked at before anything is made of the answer.
HostResult check_end(const Host& host, HostResult result, const char* hook, core::Offset want);

}  // namespace ha
