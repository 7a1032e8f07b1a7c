/* SPDX-License-Identifier: Apache-2.0 */
/* ha/ext/append_reserve.h - host extension "ha.host.append-reserve/1": receive in place.
 *
 * Lets a slave receive from the socket straight into memory of the host: no copy between.
 * The plugin reserves room at the log's end, fills some or all of it, then commits what it filled.
 * One reservation at a time; ha_host_api.append is not called while one is open. Bytes that are not
 * committed are not part of the log: neither end nor recovery after a crash may count them.
 */
#ifndef HA_EXT_APPEND_RESERVE_H
#define HA_EXT_APPEND_RESERVE_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HA_EXT_APPEND_RESERVE "ha.host.append-reserve/1"

typedef struct ha_ext_append_reserve {
  uint32_t struct_size;
  uint32_t reserved;

  /* Lends writable memory for the bytes from offset, which must be the log's end (else RANGE).
   * *data = the memory; *room = its size, 1..size, inside one segment. A full disk is IO with
   * os_errno; a stale epoch EPOCH; STATE when a reservation is open. [plugin-io] */
  int32_t (*reserve)(void* ctx, int64_t epoch, int64_t offset, int64_t size, void** data,
                     int64_t* room, ha_error* error) HA_NOEXCEPT;

  /* Makes the first size bytes of the reservation part of the log and ends the reservation.
   * CONFLICT and CORRUPT as for append: nothing becomes part of the log. [plugin-io] */
  int32_t (*commit)(void* ctx, int64_t size, ha_error* error) HA_NOEXCEPT;

  /* Ends the reservation; nothing becomes part of the log. Without one it does nothing.
   * [plugin-io] */
  void (*drop)(void* ctx) HA_NOEXCEPT;
} ha_ext_append_reserve;

#ifdef __cplusplus
}
#endif

#endif
