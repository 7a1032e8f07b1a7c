/* SPDX-License-Identifier: Apache-2.0 */
/* minimal_host.c - the smallest complete host of a replication plugin, in plain C11.
 *
 *   cc -std=c11 -I../include minimal_host.c -o minimal_host -pthread -ldl
 *   ./minimal_host libha_plugin.so master 10912            reads lines from standard input
 *   ./minimal_host libha_plugin.so slave 127.0.0.1:10912   until its standard input ends
 *
 * The master appends each line to its log and waits until a slave holds it too; the slave prints
 * what it holds when it ends. Port 0 lets the system pick; the master prints where it listens.
 *
 * The log is one segment of memory, a record is a line. A real host has files, and answers the same
 * questions: where does the log begin and end, give me these bytes, append those, where does the
 * last whole record end, cut there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ha/plugin.h"

enum { kSegmentBytes = 64 * 1024 * 1024, kMaxLine = 64 * 1024 };

struct host {
  pthread_mutex_t mutex; /* guards all below; never held while the plugin is called */
  pthread_cond_t changed;
  char* bytes;
  int64_t end;
  int joined; /* slaves that joined so far */
};

/* ---- storage hooks: the plugin's threads call these ---- */

static int32_t host_bounds(void* ctx, ha_bounds* out) {
  struct host* h = ctx;
  pthread_mutex_lock(&h->mutex);
  /* min, end, durable (as far as memory is), confirm (readers see all), segment size */
  *out = (ha_bounds){0, h->end, h->end, h->end, kSegmentBytes};
  pthread_mutex_unlock(&h->mutex);
  return HA_OK;
}

static int32_t host_record_floor(void* ctx, int64_t offset, int64_t* out) {
  struct host* h = ctx;
  int32_t status = HA_RANGE;
  pthread_mutex_lock(&h->mutex);
  if (offset >= 0 && offset <= h->end) {
    while (offset > 0 && h->bytes[offset - 1] != '\n') --offset;
    *out = offset;
    status = HA_OK;
  }
  pthread_mutex_unlock(&h->mutex);
  return status;
}

static int32_t host_read(void* ctx, int64_t offset, void* buffer, int64_t size, int64_t* got) {
  struct host* h = ctx;
  int32_t status = HA_RANGE;
  pthread_mutex_lock(&h->mutex);
  if (offset >= 0 && offset < h->end) {
    *got = size < h->end - offset ? size : h->end - offset;
    memcpy(buffer, h->bytes + offset, (size_t)*got);
    status = HA_OK;
  }
  pthread_mutex_unlock(&h->mutex);
  return status;
}

/* Shared by both roles: the master's own appends and the slave's. */
static int32_t host_append(void* ctx, int64_t epoch, int64_t offset, const void* data, int64_t size,
                           ha_error* error) {
  struct host* h = ctx;
  int32_t status = HA_OK;
  (void)epoch; /* always 0 without option replicas */
  pthread_mutex_lock(&h->mutex);
  if (offset != h->end) {
    status = HA_RANGE;
  } else if (size > kSegmentBytes - h->end) { /* all or nothing */
    status = HA_IO;
    if (error != NULL) {
      error->os_errno = ENOSPC;
      snprintf(error->text, sizeof error->text,
               "the log is full at %d bytes: give it a new segment", (int)kSegmentBytes);
    }
  } else {
    memcpy(h->bytes + offset, data, (size_t)size);
    h->end += size;
  }
  pthread_mutex_unlock(&h->mutex);
  return status;
}

static int32_t host_truncate(void* ctx, int64_t epoch, int64_t new_end, uint32_t flags,
                             ha_error* error) {
  struct host* h = ctx;
  int32_t status = HA_RANGE;
  (void)epoch, (void)flags, (void)error;
  pthread_mutex_lock(&h->mutex);
  if (new_end >= 0 && new_end <= h->end) {
    h->end = new_end;
    status = HA_OK;
  }
  pthread_mutex_unlock(&h->mutex);
  return status;
}

/* ---- reports ---- */

static void host_role_changed(void* ctx, const ha_role_report* report) {
  (void)ctx;
  if (report->status < 0) fprintf(stderr, "role not taken: %s\n", report->text);
}

static void host_replica_changed(void* ctx, const ha_replica_event* event) {
  struct host* h = ctx;
  if (event->event != HA_REPLICA_JOINED) return;
  pthread_mutex_lock(&h->mutex);
  ++h->joined;
  pthread_mutex_unlock(&h->mutex);
  pthread_cond_signal(&h->changed);
}

static void host_log(void* ctx, int32_t level, const char* text, int64_t size) {
  (void)ctx;
  if (level >= HA_LOG_INFO) fprintf(stderr, "plugin: %.*s\n", (int)size, text);
}

static const ha_host_api kHostApi = {
    .struct_size = sizeof(ha_host_api), /* tells the plugin which members this host knows */
    .bounds = host_bounds,
    .record_floor = host_record_floor,
    .read = host_read,
    .append = host_append,
    .truncate = host_truncate,
    .role_changed = host_role_changed,
    .replica_changed = host_replica_changed,
    .log = host_log, /* what is not named here is NULL: absent */
};

/* ---- waiting for copies ---- */

struct wait {
  struct host* host;
  int done;
  int32_t status;
};

/* On a plugin thread, once. A server would answer its client here instead of waking a thread. */
static void on_replicated(void* user, int32_t status, int64_t end) {
  struct wait* w = user;
  (void)end;
  pthread_mutex_lock(&w->host->mutex);
  w->status = status;
  w->done = 1;
  pthread_cond_signal(&w->host->changed); /* under the lock: *w is gone soon after it is released */
  pthread_mutex_unlock(&w->host->mutex);
}

static int32_t wait_for_copies(const ha_plugin_api* plugin, ha_instance* instance, struct host* h,
                               int64_t end, int32_t copies) {
  struct wait w = {.host = h};
  const ha_wait_request request = {.struct_size = sizeof request,
                                   .acks = copies, /* the master's own counts */
                                   .end = end,
                                   .timeout_ns = 10 * INT64_C(1000000000),
                                   .fn = on_replicated,
                                   .user = &w};
  const int32_t status = plugin->wait_replicated(instance, &request);
  if (status != HA_OK) return status == HA_DONE ? HA_OK : status; /* no callback will come */
  pthread_mutex_lock(&h->mutex);
  while (!w.done) pthread_cond_wait(&h->changed, &h->mutex);
  pthread_mutex_unlock(&h->mutex);
  return w.status;
}

static int produce(const ha_plugin_api* plugin, ha_instance* instance, struct host* h) {
  static char line[kMaxLine];
  long acknowledged = 0;
  pthread_mutex_lock(&h->mutex);
  while (h->joined == 0)
    pthread_cond_wait(&h->changed, &h->mutex); /* a wait would be SLAVE_NOT_AVAILABLE */
  pthread_mutex_unlock(&h->mutex);
  while (fgets(line, sizeof line, stdin) != NULL) {
    const int64_t size = (int64_t)strlen(line);
    ha_error error = {.struct_size = sizeof error};
    int32_t status = host_append(h, 0, h->end, line, size, &error); /* only this thread appends */
    if (status == HA_OK) {
      plugin->notify_appended(instance, h->end);
      status = wait_for_copies(plugin, instance, h, h->end, 2);
    }
    if (status != HA_OK) {
      fprintf(stderr, "line %ld: %s %s\n", acknowledged + 1, plugin->status_text(status),
              error.text);
      return 1;
    }
    ++acknowledged;
  }
  printf("acknowledged %ld\n", acknowledged);
  return 0;
}

/* ---- load, create, start, run, stop ---- */

static int run(const ha_plugin_api* plugin, struct host* h, int is_master, const char* where) {
  char listen[64];
  snprintf(listen, sizeof listen, "127.0.0.1:%s", is_master ? where : "0");
  const ha_option options[] = {{"listen", listen}};
  const ha_create_params params = {.struct_size = sizeof params,
                                   .option_stride = sizeof options[0],
                                   .options = options,
                                   .option_count = 1,
                                   .host_ctx = h};
  const ha_role_change role = {.struct_size = sizeof role,
                               .role = is_master ? HA_ROLE_MASTER : HA_ROLE_SLAVE,
                               .master_address = is_master ? NULL : where};
  ha_error error = {.struct_size = sizeof error};
  ha_instance* instance = NULL;
  int failed = 1;
  if (plugin->create(&kHostApi, &params, &instance, &error) == HA_OK &&
      plugin->start(instance, &role, &error) == HA_OK) {
    ha_snapshot now = {.struct_size = sizeof now};
    plugin->snapshot(instance, &now);
    printf("listening %s\n", now.listen_address);
    fflush(stdout);
    if (is_master) {
      failed = produce(plugin, instance, h);
    } else {
      while (getchar() != EOF) continue;
      failed = 0;
    }
    plugin->stop(instance, 1000, NULL); /* from here on the plugin calls nothing of ours */
    if (!is_master) fwrite(h->bytes, 1, (size_t)h->end, stdout);
  } else {
    fprintf(stderr, "%s\n", error.text);
  }
  plugin->destroy(instance);
  return failed;
}

int main(int argc, char** argv) {
  const int is_master = argc == 4 && strcmp(argv[2], "master") == 0;
  if (argc != 4 || (!is_master && strcmp(argv[2], "slave") != 0)) {
    fprintf(stderr, "usage: %s PLUGIN master PORT | PLUGIN slave MASTER_ADDR:PORT\n", argv[0]);
    return 2;
  }
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  ha_plugin_entry_fn entry;
  *(void**)&entry = dlsym(library, HA_ENTRY_NAME); /* ISO C has no cast from void * to a function */
  ha_error error = {.struct_size = sizeof error};
  const ha_plugin_api* plugin = entry == NULL ? NULL : entry(&kHostApi, &error);
  if (plugin == NULL) {
    fprintf(stderr, "%s: %s\n", argv[1], entry == NULL ? "exports no " HA_ENTRY_NAME : error.text);
    return 1;
  }
  struct host h = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                   .changed = PTHREAD_COND_INITIALIZER,
                   .bytes = malloc(kSegmentBytes)};
  if (h.bytes == NULL) {
    fprintf(stderr, "no memory for a segment of %d bytes\n", (int)kSegmentBytes);
    return 1;
  }
  const int failed = run(plugin, &h, is_master, argv[3]);
  free(h.bytes);
  dlclose(library);
  return failed;
}
