/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts waits and forgets them, at stop too: the producers would hang for ever. */
#include "fake_plugin.h"

static int32_t forget_wait(ha_instance* i, const ha_wait_request* request) {
  (void)request;
  return fake_check_acks(i, 1, 0);
}

FAKE_PLUGIN(table.wait_replicated = forget_wait)
