// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.apache.rocketmq.store.CommitLog.GroupCommitRequest;
import org.apache.rocketmq.store.PutMessageStatus;

/**
 * The producers that wait, by number, so that native code needs no reference to a Java object. The
 * plugin's own thread ends one or two waits at once; a thread of this class ends the rest in batches.
 */
final class Completions {
  /** The most producers that can wait at once. The next one gets FLUSH_SLAVE_TIMEOUT. */
  static final int SLOTS = 1 << 17;
  // RocketMQ's pool that goes on with the producers takes 10,000, then throws them away.
  private static final int BATCH = 2048;

  private final AtomicReferenceArray<GroupCommitRequest> waiting =
      new AtomicReferenceArray<>(SLOTS);
  private final BlockingQueue<Integer> free = new ArrayBlockingQueue<>(SLOTS);
  private Thread thread;

  Completions() {
    for (int slot = 0; slot < SLOTS; ++slot) {
      free.add(slot);
    }
  }

  /** -1: all are taken. */
  int take(GroupCommitRequest request) {
    Integer slot = free.poll();
    if (slot == null) {
      return -1;
    }
    waiting.set(slot, request);
    return slot;
  }

  /** Ends the wait of that slot. */
  void end(int slot, int status) {
    GroupCommitRequest request = waiting.getAndSet(slot, null);
    free.add(slot);
    if (request != null) {
      request.wakeupCustomer(statusOf(status));
    }
  }

  void start(long handle) {
    thread = new Thread(() -> drain(handle), "ha-completions");
    thread.setDaemon(true);
    thread.start();
  }

  /** After Native.stop: until the last is ended. */
  void join() {
    if (thread == null) {
      return;
    }
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void drain(long handle) {
    int[] pairs = new int[2 * BATCH];
    for (;;) {
      int count = Native.drain(handle, pairs);
      if (count < 0) {
        return;
      }
      for (int i = 0; i < count; ++i) {
        end(pairs[2 * i], pairs[2 * i + 1]);
      }
    }
  }

  /**
   * What the producer hears. Its message is in this broker's log already. An answer after which the
   * client tries another broker would store it twice, so only a node that is no longer master, whose
   * log may be cut, gives one.
   */
  static PutMessageStatus statusOf(int status) {
    switch (status) {
      case Native.OK:
      case Native.DONE:
        return PutMessageStatus.PUT_OK;
      case Native.SLAVE_NOT_AVAILABLE:
        return PutMessageStatus.SLAVE_NOT_AVAILABLE;
      case Native.NOT_MASTER:
      case Native.EPOCH:
        return PutMessageStatus.SERVICE_NOT_AVAILABLE;
      default:
        return PutMessageStatus.FLUSH_SLAVE_TIMEOUT;
    }
  }
}
