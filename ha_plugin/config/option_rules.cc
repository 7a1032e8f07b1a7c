// SPDX-License-Identifier: Apache-2.0
// Which options fit together.
#include <fmt/format.h>

#include <algorithm>

#include "ha_plugin/config/settings.h"

namespace ha {
namespace {

std::string check_tls(const Settings& s) {
  const bool certificates = !s.tls_cert.empty() || !s.tls_key.empty() || !s.tls_ca.empty();
  if (!s.tls_psk_file.empty() && (certificates || !s.tls_crl.empty())) {
    return "option 'tls_psk_file' takes the place of certificates: give it, or options 'tls_cert', "
           "'tls_key' and 'tls_ca'";
  }
  if (certificates && (s.tls_cert.empty() || s.tls_key.empty() || s.tls_ca.empty())) {
    return "options 'tls_cert', 'tls_key' and 'tls_ca' go together, and option '" +
           std::string(s.tls_cert.empty()  ? "tls_cert"
                       : s.tls_key.empty() ? "tls_key"
                                           : "tls_ca") +
           "' is missing";
  }
  if (s.tls == TlsMode::kOff) return "";
  if (!certificates && s.tls_psk_file.empty()) {
    return "option 'tls' needs a key file (option 'tls_psk_file', which ha_stub keygen writes), or "
           "certificates (options 'tls_cert', 'tls_key' and 'tls_ca')";
  }
  if (s.cluster_id.empty() || s.replica_id.empty()) {
    return "option 'tls' needs options 'cluster_id' and 'replica_id': they are what a node proves";
  }
  return "";
}

std::string check_metrics(const Settings& s) {
  if (s.metrics_tls_cert.empty() != s.metrics_tls_key.empty()) {
    return "options 'metrics_tls_cert' and 'metrics_tls_key' go together";
  }
  if (!s.metrics_tls_client_ca.empty() && s.metrics_tls_cert.empty()) {
    return "option 'metrics_tls_client_ca' needs options 'metrics_tls_cert' and 'metrics_tls_key'";
  }
  if (s.metrics_listen.empty() && !(s.metrics_tls_cert.empty() && s.metrics_users_file.empty())) {
    return "options 'metrics_tls_cert' and 'metrics_users_file' are for an endpoint: give option "
           "'metrics_listen'";
  }
  return "";
}

std::string check_coordinator(const Settings& s) {
  if (s.coordinator_user.empty() != s.coordinator_password_file.empty()) {
    return "options 'coordinator_user' and 'coordinator_password_file' go together";
  }
  if (s.coordinator_cert.empty() != s.coordinator_key.empty()) {
    return "options 'coordinator_cert' and 'coordinator_key' go together";
  }
  if (s.coordinator.empty()) {
    if (s.coordinator_user.empty() && s.coordinator_ca.empty() && s.coordinator_cert.empty()) {
      return "";
    }
    return "options 'coordinator_user', 'coordinator_ca' and 'coordinator_cert' are for an engine: "
           "give option 'coordinator'";
  }
  if (!s.keeps_epochs() || s.cluster_id.empty()) {
    return "option 'coordinator' needs options 'replicas', the nodes of the set, and 'cluster_id', "
           "which names its keys";
  }
  if (s.suspect_after_ms <= 2 * s.native_heartbeat_ms) {
    return fmt::format(
        "option 'suspect_after_ms': {} must be more than twice "
        "'native_heartbeat_ms' ({}); change one of them",
        s.suspect_after_ms, s.native_heartbeat_ms);
  }
  if (s.coordinator.host &&
      !(s.coordinator_user.empty() && s.coordinator_ca.empty() && s.coordinator_cert.empty())) {
    return "options 'coordinator_user', 'coordinator_ca' and 'coordinator_cert' are for etcd: "
           "leave them out with 'coordinator' = 'host'";
  }
  if (s.coordinator.https == s.coordinator_ca.empty()) {
    return s.coordinator.https ? "option 'coordinator': https needs option 'coordinator_ca'"
                               : "option 'coordinator_ca' is for https (option 'coordinator')";
  }
  if (s.failover == Failover::kAuto && s.copies_by_default() == 1) {
    return "option 'failover': 'auto' needs 'default_copies' of 2 or more: with one copy every "
           "node must promise before there is a new master, the dead one too";
  }
  return "";
}

}  // namespace

std::string check_together(const Settings& s) {
  const auto clash = [](const std::string& a, std::int64_t va, const char* rule,
                        const std::string& b, std::int64_t vb) {
    return fmt::format("option '{}': {} {} '{}' ({}); change one of them", a, va, rule, b, vb);
  };
  if (s.housekeeping_ms <= 2 * s.heartbeat_ms) {
    return clash("housekeeping_ms", s.housekeeping_ms, "must be more than twice", "heartbeat_ms",
                 s.heartbeat_ms);
  }
  if (s.native_housekeeping_ms <= 2 * s.native_heartbeat_ms) {
    return clash("native_housekeeping_ms", s.native_housekeeping_ms, "must be more than twice",
                 "native_heartbeat_ms", s.native_heartbeat_ms);
  }
  if (s.wire == Wire::kAuto && s.wire_probe_ms >= s.native_housekeeping_ms) {
    return clash("wire_probe_ms", s.wire_probe_ms, "must be below", "native_housekeeping_ms",
                 s.native_housekeeping_ms);
  }
  const auto ids = s.replicas.ids();
  if (!ids.empty() && std::find(ids.begin(), ids.end(), s.replica_id) == ids.end()) {
    return fmt::format(
        "option 'replica_id': '{}' is not in option 'replicas', which names this node too: '{}'",
        s.replica_id, s.replicas.text());
  }
  if (s.keeps_epochs()) {
    if (s.state_dir.empty()) {
      return "option 'replicas' needs option 'state_dir', a directory for this node's promises and "
             "epochs (such as that of the store)";
    }
    if (s.default_copies > s.most_copies()) {
      return clash("default_copies", s.default_copies, "must not be above the number of",
                   "replicas", s.most_copies());
    }
    if (s.in_sync_replicas != 1) {
      return "option 'in_sync_replicas': with option 'replicas' the number of copies is option "
             "'default_copies'";
    }
    if (s.auto_in_sync_replicas) {
      return "option 'auto_in_sync_replicas': 'true' would promise fewer copies than option "
             "'replicas' needs; leave it out";
    }
    if (s.wire == Wire::kRocketmq || s.wire == Wire::kRocketmqAutoswitch) {
      return "option 'wire': nodes of option 'replicas' follow each other on the native wire only "
             "(try auto)";
    }
  }
  if (s.min_in_sync_replicas > s.copies_by_default()) {
    return clash("min_in_sync_replicas", s.min_in_sync_replicas, "must not be above",
                 s.keeps_epochs() ? "default_copies" : "in_sync_replicas", s.copies_by_default());
  }
  if (s.in_sync_replicas > s.max_connections + 1) {
    return clash("in_sync_replicas", s.in_sync_replicas, "must not be more than one above",
                 "max_connections", s.max_connections);
  }
  if (s.missing_copies == MissingCopies::kDegrade && s.state_dir.empty()) {
    return "option 'missing_copies': 'degrade' needs option 'state_dir', a directory for the "
           "journal "
           "of what is acknowledged below policy (such as that of the store)";
  }
  if (std::string wrong = check_tls(s); !wrong.empty()) return wrong;
  if (std::string wrong = check_metrics(s); !wrong.empty()) return wrong;
  if (std::string wrong = check_coordinator(s); !wrong.empty()) return wrong;
  if (s.wire == Wire::kRocketmqAutoswitch && s.state_dir.empty()) {
    return "option 'wire': 'rocketmq-autoswitch' needs option 'state_dir', a directory for the "
           "epochs of this log (such as that of the store)";
  }
  return "";
}

}  // namespace ha
