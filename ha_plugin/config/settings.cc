// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>
#include <system_error>

#include "ha_plugin/config/option_values.h"
#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/handshake.h"

namespace ha {
namespace {

struct Spec {
  const char* key;
  const char* type;
  const char* range;
  bool while_running;
  const char* meaning;
  std::string (*apply)(Settings&, std::string_view);  // "" or what is wrong with the value
  std::string (*show)(const Settings&);
};

const Settings& defaults() {
  static const Settings kDefaults;
  return kDefaults;
}

template <std::int64_t Settings::*Member, std::int64_t Least, std::int64_t Most>
std::string apply_number(Settings& settings, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = !text.empty() && end == text.data() + text.size();
  if (whole && error == std::errc::result_out_of_range) {
    value = text.front() == '-' ? std::numeric_limits<std::int64_t>::min()
                                : std::numeric_limits<std::int64_t>::max();
    if (value == Most) return fmt::format("is above the maximum, {}", Most);
  } else if (!whole || error != std::errc{} || std::to_string(value) != text) {
    return fmt::format("is not a whole number (the unit is in the option's name: try {})",
                       std::max(Least, defaults().*Member));
  }
  if (value < Least) return fmt::format("is below the minimum, {}", Least);
  if (value > Most) return fmt::format("is above the maximum, {}", Most);
  settings.*Member = value;
  return "";
}

constexpr const char* kAdaptName = "auto";

template <std::int64_t Settings::*Member>
std::string apply_rate(Settings& settings, std::string_view text) {
  constexpr std::int64_t kLeast = 1024;
  Settings copy = settings;
  std::string wrong = apply_number<Member, 0, INT64_MAX / 16>(copy, text);
  if (wrong.empty() && copy.*Member > 0 && copy.*Member < kLeast) {
    wrong = fmt::format("is below the minimum, {} (or 0 for no limit)", kLeast);
  }
  if (wrong.empty()) settings = copy;
  return wrong;
}

std::string apply_catch_up_rate(Settings& settings, std::string_view text) {
  if (text != kAdaptName) {
    const std::string wrong = apply_rate<&Settings::catch_up_bytes_per_s>(settings, text);
    return wrong.empty() ? "" : fmt::format("is not {}, and {}", kAdaptName, wrong);
  }
  settings.catch_up_bytes_per_s = Settings::kAdapt;
  return "";
}

std::string show_catch_up_rate(const Settings& settings) {
  const std::int64_t rate = settings.catch_up_bytes_per_s;
  return rate == Settings::kAdapt ? kAdaptName : std::to_string(rate);
}

template <std::int64_t Settings::*Member>
std::string show_number(const Settings& settings) {
  return std::to_string(settings.*Member);
}

// An option with a few values that have names.
template <class Value>
struct Choice {
  Value value;
  const char* name;
};
constexpr Choice<bool> kFlags[] = {{true, "true"}, {false, "false"}};
constexpr Choice<MissingCopies> kMissing[] = {{MissingCopies::kFail, "fail"},
                                              {MissingCopies::kBlock, "block"},
                                              {MissingCopies::kDegrade, "degrade"}};
constexpr Choice<bool> kDurabilities[] = {{false, "received"}, {true, "durable"}};
constexpr Choice<core::Bootstrap> kBootstraps[] = {
    {core::Bootstrap::kLatestSegment, "latest_segment"}, {core::Bootstrap::kEarliest, "earliest"}};
constexpr Choice<ReplicaIdentity> kIdentities[] = {{ReplicaIdentity::kAuto, "auto"},
                                                   {ReplicaIdentity::kAddress, "address"},
                                                   {ReplicaIdentity::kConnection, "connection"}};
constexpr Choice<SendFrom> kSources[] = {{SendFrom::kMemory, "memory"}, {SendFrom::kFile, "file"}};
constexpr Choice<Wire> kWires[] = {{Wire::kAuto, "auto"},
                                   {Wire::kNative, "native"},
                                   {Wire::kRocketmq, "rocketmq"},
                                   {Wire::kRocketmqAutoswitch, "rocketmq-autoswitch"}};

constexpr Choice<TlsMode> kTlsModes[] = {{TlsMode::kOff, "off"},
                                         {TlsMode::kAccept, "accept"},
                                         {TlsMode::kPrefer, "prefer"},
                                         {TlsMode::kRequire, "require"}};

constexpr Choice<Failover> kFailovers[] = {{Failover::kAuto, "auto"},
                                           {Failover::kManual, "manual"}};

template <auto Member, const auto& Choices>
std::string apply_choice(Settings& s, std::string_view v) {
  std::string names;
  constexpr bool kTwo = std::size(Choices) == 2;
  for (const auto& choice : Choices) {
    if (v == choice.name) {
      s.*Member = choice.value;
      return "";
    }
    names += (names.empty() ? "" : kTwo ? " nor " : ", ") + std::string(choice.name);
  }
  return (kTwo ? "is neither " : "is not one of ") + names;
}
template <auto Member, const auto& Choices>
std::string show_choice(const Settings& s) {
  const auto* at = std::find_if(std::begin(Choices), std::end(Choices),
                                [&](const auto& choice) { return choice.value == s.*Member; });
  return at->name;
}

template <std::string Settings::*Member>
std::string apply_name(Settings& s, std::string_view v) {
  std::string wrong = core::check_name(std::string(v));
  if (wrong.empty()) s.*Member = v;
  return wrong;
}
template <std::string Settings::*Member>
std::string show_text(const Settings& s) {
  return s.*Member;
}

// Whether the file is good is for those to say who read it.
template <std::string Settings::*Member>
std::string apply_path(Settings& s, std::string_view v) {
  if (v.find('\0') != std::string_view::npos) return "has a NUL byte";
  s.*Member = v;
  return "";
}

std::string show_nothing(const Settings&) { return ""; }

constexpr std::int64_t kHourMs = 3'600'000;

// The order is that of docs/options.md.
#define HA_NUMBER(member, least, most) \
  apply_number<&Settings::member, least, most>, show_number<&Settings::member>
#define HA_CHOICE(member, choices) \
  apply_choice<&Settings::member, choices>, show_choice<&Settings::member, choices>
#define HA_FLAG(member) HA_CHOICE(member, kFlags)
#define HA_PATH(member) apply_path<&Settings::member>, show_text<&Settings::member>

const Spec kSpecs[] = {
    {"listen", "address", "IPv4 or IPv6 address and port; port 0 = the system picks", false,
     "Where slaves connect. `0.0.0.0` takes IPv4 only, `[::]` IPv4 and IPv6. A name that "
     "has addresses of both kinds may stand for either: a node that connects tries all of them.",
     apply_listen, [](const Settings& s) { return s.listen.text(); }},
    {"allow", "networks", "CIDR, comma-separated; empty = all", true,
     "Which networks may connect to the HA port. Checked when a connection is made; open "
     "connections stay. The RocketMQ wire has no other protection.",
     apply_allow, [](const Settings& s) { return s.allow.text(); }},
    {"max_connections", "count", "1 to 4096", false,
     "The most connections on the HA port at a time. One more takes the place of the oldest that "
     "has not said who it is, or is refused. Also limits how many copies a wait can ask for.",
     HA_NUMBER(max_connections, 1, 4096)},
    {"connections_per_address", "count", "0 = no limit, to 4096", true,
     "The most connections on the HA port from one address, or one IPv6 network of 64 bits; more "
     "are refused. Raise it where many slaves come through one proxy.",
     HA_NUMBER(connections_per_address, 0, 4096)},
    {"heartbeat_ms", "milliseconds", "10 to 3600000", true,
     "A side that has sent nothing for this long sends a heartbeat. 7 s, because slaves up to "
     "RocketMQ 4.5.1 fall silent when a master sends heartbeats every 5 s or faster.",
     HA_NUMBER(heartbeat_ms, 10, kHourMs)},
    {"housekeeping_ms", "milliseconds", "20 to 3600000", true,
     "A connection that is silent for this long is closed. More than twice heartbeat_ms.",
     HA_NUMBER(housekeeping_ms, 20, kHourMs)},
    {"first_report_timeout_ms", "milliseconds", "10000 to 3600000", true,
     "A connection that sends no report for this long after connecting is closed. RocketMQ 4.x "
     "slaves need more than 5 s.",
     HA_NUMBER(first_report_timeout_ms, 10'000, kHourMs)},
    {"transfer_batch_bytes", "bytes", "1024 to 4194292", true,
     "The most log bytes in one frame. The upper limit is the buffer of RocketMQ's slave.",
     HA_NUMBER(transfer_batch_bytes, 1024, core::kMaxBodyBytes)},
    {"max_transfer_bytes_per_s", "bytes per second", "0 = no limit, or 1024 and up", true,
     "The most log bytes per second that one replica is sent.",
     apply_rate<&Settings::max_transfer_bytes_per_s>,
     show_number<&Settings::max_transfer_bytes_per_s>},
    {"catch_up_bytes_per_s", "bytes per second", "auto, 0 = no limit, or 1024 and up", true,
     "The most log bytes per second that a replica which lacks more than 8 MiB is sent, on top of "
     "the log's growth in the last second. auto: as many as leave producers their usual wait for "
     "copies, from 32 MiB to 1 GiB. No limit while no producer waits, or while they need this "
     "replica.",
     apply_catch_up_rate, show_catch_up_rate},
    {"catch_up_stall_ms", "milliseconds", "1000 to 3600000", true,
     "A replica that lacks more than 8 MiB and has not come nearer for this long is reported.",
     HA_NUMBER(catch_up_stall_ms, 1000, kHourMs)},
    {"retention_hold_bytes", "bytes", "0 = none, and up", true,
     "The host is asked to keep what replicas still lack, up to this many bytes of the newest log. "
     "With option replicas that includes nodes that are away. Needs the host's extension "
     "retention.",
     HA_NUMBER(retention_hold_bytes, 0, INT64_MAX / 16)},
    {"send_from", "choice", "memory, file", false,
     "Where log bytes are sent from when the host offers both: its pinned memory (writev) or its "
     "segment files (sendfile). Which is faster depends on network and kernel; on loopback, "
     "memory.",
     HA_CHOICE(send_from, kSources)},
    {"bootstrap", "choice", "latest_segment, earliest", true,
     "Where a slave with an empty log starts: at the last segment, as in RocketMQ, or at the first "
     "byte held. No effect with option replicas: there it is always the first byte.",
     HA_CHOICE(bootstrap, kBootstraps)},
    {"in_sync_replicas", "count", "1 to max_connections + 1", true,
     "Copies that a wait with default acks is for, the master's included. 1 waits for no slave.",
     HA_NUMBER(in_sync_replicas, 1, 4097)},
    {"min_in_sync_replicas", "count", "1 to in_sync_replicas", true,
     "With fewer in-sync replicas, the master included, waits are refused with "
     "IN_SYNC_REPLICAS_NOT_ENOUGH.",
     HA_NUMBER(min_in_sync_replicas, 1, 4097)},
    {"max_gap_not_in_sync_bytes", "bytes", "1 and up", true,
     "A replica that lacks this many bytes is not in sync.",
     HA_NUMBER(max_gap_not_in_sync_bytes, 1, INT64_MAX)},
    {"in_sync_max_lag_ms", "milliseconds", "0 = no limit, to 3600000", true,
     "A replica that has lacked a byte for longer than this is not in sync. Checked with each of "
     "its reports and once a second.",
     HA_NUMBER(in_sync_max_lag_ms, 0, kHourMs)},
    {"in_sync_hold_ms", "milliseconds", "0 to 3600000", true,
     "A replica that left the in-sync set for its lag returns once it was caught up and then kept "
     "up for this long.",
     HA_NUMBER(in_sync_hold_ms, 0, kHourMs)},
    {"auto_in_sync_replicas", "flag", "true, false", true,
     "Lower the default number of copies to the replicas in sync, but never below "
     "min_in_sync_replicas.",
     HA_FLAG(auto_in_sync_replicas)},
    {"missing_copies", "choice", "fail, block, degrade", true,
     "What happens to waits when copies are missing. fail: with no slave connected they are "
     "refused immediately with SLAVE_NOT_AVAILABLE, as in RocketMQ. block: they wait until their "
     "deadline. degrade: once a wait has lasted for degrade_after_ms, waits that ask for no more "
     "than the default get OK. Such messages may be lost with this node; "
     "state_dir/ha_degraded.json names their range. Waits that ask for more go on until their "
     "deadline.",
     HA_CHOICE(missing_copies, kMissing)},
    {"degrade_after_ms", "milliseconds", "10 to 3600000", true,
     "With missing_copies=degrade: how long copies may be missing first. Waits with an earlier "
     "deadline time out.",
     HA_NUMBER(degrade_after_ms, 10, kHourMs)},
    {"degraded_hold_ms", "milliseconds", "0 to 3600000", true,
     "With missing_copies=degrade: how long enough replicas must keep up with the log before "
     "producers wait for copies again.",
     HA_NUMBER(degraded_hold_ms, 0, kHourMs)},
    {"max_pending_waits", "count", "1 to 16777216", false,
     "The most open waits. One more is refused with AGAIN. Each takes about 150 bytes.",
     HA_NUMBER(max_pending_waits, 1, 16'777'216)},
    {"rocketmq_replica_identity", "choice", "auto, address, connection", false,
     "What tells one replica from another on the RocketMQ wire, which has no names: the remote IP "
     "address, or the connection. auto: the address, but the connection for loopback addresses.",
     HA_CHOICE(rocketmq_replica_identity, kIdentities)},
    {"wire", "choice", "auto, native, rocketmq, rocketmq-autoswitch", false,
     "What this node speaks to its master as a slave: the native protocol; RocketMQ's default "
     "mode; its controller mode (5.1.1 and later) as a learner that is never elected. auto: "
     "native, or RocketMQ's default mode if the master does not answer natively.",
     HA_CHOICE(wire, kWires)},
    {"accept", "choices", "native, rocketmq, comma-separated", true,
     "Which wires slaves of this node may speak.", apply_accept,
     [](const Settings& s) { return s.accept.text(); }},
    {"cluster_id", "name", "letters, digits, '.', '_', '-'; empty = none", false,
     "On the native wire a slave with another cluster_id is refused.",
     apply_name<&Settings::cluster_id>, show_text<&Settings::cluster_id>},
    {"replica_id", "name", "as cluster_id; empty = none", false,
     "The name of this node on the native wire. It has one vote, however many connections. A slave "
     "without a name is identified as on the RocketMQ wire.",
     apply_name<&Settings::replica_id>, show_text<&Settings::replica_id>},
    {"replicas", "nodes", "ID@HOST:PORT, comma-separated; empty = no set", false,
     "The configured set, this node included, the same on every node. Nodes whose lists of ids or "
     "default_copies differ neither follow nor promote each other. HOST may be a name: all of its "
     "addresses are tried, and the last known ones while the resolver fails. Nodes of a set keep "
     "epochs: a node becomes master only when enough others promise to follow it, and a master "
     "that returns is cut to what was acknowledged. Slaves with another replica_id, or none "
     "(RocketMQ's), are refused. Needs state_dir.",
     apply_replicas, [](const Settings& s) { return s.replicas.text(); }},
    {"default_copies", "count", "0 = a majority of replicas, or 1 to their number", false,
     "With replicas: copies that a wait with default acks is for, the master's included, and that "
     "survive every change of master. The same on every node. With N nodes, N - default_copies + 1 "
     "must promise before a node becomes master.",
     HA_NUMBER(default_copies, 0, 1024)},
    {"prepare_timeout_ms", "milliseconds", "10 to 3600000", true,
     "With replicas: how long a node that is to become master waits for the promises of the "
     "others.",
     HA_NUMBER(prepare_timeout_ms, 10, kHourMs)},
    {"allow_unsafe_truncation", "flag", "true, false", true,
     "With replicas: let a slave cut what its readers may have seen when its master's log differs. "
     "Otherwise it stops. What is cut is kept in state_dir either way. Also: let it empty a log "
     "that holds confirmed bytes when the master has deleted what follows; of that nothing is "
     "kept.",
     HA_FLAG(allow_unsafe_truncation)},
    {"max_epoch_jump", "count", "1 to 4611686018427387904", true,
     "With replicas: a master whose epoch is further than this above all that the slave knows of "
     "is not believed.",
     HA_NUMBER(max_epoch_jump, 1, core::kMaxEpoch)},
    {"forget_promise", "count", "0 = none, or 1 to 9223372036854775807", false,
     "With replicas: the node starts without its promise of this epoch, which no node of the set "
     "asked for. A promise that a member can have asked for stands. See docs/operate.md.",
     HA_NUMBER(forget_promise, 0, INT64_MAX)},
    {"default_durability", "choice", "received, durable", true,
     "What waits with default durability ask of each copy, the master's included: that the bytes "
     "have arrived, or that they also survive a power failure. RocketMQ slaves cannot report the "
     "latter.",
     HA_CHOICE(durable_by_default, kDurabilities)},
    {"wire_probe_ms", "milliseconds", "10 to 3600000", true,
     "With wire=auto: how long a master may take to answer before the slave treats it as a "
     "RocketMQ broker.",
     HA_NUMBER(wire_probe_ms, 10, kHourMs)},
    {"native_heartbeat_ms", "milliseconds", "10 to 3600000", true,
     "heartbeat_ms on the native wire.", HA_NUMBER(native_heartbeat_ms, 10, kHourMs)},
    {"native_housekeeping_ms", "milliseconds", "20 to 3600000", true,
     "housekeeping_ms on the native wire. More than twice native_heartbeat_ms.",
     HA_NUMBER(native_housekeeping_ms, 20, kHourMs)},
    {"state_dir", "directory", "an existing directory; empty = none", false,
     "Where the plugin keeps what must outlive it: promises and epochs (ha_term.json), a set that "
     "was changed (ha_set.json), bytes that "
     "were cut, or, as a learner, RocketMQ's epochFileCheckpoint. Belongs to this store alone. "
     "replicas, missing_copies=degrade and wire=rocketmq-autoswitch need it.",
     apply_state_dir, [](const Settings& s) { return s.state_dir; }},
    {"rocketmq_broker_id", "number", "1 and up", false,
     "The id of this node for a master in controller mode. Must differ from the ids that the "
     "controller gives to brokers (1, 2, 3...) and from those of other learners.",
     HA_NUMBER(rocketmq_broker_id, 1, INT64_MAX)},
    {"rocketmq_sync_from_last_file", "flag", "true, false", true,
     "With an empty log, ask a master in controller mode for its last segment only, instead of "
     "everything it holds.",
     HA_FLAG(rocketmq_sync_from_last_file)},
    {"connect_timeout_ms", "milliseconds", "10 to 3600000", true,
     "How long a slave waits for a TCP connection to its master.",
     HA_NUMBER(connect_timeout_ms, 10, kHourMs)},
    {"reconnect_max_ms", "milliseconds", "50 to 3600000", true,
     "The longest pause between two tries of a slave. The first pause is 25 to 50 ms, then it "
     "doubles.",
     HA_NUMBER(reconnect_max_ms, 50, kHourMs)},
    {"tail_check_bytes", "bytes", "0 to 1073741824", true,
     "On RocketMQ's default wire a slave asks its master for this many of its own last bytes "
     "again, at most back to its last segment's start, and stops when they differ or do not come. "
     "0 trusts the master.",
     HA_NUMBER(tail_check_bytes, 0, std::int64_t{1} << 30)},
    {"ack_durable", "flag", "true, false", false,
     "A slave acknowledges only what its host has made durable (hook flush), on either wire. One "
     "flush covers all that arrived during the one before. Without it, acks on the native wire say "
     "what has arrived, and how much of that the host's own flushes have made durable.",
     HA_FLAG(ack_durable)},
    {"busy_poll_us", "microseconds", "0 to 1000000", true,
     "How long the I/O thread looks for more work before it sleeps, if its last sleep was shorter "
     "than twice this. Saves the wake-up, which is most of a message's latency and costs more CPU "
     "than the looking. 0 = never.",
     HA_NUMBER(busy_poll_us, 0, 1'000'000)},
    {"busy_poll_max_waits", "waits", "0 to 16777216", true,
     "With more waits than this pending when it last looked, the I/O thread sleeps as soon as it "
     "has nothing to do (see busy_poll_us). For hosts whose own threads need the CPU to go on with "
     "waits that have ended. 0 = it never matters how many wait.",
     HA_NUMBER(busy_poll_max_waits, 0, 16'777'216)},
    {"metrics_listen", "address",
     "IP address and port; port 0 = the system picks; empty = not served", false,
     "Where GET /metrics is answered in Prometheus' text format.", apply_metrics_listen,
     [](const Settings& s) { return s.metrics_listen; }},
    {"metrics_tls_cert", "file", "PEM; empty = none", false,
     "Serves the metrics by https, TLS 1.3, with this certificate. This file and the next three "
     "are read again when they change, at the next scrape.",
     HA_PATH(metrics_tls_cert)},
    {"metrics_tls_key", "file", "PEM, not encrypted, not readable by others; empty = none", false,
     "The private key of metrics_tls_cert.", HA_PATH(metrics_tls_key)},
    {"metrics_tls_client_ca", "file", "PEM; empty = none", false,
     "Only clients with a certificate of these authorities may scrape, whatever its name.",
     HA_PATH(metrics_tls_client_ca)},
    {"metrics_users_file", "file", "lines USER:BCRYPT, not readable by others; empty = none", false,
     "Only these users, with their passwords (HTTP basic authentication), may scrape. `htpasswd "
     "-nB USER` writes a line.",
     HA_PATH(metrics_users_file)},
    {"tls", "choice", "off, accept, prefer, require", true,
     "TLS 1.3 on the HA port and to other nodes. accept: for peers that come with it. prefer: also "
     "to the nodes that this one connects to; in the clear only where the peer does not know TLS, "
     "so it protects from listening but not from an attacker in between. require: always. A node "
     "that proved itself by TLS once may not come in the clear again. Needs tls_psk_file, or "
     "tls_cert, tls_key and tls_ca; and cluster_id and replica_id, which are what is proved.",
     HA_CHOICE(tls, kTlsModes)},
    {"tls_cert", "file", "PEM; empty = none", false,
     "This node's certificate, then those between it and the authority. Names it by the URI "
     "ha:CLUSTER/ID or the DNS name ID.CLUSTER among its alternative names; its common name and IP "
     "addresses count for nothing. Needs the extended key usages serverAuth and clientAuth.",
     HA_PATH(tls_cert)},
    {"tls_key", "file", "PEM, not encrypted, not readable by others; empty = none", false,
     "The private key of tls_cert.", HA_PATH(tls_key)},
    {"tls_ca", "file", "PEM; empty = none", false,
     "The authorities whose certificates are taken from peers. Several while one is replaced.",
     HA_PATH(tls_ca)},
    {"tls_crl", "file", "PEM; empty = none", false,
     "What the authorities have revoked, a list of each. A list that is overdue still counts.",
     HA_PATH(tls_crl)},
    {"tls_psk_file", "file", "64 hexadecimal digits a line, mode 0600; empty = none", false,
     "A key that all nodes of the cluster share, instead of certificates (`ha_stub keygen` writes "
     "one). The first line is used, all lines are accepted. Everybody who has the file can be any "
     "node.",
     HA_PATH(tls_psk_file)},
    {"tls_reload", "choice", "now; empty = not now", true,
     "Reads the files of TLS again at once. They are also looked at every 10 s.", apply_tls_reload,
     show_nothing},
    {"coordinator", "engine", "etcd:URL,HOST:PORT,...; host; empty = none", false,
     "A coordination engine, so that the set has a master without an operator: `etcd:` and the "
     "endpoints of an etcd cluster (3.4 and later), plain or `https://`; or `host`, the lock "
     "service that the host brings (extension ha.host.coordinator/1). The engine only picks who "
     "tries; promises protect the log, so a wrong alarm costs a change of master and no message. "
     "The same on every node. Needs replicas and cluster_id.",
     apply_coordinator, [](const Settings& s) { return s.coordinator.text(); }},
    {"coordinator_ttl_ms", "milliseconds", "2000 to 60000", false,
     "How long the master's key outlives a master that is not there any more. etcd grants whole "
     "seconds, and no less than one and a half of its election timeouts.",
     HA_NUMBER(coordinator_ttl_ms, 2000, 60'000)},
    {"coordinator_prefix", "text", "a path", false,
     "Keys are PREFIX/CLUSTER_ID/leader, whose value is the replica_id of the master, and "
     "PREFIX/CLUSTER_ID/control and set.",
     apply_prefix, show_text<&Settings::coordinator_prefix>},
    {"coordinator_user", "text", "empty = no authentication", false,
     "The engine's user. Needs coordinator_password_file.", HA_PATH(coordinator_user)},
    {"coordinator_password_file", "file", "one line, mode 0600; empty = none", false,
     "The password of coordinator_user. Read again whenever the engine wants it.",
     HA_PATH(coordinator_password_file)},
    {"coordinator_ca", "file", "PEM; empty = none", false,
     "The authorities that the engine's certificates are checked against. https needs it.",
     HA_PATH(coordinator_ca)},
    {"coordinator_cert", "file", "PEM; empty = none", false,
     "This node's certificate for the engine. etcd's JSON gateway takes none with a common name "
     "while its own authentication is on.",
     HA_PATH(coordinator_cert)},
    {"coordinator_key", "file", "PEM, not encrypted, not readable by others; empty = none", false,
     "The private key of coordinator_cert.", HA_PATH(coordinator_key)},
    {"failover", "choice", "auto, manual", true,
     "With coordinator: whether this node becomes master by itself when the master is gone.",
     HA_CHOICE(failover, kFailovers)},
    {"failover_priority", "count", "0 to 100; 0 = never by itself", true,
     "With coordinator: of nodes that hold the same, those with the highest number try first. Each "
     "step below 100 waits 10 ms longer.",
     HA_NUMBER(failover_priority, 0, 100)},
    {"suspect_after_ms", "milliseconds", "100 to 60000", true,
     "With coordinator: a slave that has heard nothing from its master for this long does not "
     "count it as alive. With replicas: a slave that looks for its master leaves a node that takes "
     "its connection and says nothing for this long. More than twice native_heartbeat_ms.",
     HA_NUMBER(suspect_after_ms, 100, 60'000)},
    {"switchover", "name", "a replica_id; empty = none", true,
     "With coordinator, on any node: that node becomes master. The master stops appending, waits "
     "until the other one holds all of its log, and lets the key go. Done when the status says so.",
     ask_for_switchover, show_nothing},
    {"pause", "flag", "true, false; empty = as it is", true,
     "With coordinator, on any node, for the whole set: no change of master without an operator, "
     "until it is set to false. The master stays master, and roles may be set by hand.",
     ask_for_pause, show_nothing},
    {"add_member", "list", "ID@HOST:PORT; empty = none", true,
     "With coordinator, on the master: that node becomes one of the set. It follows first, and "
     "counts once it holds the whole log. Its own options name it and the other nodes.",
     ask_for_member, show_nothing},
    {"remove_member", "name", "a replica_id; empty = none", true,
     "With coordinator, on the master: that node, which is not the master, leaves the set; or a "
     "node that is being added is left out again.",
     ask_for_no_member, show_nothing},
};
#undef HA_PATH
#undef HA_NUMBER
#undef HA_FLAG
#undef HA_CHOICE

const Spec* find(std::string_view key) {
  const auto* at = std::find_if(std::begin(kSpecs), std::end(kSpecs),
                                [&](const Spec& spec) { return key == spec.key; });
  return at == std::end(kSpecs) ? nullptr : at;
}

// Levenshtein's, two rows.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1] ? 1u : 0u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// Where to look instead. A name that differs in more than a third of its letters was not a slip.
std::string hint(std::string_view key) {
  const auto* best = std::min_element(
      std::begin(kSpecs), std::end(kSpecs),
      [&](const Spec& a, const Spec& b) { return distance(key, a.key) < distance(key, b.key); });
  if (distance(key, best->key) * 3 > key.size()) return "see the plugin's table of options";
  return fmt::format("the nearest is '{}'", best->key);
}

}  // namespace

std::string apply_option(Settings& settings, std::string_view key, std::string_view value) {
  const Spec* spec = find(key);
  if (spec == nullptr) {
    return fmt::format("option '{}' (value '{}') is not known; {}", key.substr(0, 64),
                       value.substr(0, 64), hint(key.substr(0, 64)));
  }
  const std::string wrong = spec->apply(settings, value);
  if (wrong.empty()) {
    if (key == "bootstrap") settings.bootstrap_given = true;
    if (key == "tls") settings.tls_given = true;
    return "";
  }
  const std::string shown(value.substr(0, 128));
  // Addresses quote the value themselves.
  if (wrong.starts_with('\'')) return fmt::format("option '{}': {}", key, wrong);
  return fmt::format("option '{}': '{}' {}", key, shown, wrong);
}

std::string name_of(TlsMode mode) {
  Settings settings;
  settings.tls = mode;
  return show_choice<&Settings::tls, kTlsModes>(settings);
}

bool is_known_option(std::string_view key) { return find(key) != nullptr; }

bool may_change_while_running(std::string_view key) {
  const Spec* spec = find(key);
  return spec != nullptr && spec->while_running;
}

std::vector<OptionDoc> option_docs() {
  std::vector<OptionDoc> docs;
  for (const Spec& spec : kSpecs) {
    docs.push_back(
        {spec.key, spec.type, spec.show(defaults()), spec.range, spec.while_running, spec.meaning});
  }
  return docs;
}

}  // namespace ha
