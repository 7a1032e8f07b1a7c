/* SPDX-License-Identifier: Apache-2.0 */
/* ha/ext/thread_lifecycle.h - host extension "ha.host.thread-lifecycle/1": the plugin's threads.
 *
 * For hosts whose runtime must know every thread that calls into it (a JVM attaches them).
 */
#ifndef HA_EXT_THREAD_LIFECYCLE_H
#define HA_EXT_THREAD_LIFECYCLE_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HA_EXT_THREAD_LIFECYCLE "ha.host.thread-lifecycle/1"

typedef struct ha_ext_thread_lifecycle {
  uint32_t struct_size;
  uint32_t reserved;

  /* On the new thread, before it makes any other call to the host. name is "ha-io" and the like,
   * ends in NUL. [plugin-io] */
  void (*thread_started)(void* ctx, const char* name) HA_NOEXCEPT;

  /* On the thread, after its last other call to the host. [plugin-io] */
  void (*thread_stopping)(void* ctx, const char* name) HA_NOEXCEPT;
} ha_ext_thread_lifecycle;

#ifdef __cplusplus
}
#endif

#endif
