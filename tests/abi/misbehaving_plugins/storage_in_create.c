/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the log inside create, before the host has said start. */
#include "fake_plugin.h"

static int32_t create_and_look(const ha_host_api* host, const ha_create_params* params,
                               ha_instance** out, ha_error* error) {
  ha_bounds bounds;
  host->bounds(params->host_ctx, &bounds);
  return fake_create(host, params, out, error);
}

FAKE_PLUGIN(table.create = create_and_look)
