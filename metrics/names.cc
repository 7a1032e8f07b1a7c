// SPDX-License-Identifier: Apache-2.0
#include "metrics/names.h"

#include "ha/plugin.h"

namespace ha::metrics {

const char* reason_name(std::int32_t reason) noexcept {
  switch (reason) {
    case HA_REASON_NONE:
      return "none";
    case HA_REASON_REQUESTED:
      return "requested";
    case HA_REASON_SHUTDOWN:
      return "shutdown";
    case HA_REASON_ROLE_CHANGED:
      return "role_changed";
    case HA_REASON_PEER_CLOSED:
      return "peer_closed";
    case HA_REASON_NETWORK:
      return "network";
    case HA_REASON_HOUSEKEEPING:
      return "housekeeping";
    case HA_REASON_FIRST_REPORT_TIMEOUT:
      return "first_report_timeout";
    case HA_REASON_CONNECTION_LIMIT:
      return "connection_limit";
    case HA_REASON_NOT_ALLOWED:
      return "not_allowed";
    case HA_REASON_REPORT_AHEAD:
      return "report_ahead";
    case HA_REASON_REPORT_BACKWARD:
      return "report_backward";
    case HA_REASON_REQUEST_BELOW_MIN:
      return "request_below_min";
    case HA_REASON_REQUEST_ABOVE_END:
      return "request_above_end";
    case HA_REASON_OFFSET_MISMATCH:
      return "offset_mismatch";
    case HA_REASON_SEGMENT_SIZE:
      return "segment_size";
    case HA_REASON_FRAME_SIZE:
      return "frame_size";
    case HA_REASON_HOST_ERROR:
      return "host_error";
    case HA_REASON_CORRUPT:
      return "corrupt";
    case HA_REASON_CONNECT_TIMEOUT:
      return "connect_timeout";
    case HA_REASON_NOT_SERVING:
      return "not_serving";
    case HA_REASON_DIVERGED:
      return "diverged";
    case HA_REASON_EPOCH:
      return "epoch";
    case HA_REASON_TRUNCATED:
      return "truncated";
    case HA_REASON_PROTOCOL:
      return "protocol";
    case HA_REASON_VERSION:
      return "version";
    case HA_REASON_CLUSTER:
      return "cluster";
    case HA_REASON_UNKNOWN_REPLICA:
      return "unknown_replica";
    case HA_REASON_REPLACED:
      return "replaced";
    case HA_REASON_CHECKSUM:
      return "checksum";
    case HA_REASON_BEHIND:
      return "behind";
    case HA_REASON_NO_QUORUM:
      return "no_quorum";
    case HA_REASON_LAG_BYTES:
      return "lag_bytes";
    case HA_REASON_LAG_TIME:
      return "lag_time";
    case HA_REASON_LOOP:
      return "loop";
    case HA_REASON_SET_DIFFERS:
      return "set_differs";
    case HA_REASON_HOST_MISUSE:
      return "host_misuse";
    default:
      return "unknown";
  }
}

const char* event_name(std::int32_t event) noexcept {
  switch (event) {
    case HA_REPLICA_JOINED:
      return "joined";
    case HA_REPLICA_CAUGHT_UP:
      return "caught_up";
    case HA_REPLICA_LEFT:
      return "left";
    case HA_REPLICA_REFUSED:
      return "refused";
    case HA_REPLICA_IN_SYNC:
      return "in_sync";
    case HA_REPLICA_OUT_OF_SYNC:
      return "out_of_sync";
    default:
      return "unknown";
  }
}

const char* state_name(std::int32_t state) noexcept {
  switch (state) {
    case HA_STATE_READY:
      return "ready";
    case HA_STATE_HANDSHAKE:
      return "handshake";
    case HA_STATE_TRANSFER:
      return "transfer";
    case HA_STATE_SUSPEND:
      return "suspend";
    case HA_STATE_SHUTDOWN:
      return "shutdown";
    default:
      return "unknown";
  }
}

const char* role_name(std::int32_t role) noexcept {
  switch (role) {
    case HA_ROLE_NONE:
      return "none";
    case HA_ROLE_MASTER:
      return "master";
    case HA_ROLE_SLAVE:
      return "slave";
    default:
      return "unknown";
  }
}

const char* status_name(std::int32_t status) noexcept {
  switch (status) {
    case HA_OK:
      return "OK";
    case HA_DONE:
      return "DONE";
    case HA_INVALID:
      return "INVALID";
    case HA_STATE:
      return "STATE";
    case HA_UNSUPPORTED:
      return "UNSUPPORTED";
    case HA_VERSION:
      return "VERSION";
    case HA_AGAIN:
      return "AGAIN";
    case HA_TIMEOUT:
      return "TIMEOUT";
    case HA_SHUTDOWN:
      return "SHUTDOWN";
    case HA_RANGE:
      return "RANGE";
    case HA_CONFLICT:
      return "CONFLICT";
    case HA_EPOCH:
      return "EPOCH";
    case HA_NOT_MASTER:
      return "NOT_MASTER";
    case HA_TRUNCATED:
      return "TRUNCATED";
    case HA_IO:
      return "IO";
    case HA_NO_MEMORY:
      return "NO_MEMORY";
    case HA_CORRUPT:
      return "CORRUPT";
    case HA_INTERNAL:
      return "INTERNAL";
    case HA_SLAVE_NOT_AVAILABLE:
      return "SLAVE_NOT_AVAILABLE";
    case HA_FLUSH_SLAVE_TIMEOUT:
      return "FLUSH_SLAVE_TIMEOUT";
    case HA_IN_SYNC_REPLICAS_NOT_ENOUGH:
      return "IN_SYNC_REPLICAS_NOT_ENOUGH";
    default:
      return "UNKNOWN";
  }
}

const char* status_label(std::int32_t status) noexcept {
  switch (status) {
    case HA_OK:
      return "ok";
    case HA_DONE:
      return "done";
    case HA_INVALID:
      return "invalid";
    case HA_STATE:
      return "state";
    case HA_UNSUPPORTED:
      return "unsupported";
    case HA_VERSION:
      return "version";
    case HA_AGAIN:
      return "again";
    case HA_TIMEOUT:
      return "timeout";
    case HA_SHUTDOWN:
      return "shutdown";
    case HA_RANGE:
      return "range";
    case HA_CONFLICT:
      return "conflict";
    case HA_EPOCH:
      return "epoch";
    case HA_NOT_MASTER:
      return "not_master";
    case HA_TRUNCATED:
      return "truncated";
    case HA_IO:
      return "io";
    case HA_NO_MEMORY:
      return "no_memory";
    case HA_CORRUPT:
      return "corrupt";
    case HA_INTERNAL:
      return "internal";
    case HA_SLAVE_NOT_AVAILABLE:
      return "slave_not_available";
    case HA_FLUSH_SLAVE_TIMEOUT:
      return "flush_slave_timeout";
    case HA_IN_SYNC_REPLICAS_NOT_ENOUGH:
      return "in_sync_replicas_not_enough";
    default:
      return "unknown";
  }
}

}  // namespace ha::metrics
