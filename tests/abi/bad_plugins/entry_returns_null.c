/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses every host, in words. */
#include "fake_plugin.h"

const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error);
const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error) {
  (void)host;
  fake_fail(error, HA_UNSUPPORTED, "this plugin needs a host with a moon phase hook");
  return NULL;
}
