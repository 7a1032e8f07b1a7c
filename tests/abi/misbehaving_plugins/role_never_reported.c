/* SPDX-License-Identifier: Apache-2.0 */
/* Takes roles without a word: the host's scheduled messages would never start. */
#include "fake_plugin.h"

static int32_t set_silently(ha_instance* i, const ha_role_change* change, ha_error* error) {
  if (i->state != 1) return fake_fail(error, HA_STATE, "set_role: not started");
  i->role = change->role;
  return HA_OK;
}

static int32_t start_silently(ha_instance* i, const ha_role_change* role, ha_error* error) {
  if (i->state != 0) return fake_fail(error, HA_STATE, "start: already started");
  i->state = 1;
  return set_silently(i, role, error);
}

FAKE_PLUGIN(table.start = start_silently, table.set_role = set_silently)
