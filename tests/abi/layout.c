/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of every struct that crosses the boundary, member by member. Compiled, never run, as C
 * and as C++ of every supported standard by compile_matrix.py: where it compiles, two sides that
 * were built apart agree. A new member gets a line at the end of its struct, and only the size of a
 * struct that may grow ever changes.
 */
#include <assert.h>
#include <stddef.h>

#include "ha/ext/append_reserve.h"
#include "ha/ext/coordinator.h"
#include "ha/ext/metadata.h"
#include "ha/ext/retention.h"
#include "ha/ext/segment_fd.h"
#include "ha/ext/state_store.h"
#include "ha/ext/thread_lifecycle.h"
#include "ha/plugin.h"

/* static_assert is C11's macro and C++11's keyword. */
#define SIZE(type, bytes) static_assert(sizeof(type) == (bytes), "size of " #type)
#define AT(type, member, offset) \
  static_assert(offsetof(type, member) == (offset), "offset of " #type "." #member)

static_assert(sizeof(void*) == 8, "64-bit platforms only");

SIZE(ha_error, 512);
AT(ha_error, struct_size, 0);
AT(ha_error, status, 4);
AT(ha_error, os_errno, 8);
AT(ha_error, reserved, 12);
AT(ha_error, text, 16);

SIZE(ha_bounds, 40);
AT(ha_bounds, min, 0);
AT(ha_bounds, end, 8);
AT(ha_bounds, durable, 16);
AT(ha_bounds, confirm, 24);
AT(ha_bounds, segment_size, 32);

SIZE(ha_span, 24);
AT(ha_span, data, 0);
AT(ha_span, size, 8);
AT(ha_span, token, 16);

SIZE(ha_role_report, 40);
AT(ha_role_report, struct_size, 0);
AT(ha_role_report, role, 4);
AT(ha_role_report, reason, 8);
AT(ha_role_report, status, 12);
AT(ha_role_report, epoch, 16);
AT(ha_role_report, text, 24);
AT(ha_role_report, number, 32);

SIZE(ha_replica_event, 40);
AT(ha_replica_event, struct_size, 0);
AT(ha_replica_event, event, 4);
AT(ha_replica_event, state, 8);
AT(ha_replica_event, reason, 12);
AT(ha_replica_event, ack_offset, 16);
AT(ha_replica_event, id, 24);
AT(ha_replica_event, address, 32);

SIZE(ha_host_api, 128);
AT(ha_host_api, struct_size, 0);
AT(ha_host_api, flags, 4);
AT(ha_host_api, bounds, 8);
AT(ha_host_api, record_floor, 16);
AT(ha_host_api, read, 24);
AT(ha_host_api, pin, 32);
AT(ha_host_api, unpin, 40);
AT(ha_host_api, append, 48);
AT(ha_host_api, truncate, 56);
AT(ha_host_api, reset, 64);
AT(ha_host_api, flush, 72);
AT(ha_host_api, confirm, 80);
AT(ha_host_api, role_changed, 88);
AT(ha_host_api, replica_changed, 96);
AT(ha_host_api, progress, 104);
AT(ha_host_api, log, 112);
AT(ha_host_api, get_extension, 120);

SIZE(ha_option, 16);
AT(ha_option, key, 0);
AT(ha_option, value, 8);

SIZE(ha_create_params, 32);
AT(ha_create_params, struct_size, 0);
AT(ha_create_params, option_stride, 4);
AT(ha_create_params, options, 8);
AT(ha_create_params, option_count, 16);
AT(ha_create_params, host_ctx, 24);

SIZE(ha_role_change, 40);
AT(ha_role_change, struct_size, 0);
AT(ha_role_change, role, 4);
AT(ha_role_change, epoch, 8);
AT(ha_role_change, master_address, 16);
AT(ha_role_change, flags, 24);
AT(ha_role_change, number, 32);

SIZE(ha_wait_request, 56);
AT(ha_wait_request, struct_size, 0);
AT(ha_wait_request, acks, 4);
AT(ha_wait_request, end, 8);
AT(ha_wait_request, epoch, 16);
AT(ha_wait_request, timeout_ns, 24);
AT(ha_wait_request, durability, 32);
AT(ha_wait_request, reserved, 36);
AT(ha_wait_request, fn, 40);
AT(ha_wait_request, user, 48);

SIZE(ha_replica_status, 200);
AT(ha_replica_status, struct_size, 0);
AT(ha_replica_status, state, 4);
AT(ha_replica_status, ack_offset, 8);
AT(ha_replica_status, sent_offset, 16);
AT(ha_replica_status, start_offset, 24);
AT(ha_replica_status, lag_bytes, 32);
AT(ha_replica_status, lag_ms, 40);
AT(ha_replica_status, bytes_per_s, 48);
AT(ha_replica_status, connected_ms, 56);
AT(ha_replica_status, in_sync, 64);
AT(ha_replica_status, reserved, 68);
AT(ha_replica_status, id, 72);
AT(ha_replica_status, address, 136);

SIZE(ha_snapshot, 536);
AT(ha_snapshot, struct_size, 0);
AT(ha_snapshot, replica_stride, 4);
AT(ha_snapshot, replicas, 8);
AT(ha_snapshot, replica_capacity, 16);
AT(ha_snapshot, replica_count, 24);
AT(ha_snapshot, role, 32);
AT(ha_snapshot, client_state, 36);
AT(ha_snapshot, client_reason, 40);
AT(ha_snapshot, in_sync_count, 44);
AT(ha_snapshot, epoch, 48);
AT(ha_snapshot, bounds, 56);
AT(ha_snapshot, pending_waits, 96);
AT(ha_snapshot, listen_port, 104);
AT(ha_snapshot, metrics_port, 112);
AT(ha_snapshot, client_bytes_per_s, 120);
AT(ha_snapshot, client_last_read_ms, 128);
AT(ha_snapshot, client_last_write_ms, 136);
AT(ha_snapshot, listen_address, 144);
AT(ha_snapshot, metrics_address, 208);
AT(ha_snapshot, master_address, 272);
AT(ha_snapshot, io_turn_age_ms, 528);

SIZE(ha_plugin_api, 168);
AT(ha_plugin_api, struct_size, 0);
AT(ha_plugin_api, abi_minor, 4);
AT(ha_plugin_api, name, 8);
AT(ha_plugin_api, version, 16);
AT(ha_plugin_api, create, 24);
AT(ha_plugin_api, start, 32);
AT(ha_plugin_api, stop, 40);
AT(ha_plugin_api, destroy, 48);
AT(ha_plugin_api, notify_appended, 56);
AT(ha_plugin_api, notify_durable, 64);
AT(ha_plugin_api, check_acks, 72);
AT(ha_plugin_api, wait_replicated, 80);
AT(ha_plugin_api, set_role, 88);
AT(ha_plugin_api, set_master_address, 96);
AT(ha_plugin_api, set_option, 104);
AT(ha_plugin_api, snapshot, 112);
AT(ha_plugin_api, status_json, 120);
AT(ha_plugin_api, metrics_text, 128);
AT(ha_plugin_api, status_text, 136);
AT(ha_plugin_api, get_extension, 144);
AT(ha_plugin_api, reason_text, 152);
AT(ha_plugin_api, event_text, 160);

SIZE(ha_ext_append_reserve, 32);
AT(ha_ext_append_reserve, struct_size, 0);
AT(ha_ext_append_reserve, reserved, 4);
AT(ha_ext_append_reserve, reserve, 8);
AT(ha_ext_append_reserve, commit, 16);
AT(ha_ext_append_reserve, drop, 24);

SIZE(ha_ext_coordinator, 48);
AT(ha_ext_coordinator, struct_size, 0);
AT(ha_ext_coordinator, reserved, 4);
AT(ha_ext_coordinator, grant, 8);
AT(ha_ext_coordinator, renew, 16);
AT(ha_ext_coordinator, revoke, 24);
AT(ha_ext_coordinator, read, 32);
AT(ha_ext_coordinator, compare_and_set, 40);

SIZE(ha_segment, 32);
AT(ha_segment, fd, 0);
AT(ha_segment, reserved, 4);
AT(ha_segment, file_position, 8);
AT(ha_segment, size, 16);
AT(ha_segment, token, 24);

SIZE(ha_ext_segment_fd, 24);
AT(ha_ext_segment_fd, struct_size, 0);
AT(ha_ext_segment_fd, reserved, 4);
AT(ha_ext_segment_fd, acquire, 8);
AT(ha_ext_segment_fd, release, 16);

SIZE(ha_ext_metadata, 48);
AT(ha_ext_metadata, struct_size, 0);
AT(ha_ext_metadata, reserved, 4);
AT(ha_ext_metadata, version, 8);
AT(ha_ext_metadata, read, 16);
AT(ha_ext_metadata, write, 24);
AT(ha_ext_metadata, pending, 32);
AT(ha_ext_metadata, merge, 40);
SIZE(ha_ext_retention, 16);
AT(ha_ext_retention, struct_size, 0);
AT(ha_ext_retention, reserved, 4);
AT(ha_ext_retention, hold, 8);
SIZE(ha_ext_state_store, 24);
AT(ha_ext_state_store, struct_size, 0);
AT(ha_ext_state_store, reserved, 4);
AT(ha_ext_state_store, load, 8);
AT(ha_ext_state_store, save, 16);
SIZE(ha_ext_thread_lifecycle, 24);
AT(ha_ext_thread_lifecycle, struct_size, 0);
AT(ha_ext_thread_lifecycle, reserved, 4);
AT(ha_ext_thread_lifecycle, thread_started, 8);
AT(ha_ext_thread_lifecycle, thread_stopping, 16);
