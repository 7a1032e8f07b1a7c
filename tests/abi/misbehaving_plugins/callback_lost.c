/* Accepts waits and forgets them, at stop too: the producers would hang for ever. */
#include "fake_plugin.h"

static int32_t forget_wait(ha_instance *i, const ha_wait_request *request) {
  (void)i, (void)request;
  return HA_OK;
}

FAKE_PLUGIN(table.wait_replicated = forget_wait)
