/* SPDX-License-Identifier: Apache-2.0 */
/* Says goodbye in destroy, when the host's log may be closed already. */
#include "fake_plugin.h"

static void destroy_and_log(ha_instance* i) {
  i->host->log(i->ctx, HA_LOG_INFO, "goodbye", 7);
  free(i);
}

FAKE_PLUGIN(table.destroy = destroy_and_log)
