/* SPDX-License-Identifier: Apache-2.0 */
/* ha/ext/retention.h - host extension "ha.host.retention/1": keep what replicas still lack.
 *
 * A replica that is behind when its master deletes old segments has to start over. With option
 * retention_hold_bytes the plugin tells the host from where on its replicas need the log, within
 * that bound.
 */
#ifndef HA_EXT_RETENTION_H
#define HA_EXT_RETENTION_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HA_EXT_RETENTION "ha.host.retention/1"

/* Nothing is held. */
#define HA_RETENTION_NOTHING INT64_MAX

typedef struct ha_ext_retention {
  uint32_t struct_size;
  uint32_t reserved;

  /* From now on bytes at or above offset are wanted; it takes the place of what was told before,
   * and may be lower. A wish: a host whose disk fills up may delete them anyway. Told when
   * this node begins to serve replicas and then once a second where it has changed. On the I/O
   * thread: must not block. [plugin-io] */
  void (*hold)(void* ctx, int64_t offset) HA_NOEXCEPT;
} ha_ext_retention;

#ifdef __cplusplus
}
#endif

#endif
