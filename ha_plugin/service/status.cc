// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstddef>
#include <cstring>

#include "ha/ext/metadata.h"
#include "ha_plugin/base/version.h"
#include "metrics/names.h"

namespace ha {
namespace {

namespace json = boost::json;
using metrics::Gauge;
using metrics::ReplicaMetrics;

std::int64_t age_ms(const Gauge& since_ns, core::Time now) {
  const std::int64_t since = since_ns.value();
  return since == 0 ? 0 : std::max<std::int64_t>((now.count() - since) / 1'000'000, 0);
}

void put(char* to, std::size_t size, const std::string& text) {
  const std::size_t n = std::min(text.size(), size - 1);
  std::memcpy(to, text.data(), n);
  to[n] = '\0';
}

std::vector<std::shared_ptr<ReplicaMetrics>> connected(const metrics::HaMetrics& m) {
  auto replicas = m.replicas();
  std::erase_if(replicas, [](const auto& r) { return r->connections.value() == 0; });
  return replicas;
}

ha_replica_status status_of(const ReplicaMetrics& r, const StatusInput& in) {
  ha_replica_status s{};
  s.struct_size = sizeof(s);
  s.state = static_cast<std::int32_t>(r.state.value());
  s.ack_offset = r.ack_offset.value();
  s.sent_offset = r.sent_offset.value();
  s.start_offset = r.start_offset.value();
  s.lag_bytes = std::max<std::int64_t>(
      in.metrics.log_end.value() - std::max<std::int64_t>(s.ack_offset, 0), 0);
  // The gauge says since when it has been behind; 0 = it was not, or the time is not known any
  // more.
  s.lag_ms = s.lag_bytes == 0                 ? 0
             : r.behind_since_ns.value() == 0 ? -1
                                              : age_ms(r.behind_since_ns, in.now);
  s.bytes_per_s = r.bytes_per_s.value();
  s.connected_ms = age_ms(r.connected_at_ns, in.now);
  s.in_sync = r.in_sync.value() != 0 ? 1 : 0;
  put(s.id, sizeof(s.id), r.id);
  put(s.address, sizeof(s.address), r.address());
  return s;
}

json::object bounds_json(const metrics::HaMetrics& m) {
  return {{"min", m.log_min.value()},
          {"end", m.log_end.value()},
          {"durable", m.log_durable.value()},
          {"confirm", m.log_confirm.value()},
          {"segment_size", m.segment_size.value()}};
}

// A producer that waits for so long is more than a slow disk or a collection of garbage somewhere.
constexpr std::int64_t kBlockedAfterMs = 1000;

// Producers wait: since when, and because of which replicas. null = they do not.
json::value blocked_json(const StatusInput& in) {
  const std::int64_t oldest_ms = age_ms(in.metrics.oldest_wait_since_ns, in.now);
  if (in.metrics.role.value() != HA_ROLE_MASTER || oldest_ms < kBlockedAfterMs) return nullptr;
  json::array because;
  std::vector<std::string> unseen = in.others;
  for (const auto& r : in.metrics.replicas()) {
    std::erase(unseen, r->id);
    const ha_replica_status s = status_of(*r, in);
    if (r->connections.value() == 0) {
      because.push_back(json::object{
          {"id", r->id},
          {"what", "gone"},
          {"reason", metrics::reason_name(static_cast<std::int32_t>(r->last_close_reason.value()))},
          {"for_ms", age_ms(r->disconnected_at_ns, in.now)}});
    } else if (s.lag_bytes > 0) {
      because.push_back(json::object{{"id", r->id},
                                     {"what", "behind"},
                                     {"lag_bytes", s.lag_bytes},
                                     {"for_ms", std::max<std::int64_t>(s.lag_ms, 0)}});
    }
  }
  for (const std::string& id : unseen) {
    because.push_back(json::object{{"id", id}, {"what", "never seen"}});
  }
  return json::object{{"for_ms", oldest_ms},
                      {"waits", in.metrics.waits_pending.value()},
                      {"because", std::move(because)}};
}

// What was acknowledged with too few copies: the ranges, and whether that goes on. null = nothing
// ever was.
json::value degraded_json(const StatusInput& in) {
  const auto ranges = in.metrics.degraded_ranges.get();
  if (ranges.empty()) return nullptr;
  json::array all;
  for (const metrics::DegradedRange& r : ranges) {
    all.push_back(json::object{
        {"from", r.from}, {"to", r.to}, {"since_ms", r.since_ms}, {"healed_ms", r.healed_ms}});
    if (r.lost_from >= 0) all.back().as_object()["lost_from"] = r.lost_from;
  }
  return json::object{{"now", ranges.back().healed_ms == 0},
                      {"acks", in.metrics.degraded_acks.value()},
                      {"ranges", std::move(all)}};
}

json::array replicas_json(const StatusInput& in) {
  json::array all;
  for (const auto& r : in.metrics.replicas()) {
    const ha_replica_status s = status_of(*r, in);
    const bool there = r->connections.value() > 0;
    all.push_back(json::object{
        {"id", r->id},
        {"address", s.address},
        {"connected", there},
        {"state", metrics::state_name(s.state)},
        {"encrypted", r->encrypted.value() != 0},
        {"wire", r->native.value() != 0 ? "native" : "rocketmq"},
        {"in_sync", s.in_sync == 1},
        {"in_sync_left_for",
         metrics::reason_name(static_cast<std::int32_t>(r->in_sync_left_for.value()))},
        {"in_sync_changed_ms", age_ms(r->in_sync_changed_ns, in.now)},
        {"start_offset", s.start_offset},
        {"sent_offset", s.sent_offset},
        {"ack_offset", s.ack_offset},
        {"durable_offset", r->durable_offset.value()},
        {"lag_bytes", s.lag_bytes},
        {"lag_ms", s.lag_ms},
        {"in_flight_bytes", there ? std::max<std::int64_t>(s.sent_offset - s.ack_offset, 0) : 0},
        {"bytes_per_s", s.bytes_per_s},
        {"catch_up_stalled", r->catch_up_stalled.value() != 0},
        {"seconds_until_lost", r->seconds_until_lost.value()},
        {"connected_ms", there ? s.connected_ms : 0},
        {"gone_ms", there ? 0 : age_ms(r->disconnected_at_ns, in.now)},
        {"connects", r->connects.value()},
        {"last_close_reason",
         metrics::reason_name(static_cast<std::int32_t>(r->last_close_reason.value()))}});
  }
  return all;
}

json::object waits_json(const StatusInput& in) {
  json::object results;
  for (std::size_t i = 0; i < metrics::kStatusSlots; ++i) {
    const std::uint64_t n = in.metrics.wait_results[i].value();
    if (n > 0) results[metrics::status_name(-static_cast<std::int32_t>(i))] = n;
  }
  return {{"pending", in.metrics.waits_pending.value()},
          {"oldest_ms", age_ms(in.metrics.oldest_wait_since_ns, in.now)},
          {"results", std::move(results)}};
}

json::array epochs_json(const metrics::EpochList& list) {
  json::array all;
  for (const metrics::Epoch& epoch : list.get()) {
    json::object entry{{"epoch", epoch.number}, {"start", epoch.start}};
    if (!epoch.master.empty()) entry["master"] = epoch.master;
    all.push_back(std::move(entry));
  }
  return all;
}

json::object client_json(const StatusInput& in) {
  const metrics::ClientMetrics& c = in.metrics.client;
  json::object out{
      {"master_address", in.master_address},
      {"state", metrics::state_name(static_cast<std::int32_t>(c.state.value()))},
      {"last_reason", metrics::reason_name(static_cast<std::int32_t>(c.last_reason.value()))},
      {"bytes_per_s", c.bytes_per_s.value()},
      {"bytes_received", c.bytes_received.value()},
      {"last_read_ms", c.last_read_ms.value()},
      {"last_write_ms", c.last_write_ms.value()},
      {"connects", c.connects.value()},
      {"truncated_bytes", c.truncated_bytes.value()},
      {"mismatches", c.mismatches.value()},
      {"not_following_ms", age_ms(c.not_following_since_ns, in.now)},
      {"refused", c.refused.value() != 0},
      {"last_words", c.last_words.get()}};
  if (in.learner) {
    out["master_confirm"] = c.master_confirm.value();
    out["master_epochs"] = epochs_json(c.master_epochs);
  }
  return out;
}

json::object tls_json(const StatusInput& in) {
  const metrics::TlsMetrics& tls = in.metrics.tls;
  const std::int64_t ends = tls.not_after_s.value();
  return {{"mode", in.tls},
          {"certificate_ends_s", ends == 0 ? json::value() : json::value(ends)},
          {"plaintext_connections", tls.plain_connections.value()}};
}

json::object coordinator_json(const StatusInput& in) {
  const metrics::CoordinatorMetrics& engine = in.metrics.coordinator;
  if (engine.configured.value() == 0) return {};
  const std::int64_t left_ms = (engine.lease_until_ns.value() - in.now.count()) / 1'000'000;
  return {{"answers", engine.answers.value() != 0},
          {"holder", engine.holder.get()},
          {"lease_left_ms", std::max<std::int64_t>(0, left_ms)},
          {"paused", engine.paused.value() != 0},
          {"takeovers", engine.takeovers.value()},
          {"last_words", engine.last_words.get()},
          {"set",
           {{"version", engine.set_version.value()},
            {"text", engine.set.get()},
            {"nodes", json::value_from(engine.set_nodes.get())},
            {"member", engine.set_outside.value() == 0},
            {"changing", engine.set_changing.value() != 0},
            {"waits_for", engine.set_change.get()}}}};
}

json::array warnings_json(const StatusInput& in) {
  json::array all;
  const metrics::HaMetrics& m = in.metrics;
  if (m.role.value() == HA_ROLE_MASTER && m.configured_in_sync.value() == 1 &&
      !connected(m).empty()) {
    all.emplace_back(
        "in_sync_replicas is 1: slaves are attached, but waits with default acks wait for nobody");
  }
  if (m.tls.open_to_all.value() != 0) {
    all.emplace_back(
        "the HA port has no TLS: everybody who reaches it can read the log, and act as a replica");
  }
  if (m.metadata_failed.value() != 0) {
    all.emplace_back(
        fmt::format("the host's state beside the log (consumers' offsets) is not replicated: it is "
                    "larger than {} bytes, or the host could not give it; the log has the reason",
                    HA_METADATA_MAX_BYTES));
  }
  if (m.coordinator.configured.value() != 0 && m.coordinator.answers.value() == 0) {
    all.emplace_back("the coordinator does not answer, so nobody takes over if the master fails: " +
                     m.coordinator.last_words.get());
  }
  if (m.coordinator.set_outside.value() != 0) {
    all.emplace_back("this node is not in the set (" + m.coordinator.set.get() +
                     "): nobody serves it, and it does not become master; add it with `members "
                     "add`, or stop it");
  }
  if (m.role.value() == HA_ROLE_SLAVE && m.client.state.value() == HA_STATE_SUSPEND) {
    all.emplace_back("following is suspended: " + m.client.last_words.get());
  }
  return all;
}

json::object runtime_info_json(const StatusInput& in) {
  const metrics::HaMetrics& m = in.metrics;
  json::array links;
  std::int64_t in_sync_slaves = 0;
  for (const auto& r : connected(m)) {
    const ha_replica_status s = status_of(*r, in);
    in_sync_slaves += s.in_sync;
    links.push_back(json::object{{"addr", s.address},
                                 {"slaveAckOffset", s.ack_offset},
                                 {"diff", s.lag_bytes},
                                 {"inSync", s.in_sync == 1},
                                 {"transferredByteInSecond", s.bytes_per_s},
                                 {"transferFromWhere", s.sent_offset}});
  }
  return {{"master", m.role.value() == HA_ROLE_MASTER},
          {"masterCommitLogMaxOffset", m.log_end.value()},
          {"inSyncSlaveNums", in_sync_slaves},
          {"haConnectionInfo", std::move(links)},
          {"haClientRuntimeInfo",
           json::object{{"masterAddr", in.master_address},
                        {"transferredByteInSecond", m.client.bytes_per_s.value()},
                        {"maxOffset", m.log_end.value()},
                        {"lastReadTimestamp", m.client.last_read_ms.value()},
                        {"lastWriteTimestamp", m.client.last_write_ms.value()},
                        {"masterFlushOffset", 0},
                        {"isActivated", m.client.state.value() == HA_STATE_TRANSFER}}}};
}

}  // namespace

void fill_snapshot(const StatusInput& in, ha_snapshot& out) {
  const metrics::HaMetrics& m = in.metrics;
  ha_snapshot full{};
  std::memcpy(&full, &out, std::min<std::size_t>(out.struct_size, sizeof(full)));
  const auto replicas = connected(m);
  full.replica_count = static_cast<std::int64_t>(replicas.size());
  const bool wants = full.replicas != nullptr && full.replica_stride > 0;
  const std::int64_t filled = wants ? std::min(full.replica_count, full.replica_capacity) : 0;
  for (std::int64_t i = 0; i < filled; ++i) {
    ha_replica_status s = status_of(*replicas[static_cast<std::size_t>(i)], in);
    const std::size_t size = std::min<std::size_t>(full.replica_stride, sizeof(s));
    s.struct_size = static_cast<std::uint32_t>(size);
    std::memcpy(reinterpret_cast<char*>(full.replicas) + i * full.replica_stride, &s, size);
  }
  full.role = static_cast<std::int32_t>(m.role.value());
  full.client_state = static_cast<std::int32_t>(m.client.state.value());
  full.client_reason = static_cast<std::int32_t>(m.client.last_reason.value());
  full.in_sync_count = static_cast<std::int32_t>(m.in_sync_replicas.value());
  full.epoch = m.epoch.value();
  full.bounds = {m.log_min.value(), m.log_end.value(), m.log_durable.value(), m.log_confirm.value(),
                 m.segment_size.value()};
  full.pending_waits = m.waits_pending.value();
  full.listen_port = in.listen_port;
  full.metrics_port = in.metrics_port;
  full.client_bytes_per_s = m.client.bytes_per_s.value();
  full.client_last_read_ms = m.client.last_read_ms.value();
  full.client_last_write_ms = m.client.last_write_ms.value();
  put(full.listen_address, sizeof(full.listen_address), in.listen_address);
  put(full.metrics_address, sizeof(full.metrics_address), in.metrics_address);
  put(full.master_address, sizeof(full.master_address), in.master_address);
  full.io_turn_age_ms = age_ms(m.io_turned_ns, in.now);
  std::memcpy(&out, &full, std::min<std::size_t>(out.struct_size, sizeof(full)));
}

std::string make_status_json(const StatusInput& in) {
  const metrics::HaMetrics& m = in.metrics;
  const json::object status{
      {"plugin", json::object{{"name", kPluginName}, {"version", kPluginVersion}}},
      {"role", metrics::role_name(static_cast<std::int32_t>(m.role.value()))},
      {"epoch", m.epoch.value()},
      {"epochs", epochs_json(m.epochs)},
      {"promised_epoch", m.promised_epoch.value()},
      {"listen_address", in.listen_address},
      {"metrics_address", in.metrics_address},
      {"bounds", bounds_json(m)},
      {"in_sync_count", m.in_sync_replicas.value()},
      {"in_sync_replicas", m.configured_in_sync.value()},
      {"min_in_sync_replicas", m.configured_min_in_sync.value()},
      {"replicas", replicas_json(in)},
      {"waits", waits_json(in)},
      {"blocked", blocked_json(in)},
      {"degraded", degraded_json(in)},
      {"client", client_json(in)},
      {"tls", tls_json(in)},
      {"coordinator", coordinator_json(in)},
      {"warnings", warnings_json(in)},
      {"ha_runtime_info", runtime_info_json(in)}};
  return json::serialize(status);
}

}  // namespace ha
