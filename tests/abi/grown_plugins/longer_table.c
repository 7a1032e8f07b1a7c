/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of a later minor version: four members that this host has never heard of. */
#include "fake_plugin.h"

static struct {
  ha_plugin_api known;
  const void* later[4];
} grown = {.known = FAKE_TABLE, .later = {&grown, &grown, &grown, &grown}};

const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error);
const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host, ha_error* error) {
  (void)host, (void)error;
  grown.known.struct_size = sizeof grown;
  return &grown.known;
}
