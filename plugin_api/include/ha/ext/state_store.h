/* SPDX-License-Identifier: Apache-2.0 */
/* ha/ext/state_store.h - host extension "ha.host.state-store/1": the plugin's small state.
 *
 * For hosts that keep such things in a store of their own: what this node has promised and which
 * epochs its log went through (ha_term.json), what its set was changed to (ha_set.json), what was
 * acknowledged below policy (ha_degraded.json). Without it these are files of those names in option
 * state_dir, which are also read when the store has nothing under the name yet. What was cut off
 * the log may be large and goes to state_dir either way.
 */
#ifndef HA_EXT_STATE_STORE_H
#define HA_EXT_STATE_STORE_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HA_EXT_STATE_STORE "ha.host.state-store/1"

/* The most bytes that one state has. */
#define HA_STATE_MAX_BYTES 1048576

typedef struct ha_ext_state_store {
  uint32_t struct_size;
  uint32_t reserved;

  /* Pours out what was saved last under name, which ends in NUL; nothing when nothing was: no state
   * is empty. Inside start. [control] */
  int32_t (*load)(void* ctx, const char* name, ha_sink_fn sink, void* user,
                  ha_error* error) HA_NOEXCEPT;

  /* Keeps it under name in place of what was there. Atomic, and durable when it returns: a promise
   * to another node follows. May block for a disk. [plugin-io] */
  int32_t (*save)(void* ctx, const char* name, const void* data, int64_t size,
                  ha_error* error) HA_NOEXCEPT;
} ha_ext_state_store;

#ifdef __cplusplus
}
#endif

#endif
