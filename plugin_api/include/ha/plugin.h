/* SPDX-License-Identifier: Apache-2.0 */
/* ha/plugin.h - the contract between a host (a broker, a log store) and a replication plugin.
 *
 * A host owns an append-only log: a run of bytes addressed by offset, cut into segments of one
 * size. The plugin copies that log between hosts: on a master it ships bytes to the slaves that
 * connect and wakes those that wait until enough of them hold an offset; on a slave it follows a
 * master and appends what arrives. The host implements the storage hooks (struct ha_host_api),
 * loads the plugin, and calls what the plugin offers (struct ha_plugin_api).
 *
 * How to use it, in order:
 *   1. dlopen(path, RTLD_NOW | RTLD_LOCAL), dlsym("ha_plugin_entry_v1").
 *   2. entry(&host_api, &error) checks the host's table and returns the plugin's table.
 *   3. create, start; then notify_appended after each append, wait_replicated for each producer.
 *   4. stop, destroy, dlclose. After stop returns the plugin never calls the host again.
 * loader.hpp does all of that for C++20 hosts. README.md has the state table and worked examples.
 *
 * Compatibility policy
 *   - The major version is part of the entry's name. A host that finds no ha_plugin_entry_v1 talks
 *     to a plugin of another major version (or to something else) and says so. One .so may export
 *     several majors.
 *   - Tables begin with struct_size and only ever grow at their end within a major version. The
 *     reader copies min(its own size, struct_size) bytes into zeroed memory: a member that the
 *     other side does not know is NULL, and NULL means "absent". Old hosts run with new plugins and
 *     new hosts with old plugins.
 *   - Request and report structs begin with struct_size too, set by the owner of the memory; zero
 *     is the default of every later member.
 *   - struct ha_bounds, ha_span and ha_segment are frozen. A change would be a new type.
 *   - Whatever may be absent in a good host is an extension with an id that names its revision,
 *     such as "ha.host.segment-fd/1". An id does not change when a draft becomes stable.
 *   - Receivers survive values they do not know: an unknown negative status means HA_INTERNAL, an
 *     unknown reason, state or event is passed on as a number.
 *   - HA_ABI_MINOR informs (logs, bug reports); nothing depends on it.
 *
 * Types and memory
 *   - Fixed-width integers only. Offsets are bytes, 0..INT64_MAX. Ranges are half-open. Times carry
 *     their unit in the name. Text is UTF-8, (pointer, size) where it may be long; ids, names and
 *     error text end in NUL.
 *   - Every pointer is borrowed until the call returns, but for the host table and its ctx (until
 *     destroy returns) and a pinned span (until unpin). Nothing is freed across the boundary.
 *
 * Threads: a tag ends each function's comment
 *   [control]    the host serialises these calls on one instance; they may block.
 *   [publisher]  the host serialises these calls on one instance; wait-free.
 *   [any]        any thread, concurrently; never blocks.
 *   [plugin-io]  the plugin's threads call the host. Several plugin threads may do so at once.
 * The plugin holds no lock of its own while it calls the host. notify_appended and wait_replicated
 * may be called under the host's log lock: neither ever calls back. Callbacks may call [any] and
 * [publisher] functions; a [control] call from a plugin thread returns HA_STATE.
 *
 * Errors: 0 and up is success, negative is failure; the numbers below are fixed for ever. Cold
 * calls also fill a caller-owned struct ha_error when one is given; hot calls return only the code.
 *
 * 64-bit platforms only. C11 and later, C++11 and later.
 */
#ifndef HA_PLUGIN_H
#define HA_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus) && __cplusplus >= 201703L
#define HA_NOEXCEPT noexcept
#else
#define HA_NOEXCEPT
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define HA_ABI_MAJOR 1u
#define HA_ABI_MINOR 6u
#define HA_ENTRY_NAME "ha_plugin_entry_v1"

/* ---- status ------------------------------------------------------------------------------- */

#define HA_OK 0   /* done, or accepted */
#define HA_DONE 1 /* already satisfied: no callback will follow */

#define HA_INVALID (-1)     /* an argument can never be right */
#define HA_STATE (-2)       /* not in this state, or not from this thread */
#define HA_UNSUPPORTED (-3) /* this version, or this host, does not do that */
#define HA_VERSION (-4)     /* the two sides' tables cannot work together */
#define HA_AGAIN (-5)       /* not now: a bounded resource is in use; try again */
#define HA_TIMEOUT (-6)     /* a call other than a wait ran out of time */
#define HA_SHUTDOWN (-7)    /* the instance is stopping or stopped */
#define HA_RANGE (-8)       /* an offset outside the log, or not where it must be */
#define HA_CONFLICT (-9)    /* bytes that contradict the host's layout: segment sizes differ */
#define HA_EPOCH (-10)      /* a stale epoch */
#define HA_NOT_MASTER (-11) /* only a master can do that */
#define HA_TRUNCATED (-12)  /* the offset was cut off the log */
#define HA_IO (-13)         /* the system said no; see os_errno */
#define HA_NO_MEMORY (-14)
#define HA_CORRUPT (-15)  /* bytes that are not records of this log */
#define HA_INTERNAL (-16) /* a fault of the plugin or the host; also any unknown negative code */
#define HA_SLAVE_NOT_AVAILABLE (-17) /* a copy is wanted and no slave is connected */
#define HA_FLUSH_SLAVE_TIMEOUT (-18) /* the wait's deadline passed; the copy may yet arrive */
#define HA_IN_SYNC_REPLICAS_NOT_ENOUGH (-19) /* fewer in-sync replicas than the minimum */

typedef struct ha_error {
  uint32_t struct_size; /* set by the caller to sizeof(ha_error) */
  int32_t status;
  int32_t os_errno; /* 0 when the system had no part in it */
  uint32_t reserved;
  char text[496]; /* UTF-8, ends in NUL: what failed, the value, the way out */
} ha_error;

/* ---- frozen value types ------------------------------------------------------------------- */

/* The log's bounds in one consistent reading: min <= confirm <= end, min <= durable <= end. The log
 * holds [min, end); min and segment_size do not change while bytes are appended. */
typedef struct ha_bounds {
  int64_t min;          /* first byte held; a multiple of segment_size */
  int64_t end;          /* one past the last byte held */
  int64_t durable;      /* bytes below are on stable storage */
  int64_t confirm;      /* readers see records below; end where the host has no such bound */
  int64_t segment_size; /* bytes; > 0, the same for the life of the log */
} ha_bounds;

/* One run of log bytes in the host's memory, inside one segment. */
typedef struct ha_span {
  const void* data;
  int64_t size;   /* >= 1 */
  uint64_t token; /* the host's own, given back to unpin */
} ha_span;

/* ---- roles, states, reasons --------------------------------------------------------------- */

#define HA_ROLE_NONE 0
#define HA_ROLE_MASTER 1
#define HA_ROLE_SLAVE 2

/* States of a connection, master's side or slave's; RocketMQ's ordinals. */
#define HA_STATE_READY 0     /* not connected; will try */
#define HA_STATE_HANDSHAKE 1 /* connected, the first report is outstanding */
#define HA_STATE_TRANSFER 2  /* bytes flow */
#define HA_STATE_SUSPEND 3   /* stopped for a reason that retrying at once cannot fix */
#define HA_STATE_SHUTDOWN 4  /* ended */

/* Why a connection ended, a peer was turned away, or a role changed. */
#define HA_REASON_NONE 0
#define HA_REASON_REQUESTED 1    /* the host asked for it */
#define HA_REASON_SHUTDOWN 2     /* the instance is stopping */
#define HA_REASON_ROLE_CHANGED 3 /* this node's role changed */
#define HA_REASON_PEER_CLOSED 4  /* orderly close by the peer */
#define HA_REASON_NETWORK 5      /* the system reported an error; connect failed, reset, ... */
#define HA_REASON_HOUSEKEEPING 6 /* silent for longer than housekeeping_ms */
#define HA_REASON_FIRST_REPORT_TIMEOUT 7 /* no report within first_report_timeout_ms */
#define HA_REASON_CONNECTION_LIMIT 8     /* too many connections are open, or come too often */
#define HA_REASON_NOT_ALLOWED 9          /* the address is not on the allow list */
#define HA_REASON_REPORT_AHEAD 10        /* acknowledged bytes that were never sent */
#define HA_REASON_REPORT_BACKWARD 11     /* acknowledged less than before */
#define HA_REASON_REQUEST_BELOW_MIN 12   /* asks for bytes that were deleted here */
#define HA_REASON_REQUEST_ABOVE_END 13   /* holds more than this log: it diverged, or leads */
#define HA_REASON_OFFSET_MISMATCH 14     /* the master sent another offset than this log's end */
#define HA_REASON_SEGMENT_SIZE 15        /* the two logs have segments of different sizes */
#define HA_REASON_FRAME_SIZE 16          /* a frame's size is negative or over the limit */
#define HA_REASON_HOST_ERROR 17          /* a host hook or a file failed; the log line has more */
#define HA_REASON_CORRUPT 18             /* the host found bytes that are not records */
#define HA_REASON_CONNECT_TIMEOUT 19     /* no TCP connection in time */
#define HA_REASON_NOT_SERVING 20         /* this node has no role, so it serves nobody */
#define HA_REASON_DIVERGED 21            /* no common history, or readers saw what must be cut */
#define HA_REASON_EPOCH 22               /* the master's epochs contradict what is known */
#define HA_REASON_TRUNCATED 23           /* this log is being cut: the peer may hold other bytes */
#define HA_REASON_PROTOCOL 24            /* a message without a place there: another wire */
#define HA_REASON_VERSION 25             /* no version of the native protocol in common */
#define HA_REASON_CLUSTER 26             /* another cluster_id */
#define HA_REASON_UNKNOWN_REPLICA 27     /* its replica_id is not in replicas, or is this node's */
#define HA_REASON_REPLACED 28  /* its replica_id belongs to a newer connection, or newer process */
#define HA_REASON_CHECKSUM 29  /* bytes were changed on the way; nothing of them was stored */
#define HA_REASON_BEHIND 30    /* another node of the set holds more: it must become master */
#define HA_REASON_NO_QUORUM 31 /* too few nodes of the set promised to follow */
#define HA_REASON_LAG_BYTES 32 /* behind by more bytes than may be */
#define HA_REASON_LAG_TIME 33  /* behind for longer than may be */
#define HA_REASON_LOOP 34      /* it would follow itself, at once or over others */
#define HA_REASON_SET_DIFFERS 35 /* the two nodes' replicas or default_copies differ */
#define HA_REASON_HOST_MISUSE 36 /* a host hook said OK and did not do it, or answered nonsense */
#define HA_REASON_TLS 37         /* no TLS where it is required, or it failed; the text has more */
#define HA_REASON_IDENTITY 38 /* it proved to be another node than it says, or than was dialled */
#define HA_REASON_COORDINATOR 39  /* the coordinator's doing: option coordinator */
#define HA_REASON_MASTER_HEARD 40 /* a node of the set still hears the master */

/* ---- log levels --------------------------------------------------------------------------- */

#define HA_LOG_DEBUG 0
#define HA_LOG_INFO 1
#define HA_LOG_WARN 2
#define HA_LOG_ERROR 3
#define HA_LOG_HOST_MISUSE 4   /* the host broke a rule of this contract */
#define HA_LOG_PLUGIN_MISUSE 5 /* a plugin broke one; said by checking hosts */

/* ---- reports to the host ------------------------------------------------------------------ */

typedef struct ha_role_report {
  uint32_t struct_size;
  int32_t role;     /* HA_ROLE_*: what this node is from now on */
  int32_t reason;   /* HA_REASON_* */
  int32_t status;   /* HA_OK, or why the role that was asked for could not be taken */
  int64_t epoch;    /* of which this node is master; 0 otherwise, and without option replicas */
  const char* text; /* one sentence, ends in NUL */
  int64_t number;   /* of the ha_role_change that this answers; 0 = the plugin's own change */
} ha_role_report;

#define HA_REPLICA_JOINED 1      /* its first report came; it counts from now on */
#define HA_REPLICA_CAUGHT_UP 2   /* it holds everything that this log held at that moment */
#define HA_REPLICA_LEFT 3        /* its connection ended; it counts no longer */
#define HA_REPLICA_REFUSED 4     /* turned away before it counted */
#define HA_REPLICA_IN_SYNC 5     /* it is in the in-sync set from now on */
#define HA_REPLICA_OUT_OF_SYNC 6 /* still there, but not in the set: LAG_BYTES, LAG_TIME */

typedef struct ha_replica_event {
  uint32_t struct_size;
  int32_t event;       /* HA_REPLICA_* */
  int32_t state;       /* HA_STATE_* after the event */
  int32_t reason;      /* HA_REASON_* */
  int64_t ack_offset;  /* last report, -1 before the first */
  const char* id;      /* the replica's identity, ends in NUL */
  const char* address; /* remote "ip:port", ends in NUL */
} ha_replica_event;

/* ---- what the host gives ------------------------------------------------------------------ */

/* ha_host_api.flags */

/* The log replicates itself (RocketMQ: enableDLegerCommitLog): start refuses with STATE. */
#define HA_HOST_LOG_HAS_CONSENSUS 1u

/* truncate's flags */

/* Allows a cut below confirm: readers may have seen those bytes. */
#define HA_TRUNCATE_UNSAFE 1u

/* Functions marked "required" must not be NULL: the entry refuses by name. All others may be
 * absent. Hooks return a status; those with an ha_error may fill it. ctx is
 * ha_create_params.host_ctx.
 *
 * The epoch that storage hooks are given is that of the master on whose word the log changes: the
 * one this node follows, or this node. The cut to a whole record at a change of role has the newest
 * epoch that this node knows. In the life of a log it never falls, so a host may keep the newest
 * one, over restarts and changes of role (ha_role_report.epoch counts too), and refuse an older one
 * with EPOCH. 0 stands for no epoch and is not refused: without option replicas there is none. */
typedef struct ha_host_api {
  uint32_t struct_size; /* sizeof(ha_host_api) at the host's compile time */
  uint32_t flags;       /* HA_HOST_* */

  /* Required. All five in one consistent reading. Called on every turn: must be cheap.
   * [plugin-io] and, inside wait_replicated and check_acks, never. */
  int32_t (*bounds)(void* ctx, ha_bounds* out) HA_NOEXCEPT;

  /* Required. *out = the largest record boundary at or below offset (min <= *out <= offset).
   * RANGE when offset is outside [min, end]. May read the log. [plugin-io] */
  int32_t (*record_floor)(void* ctx, int64_t offset, int64_t* out) HA_NOEXCEPT;

  /* Required. Copies up to size bytes from offset; *got = bytes copied, at least 1, never across a
   * segment's end. RANGE when offset is not in [min, end). [plugin-io] */
  int32_t (*read)(void* ctx, int64_t offset, void* buffer, int64_t size, int64_t* got) HA_NOEXCEPT;

  /* Optional, but both or neither. pin lends up to size bytes of one run inside one segment; they
   * stay mapped and unchanged until unpin. The plugin holds at most one pin per connection. RANGE
   * as for read; AGAIN when too many are out (the plugin then uses read). [plugin-io] */
  int32_t (*pin)(void* ctx, int64_t offset, int64_t size, ha_span* out) HA_NOEXCEPT;
  void (*unpin)(void* ctx, const ha_span* span) HA_NOEXCEPT;

  /* Required. Appends bytes that came from the master. offset must be the log's end (else RANGE); a
   * stale epoch is EPOCH. All or nothing: the host splits at its own segments; a full disk is IO
   * with os_errno and nothing stored. CONFLICT when the bytes contradict the host's segment size,
   * CORRUPT when they are not records: nothing stored, and the plugin stops following. One call at
   * a time, from one thread. [plugin-io] */
  int32_t (*append)(void* ctx, int64_t epoch, int64_t offset, const void* data, int64_t size,
                    ha_error* error) HA_NOEXCEPT;

  /* Optional; without it a node whose log ends inside a record cannot change its role, and a slave
   * whose log went apart from its master's cannot follow it in controller mode. Cuts the log
   * to new_end. Below confirm only with HA_TRUNCATE_UNSAFE (else RANGE). AGAIN while a pin touches
   * the bytes. A stale epoch is EPOCH. When it returns OK the cut is durable and what lay beyond
   * never comes back, not even after a crash. [plugin-io] */
  int32_t (*truncate)(void* ctx, int64_t epoch, int64_t new_end, uint32_t flags,
                      ha_error* error) HA_NOEXCEPT;

  /* Optional; without it an empty slave cannot join a master whose log no longer starts at 0.
   * Empties the log and restarts it at new_min, a multiple of segment_size: min = end = new_min. A
   * stale epoch is EPOCH. [plugin-io] */
  int32_t (*reset)(void* ctx, int64_t epoch, int64_t new_min, ha_error* error) HA_NOEXCEPT;

  /* Optional; a slave with option ack_durable needs it. Returns when everything below end is
   * durable. Blocks as long as the disk takes, on a thread of its own; appends go on meanwhile.
   * [plugin-io] */
  int32_t (*flush)(void* ctx, int64_t end, ha_error* error) HA_NOEXCEPT;

  /* Optional. Readers may see records below offset, and from the first call on no others; bytes
   * beyond the log's end stay unconfirmed. Never called by a plugin that is told no confirm offset.
   * The host remembers it across restarts and forgets it when this node becomes master with epoch
   * 0; with another one the plugin goes on calling, on the master too. It never takes back what
   * readers may have seen (a lower offset changes nothing), so a slave's plugin calls this before
   * it appends. A stale epoch is EPOCH. [plugin-io] */
  int32_t (*confirm)(void* ctx, int64_t epoch, int64_t offset) HA_NOEXCEPT;

  /* Required. Once per accepted start and set_role, in their order and with the number of the
   * ha_role_change, when the role holds (or could not be taken: then report->status says why and
   * report->role what holds instead), and alone, with number 0, when, with option replicas, another
   * node is becoming master: reason EPOCH, first with role NONE on a node that was master, which
   * must append nothing more, then as a slave of that node; or when a master's log went back: role
   * NONE, reason HOST_MISUSE. Services that belong to a role start and stop here. Not on the I/O
   * thread; may block; calls do not overlap. [plugin-io] */
  void (*role_changed)(void* ctx, const ha_role_report* report) HA_NOEXCEPT;

  /* Optional. On the I/O thread: must not block. [plugin-io] */
  void (*replica_changed)(void* ctx, const ha_replica_event* event) HA_NOEXCEPT;

  /* Optional. The offset that the default ack policy has reached, while master; coalesced. For
   * hosts that keep their own list of waiting producers. On the I/O thread. [plugin-io] */
  void (*progress)(void* ctx, int64_t offset) HA_NOEXCEPT;

  /* Required. One line, no newline. Any plugin thread, or inside create, start, stop, set_*: must
   * not block. A host that writes where a reader may stall (a pipe, a terminal) does it on a thread
   * of its own and drops what piles up; while this call hangs, no replica is served. The plugin
   * limits the rate of lines that a peer can cause. [plugin-io] */
  void (*log)(void* ctx, int32_t level, const char* text, int64_t size) HA_NOEXCEPT;

  /* Optional. The host's extension of that id, or NULL. Asked once, inside create. What it returns
   * lives as long as this table. [control] */
  const void* (*get_extension)(void* ctx, const char* id) HA_NOEXCEPT;
} ha_host_api;

/* ---- requests ----------------------------------------------------------------------------- */

typedef struct ha_option {
  const char* key;   /* ends in NUL */
  const char* value; /* ends in NUL */
} ha_option;

typedef struct ha_create_params {
  uint32_t struct_size;
  uint32_t option_stride;   /* sizeof(ha_option) at the host's compile time */
  const ha_option* options; /* array of option_count; an unknown key is INVALID */
  int64_t option_count;
  void* host_ctx; /* first argument of every hook */
} ha_create_params;

/* ha_role_change.flags */

/* Master, with option replicas: without the promises of enough nodes, or over nodes that hold more.
 * Acknowledged messages may be lost. */
#define HA_ROLE_CHANGE_FORCE 1u

typedef struct ha_role_change {
  uint32_t struct_size;
  int32_t role; /* HA_ROLE_* */
  /* Master: the least epoch to take; 0 = the next one. Any other value is INVALID for other roles
   * and UNSUPPORTED without option replicas. */
  int64_t epoch;
  /* Slave: "host:port" or "[ipv6]:port"; NULL or "" = wait for set_master_address. Must be NULL or
   * "" for other roles. */
  const char* master_address;
  uint32_t flags; /* HA_ROLE_CHANGE_* */
  uint32_t reserved;
  /* The host's own, >= 0, given back by the report that answers this change. With 0 the answer
   * cannot be told from a change of the plugin's own. */
  int64_t number;
} ha_role_change;

/* How many copies a wait is for. The master's own copy counts: 1 waits for no slave. */
#define HA_ACKS_DEFAULT 0        /* option in_sync_replicas (adapted by auto_in_sync_replicas) */
#define HA_ACKS_QUORUM (-1)      /* a majority of option replicas; UNSUPPORTED without one */
#define HA_ACKS_ALL_IN_SYNC (-2) /* max(min_in_sync_replicas, the in-sync set), at every moment */

/* What a copy must survive to count. DURABLE is UNSUPPORTED while no slave on the native wire can
 * say that its copy is. */
#define HA_DURABILITY_DEFAULT 0  /* option default_durability */
#define HA_DURABILITY_RECEIVED 1 /* the death of its process */
#define HA_DURABILITY_DURABLE 2  /* a loss of power */

/* Called exactly once for a wait that was accepted, on a plugin thread; must not block. status is
 * HA_OK when the copies exist, else one of FLUSH_SLAVE_TIMEOUT, NOT_MASTER, EPOCH, SHUTDOWN. After
 * anything but OK the outcome is open: the bytes are in the master's log and may still spread. */
typedef void (*ha_wait_fn)(void* user, int32_t status, int64_t end) HA_NOEXCEPT;

typedef struct ha_wait_request {
  uint32_t struct_size;
  int32_t acks; /* >= 1 copies, or HA_ACKS_* */
  int64_t end;  /* a record's end: wait until [0, end) is copied; may lie beyond the last hint */
  /* The epoch of role_changed in which the bytes were appended; EPOCH when it is over. With 0 the
   * wait may outlive its bytes. */
  int64_t epoch;
  int64_t timeout_ns; /* > 0; counted from the call */
  int32_t durability; /* HA_DURABILITY_* */
  uint32_t reserved;
  ha_wait_fn fn;
  void* user;
} ha_wait_request;

typedef struct ha_replica_status {
  uint32_t struct_size; /* set by the plugin to what it filled, never above the stride */
  int32_t state;        /* HA_STATE_* */
  int64_t ack_offset;   /* -1 before the first report */
  int64_t sent_offset;  /* end of what was handed to the socket */
  int64_t start_offset; /* where this connection started */
  int64_t lag_bytes;    /* this log's end - ack_offset (RocketMQ: diff) */
  int64_t lag_ms;       /* age of the oldest byte it lacks; 0 when it lacks none; -1 unknown */
  int64_t bytes_per_s;  /* over the last full second (RocketMQ: transferredByteInSecond) */
  int64_t connected_ms; /* since the connection was accepted */
  uint32_t in_sync;     /* 1 or 0 */
  uint32_t reserved;
  char id[64];      /* ends in NUL */
  char address[64]; /* remote "ip:port", ends in NUL */
} ha_replica_status;

typedef struct ha_snapshot {
  uint32_t struct_size;        /* set by the host */
  uint32_t replica_stride;     /* set by the host: sizeof(ha_replica_status) */
  ha_replica_status* replicas; /* the host's array, or NULL */
  int64_t replica_capacity;    /* set by the host: elements in it */
  int64_t replica_count;       /* replicas there are; min(count, capacity) were filled */
  int32_t role;                /* HA_ROLE_* */
  int32_t client_state;        /* HA_STATE_* of this node's own link to its master */
  int32_t client_reason;       /* HA_REASON_*: why that link last ended */
  int32_t in_sync_count;       /* the in-sync set, this node included; 0 unless master */
  int64_t epoch;               /* newest of this log's history; 0 where epochs are not used */
  ha_bounds bounds;
  int64_t pending_waits;
  int64_t listen_port;          /* that slaves connect to; 0 before start */
  int64_t metrics_port;         /* that metrics are served on; 0 when they are not */
  int64_t client_bytes_per_s;   /* received from the master over the last full second */
  int64_t client_last_read_ms;  /* Unix time of the last byte from the master; 0 = never */
  int64_t client_last_write_ms; /* Unix time of the last report to the master; 0 = never */
  char listen_address[64];      /* "ip:port", ends in NUL */
  char metrics_address[64];
  char master_address[256]; /* what this slave follows, ends in NUL */
  /* Time since the last turn of the I/O thread, which turns at least once a second. More means that
   * a hook of the host blocks it. 0 unless started. */
  int64_t io_turn_age_ms;
} ha_snapshot;

/* Receives output in pieces, in order. A non-zero return ends the call with HA_IO. */
typedef int32_t (*ha_sink_fn)(void* user, const char* text, int64_t size) HA_NOEXCEPT;

/* ---- what the plugin gives ---------------------------------------------------------------- */

typedef struct ha_instance ha_instance;

/* States of an instance: created -> started -> stopped. README.md says which call is allowed when.
 * Every member but notify_durable, get_extension, reason_text and event_text is required: hosts
 * refuse a table without it. */
typedef struct ha_plugin_api {
  uint32_t struct_size;
  uint32_t abi_minor;
  const char* name;    /* "ha_plugin", ends in NUL */
  const char* version; /* of the plugin, "1.2.3", ends in NUL */

  /* Makes an instance; may only call log and get_extension. INVALID names a bad option, its value
   * and the nearest known key. *out is NULL on failure. [control] */
  int32_t (*create)(const ha_host_api* host, const ha_create_params* params, ha_instance** out,
                    ha_error* error) HA_NOEXCEPT;

  /* Listens, starts the threads and takes the role. OK = role_changed will follow. STATE when
   * already started, stopped, or the host's log has its own consensus; IO when the address cannot
   * be bound or a thread cannot be started. After a failure the instance is as created: it may be
   * started again. [control] */
  int32_t (*start)(ha_instance* instance, const ha_role_change* role, ha_error* error) HA_NOEXCEPT;

  /* Refuses new waits; waits up to timeout_ms for pending ones, and until every replica that keeps
   * up holds the log (append nothing more); completes the rest with SHUTDOWN; logs which replicas
   * lack something; releases all pins; joins all threads. The timeout bounds the drain, not the
   * joins. OK also when never started or already stopped; TIMEOUT when waits had to be cut short.
   * [control] */
  int32_t (*stop)(ha_instance* instance, int64_t timeout_ms, ha_error* error) HA_NOEXCEPT;

  /* Frees a stopped (or never started) instance; stops it first when needed. NULL is fine. In a
   * forked child it frees nothing, and all other calls on the instance answer STATE. [control] */
  void (*destroy)(ha_instance* instance) HA_NOEXCEPT;

  /* The log now ends at end. A hint: calls coalesce, and a missed one only costs latency.
   * [publisher] */
  void (*notify_appended)(ha_instance* instance, int64_t end) HA_NOEXCEPT;

  /* This node's own bytes below end are durable. A hint, as notify_appended is: the hook bounds
   * says what holds. [publisher] */
  void (*notify_durable)(ha_instance* instance, int64_t end) HA_NOEXCEPT;

  /* Before an append: would such a wait be refused at once? OK, or NOT_MASTER,
   * IN_SYNC_REPLICAS_NOT_ENOUGH, SLAVE_NOT_AVAILABLE (in that order), INVALID, UNSUPPORTED,
   * SHUTDOWN. [any] */
  int32_t (*check_acks)(ha_instance* instance, int32_t acks, int32_t durability) HA_NOEXCEPT;

  /* OK = fn runs exactly once, later, on a plugin thread. DONE or an error = fn never runs.
   * INVALID: a bad member or more copies than there can be; AGAIN: max_pending_waits reached; else
   * as check_acks. Within one (acks, durability) level waits end in the order of their offsets.
   * [any] */
  int32_t (*wait_replicated)(ha_instance* instance, const ha_wait_request* request) HA_NOEXCEPT;

  /* Changes the role. OK = accepted: role_changed follows, perhaps before this returns. A
   * master that is to be something else first sends slaves that keep up the rest of the log and
   * ends what waits for that or for a flush of it, for a second at most: append nothing more before
   * you call. Taking the role closes every connection and first cuts the log to its last whole
   * record. [control] */
  int32_t (*set_role)(ha_instance* instance, const ha_role_change* change,
                      ha_error* error) HA_NOEXCEPT;

  /* Where a slave finds its master; NULL or "" stops following. STATE unless slave. [control] */
  int32_t (*set_master_address)(ha_instance* instance, const char* address,
                                ha_error* error) HA_NOEXCEPT;

  /* Changes one option that may change while running; STATE for the others. [control] */
  int32_t (*set_option)(ha_instance* instance, const char* key, const char* value,
                        ha_error* error) HA_NOEXCEPT;

  /* A reading of state and replicas. [any] */
  int32_t (*snapshot)(ha_instance* instance, ha_snapshot* out) HA_NOEXCEPT;

  /* The same and more as one JSON object. [any] */
  int32_t (*status_json)(ha_instance* instance, ha_sink_fn sink, void* user) HA_NOEXCEPT;

  /* All metrics in Prometheus' text format, for hosts with an endpoint of their own. [any] */
  int32_t (*metrics_text)(ha_instance* instance, ha_sink_fn sink, void* user) HA_NOEXCEPT;

  /* The name of a status code, such as "FLUSH_SLAVE_TIMEOUT"; static. [any] */
  const char* (*status_text)(int32_t status) HA_NOEXCEPT;

  /* The plugin's extension of that id, or NULL. [any] */
  const void* (*get_extension)(ha_instance* instance, const char* id) HA_NOEXCEPT;

  /* The name of a reason, such as "not_serving", and of a replica event, such as "caught_up": the
   * words of logs, metrics and status JSON. Static; "unknown" for other numbers. [any] */
  const char* (*reason_text)(int32_t reason) HA_NOEXCEPT;
  const char* (*event_text)(int32_t event) HA_NOEXCEPT;
} ha_plugin_api;

/* The one exported symbol. Pure: starts nothing, allocates nothing, may be called often. Checks the
 * host's table; NULL means refused, and error names the missing member and both versions. [any] */
typedef const ha_plugin_api* (*ha_plugin_entry_fn)(const ha_host_api* host,
                                                   ha_error* error) HA_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
