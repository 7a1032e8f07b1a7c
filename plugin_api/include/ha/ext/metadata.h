/* SPDX-License-Identifier: Apache-2.0 */
/* ha/ext/metadata.h - host extension "ha.host.metadata/1": small state beside the log.
 *
 * For what a host keeps outside its log and what must not be lost with a master: consumers'
 * offsets, a topic table. The master's plugin sends the whole state to each slave on the native
 * wire, within a second of the slave's joining and of each change; the slave's plugin gives it to
 * its host. It may be a second older than the log: what follows from the log is better read from
 * there.
 */
#ifndef HA_EXT_METADATA_H
#define HA_EXT_METADATA_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HA_EXT_METADATA "ha.host.metadata/1"

/* The most bytes that the state may have. A larger one is not sent, and the plugin says so. */
#define HA_METADATA_MAX_BYTES 4194304

typedef struct ha_ext_metadata {
  uint32_t struct_size;
  uint32_t reserved;

  /* A number that changes whenever the state does. Called once a second: must be cheap and not
   * block. [plugin-io] */
  uint64_t (*version)(void* ctx) HA_NOEXCEPT;

  /* Pours the state out, bytes of the host's own making, in one consistent reading. On the I/O
   * thread: must not wait for a disk. [plugin-io] */
  int32_t (*read)(void* ctx, ha_sink_fn sink, void* user) HA_NOEXCEPT;

  /* On a slave: the state is now what the master's host poured out. CORRUPT when they are other
   * bytes: the plugin logs it and goes on. On the I/O thread: must not wait for a disk, so a host
   * keeps the state and stores it elsewhere. [plugin-io] */
  int32_t (*write)(void* ctx, const void* data, int64_t size, ha_error* error) HA_NOEXCEPT;

  /* Since 1.5, both or neither: what a slave's host took in while its master was away goes up to
   * the master.
   *
   * On a slave, about once a second while it follows a master: pours out what its master is not
   * known to have, in bytes of the host's own making; nothing when there is nothing, which must be
   * cheap. The host goes on pouring it out until write shows that the master has it. On the I/O
   * thread: must not wait for a disk. [plugin-io] */
  int32_t (*pending)(void* ctx, ha_sink_fn sink, void* user) HA_NOEXCEPT;

  /* On the node that a slave follows, at most once a second for each slave: that slave's pending
   * bytes. They may come more than once, and the peer may lie: judge every name, number and bound.
   * CORRUPT when they are other bytes: the plugin logs it and goes on. On the I/O thread: must
   * not wait for a disk. [plugin-io] */
  int32_t (*merge)(void* ctx, const void* data, int64_t size, ha_error* error) HA_NOEXCEPT;
} ha_ext_metadata;

#ifdef __cplusplus
}
#endif

#endif
