/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses a wait and completes it all the same. */
#include "fake_plugin.h"

static void* complete(void* arg) {
  const ha_wait_request* request = arg;
  request->fn(request->user, HA_OK, request->end);
  return NULL;
}

static int32_t refuse_and_complete(ha_instance* i, const ha_wait_request* request) {
  ha_wait_request copy = *request;
  fake_on_thread(complete, &copy);
  return fake_wait(i, request);
}

FAKE_PLUGIN(table.wait_replicated = refuse_and_complete)
