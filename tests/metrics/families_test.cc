// SPDX-License-Identifier: Apache-2.0
#include "metrics/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/metrics/populated.h"
#include "tests/metrics/text_samples.h"

namespace ha::metrics {
namespace {

using Samples = std::map<std::string, std::string>;

Samples read(const HaMetrics& metrics, std::int64_t now_ns = kNowNs) {
  return samples_of(prometheus::TextSerializer{}.Serialize(collect_families(metrics, now_ns)));
}

// Asks for one sample: a missing one shows as "absent".
std::string value(const Samples& samples, const std::string& name) {
  const auto found = samples.find(name);
  return found == samples.end() ? "absent" : found->second;
}

class Populated : public testing::Test {
 protected:
  Populated() { populate(metrics_); }
  std::string get(const std::string& name) { return value(read(metrics_), name); }

  HaMetrics metrics_;
};

TEST_F(Populated, NodeShowsRoleBoundsAndSettings) {
  const std::string abi = std::to_string(HA_ABI_MAJOR) + "." + std::to_string(HA_ABI_MINOR);
  EXPECT_EQ(get("ha_build_info{version=\"" HA_PLUGIN_VERSION "\",abi=\"" + abi + "\"}"), "1");
  EXPECT_EQ(get("ha_role{role=\"master\"}"), "1");
  EXPECT_EQ(get("ha_role{role=\"slave\"}"), "0");
  EXPECT_EQ(get("ha_role{role=\"none\"}"), "0");
  EXPECT_EQ(get("ha_role_changes_total"), "13");
  EXPECT_EQ(get("ha_epoch"), "3");
  EXPECT_EQ(get("ha_promised_epoch"), "4");
  EXPECT_EQ(get("ha_degraded"), "1");
  EXPECT_EQ(get("ha_degraded_since_timestamp_seconds"), "1.5");
  EXPECT_EQ(get("ha_degraded_acks_total"), "40");
  EXPECT_EQ(get("ha_degraded_lost_bytes"), "30");
  EXPECT_EQ(get("ha_metadata_failed"), "1");
  EXPECT_EQ(get("ha_log_min_offset_bytes"), "1024");
  EXPECT_EQ(get("ha_log_end_offset_bytes"), "10000");
  EXPECT_EQ(get("ha_log_durable_offset_bytes"), "9000");
  EXPECT_EQ(get("ha_log_confirm_offset_bytes"), "9500");
  EXPECT_EQ(get("ha_log_segment_size_bytes"), "1024");
  EXPECT_EQ(get("ha_in_sync_replicas"), "2");
  EXPECT_EQ(get("ha_configured_in_sync_replicas"), "4");
  EXPECT_EQ(get("ha_configured_min_in_sync_replicas"), "5");
  EXPECT_EQ(get("ha_append_hints_total"), "14");
  EXPECT_EQ(get("ha_io_turn_age_seconds"), "3.25");
  EXPECT_EQ(get("ha_connections"), "6");
  EXPECT_EQ(get("ha_connections_accepted_total"), "11");
  EXPECT_EQ(get("ha_connections_rejected_total{reason=\"not_allowed\"}"), "12");
  EXPECT_EQ(get("ha_connections_rejected_total{reason=\"network\"}"), "0");
}

TEST_F(Populated, ConnectedReplicaShowsOffsetsLagAndCounters) {
  EXPECT_EQ(get("ha_replica_info{id=\"10.0.0.7\",address=\"10.0.0.7:40001\"}"), "1");
  EXPECT_EQ(get("ha_replica_connected{id=\"10.0.0.7\"}"), "1");
  EXPECT_EQ(get("ha_replica_state{id=\"10.0.0.7\",state=\"transfer\"}"), "1");
  EXPECT_EQ(get("ha_replica_state{id=\"10.0.0.7\",state=\"shutdown\"}"), "0");
  EXPECT_EQ(get("ha_replica_in_sync{id=\"10.0.0.7\"}"), "1");
  EXPECT_EQ(get("ha_replica_start_offset_bytes{id=\"10.0.0.7\"}"), "2048");
  EXPECT_EQ(get("ha_replica_sent_offset_bytes{id=\"10.0.0.7\"}"), "9900");
  EXPECT_EQ(get("ha_replica_acked_offset_bytes{id=\"10.0.0.7\"}"), "9400");
  EXPECT_EQ(get("ha_replica_durable_offset_bytes{id=\"10.0.0.7\"}"), "9300");
  EXPECT_EQ(get("ha_replica_durable_offset_bytes{id=\"10.0.0.8\"}"), "absent");
  EXPECT_EQ(get("ha_replica_lag_bytes{id=\"10.0.0.7\"}"), "600");
  EXPECT_EQ(get("ha_replica_lag_seconds{id=\"10.0.0.7\"}"), "1.25");
  EXPECT_EQ(get("ha_replica_in_flight_bytes{id=\"10.0.0.7\"}"), "500");
  EXPECT_EQ(get("ha_replica_sent_bytes_total{id=\"10.0.0.7\"}"), "7852");
  EXPECT_EQ(get("ha_replica_sent_frames_total{id=\"10.0.0.7\"}"), "21");
  EXPECT_EQ(get("ha_replica_heartbeats_sent_total{id=\"10.0.0.7\"}"), "22");
  EXPECT_EQ(get("ha_replica_reports_received_total{id=\"10.0.0.7\"}"), "23");
  EXPECT_EQ(get("ha_replica_reconnects_total{id=\"10.0.0.7\"}"), "2");
  EXPECT_EQ(get("ha_replica_closes_total{id=\"10.0.0.7\",reason=\"report_ahead\"}"), "2");
  EXPECT_EQ(get("ha_replica_in_sync_exits_total{id=\"10.0.0.7\",reason=\"lag_time\"}"), "3");
  EXPECT_EQ(get("ha_replica_catch_up_stalled{id=\"10.0.0.7\"}"), "1");
  EXPECT_EQ(get("ha_replica_seconds_until_lost{id=\"10.0.0.7\"}"), "77");
  EXPECT_EQ(get("ha_replica_closes_total{id=\"10.0.0.7\",reason=\"network\"}"), "absent");
}

TEST_F(Populated, GoneReplicaLagsOnFromTheMomentItLeft) {
  EXPECT_EQ(get("ha_replica_connected{id=\"10.0.0.8\"}"), "0");
  EXPECT_EQ(get("ha_replica_lag_bytes{id=\"10.0.0.8\"}"), "2000");
  EXPECT_EQ(get("ha_replica_lag_seconds{id=\"10.0.0.8\"}"), "60");
  EXPECT_EQ(get("ha_replica_in_flight_bytes{id=\"10.0.0.8\"}"), "0");
  metrics_.replica("10.0.0.8")->ack_offset.set(10'000);  // nothing was appended since: no lag
  EXPECT_EQ(get("ha_replica_lag_seconds{id=\"10.0.0.8\"}"), "0");
}

TEST_F(Populated, LagIsAbsentBeforeTheFirstReportAndOffTheMaster) {
  metrics_.replica("10.0.0.7")->ack_offset.set(-1);
  for (const char* name : {"acked_offset_bytes", "lag_bytes", "lag_seconds", "in_flight_bytes"}) {
    EXPECT_EQ(get(std::string("ha_replica_") + name + "{id=\"10.0.0.7\"}"), "absent") << name;
  }
  metrics_.role.set(HA_ROLE_SLAVE);
  EXPECT_EQ(get("ha_replica_lag_bytes{id=\"10.0.0.8\"}"), "absent");
  EXPECT_EQ(get("ha_replica_acked_offset_bytes{id=\"10.0.0.8\"}"), "8000");
}

TEST_F(Populated, ViolationsAddUpRejectedReplicasAndClient) {
  EXPECT_EQ(get("ha_protocol_violations_total{reason=\"report_ahead\"}"), "2");
  EXPECT_EQ(get("ha_protocol_violations_total{reason=\"request_above_end\"}"), "1");
  EXPECT_EQ(get("ha_protocol_violations_total{reason=\"offset_mismatch\"}"), "39");
  EXPECT_EQ(get("ha_protocol_violations_total{reason=\"frame_size\"}"), "0");
  EXPECT_EQ(get("ha_protocol_violations_total{reason=\"not_allowed\"}"), "absent");
}

TEST_F(Populated, WaitsShowAgeAndResultsByStatus) {
  EXPECT_EQ(get("ha_waits_pending"), "7");
  EXPECT_EQ(get("ha_oldest_wait_age_seconds"), "2.5");
  EXPECT_EQ(get("ha_waits_accepted_total"), "8");
  EXPECT_EQ(get("ha_wait_results_total{status=\"ok\"}"), "9");
  EXPECT_EQ(get("ha_wait_results_total{status=\"flush_slave_timeout\"}"), "10");
  EXPECT_EQ(get("ha_wait_results_total{status=\"slave_not_available\"}"), "0");
  metrics_.oldest_wait_since_ns.set(0);
  EXPECT_EQ(get("ha_oldest_wait_age_seconds"), "0");
}

TEST_F(Populated, HistogramIsCumulativeWithItsSumInSeconds) {
  EXPECT_EQ(get("ha_ack_latency_seconds_bucket{le=\"5e-05\"}"), "2");
  EXPECT_EQ(get("ha_ack_latency_seconds_bucket{le=\"0.0001\"}"), "3");
  EXPECT_EQ(get("ha_ack_latency_seconds_bucket{le=\"1\"}"), "3");
  EXPECT_EQ(get("ha_ack_latency_seconds_bucket{le=\"2\"}"), "4");
  EXPECT_EQ(get("ha_ack_latency_seconds_bucket{le=\"10\"}"), "4");
  EXPECT_EQ(get("ha_ack_latency_seconds_bucket{le=\"+Inf\"}"), "5");
  EXPECT_EQ(get("ha_ack_latency_seconds_count"), "5");
  EXPECT_DOUBLE_EQ(std::stod(get("ha_ack_latency_seconds_sum")), 21.500140001);
}

TEST_F(Populated, ClientShowsItsLinkAndCounters) {
  EXPECT_EQ(get("ha_client_connected"), "0");
  EXPECT_EQ(get("ha_client_state{state=\"suspend\"}"), "1");
  EXPECT_EQ(get("ha_client_state{state=\"transfer\"}"), "0");
  EXPECT_EQ(get("ha_client_connects_total"), "31");
  EXPECT_EQ(get("ha_client_connect_failures_total"), "32");
  EXPECT_EQ(get("ha_client_received_bytes_total"), "33");
  EXPECT_EQ(get("ha_client_appended_bytes_total"), "34");
  EXPECT_EQ(get("ha_client_received_frames_total"), "35");
  EXPECT_EQ(get("ha_client_heartbeats_received_total"), "36");
  EXPECT_EQ(get("ha_client_reports_sent_total"), "37");
  EXPECT_EQ(get("ha_client_truncated_bytes_total"), "39");
  EXPECT_EQ(get("ha_client_cut_copies_bytes"), "41");
  EXPECT_EQ(get("ha_client_cut_copies_removed_total"), "42");
  EXPECT_EQ(get("ha_client_offset_mismatches_total"), "38");
  EXPECT_EQ(get("ha_client_closes_total{reason=\"offset_mismatch\"}"), "39");
  EXPECT_DOUBLE_EQ(std::stod(get("ha_client_last_read_timestamp_seconds")), 1'700'000'000.5);
  EXPECT_DOUBLE_EQ(std::stod(get("ha_client_last_write_timestamp_seconds")), 1'700'000'001.25);
  metrics_.role.set(HA_ROLE_SLAVE);
  metrics_.client.state.set(HA_STATE_TRANSFER);
  EXPECT_EQ(get("ha_client_connected"), "1");
}

TEST(Families, AClientThatNeverReadShowsNoTime) {
  const HaMetrics metrics;
  EXPECT_EQ(value(read(metrics), "ha_client_last_read_timestamp_seconds"), "absent");
}

TEST(Families, LabelValuesAreEscaped) {
  HaMetrics metrics;
  metrics.replica("a\"b\\c\nd");
  EXPECT_EQ(value(read(metrics), "ha_replica_connected{id=\"a\\\"b\\\\c\\nd\"}"), "0");
}

TEST(Families, OtherShowsCountersOnly) {
  HaMetrics metrics;
  for (std::size_t i = 0; i <= HaMetrics::kMaxReplicas; ++i) {
    auto replica = metrics.replica(std::to_string(i));
    replica->bytes_sent.add(1);
    replica->closes[HA_REASON_FRAME_SIZE].add();
  }
  const Samples samples = read(metrics);
  EXPECT_EQ(value(samples, "ha_replica_sent_bytes_total{id=\"other\"}"), "1");
  EXPECT_EQ(value(samples, "ha_replica_closes_total{id=\"other\",reason=\"frame_size\"}"), "1");
  EXPECT_EQ(value(samples, "ha_replica_connected{id=\"other\"}"), "absent");
  EXPECT_EQ(value(samples, "ha_protocol_violations_total{reason=\"frame_size\"}"),
            std::to_string(HaMetrics::kMaxReplicas + 1));
}

// One writer, as in the plugin, and two readers; run under the thread sanitizer too. New ids keep
// folding old ones, yet no reader ever sees the sum over all replicas fall.
TEST(Families, ReadersAreRightWhileTheWriterBumpsAndFolds) {
  HaMetrics metrics;
  constexpr int kIds = 2'000;
  std::atomic<bool> done{false};
  const auto reader = [&] {
    double last = 0;
    for (bool all = false; !all;) {
      all = done.load();  // before the reading: the last one sees everything
      const double now = std::stod(
          value(read(metrics), "ha_protocol_violations_total{reason=\"report_backward\"}"));
      EXPECT_GE(now, last);
      last = now;
    }
    EXPECT_EQ(last, kIds);
  };
  std::thread first(reader);
  std::thread second(reader);
  for (int i = 0; i < kIds; ++i) {
    auto replica = metrics.replica(std::to_string(i));
    replica->connections.add(1);
    replica->set_address("10.0.0.1:" + std::to_string(i));
    replica->closes[HA_REASON_REPORT_BACKWARD].add();
    metrics.ack_latency.observe(i);
    replica->disconnected_at_ns.set(i + 1);
    replica->connections.add(-1);
  }
  done.store(true);
  first.join();
  second.join();
}

}  // namespace
}  // namespace ha::metrics
