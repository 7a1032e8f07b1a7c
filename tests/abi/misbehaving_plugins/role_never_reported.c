/* Takes roles without a word: the host's scheduled messages would never start. */
#include "fake_plugin.h"

static int32_t start_silently(ha_instance *i, const ha_role_change *role, ha_error *error) {
  (void)error;
  i->state = 1;
  i->role = role->role;
  return HA_OK;
}

FAKE_PLUGIN(table.start = start_silently)
