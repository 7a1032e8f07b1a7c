// SPDX-License-Identifier: Apache-2.0
/* A plugin that replicates nothing and keeps every rule; the bad ones differ from it in one place.
 * Include it, change what is to be wrong, and define the entry.
 */
#ifndef HA_TESTS_FAKE_PLUGIN_H
#define HA_TESTS_FAKE_PLUGIN_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ha/plugin.h"

#ifdef __GNUC__
#define FAKE_FN static __attribute__((unused))
#else
#define FAKE_FN static
#endif

struct ha_instance {
  const ha_host_api* host;
  void* ctx;
  int32_t role;
  int64_t number;
  int state; /* 0 created, 1 started, 2 stopped */
  ha_wait_request wait;
};

FAKE_FN int32_t fake_fail(ha_error* error, int32_t status, const char* text) {
  if (error != NULL) {
    error->status = status;
    strncpy(error->text, text, sizeof error->text - 1);
  }
  return status;
}

FAKE_FN int32_t fake_create(const ha_host_api* host, const ha_create_params* params,
                            ha_instance** out, ha_error* error) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return fake_fail(error, HA_NO_MEMORY, "no memory");
  (*out)->host = host;
  (*out)->ctx = params->host_ctx;
  return HA_OK;
}

/* Set on threads of the plugin's own: a [control] call from one is HA_STATE. */
static _Thread_local int fake_thread;

FAKE_FN void* fake_report_role(void* arg) {
  const ha_instance* i = arg;
  fake_thread = 1;
  const ha_role_report report = {sizeof report, i->role,  HA_REASON_REQUESTED, HA_OK, 0,
                                 "done",        i->number};
  i->host->role_changed(i->ctx, &report);
  return NULL;
}

/* Runs fn(arg) on a thread that is not the caller's, and returns when it is over. */
FAKE_FN void fake_on_thread(void* (*fn)(void*), void* arg) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, fn, arg) == 0) pthread_join(thread, NULL);
}

FAKE_FN int32_t fake_set_role(ha_instance* i, const ha_role_change* change, ha_error* error) {
  if (i->state != 1) return fake_fail(error, HA_STATE, "set_role: not started");
  i->role = change->role;
  i->number = change->number;
  fake_on_thread(fake_report_role, i);
  return HA_OK;
}

FAKE_FN int32_t fake_start(ha_instance* i, const ha_role_change* role, ha_error* error) {
  if (i->state != 0) return fake_fail(error, HA_STATE, "start: already started");
  i->state = 1;
  return fake_set_role(i, role, error);
}

FAKE_FN int32_t fake_stop(ha_instance* i, int64_t timeout_ms, ha_error* error) {
  (void)timeout_ms;
  if (fake_thread) return fake_fail(error, HA_STATE, "stop: called on a plugin thread");
  i->state = 2;
  return HA_OK;
}

FAKE_FN void fake_destroy(ha_instance* i) { free(i); }
FAKE_FN void fake_notify(ha_instance* i, int64_t end) { (void)i, (void)end; }

FAKE_FN int32_t fake_check_acks(ha_instance* i, int32_t acks, int32_t durability) {
  (void)durability;
  if (i->state == 2) return HA_SHUTDOWN;
  if (i->state == 0 || i->role != HA_ROLE_MASTER) return HA_NOT_MASTER;
  return acks == 1 ? HA_OK : HA_SLAVE_NOT_AVAILABLE;
}

FAKE_FN int32_t fake_wait(ha_instance* i, const ha_wait_request* request) {
  const int32_t status = fake_check_acks(i, request->acks, request->durability);
  return status == HA_OK ? HA_DONE : status;
}

FAKE_FN int32_t fake_set_text(ha_instance* i, const char* text, ha_error* error) {
  (void)text;
  return i->state == 1 && i->role == HA_ROLE_SLAVE ? HA_OK : fake_fail(error, HA_STATE, "no slave");
}

FAKE_FN int32_t fake_set_option(ha_instance* i, const char* key, const char* value,
                                ha_error* error) {
  (void)i, (void)key, (void)value;
  return fake_fail(error, HA_INVALID, "there are no options");
}

FAKE_FN int32_t fake_snapshot(ha_instance* i, ha_snapshot* out) {
  out->replica_count = 0;
  if (out->struct_size >= sizeof *out) out->role = i->role;
  return HA_OK;
}

FAKE_FN int32_t fake_text(ha_instance* i, ha_sink_fn sink, void* user) {
  (void)i;
  return sink(user, "{}", 2) == 0 ? HA_OK : HA_IO;
}

FAKE_FN const char* fake_status_text(int32_t status) { return status == HA_OK ? "OK" : "NOT_OK"; }

#define FAKE_TABLE                                                                                 \
  {                                                                                                \
    .struct_size = sizeof(ha_plugin_api), .name = "fake", .version = "0", .create = fake_create,   \
    .start = fake_start, .stop = fake_stop, .destroy = fake_destroy,                               \
    .notify_appended = fake_notify, .check_acks = fake_check_acks, .wait_replicated = fake_wait,   \
    .set_role = fake_set_role, .set_master_address = fake_set_text, .set_option = fake_set_option, \
    .snapshot = fake_snapshot, .status_json = fake_text, .metrics_text = fake_text,                \
    .status_text = fake_status_text                                                                \
  }

/* The entry of a plugin that differs in the members that the statements change. */
#define FAKE_PLUGIN(...)                                                              \
  static ha_plugin_api table = FAKE_TABLE;                                            \
  const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error);  \
  const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error) { \
    (void)host, (void)error;                                                          \
    __VA_ARGS__;                                                                      \
    return &table;                                                                    \
  }

#endif
