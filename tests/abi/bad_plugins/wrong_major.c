/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of the next major version: its entry has another name and another signature. */
const void* ha_plugin_entry_v2(const void* host);
const void* ha_plugin_entry_v2(const void* host) { return host; }
