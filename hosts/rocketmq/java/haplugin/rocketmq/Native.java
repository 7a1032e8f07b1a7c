// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.nio.ByteBuffer;

/**
 * What libha_rocketmq.so offers. A handle is what {@link #create} returned, until {@link #destroy}.
 * Negative numbers are HA_* of ha/plugin.h; text of errors comes as HaException.
 */
final class Native {
  private Native() {}

  // Roles, as in ha/plugin.h.
  static final int MASTER = 1;
  static final int SLAVE = 2;

  // Statuses, as in ha/plugin.h.
  static final int OK = 0;
  static final int DONE = 1;
  static final int INVALID = -1;
  static final int STATE = -2;
  static final int UNSUPPORTED = -3;
  static final int AGAIN = -5;
  static final int TIMEOUT = -6;
  static final int SHUTDOWN = -7;
  static final int EPOCH = -10;
  static final int NOT_MASTER = -11;
  static final int IO = -13;
  static final int INTERNAL = -16;
  static final int SLAVE_NOT_AVAILABLE = -17;
  static final int IN_SYNC_REPLICAS_NOT_ENOUGH = -19;

  static final int ACKS_DEFAULT = 0;
  static final int ACKS_ALL_IN_SYNC = -2;

  /** @param options key, value, key, value, ... */
  static native long create(StoreBridge store, String plugin, String[] options) throws HaException;

  static native void start(long handle, int role, String master) throws HaException;

  /** Before start or after stop: cuts to the last end of a record at or below that offset, and returns it. */
  static native long cutToRecord(long handle, long offset) throws HaException;

  static native void setMasterAddress(long handle, String address) throws HaException;

  /** {@link StoreBridge#roleChanged} with that number will follow. */
  static native void setRole(long handle, int role, String master, boolean force, long number)
      throws HaException;

  static native void setOption(long handle, String key, String value) throws HaException;

  /** As master: what slaves are to have beside the log; {@link StoreBridge#metadata} there. */
  static native void setMetadata(long handle, byte[] state);

  /** UTF-8. */
  static native byte[] statusJson(long handle) throws HaException;

  /** UTF-8. */
  static native byte[] metricsText(long handle) throws HaException;

  /** The name of a status, such as NOT_MASTER. */
  static native String statusName(long handle, int status);

  static native void stop(long handle, long drainMs);

  static native void destroy(long handle);

  /** The log's end, from any thread. */
  static native void notifyAppended(long handle, long end);

  /** OK when a wait for that many copies would be accepted, else the status that it would get. */
  static native int checkAcks(long handle, int acks);

  /**
   * OK: {@link #drain} or {@link StoreBridge#completed} will give the slot back, once. Anything else
   * is the answer.
   */
  static native int waitReplicated(
      long handle, long end, int acks, long epoch, long timeoutNs, int slot);

  /**
   * Blocks until waits have ended and fills in pairs of slot and status. Returns the number of
   * pairs, or -1 once stop was called and none are left.
   */
  static native int drain(long handle, int[] pairs);

  /** Native order; see Snapshot. Returns how many replicas there are. */
  static native int snapshot(long handle, ByteBuffer into);
}
