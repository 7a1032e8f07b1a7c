/* SPDX-License-Identifier: Apache-2.0 */
/* Calls back before wait_replicated has returned: a host that holds its log lock would deadlock. */
#include "fake_plugin.h"

static int32_t wait_now(ha_instance* i, const ha_wait_request* request) {
  const int32_t status = fake_check_acks(i, 1, 0);
  if (status != HA_OK) return status;
  request->fn(request->user, HA_OK, request->end);
  return HA_OK;
}

FAKE_PLUGIN(table.wait_replicated = wait_now)
