// SPDX-License-Identifier: Apache-2.0
#include "metrics/families.h"

#include <algorithm>
#include <cassert>
#include <initializer_list>
#include <limits>
#include <string>

#include "ha/plugin.h"
#include "metrics/family_table.h"
#include "metrics/names.h"

namespace ha::metrics {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kMsPerSecond = 1e3;

constexpr auto kReasons = static_cast<std::int32_t>(kReasonSlots);
constexpr auto kStatuses = static_cast<std::int32_t>(kStatusSlots);

std::uint64_t at(const std::array<Counter, kReasonSlots>& counters, std::int32_t reason) {
  return counters[static_cast<std::size_t>(reason)].value();
}

// The families while they are being filled.
class Sheet {
 public:
  Sheet() {
    families_.reserve(std::size(kFamilies));
    for (const FamilySpec& spec : kFamilies) {
      families_.push_back({spec.name, spec.help, spec.type, {}});
    }
  }

  template <class Number>
  void put(FamilyRef family, Number value, std::initializer_list<std::string> label_values = {}) {
    prometheus::ClientMetric& metric = add(family, label_values);
    if (kFamilies[family.index()].type == kCounter) {
      metric.counter.value = static_cast<double>(value);
    } else {
      metric.gauge.value = static_cast<double>(value);
    }
  }

  void put_histogram(FamilyRef family, const LatencyHistogram& histogram) {
    prometheus::ClientMetric& metric = add(family, {});
    // The count is the sum of the buckets as read here, so that the two agree in every scrape.
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= LatencyHistogram::kBoundsNs.size(); ++i) {
      count += histogram.bucket(i);
      const double bound = i < LatencyHistogram::kBoundsNs.size()
                               ? static_cast<double>(LatencyHistogram::kBoundsNs[i]) / kNsPerSecond
                               : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({count, bound});
    }
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = static_cast<double>(histogram.sum_ns()) / kNsPerSecond;
  }

  std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& add(FamilyRef family, std::initializer_list<std::string> label_values) {
    const auto& names = kFamilies[family.index()].labels;
    prometheus::ClientMetric metric;
    std::size_t i = 0;
    for (const std::string& value : label_values) {
      assert(i < names.size() && names[i] != nullptr);
      metric.label.push_back({names[i++], value});
    }
    assert(i == names.size() || names[i] == nullptr);
    auto& metrics = families_[family.index()].metric;
    metrics.push_back(std::move(metric));
    return metrics.back();
  }

  std::vector<prometheus::MetricFamily> families_;
};

std::int64_t lost_bytes(const HaMetrics& m) {
  std::int64_t sum = 0;
  for (const DegradedRange& range : m.degraded_ranges.get()) {
    if (range.lost_from >= 0) sum += range.to - range.lost_from;
  }
  return sum;
}

double seconds_since(const Gauge& since, std::int64_t now_ns) {
  const std::int64_t since_ns = since.value();
  return since_ns == 0
             ? 0.0
             : static_cast<double>(std::max<std::int64_t>(0, now_ns - since_ns)) / kNsPerSecond;
}

double seconds_left(const Gauge& until, std::int64_t now_ns) {
  return static_cast<double>(std::max<std::int64_t>(0, until.value() - now_ns)) / kNsPerSecond;
}

void put_node(Sheet& sheet, const HaMetrics& m, std::int64_t now_ns) {
  sheet.put("ha_build_info", 1,
            {HA_PLUGIN_VERSION, std::to_string(HA_ABI_MAJOR) + "." + std::to_string(HA_ABI_MINOR)});
  for (std::int32_t role = HA_ROLE_NONE; role <= HA_ROLE_SLAVE; ++role) {
    sheet.put("ha_role", m.role.value() == role ? 1 : 0, {role_name(role)});
  }
  sheet.put("ha_role_changes_total", m.role_changes.value());
  sheet.put("ha_epoch", m.epoch.value());
  sheet.put("ha_promised_epoch", m.promised_epoch.value());
  sheet.put("ha_degraded", m.degraded_since_ms.value() != 0 ? 1 : 0);
  sheet.put("ha_degraded_since_timestamp_seconds",
            static_cast<double>(m.degraded_since_ms.value()) / 1000.0);
  sheet.put("ha_degraded_acks_total", m.degraded_acks.value());
  sheet.put("ha_degraded_lost_bytes", lost_bytes(m));
  sheet.put("ha_metadata_failed", m.metadata_failed.value());
  sheet.put("ha_log_min_offset_bytes", m.log_min.value());
  sheet.put("ha_log_end_offset_bytes", m.log_end.value());
  sheet.put("ha_log_durable_offset_bytes", m.log_durable.value());
  sheet.put("ha_log_confirm_offset_bytes", m.log_confirm.value());
  sheet.put("ha_log_segment_size_bytes", m.segment_size.value());
  sheet.put("ha_in_sync_replicas", m.in_sync_replicas.value());
  sheet.put("ha_configured_in_sync_replicas", m.configured_in_sync.value());
  sheet.put("ha_configured_min_in_sync_replicas", m.configured_min_in_sync.value());
  sheet.put("ha_catch_up_limit_bytes_per_second", m.catch_up_limit.value());
  sheet.put("ha_io_turn_age_seconds", seconds_since(m.io_turned_ns, now_ns));
  sheet.put("ha_append_hints_total", m.appended_hints.value());
  sheet.put("ha_connections", m.connections.value());
  sheet.put("ha_connections_plaintext", m.tls.plain_connections.value());
  sheet.put("ha_open_to_all", m.tls.open_to_all.value());
  const CoordinatorMetrics& engine = m.coordinator;
  sheet.put("ha_coordinator_up", engine.answers.value());
  sheet.put("ha_coordinator_paused", engine.paused.value());
  sheet.put("ha_set_version", engine.set_version.value());
  constexpr std::array kCameTo{"ok", "no", "failed"};
  for (std::size_t i = 0; i < kCameTo.size(); ++i) {
    sheet.put("ha_coordinator_requests_total", engine.requests[i].value(), {kCameTo[i]});
  }
  sheet.put("ha_lease_left_seconds", seconds_left(engine.lease_until_ns, now_ns));
  sheet.put("ha_takeovers_total", engine.takeovers.value());
  sheet.put("ha_tls_handshakes_total", m.tls.handshakes_server.value(), {"server", "ok"});
  sheet.put("ha_tls_handshakes_total", m.tls.failures_server.value(), {"server", "failed"});
  sheet.put("ha_tls_handshakes_total", m.tls.handshakes_client.value(), {"client", "ok"});
  sheet.put("ha_tls_handshakes_total", m.tls.failures_client.value(), {"client", "failed"});
  sheet.put("ha_tls_reloads_total", m.tls.reloads.value(), {"ok"});
  sheet.put("ha_tls_reloads_total", m.tls.reload_failures.value(), {"failed"});
  sheet.put("ha_tls_certificate_not_after_timestamp_seconds", m.tls.not_after_s.value());
  sheet.put("ha_connections_accepted_total", m.connections_accepted.value());
  for (std::int32_t reason = HA_REASON_NONE; reason < kReasons; ++reason) {
    sheet.put("ha_connections_rejected_total", at(m.rejected, reason), {reason_name(reason)});
  }
}

void put_replica_counters(Sheet& sheet, const ReplicaMetrics& r) {
  sheet.put("ha_replica_sent_bytes_total", r.bytes_sent.value(), {r.id});
  sheet.put("ha_replica_sent_frames_total", r.frames_sent.value(), {r.id});
  sheet.put("ha_replica_heartbeats_sent_total", r.heartbeats_sent.value(), {r.id});
  sheet.put("ha_replica_reports_received_total", r.reports_received.value(), {r.id});
  sheet.put("ha_replica_reconnects_total", r.reconnects(), {r.id});
  // Only what has happened: 30 reasons times 256 replicas would be most of the scrape, all zeros.
  for (std::int32_t reason = HA_REASON_NONE; reason < kReasons; ++reason) {
    if (const auto n = at(r.closes, reason); n > 0) {
      sheet.put("ha_replica_closes_total", n, {r.id, reason_name(reason)});
    }
    if (const auto n = at(r.in_sync_exits, reason); n > 0) {
      sheet.put("ha_replica_in_sync_exits_total", n, {r.id, reason_name(reason)});
    }
  }
}

// A replica that is gone lags on: it will have to fetch what it lacks. When it held everything as
// it left, the oldest byte it lacks is younger than its leaving, and that is the best bound there
// is.
void put_replica_lag(Sheet& sheet, const ReplicaMetrics& r, std::int64_t log_end,
                     std::int64_t now_ns) {
  const std::int64_t acked = r.ack_offset.value();
  const bool gone = r.connections.value() == 0;
  const std::int64_t lag_bytes = std::max<std::int64_t>(0, log_end - acked);
  std::int64_t since_ns = r.behind_since_ns.value();
  if (since_ns == 0 && gone && lag_bytes > 0) since_ns = r.disconnected_at_ns.value();
  const std::int64_t lag_ns = since_ns == 0 ? 0 : std::max<std::int64_t>(0, now_ns - since_ns);
  const std::int64_t in_flight = std::max<std::int64_t>(0, r.sent_offset.value() - acked);
  sheet.put("ha_replica_lag_bytes", lag_bytes, {r.id});
  sheet.put("ha_replica_lag_seconds", static_cast<double>(lag_ns) / kNsPerSecond, {r.id});
  sheet.put("ha_replica_in_flight_bytes", gone ? 0 : in_flight, {r.id});
}

void put_replica(Sheet& sheet, const ReplicaMetrics& r, const HaMetrics& m, std::int64_t now_ns) {
  sheet.put("ha_replica_info", 1, {r.id, r.address()});
  sheet.put("ha_replica_connected", r.connections.value() > 0 ? 1 : 0, {r.id});
  for (std::int32_t state = HA_STATE_READY; state <= HA_STATE_SHUTDOWN; ++state) {
    sheet.put("ha_replica_state", r.state.value() == state ? 1 : 0, {r.id, state_name(state)});
  }
  sheet.put("ha_replica_in_sync", r.in_sync.value(), {r.id});
  sheet.put("ha_replica_start_offset_bytes", r.start_offset.value(), {r.id});
  sheet.put("ha_replica_sent_offset_bytes", r.sent_offset.value(), {r.id});
  if (r.ack_offset.value() >= 0) {
    sheet.put("ha_replica_acked_offset_bytes", r.ack_offset.value(), {r.id});
    if (m.role.value() == HA_ROLE_MASTER) put_replica_lag(sheet, r, m.log_end.value(), now_ns);
  }
  if (r.native.value() != 0) {
    sheet.put("ha_replica_durable_offset_bytes", r.durable_offset.value(), {r.id});
  }
  sheet.put("ha_replica_catch_up_stalled", r.catch_up_stalled.value(), {r.id});
  if (const std::int64_t left = r.seconds_until_lost.value(); left >= 0) {
    sheet.put("ha_replica_seconds_until_lost", left, {r.id});
  }
  put_replica_counters(sheet, r);
}

void put_violations(Sheet& sheet, const HaMetrics& m, const HaMetrics::ReplicaView& view) {
  for (std::int32_t reason = HA_REASON_NONE; reason < kReasons; ++reason) {
    if (!lists::is_of_kind(static_cast<std::size_t>(reason), lists::kViolation)) continue;
    std::uint64_t n = at(m.rejected, reason) + at(m.client.closes, reason);
    for (const auto& replica : view.replicas) n += at(replica->closes, reason);
    if (view.other) n += at(view.other->closes, reason);
    sheet.put("ha_protocol_violations_total", n, {reason_name(reason)});
  }
}

void put_waits(Sheet& sheet, const HaMetrics& m, std::int64_t now_ns) {
  sheet.put_histogram("ha_ack_latency_seconds", m.ack_latency);
  sheet.put("ha_waits_pending", m.waits_pending.value());
  sheet.put("ha_oldest_wait_age_seconds", seconds_since(m.oldest_wait_since_ns, now_ns));
  sheet.put("ha_waits_accepted_total", m.waits_started.value());
  for (std::int32_t i = 0; i < kStatuses; ++i) {
    sheet.put("ha_wait_results_total", m.wait_results[static_cast<std::size_t>(i)].value(),
              {status_label(-i)});
  }
}

void put_client(Sheet& sheet, const ClientMetrics& c, bool slave) {
  const std::int64_t state = c.state.value();
  sheet.put("ha_client_connected",
            slave && (state == HA_STATE_HANDSHAKE || state == HA_STATE_TRANSFER) ? 1 : 0);
  for (std::int32_t s = HA_STATE_READY; s <= HA_STATE_SHUTDOWN; ++s) {
    sheet.put("ha_client_state", state == s ? 1 : 0, {state_name(s)});
  }
  sheet.put("ha_client_connects_total", c.connects.value());
  sheet.put("ha_client_connect_failures_total", c.connect_failures.value());
  for (std::int32_t reason = HA_REASON_NONE; reason < kReasons; ++reason) {
    sheet.put("ha_client_closes_total", at(c.closes, reason), {reason_name(reason)});
  }
  sheet.put("ha_client_received_bytes_total", c.bytes_received.value());
  sheet.put("ha_client_received_frames_total", c.frames_received.value());
  sheet.put("ha_client_heartbeats_received_total", c.heartbeats_received.value());
  sheet.put("ha_client_appended_bytes_total", c.bytes_appended.value());
  sheet.put("ha_client_reports_sent_total", c.reports_sent.value());
  sheet.put("ha_client_truncated_bytes_total", c.truncated_bytes.value());
  sheet.put("ha_client_cut_copies_bytes", static_cast<double>(c.cut_copies_bytes.value()));
  sheet.put("ha_client_cut_copies_removed_total", c.cut_copies_removed.value());
  sheet.put("ha_client_offset_mismatches_total", c.mismatches.value());
  // 0 would read as 1970, and as an age of half a century in every alert.
  if (const auto ms = c.last_read_ms.value(); ms > 0) {
    sheet.put("ha_client_last_read_timestamp_seconds", static_cast<double>(ms) / kMsPerSecond);
  }
  if (const auto ms = c.last_write_ms.value(); ms > 0) {
    sheet.put("ha_client_last_write_timestamp_seconds", static_cast<double>(ms) / kMsPerSecond);
  }
}

}  // namespace

std::span<const FamilySpec> family_table() { return kFamilies; }

std::vector<prometheus::MetricFamily> collect_families(const HaMetrics& m, std::int64_t now_ns) {
  const HaMetrics::ReplicaView view = m.replica_view();
  Sheet sheet;
  put_node(sheet, m, now_ns);
  put_violations(sheet, m, view);
  for (const auto& replica : view.replicas) put_replica(sheet, *replica, m, now_ns);
  if (view.other) put_replica_counters(sheet, *view.other);
  put_waits(sheet, m, now_ns);
  put_client(sheet, m.client, m.role.value() == HA_ROLE_SLAVE);
  return sheet.take();
}

}  // namespace ha::metrics
