// SPDX-License-Identifier: Apache-2.0
// Words for the ABI's numbers: labels of metrics, log lines, status JSON and the ABI's status_text
// all take them from here, so that one grep finds a cause in all four.
//
// Every function returns static text that ends in NUL; a number that plugin.h does not define is
// "unknown" ("UNKNOWN" for status_name), never NULL. Threads: any; nothing blocks.
#pragma once

#include <cstdint>

namespace ha::metrics {

// HA_REASON_REPORT_AHEAD -> "report_ahead".
const char* reason_name(std::int32_t reason) noexcept;
// HA_REPLICA_CAUGHT_UP -> "caught_up".
const char* event_name(std::int32_t event) noexcept;
// HA_STATE_TRANSFER -> "transfer".
const char* state_name(std::int32_t state) noexcept;
// HA_ROLE_MASTER -> "master".
const char* role_name(std::int32_t role) noexcept;
// HA_FLUSH_SLAVE_TIMEOUT -> "FLUSH_SLAVE_TIMEOUT": RocketMQ's spelling, for people and for
// status_text.
const char* status_name(std::int32_t status) noexcept;
// The same as a label's value: "flush_slave_timeout".
const char* status_label(std::int32_t status) noexcept;

}  // namespace ha::metrics
