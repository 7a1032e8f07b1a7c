// SPDX-License-Identifier: Apache-2.0
// A master with two replicas (one gone), waits in every outcome, and a client link with a past:
// every family has a sample, and every number is another one.
#pragma once

#include "ha/plugin.h"
#include "metrics/ha_metrics.h"

namespace ha::metrics {

inline constexpr std::int64_t kNowNs = 100'000'000'000;

inline void populate(HaMetrics& m) {
  m.role.set(HA_ROLE_MASTER);
  m.epoch.set(3);
  m.promised_epoch.set(4);
  m.degraded_since_ms.set(1500);
  m.degraded_acks.add(40);
  m.degraded_ranges.set({{100, 150, 1, 2, 120}, {200, 210, 3, 0}});
  m.log_min.set(1024);
  m.log_end.set(10'000);
  m.log_durable.set(9'000);
  m.log_confirm.set(9'500);
  m.segment_size.set(1'024);
  m.metadata_failed.set(1);
  m.in_sync_replicas.set(2);
  m.configured_in_sync.set(4);
  m.configured_min_in_sync.set(5);
  m.connections.set(6);
  m.waits_pending.set(7);
  m.oldest_wait_since_ns.set(kNowNs - 2'500'000'000);
  m.waits_started.add(8);
  m.wait_results[0].add(9);
  m.wait_results[-HA_FLUSH_SLAVE_TIMEOUT].add(10);
  m.connections_accepted.add(11);
  m.rejected[HA_REASON_NOT_ALLOWED].add(12);
  m.rejected[HA_REASON_REQUEST_ABOVE_END].add(1);
  m.role_changes.add(13);
  m.appended_hints.add(14);
  m.io_turned_ns.set(kNowNs - 3'250'000'000);
  for (const std::int64_t ns : {40'000, 50'000, 50'001, 1'500'000'000}) m.ack_latency.observe(ns);
  m.ack_latency.observe(20'000'000'000);

  auto up = m.replica("10.0.0.7");
  up->set_address("10.0.0.7:40001");
  up->connections.add(1);
  up->connects.add(3);
  up->state.set(HA_STATE_TRANSFER);
  up->start_offset.set(2'048);
  up->sent_offset.set(9'900);
  up->ack_offset.set(9'400);
  up->durable_offset.set(9'300);
  up->native.set(1);
  up->in_sync.set(1);
  up->behind_since_ns.set(kNowNs - 1'250'000'000);
  up->bytes_sent.add(7'852);
  up->frames_sent.add(21);
  up->heartbeats_sent.add(22);
  up->reports_received.add(23);
  up->closes[HA_REASON_REPORT_AHEAD].add(2);
  up->in_sync_exits[HA_REASON_LAG_TIME].add(3);
  up->catch_up_stalled.set(1);
  up->seconds_until_lost.set(77);

  auto gone = m.replica("10.0.0.8");
  gone->set_address("10.0.0.8:40002");
  gone->connects.add();
  gone->state.set(HA_STATE_SHUTDOWN);
  gone->sent_offset.set(9'000);
  gone->ack_offset.set(8'000);
  gone->disconnected_at_ns.set(kNowNs - 60'000'000'000);

  ClientMetrics& c = m.client;
  c.state.set(HA_STATE_SUSPEND);
  c.last_read_ms.set(1'700'000'000'500);
  c.last_write_ms.set(1'700'000'001'250);
  c.connects.add(31);
  c.connect_failures.add(32);
  c.bytes_received.add(33);
  c.bytes_appended.add(34);
  c.frames_received.add(35);
  c.heartbeats_received.add(36);
  c.reports_sent.add(37);
  c.truncated_bytes.add(39);
  c.cut_copies_bytes.set(41);
  c.cut_copies_removed.add(42);
  c.mismatches.add(38);
  c.closes[HA_REASON_OFFSET_MISMATCH].add(39);
}

}  // namespace ha::metrics
