/* SPDX-License-Identifier: Apache-2.0 */
/* Completes a wait two times: the second one meets freed memory in a real host. */
#include "fake_plugin.h"

static int32_t keep_wait(ha_instance* i, const ha_wait_request* request) {
  const int32_t status = fake_check_acks(i, 1, 0);
  if (status != HA_OK) return status;
  if (i->wait.fn != NULL) return HA_SLAVE_NOT_AVAILABLE;
  i->wait = *request;
  return HA_OK;
}

static void* complete_twice(void* arg) {
  const ha_instance* i = arg;
  i->wait.fn(i->wait.user, HA_SHUTDOWN, i->wait.end);
  i->wait.fn(i->wait.user, HA_SHUTDOWN, i->wait.end);
  return NULL;
}

static int32_t stop_and_complete(ha_instance* i, int64_t timeout_ms, ha_error* error) {
  if (i->wait.fn != NULL) fake_on_thread(complete_twice, i);
  i->wait.fn = NULL;
  return fake_stop(i, timeout_ms, error);
}

FAKE_PLUGIN(table.wait_replicated = keep_wait, table.stop = stop_and_complete)
