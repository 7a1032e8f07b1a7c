// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ha_plugin/config/settings.h"
#include "ha_plugin/host/bounds_reader.h"
#include "ha_plugin/host/host.h"
#include "ha_plugin/net/io/io_thread.h"
#include "ha_plugin/net/io/resolver.h"
#include "ha_plugin/net/io/tls_policy.h"
#include "ha_plugin/net/master/replica_set.h"
#include "ha_plugin/net/slave/client_service.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/term_keeper.h"
#include "ha_plugin/transfer/transfer_service.h"
#include "metrics/ha_metrics.h"

namespace ha {

// What HaService owns and a role change touches.
struct NodeParts {
  const Host& host;
  const Settings& settings;  // I/O thread
  metrics::HaMetrics& metrics;
  net::IoThread& io;
  net::Resolver& resolver;
  net::TlsPolicy& tls;
  TermKeeper& terms;          // I/O thread
  BoundsReader& bounds;       // I/O thread
  DegradedKeeper& degraded;   // I/O thread
  TransferService& transfer;  // I/O thread
  net::ReplicaSet& replicas;  // I/O thread
  net::ClientService& client;
};

}  // namespace ha
