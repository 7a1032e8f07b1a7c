/* SPDX-License-Identifier: Apache-2.0 */
/* ha/ext/segment_fd.h - host extension "ha.host.segment-fd/1": segments as file descriptors.
 *
 * Lets the plugin send log bytes from the page cache with sendfile(2). The plugin never closes,
 * seeks, reads past or writes to the descriptor. Frozen type: ha_segment.
 */
#ifndef HA_EXT_SEGMENT_FD_H
#define HA_EXT_SEGMENT_FD_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HA_EXT_SEGMENT_FD "ha.host.segment-fd/1"

typedef struct ha_segment {
  int32_t fd; /* open for reading */
  uint32_t reserved;
  int64_t file_position; /* where the byte at the asked offset stands in the file */
  int64_t size;          /* bytes readable from there, >= 1, inside one segment */
  uint64_t token;        /* the host's own, given back to release */
} ha_segment;

typedef struct ha_ext_segment_fd {
  uint32_t struct_size;
  uint32_t reserved;

  /* Lends the descriptor that holds offset until release; the bytes stay unchanged until then.
   * RANGE when offset is not in [min, end); AGAIN when too many are out. [plugin-io] */
  int32_t (*acquire)(void* ctx, int64_t offset, int64_t size, ha_segment* out) HA_NOEXCEPT;
  void (*release)(void* ctx, const ha_segment* segment) HA_NOEXCEPT;
} ha_ext_segment_fd;

#ifdef __cplusplus
}
#endif

#endif
