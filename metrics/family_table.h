// SPDX-License-Identifier: Apache-2.0
// The table behind families.h. Names follow Prometheus' rules: prefix ha_, base units (bytes,
// seconds), _total for counters, _info for constant labels. Offsets are positions in the log in
// bytes.
//
// An internal header: families.cc includes it, everybody else asks family_table().
#pragma once

#include <string_view>

#include "metrics/families.h"

namespace ha::metrics {

inline constexpr auto kCounter = prometheus::MetricType::Counter;
inline constexpr auto kGauge = prometheus::MetricType::Gauge;
inline constexpr auto kHistogram = prometheus::MetricType::Histogram;

inline constexpr FamilySpec kFamilies[] = {
    // This node.
    {"ha_build_info",
     kGauge,
     {"version", "abi"},
     "Always 1. The labels are the versions of the plugin and of its ABI."},
    {"ha_role", kGauge, {"role"}, "1 for the role that this node has now, 0 for the others."},
    {"ha_role_changes_total", kCounter, {}, "Roles taken since the start, including the first."},
    {"ha_epoch",
     kGauge,
     {},
     "Newest epoch (a master's term) in this log's history. 0 where epochs are not used."},
    {"ha_promised_epoch",
     kGauge,
     {},
     "Lowest epoch from which this node still accepts, acknowledges and completes anything. 0 "
     "where epochs are not used."},
    {"ha_coordinator_up",
     kGauge,
     {},
     "1 while the coordination engine answers. 0 when it does not, and without option "
     "coordinator."},
    {"ha_coordinator_paused",
     kGauge,
     {},
     "1 while operators want no change of master without them."},
    {"ha_set_version",
     kGauge,
     {},
     "Version of the set that this node goes by. 0 until the set is changed while it runs."},
    {"ha_coordinator_requests_total",
     kCounter,
     {"result"},
     "Requests to the coordination engine. no: another node was first, or the lease had ended. "
     "failed: there was no answer that can be trusted."},
    {"ha_lease_left_seconds",
     kGauge,
     {},
     "How long this node surely holds its lease of the master's key. 0 when it has none."},
    {"ha_takeovers_total", kCounter, {}, "Times that this node became master by itself."},
    {"ha_degraded",
     kGauge,
     {},
     "1 while waits are answered with fewer copies than the policy asks for, and until enough "
     "nodes hold what was answered."},
    {"ha_degraded_since_timestamp_seconds",
     kGauge,
     {},
     "Unix time since when this node is degraded. 0 when it is not."},
    {"ha_degraded_acks_total",
     kCounter,
     {},
     "Waits that were answered with fewer copies than the policy asks for."},
    {"ha_degraded_lost_bytes",
     kGauge,
     {},
     "Upper bound, taken from the journal, of bytes that were acknowledged with fewer copies "
     "than the policy asks for and then lost."},
    {"ha_metadata_failed",
     kGauge,
     {},
     "1 while the host's metadata (consumers' offsets) is not sent to slaves because it is too "
     "large or the host could not provide it."},
    {"ha_log_min_offset_bytes", kGauge, {}, "Offset of the first byte that the log holds."},
    {"ha_log_end_offset_bytes", kGauge, {}, "Offset one past the last byte that the log holds."},
    {"ha_log_durable_offset_bytes",
     kGauge,
     {},
     "Bytes below this offset are on stable storage here."},
    {"ha_log_confirm_offset_bytes", kGauge, {}, "Readers see records below this offset."},
    {"ha_log_segment_size_bytes", kGauge, {}, "Size of one segment of the log."},
    {"ha_in_sync_replicas",
     kGauge,
     {},
     "Size of the in-sync set, including this node. 0 unless master."},
    {"ha_configured_in_sync_replicas",
     kGauge,
     {},
     "Option in_sync_replicas: copies that a wait with default acks needs. With 1 it waits for "
     "no slave."},
    {"ha_configured_min_in_sync_replicas",
     kGauge,
     {},
     "Option min_in_sync_replicas: with fewer replicas in sync, waits are refused."},
    {"ha_catch_up_limit_bytes_per_second",
     kGauge,
     {},
     "What each replica that catches up is sent at most, on top of the log's growth. 0 = none "
     "catches up, or no limit."},
    {"ha_io_turn_age_seconds",
     kGauge,
     {},
     "Time since the last turn of the I/O thread. It turns at least once a second; a larger "
     "value means that a host hook blocks it. 0 unless started."},
    {"ha_append_hints_total",
     kCounter,
     {},
     "Wake-ups of the I/O thread because the host appended or flushed."},

    // Connections on the HA port.
    {"ha_connections",
     kGauge,
     {},
     "Open connections on the HA port, including those that have not reported yet."},
    {"ha_connections_plaintext", kGauge, {}, "Open connections on the HA port without TLS."},
    {"ha_open_to_all",
     kGauge,
     {},
     "1 = the HA port is reachable from other machines, without TLS and without an allow list."},
    {"ha_tls_handshakes_total",
     kCounter,
     {"side", "result"},
     "TLS handshakes: side is server for connections to this node, client for those it makes; "
     "result is ok or failed."},
    {"ha_tls_reloads_total",
     kCounter,
     {"result"},
     "Times that the files of TLS were read again: ok, or failed, after which the old ones stay."},
    {"ha_tls_certificate_not_after_timestamp_seconds",
     kGauge,
     {},
     "When the certificate in use ends; 0 = there is none."},
    {"ha_connections_accepted_total", kCounter, {}, "Connections accepted on the HA port."},
    {"ha_connections_rejected_total",
     kCounter,
     {"reason"},
     "Connections that ended before they counted as a replica, by reason."},
    {"ha_protocol_violations_total",
     kCounter,
     {"reason"},
     "Connections closed because the peer broke the protocol or the two logs contradict each "
     "other, on the HA port and towards the master, by reason."},

    // Replicas, as the master sees them.
    {"ha_replica_info",
     kGauge,
     {"id", "address"},
     "Always 1. The label is the address that the replica last connected from."},
    {"ha_replica_connected",
     kGauge,
     {"id"},
     "1 while the replica has a connection that counts, else 0."},
    {"ha_replica_state",
     kGauge,
     {"id", "state"},
     "1 for the state of the replica's connection, 0 for the others."},
    {"ha_replica_in_sync", kGauge, {"id"}, "1 while the replica is in the in-sync set, else 0."},
    {"ha_replica_start_offset_bytes",
     kGauge,
     {"id"},
     "Offset at which the current or last connection started."},
    {"ha_replica_sent_offset_bytes",
     kGauge,
     {"id"},
     "End of what was handed to the replica's socket."},
    {"ha_replica_acked_offset_bytes",
     kGauge,
     {"id"},
     "Last report of the replica: it holds the log below this offset. Absent before the first "
     "report."},
    {"ha_replica_durable_offset_bytes",
     kGauge,
     {"id"},
     "Offset below which the replica says that its copy survives a loss of power. Absent on "
     "the RocketMQ wire, which cannot say it."},
    {"ha_replica_lag_bytes",
     kGauge,
     {"id"},
     "Bytes of this log that the replica has not reported, also while it is away. Absent "
     "unless this node is master, and before the first report."},
    {"ha_replica_lag_seconds",
     kGauge,
     {"id"},
     "Age of the oldest byte that the replica has not reported. 0 when it holds all. Absent "
     "when the lag in bytes is."},
    {"ha_replica_in_flight_bytes",
     kGauge,
     {"id"},
     "Bytes handed to the socket and not reported yet. 0 while the replica is away. Absent "
     "when the lag in bytes is."},
    {"ha_replica_catch_up_stalled",
     kGauge,
     {"id"},
     "1 while the connected replica is more than 8 MiB behind and has not come closer for "
     "catch_up_stall_ms."},
    {"ha_replica_seconds_until_lost",
     kGauge,
     {"id"},
     "Time until the log no longer holds what the replica lacks (option retention_hold_bytes), "
     "at the rate of the last seconds. 0 when it already does not. Absent without a hold, and "
     "while the log does not grow."},
    {"ha_replica_sent_bytes_total",
     kCounter,
     {"id"},
     "Log bytes handed to the replica's sockets, without frame headers."},
    {"ha_replica_sent_frames_total",
     kCounter,
     {"id"},
     "Frames with log bytes handed to the replica's sockets."},
    {"ha_replica_heartbeats_sent_total",
     kCounter,
     {"id"},
     "Frames without log bytes handed to the replica's sockets."},
    {"ha_replica_reports_received_total", kCounter, {"id"}, "Reports that the replica sent."},
    {"ha_replica_reconnects_total",
     kCounter,
     {"id"},
     "Connections of the replica after its first."},
    {"ha_replica_closes_total",
     kCounter,
     {"id", "reason"},
     "Connections of the replica that ended, by reason. A reason appears once it has happened."},
    {"ha_replica_in_sync_exits_total",
     kCounter,
     {"id", "reason"},
     "Times that the connected replica left the in-sync set because of its lag, in bytes or in "
     "time. A reason appears once it has happened."},

    // Waits of producers.
    {"ha_ack_latency_seconds",
     kHistogram,
     {},
     "Time from the call to the callback, of waits that succeeded after waiting."},
    {"ha_waits_pending", kGauge, {}, "Waits that have not ended."},
    {"ha_oldest_wait_age_seconds",
     kGauge,
     {},
     "Age of the oldest wait that has not ended. 0 when there is none."},
    {"ha_waits_accepted_total",
     kCounter,
     {},
     "Waits that were accepted, so that a callback follows."},
    {"ha_wait_results_total",
     kCounter,
     {"status"},
     "Results of waits by status, including refusals. A wait that was already satisfied counts "
     "as ok."},

    // A slave's link to its master.
    {"ha_client_connected", kGauge, {}, "1 while this slave is connected to its master, else 0."},
    {"ha_client_state",
     kGauge,
     {"state"},
     "1 for the state of the link to the master, 0 for the others."},
    {"ha_client_connects_total", kCounter, {}, "Connections made to a master."},
    {"ha_client_connect_failures_total",
     kCounter,
     {},
     "Attempts to connect to a master that failed."},
    {"ha_client_closes_total",
     kCounter,
     {"reason"},
     "Links to a master that ended or could not be established, by reason."},
    {"ha_client_received_bytes_total",
     kCounter,
     {},
     "Log bytes received from a master, without frame headers."},
    {"ha_client_received_frames_total",
     kCounter,
     {},
     "Frames with log bytes received from a master."},
    {"ha_client_heartbeats_received_total",
     kCounter,
     {},
     "Frames without log bytes received from a master."},
    {"ha_client_appended_bytes_total",
     kCounter,
     {},
     "Log bytes from a master that the host has appended."},
    {"ha_client_reports_sent_total", kCounter, {}, "Reports sent to a master."},
    {"ha_client_truncated_bytes_total",
     kCounter,
     {},
     "Bytes cut off this log because it had diverged from the master's."},
    {"ha_client_cut_copies_bytes",
     kGauge,
     {},
     "Bytes that were cut off this log and are kept in files in state_dir, as of the last cut."},
    {"ha_client_cut_copies_removed_total",
     kCounter,
     {},
     "Files of such bytes that were removed, the oldest first: at most 8 with 1 GiB are kept."},
    {"ha_client_offset_mismatches_total",
     kCounter,
     {},
     "Frames from a master whose offset was not the end of this log."},
    {"ha_client_last_read_timestamp_seconds",
     kGauge,
     {},
     "Unix time of the last byte from a master. Absent before the first."},
    {"ha_client_last_write_timestamp_seconds",
     kGauge,
     {},
     "Unix time of the last report to a master. Absent before the first."},
};

// A family by its name, looked up while compiling.
class FamilyRef {
 public:
  consteval FamilyRef(const char* name) : index_(find(name)) {}  // NOLINT: meant to convert
  std::size_t index() const { return index_; }

 private:
  static consteval std::size_t find(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kFamilies); ++i) {
      if (name == kFamilies[i].name) return i;
    }
    throw "no such family in kFamilies";
  }
  std::size_t index_;
};

}  // namespace ha::metrics
