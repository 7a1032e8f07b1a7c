// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The plugin's instance. Calls from any thread; one that comes before set, or after end, gets the
 * answer of a plugin that has stopped.
 */
final class Plugin {
  private interface Call<T, E extends Exception> {
    T on(long handle) throws E;
  }

  private static final byte[] NO_JSON = "null".getBytes(StandardCharsets.UTF_8);

  // Read-held over each call: the handle lives until they are back.
  private final ReadWriteLock calls = new ReentrantReadWriteLock();
  private volatile long handle;

  void set(long made) {
    handle = made;
  }

  /** For calls that change something, which the caller makes one at a time, and not beside end. */
  long running() throws HaException {
    if (handle == 0) {
      throw new HaException(Native.SHUTDOWN, "this broker is stopping");
    }
    return handle;
  }

  /** Lets no further call in and waits for those that are on their way. The handle, or 0. */
  long end() {
    long ended = handle;
    handle = 0;
    calls.writeLock().lock();
    calls.writeLock().unlock();
    return ended;
  }

  int waitReplicated(long end, int acks, long epoch, long timeoutNs, int slot) {
    return call(
        Native.SHUTDOWN, one -> Native.waitReplicated(one, end, acks, epoch, timeoutNs, slot));
  }

  int checkAcks(int acks) {
    return call(Native.SHUTDOWN, one -> Native.checkAcks(one, acks));
  }

  void notifyAppended(long end) {
    call(
        null,
        one -> {
          Native.notifyAppended(one, end);
          return null;
        });
  }

  void setMetadata(byte[] state) {
    call(
        null,
        one -> {
          Native.setMetadata(one, state);
          return null;
        });
  }

  /** null: it has stopped. */
  Snapshot snapshot() {
    return call(null, Snapshot::of);
  }

  String statusName(int status) {
    return call("SHUTDOWN", one -> Native.statusName(one, status));
  }

  String statusJson() throws HaException {
    return new String(call(NO_JSON, Native::statusJson), StandardCharsets.UTF_8);
  }

  String metricsText() throws HaException {
    return new String(call(new byte[0], Native::metricsText), StandardCharsets.UTF_8);
  }

  private <T, E extends Exception> T call(T ended, Call<T, E> call) throws E {
    calls.readLock().lock();
    try {
      return handle == 0 ? ended : call.on(handle);
    } finally {
      calls.readLock().unlock();
    }
  }
}
