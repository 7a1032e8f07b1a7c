/* SPDX-License-Identifier: Apache-2.0 */
/* ha/ext/coordinator.h - host extension "ha.host.coordinator/1": the host's own lock service.
 *
 * For option coordinator=host: the nodes of a set share a service that the host has anyway
 * (Kubernetes, ZooKeeper, Consul, its own), and it picks which node may try to become master. It
 * protects nothing: promises do that. A service that is wrong about a lease costs a change of
 * master, and no message. What compare_and_set wrote must stay written: by one of the keys the
 * nodes agree which of them the set consists of. Only with option missing_copies=degrade a lease
 * says more: there what is answered below policy is safe only if no two nodes hold the leader key
 * at once.
 *
 * The service keeps a few keys, each with a value, and leases. A key that was set under a lease is
 * gone when the lease ends. A key is a path in printable ASCII, such as "/ha/prod/leader". A value
 * is one line of printable UTF-8, 1 to HA_COORDINATOR_MAX_BYTES bytes, without a NUL at its end. No
 * value is empty: size 0 stands for a key that is absent.
 *
 * Answers, of every hook
 *   HA_OK        it is done.
 *   HA_CONFLICT  it is not done, and will not be: the lease has ended, or the value is not the
 *                expected one.
 *   any other    nobody knows. What was asked for may have been done. The plugin shows the words of
 *                the ha_error and asks again.
 * An answer that cannot be right, such as a lease of 0, is taken for the last kind.
 *
 * Threads: the plugin calls one hook at a time, on its thread ha-coord, from start to stop. A hook
 * may block: it returns within HA_COORDINATOR_CALL_MS, with HA_TIMEOUT if there was no answer.
 * Replication goes on in a hook that does not return, but this node takes part in no change of
 * master, and stop and destroy wait for it.
 *
 * Time: the plugin counts a lease from before its call of grant, or of the last renew that answered
 * HA_OK, by CLOCK_BOOTTIME. The service must count from then on or later, so a late answer is safe.
 */
#ifndef HA_EXT_COORDINATOR_H
#define HA_EXT_COORDINATOR_H

#include "ha/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HA_EXT_COORDINATOR "ha.host.coordinator/1"

/* The most bytes that one value has. */
#define HA_COORDINATOR_MAX_BYTES 65536
/* The longest that one call takes. */
#define HA_COORDINATOR_CALL_MS 1000
/* The longest lease that the plugin believes in: a day. */
#define HA_COORDINATOR_MAX_TTL_MS 86400000

typedef struct ha_ext_coordinator {
  uint32_t struct_size;
  uint32_t reserved;

  /* Makes a lease that ends granted_ms after its last renewal. lease: 1 or more, another one each
   * time and for each node. granted_ms: at best ttl_ms, which is option coordinator_ttl_ms; the
   * service may give less or more. [plugin-io] */
  int32_t (*grant)(void* ctx, int64_t ttl_ms, int64_t* lease, int64_t* granted_ms,
                   ha_error* error) HA_NOEXCEPT;

  /* HA_CONFLICT: it has ended. A lease that has ended never comes back. [plugin-io] */
  int32_t (*renew)(void* ctx, int64_t lease, ha_error* error) HA_NOEXCEPT;

  /* Ends it: its keys are gone. HA_CONFLICT: it had ended before. [plugin-io] */
  int32_t (*revoke)(void* ctx, int64_t lease, ha_error* error) HA_NOEXCEPT;

  /* Pours out the value of the key, which ends in NUL, and says under which lease it was set, 0 for
   * none. As it is now: never from a copy that may be old. Pours nothing when the key is absent.
   * Called a few times in each ttl. [plugin-io] */
  int32_t (*read)(void* ctx, const char* key, ha_sink_fn sink, void* user, int64_t* lease,
                  ha_error* error) HA_NOEXCEPT;

  /* Sets the key, in one step for all nodes, if its value is the expected one; expected_size 0: if
   * it is absent. lease 0: the key stays until it is set again. HA_CONFLICT: it has another value,
   * or the lease has ended. [plugin-io] */
  int32_t (*compare_and_set)(void* ctx, const char* key, const void* expected,
                             int64_t expected_size, const void* value, int64_t size, int64_t lease,
                             ha_error* error) HA_NOEXCEPT;
} ha_ext_coordinator;

#ifdef __cplusplus
}
#endif

#endif
