// SPDX-License-Identifier: Apache-2.0
// Asks the other nodes of a configured set for their promises, all at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/net/io/resolver.h"
#include "ha_plugin/net/io/tls_policy.h"

namespace ha::net {

// What each of the nodes answered, in their order. Blocks until all have answered, a moment after
// `enough` have granted it, until the timeout has passed, or until `given_up` says so; the sockets
// are its own, so any thread but the I/O thread may call it.
std::vector<core::Heard> ask_nodes(const std::vector<ReplicaList::Node>& nodes,
                                   const core::Prepare& prepare, std::chrono::milliseconds timeout,
                                   Resolver& resolver, TlsPolicy& tls,
                                   std::size_t enough = SIZE_MAX,
                                   const std::function<bool()>& given_up = {});

}  // namespace ha::net
