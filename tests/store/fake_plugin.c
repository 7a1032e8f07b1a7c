/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that replicates nothing: a role holds at once, waits end when a test says so. What a
 * test needs to see or do is exported beside the entry; the test finds it with dlsym. */
#include "fake_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WAITS 1024
#define MAX_OPTIONS 16

struct ha_instance {
  ha_host_api host;
  void* ctx;
  int32_t role;
  int32_t stopped;
  int64_t notified;
  ha_wait_request waits[MAX_WAITS];
  int wait_count;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static ha_instance* instances[FAKE_MAX_INSTANCES]; /* in the order of their creation */
static int32_t refuse_role_status;
static int32_t client_state;
static int32_t fence_after_role;
static struct { char key[64], value[256]; } options[MAX_OPTIONS]; /* of the last create */
static int64_t option_count;

static int32_t create(const ha_host_api* host, const ha_create_params* params, ha_instance** out,
                      ha_error* error) {
  (void)error;
  ha_instance* made = calloc(1, sizeof *made);
  if (made == NULL) return HA_NO_MEMORY;
  made->host = *host;
  made->ctx = params->host_ctx;
  option_count = params->option_count < MAX_OPTIONS ? params->option_count : MAX_OPTIONS;
  for (int i = 0; i < option_count; ++i) {
    snprintf(options[i].key, sizeof options[i].key, "%s", params->options[i].key);
    snprintf(options[i].value, sizeof options[i].value, "%s", params->options[i].value);
  }
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < FAKE_MAX_INSTANCES; ++i) {
    if (instances[i] != NULL) continue;
    instances[i] = made;
    break;
  }
  pthread_mutex_unlock(&mutex);
  *out = made;
  return HA_OK;
}

/* Ends the waits that reach up to end. */
static void end_waits(ha_instance* instance, int32_t status, int64_t end) {
  for (;;) {
    pthread_mutex_lock(&mutex);
    if (instance->wait_count == 0 || instance->waits[0].end > end) break;
    const ha_wait_request wait = instance->waits[0];
    --instance->wait_count;
    memmove(instance->waits, instance->waits + 1, sizeof wait * (size_t)instance->wait_count);
    pthread_mutex_unlock(&mutex);
    wait.fn(wait.user, status, wait.end);
  }
  pthread_mutex_unlock(&mutex);
}

static int32_t set_role(ha_instance* instance, const ha_role_change* change, ha_error* error) {
  ha_bounds bounds;
  int64_t whole = 0;
  ha_role_report report = {sizeof report, change->role,  HA_REASON_REQUESTED, HA_OK, 0,
                           "as asked",    change->number};
  if (refuse_role_status != 0) {
    if (error != NULL) {
      error->status = refuse_role_status;
      strcpy(error->text, "the fake refuses");
    }
    return refuse_role_status;
  }
  if (change->role != HA_ROLE_MASTER) end_waits(instance, HA_NOT_MASTER, INT64_MAX);
  instance->host.bounds(instance->ctx, &bounds);
  if (instance->host.record_floor(instance->ctx, bounds.end, &whole) == HA_OK && whole < bounds.end)
    report.status = instance->host.truncate(instance->ctx, 0, whole, 0, error);
  __atomic_store_n(&instance->role, change->role, __ATOMIC_SEQ_CST);
  instance->host.role_changed(instance->ctx, &report);
  if (fence_after_role) {
    const ha_role_report own = {sizeof own, HA_ROLE_NONE, HA_REASON_EPOCH, HA_EPOCH, 0, "fenced",
                                0};
    instance->host.role_changed(instance->ctx, &own);
  }
  return HA_OK;
}

static int32_t start(ha_instance* instance, const ha_role_change* role, ha_error* error) {
  return set_role(instance, role, error);
}

static int32_t stop(ha_instance* instance, int64_t timeout_ms, ha_error* error) {
  (void)timeout_ms;
  (void)error;
  pthread_mutex_lock(&mutex);
  instance->stopped = 1;
  pthread_mutex_unlock(&mutex);
  end_waits(instance, HA_SHUTDOWN, INT64_MAX);
  return HA_OK;
}

static void destroy(ha_instance* instance) {
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < FAKE_MAX_INSTANCES; ++i)
    if (instances[i] == instance) instances[i] = NULL;
  pthread_mutex_unlock(&mutex);
  free(instance);
}

static void notify_appended(ha_instance* instance, int64_t end) {
  __atomic_store_n(&instance->notified, end, __ATOMIC_SEQ_CST);
}

static int32_t check_acks(ha_instance* instance, int32_t acks, int32_t durability) {
  (void)durability;
  if (__atomic_load_n(&instance->role, __ATOMIC_SEQ_CST) != HA_ROLE_MASTER) return HA_NOT_MASTER;
  return acks > 2 ? HA_SLAVE_NOT_AVAILABLE : HA_OK;
}

static int32_t wait_replicated(ha_instance* instance, const ha_wait_request* request) {
  int32_t status = HA_OK;
  if (request->acks == HA_ACKS_DEFAULT || request->acks == 1) return HA_DONE;
  pthread_mutex_lock(&mutex);
  if (instance->stopped)
    status = HA_SHUTDOWN;
  else if (instance->wait_count == MAX_WAITS)
    status = HA_AGAIN;
  else
    instance->waits[instance->wait_count++] = *request;
  pthread_mutex_unlock(&mutex);
  return status;
}

static int32_t set_master_address(ha_instance* instance, const char* address, ha_error* error) {
  (void)instance;
  (void)address;
  (void)error;
  return HA_OK;
}

static int32_t set_option(ha_instance* instance, const char* key, const char* value,
                          ha_error* error) {
  (void)instance;
  (void)key;
  (void)value;
  (void)error;
  return HA_STATE;
}

static int32_t snapshot(ha_instance* instance, ha_snapshot* out) {
  out->role = __atomic_load_n(&instance->role, __ATOMIC_SEQ_CST);
  out->replica_count = 0;
  out->client_state =
      out->role == HA_ROLE_SLAVE ? __atomic_load_n(&client_state, __ATOMIC_SEQ_CST) : 0;
  strcpy(out->listen_address, "127.0.0.1:1");
  return HA_OK;
}

static int32_t status_json(ha_instance* instance, ha_sink_fn sink, void* user) {
  (void)instance;
  return sink(user, "{\"fake\":true}", 13);
}

static int32_t metrics_text(ha_instance* instance, ha_sink_fn sink, void* user) {
  (void)instance;
  return sink(user, "fake 1\n", 7);
}

static const char* status_text(int32_t status) { return status == HA_OK ? "OK" : "FAKE"; }

static const ha_plugin_api api = {
    .struct_size = sizeof(ha_plugin_api),
    .abi_minor = HA_ABI_MINOR,
    .name = "fake",
    .version = "0.0.0",
    .create = create,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .notify_appended = notify_appended,
    .check_acks = check_acks,
    .wait_replicated = wait_replicated,
    .set_role = set_role,
    .set_master_address = set_master_address,
    .set_option = set_option,
    .snapshot = snapshot,
    .status_json = status_json,
    .metrics_text = metrics_text,
    .status_text = status_text,
};

const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error) {
  (void)host;
  (void)error;
  return &api;
}

const ha_host_api* fake_host(int index, void** ctx) {
  *ctx = instances[index]->ctx;
  return &instances[index]->host;
}

int fake_waits(int index) {
  pthread_mutex_lock(&mutex);
  const int count = instances[index]->wait_count;
  pthread_mutex_unlock(&mutex);
  return count;
}

int64_t fake_notified(int index) {
  return __atomic_load_n(&instances[index]->notified, __ATOMIC_SEQ_CST);
}

void fake_end_waits(int index, int32_t status, int64_t end) {
  end_waits(instances[index], status, end);
}

const char* fake_option(const char* key) {
  for (int64_t i = option_count - 1; i >= 0; --i) /* the last one wins */
    if (strcmp(options[i].key, key) == 0) return options[i].value;
  return NULL;
}

void fake_set_client_state(int32_t state) {
  __atomic_store_n(&client_state, state, __ATOMIC_SEQ_CST);
}

void fake_refuse_roles(int32_t status) { refuse_role_status = status; }

void fake_fence_after_role(int32_t on) { fence_after_role = on; }
