// SPDX-License-Identifier: Apache-2.0
// The plugin's options: one table is the source of the defaults, the checks, the error messages and
// the table in docs/options.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ha_plugin/config/address.h"
#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/core/term.h"

namespace ha {

enum class ReplicaIdentity { kAuto, kAddress, kConnection };

// What a slave speaks to its master. kAuto: the native protocol, and RocketMQ's default mode to a
// master that does not answer that. Its own slaves are served in whichever of the two they speak.
enum class Wire { kAuto, kNative, kRocketmq, kRocketmqAutoswitch };

// Which wires slaves may speak to this node.
struct Accept {
  bool native = true;
  bool rocketmq = true;
  std::string text() const;
};

// Nodes of a set: what a handshake has room for, and far more than makes sense.
inline constexpr std::size_t kMostNodes = 128;

// The configured set: the nodes that hold this log, this one included.
struct ReplicaList {
  struct Node {
    std::string id;
    net::Address address;
  };
  std::vector<Node> nodes;

  std::vector<std::string> ids() const;
  std::vector<Node> without(std::string_view id) const;
  std::string id_at(const net::Address& address) const;  // "" = nobody's
  std::string text() const;
};

// What becomes of waits whose slaves are not there.
enum class MissingCopies { kFail, kBlock, kDegrade };

// Where the bytes of a frame come from when the host offers both.
enum class SendFrom { kMemory, kFile };

// Whether connections of the HA port are encrypted, in both directions. kAccept: to those who come
// so. kPrefer: wherever the peer can. kRequire: always.
enum class TlsMode { kOff, kAccept, kPrefer, kRequire };

std::string name_of(TlsMode mode);

// Where the coordination engine is; empty = there is none.
struct CoordinatorAddress {
  bool https = false;
  bool host = false;                    // the host's own lock service, and no etcd
  std::vector<net::Address> endpoints;  // of etcd
  bool empty() const { return endpoints.empty() && !host; }
  std::string text() const;
};

// Whether a slave may become master without an operator.
enum class Failover { kAuto, kManual };

struct Settings {
  // Not "::", which would take both: it would open a port to networks that the machine's IPv4 rules
  // know nothing of, and it cannot be bound where IPv6 is switched off.
  net::Address listen{"0.0.0.0", 10912};
  net::AllowList allow;
  std::int64_t max_connections = 128;
  std::int64_t connections_per_address = 16;
  std::int64_t heartbeat_ms = 7000;
  std::int64_t housekeeping_ms = 20000;
  std::int64_t first_report_timeout_ms = 20000;
  std::int64_t transfer_batch_bytes = std::int64_t{1} << 20;
  std::int64_t max_transfer_bytes_per_s = 0;
  static constexpr std::int64_t kAdapt = -1;  // to how long producers wait: core::CatchUpRate
  std::int64_t catch_up_bytes_per_s = kAdapt;
  std::int64_t catch_up_stall_ms = 30000;
  std::int64_t retention_hold_bytes = 0;
  SendFrom send_from = SendFrom::kMemory;
  core::Bootstrap bootstrap = core::Bootstrap::kLatestSegment;
  bool bootstrap_given = false;
  std::int64_t in_sync_replicas = 1;
  std::int64_t min_in_sync_replicas = 1;
  std::int64_t max_gap_not_in_sync_bytes = std::int64_t{256} << 20;
  std::int64_t in_sync_max_lag_ms = 10000;
  std::int64_t in_sync_hold_ms = 5000;
  bool auto_in_sync_replicas = false;
  MissingCopies missing_copies = MissingCopies::kFail;
  std::int64_t degrade_after_ms = 1000;
  std::int64_t degraded_hold_ms = 5000;
  std::int64_t max_pending_waits = 65536;
  ReplicaIdentity rocketmq_replica_identity = ReplicaIdentity::kAuto;
  Wire wire = Wire::kAuto;
  Accept accept;
  std::string cluster_id;
  std::string replica_id;
  ReplicaList replicas;
  core::Members changed_set;  // once the set was changed while it ran; replicas are its nodes then
  std::int64_t default_copies = 0;
  std::int64_t prepare_timeout_ms = 2000;
  bool allow_unsafe_truncation = false;
  std::int64_t max_epoch_jump = core::kMaxEpochJump;
  std::int64_t forget_promise = 0;
  bool durable_by_default = false;
  std::int64_t wire_probe_ms = 1000;
  std::int64_t native_heartbeat_ms = 500;
  std::int64_t native_housekeeping_ms = 5000;
  std::string state_dir;
  // Far from the 1, 2, 3... that a controller gives to brokers: a master that knows that number as
  // a replica's would mark the replica as caught up, or gone, for what we do. Not so far that a
  // master in default mode, which takes it for an offset, would believe that it was acknowledged
  // gigabytes.
  std::int64_t rocketmq_broker_id = 1'000'000;
  bool rocketmq_sync_from_last_file = false;
  std::int64_t connect_timeout_ms = 5000;
  std::int64_t reconnect_max_ms = 5000;
  std::int64_t tail_check_bytes = 64 * 1024;
  bool ack_durable = false;
  std::int64_t busy_poll_us = 50;
  std::int64_t busy_poll_max_waits = 0;
  std::string metrics_listen;
  std::string metrics_tls_cert;
  std::string metrics_tls_key;
  std::string metrics_tls_client_ca;
  std::string metrics_users_file;
  TlsMode tls = TlsMode::kOff;
  bool tls_given = false;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  std::string tls_crl;
  std::string tls_psk_file;
  std::int64_t tls_reloads = 0;  // asked for so far
  CoordinatorAddress coordinator;
  std::int64_t coordinator_ttl_ms = 3000;
  std::string coordinator_prefix = "/ha";
  std::string coordinator_user;
  std::string coordinator_password_file;
  std::string coordinator_ca;
  std::string coordinator_cert;
  std::string coordinator_key;
  Failover failover = Failover::kAuto;
  std::int64_t failover_priority = 100;
  std::int64_t suspect_after_ms = 1500;
  // The key of an option that asks a running node to do something. It is done, and not kept.
  std::string request;

  // Nodes of a configured set keep a history of epochs, and change their master by its rules.
  bool keeps_epochs() const { return !replicas.nodes.empty(); }
  // Who counts in the set.
  core::Members members() const;
  // A majority of the set; 0 = none is configured.
  std::int32_t quorum() const;
  // What waits with default acks ask for.
  std::int64_t copies_by_default() const;
  // Nodes of one set say the same here.
  std::string set_text() const { return members().text(); }
  // Copies that can exist.
  std::int64_t most_copies() const {
    return keeps_epochs() ? static_cast<std::int64_t>(replicas.nodes.size()) : max_connections + 1;
  }
};

struct OptionDoc {
  std::string key;
  std::string type;
  std::string default_value;
  std::string range;
  bool while_running = false;  // may be changed by set_option
  std::string meaning;
};

// "" = done; else what is wrong with key or value, the value, and the way out.
std::string apply_option(Settings& settings, std::string_view key, std::string_view value);

// "" = the options fit together; else which do not.
std::string check_together(const Settings& settings);

bool is_known_option(std::string_view key);
bool may_change_while_running(std::string_view key);

std::vector<OptionDoc> option_docs();

}  // namespace ha
