// SPDX-License-Identifier: Apache-2.0
/* What the fake plugin lets a test see and do. index: 0 = the instance that was created first. */
#ifndef FAKE_PLUGIN_H
#define FAKE_PLUGIN_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FAKE_MAX_INSTANCES 8

const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error);

/* The hooks that the host gave, as the plugin would call them. */
const ha_host_api* fake_host(int index, void** ctx);
int fake_waits(int index); /* pending */
int64_t fake_notified(int index);
void fake_end_waits(int index, int32_t status, int64_t end);
/* The value of an option that create was given, NULL when it was not; until the next create. */
const char* fake_option(const char* key);
/* What snapshots say of each slave's link to its master. */
void fake_set_client_state(int32_t state);
/* 0 = accept roles again. */
void fake_refuse_roles(int32_t status);
/* After each answered role another node becomes master: NONE, of the plugin's own accord. */
void fake_fence_after_role(int32_t on);

#ifdef __cplusplus
}
#endif

#endif
