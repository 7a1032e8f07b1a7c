// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.store.AppendMessageCallback;
import org.apache.rocketmq.store.AppendMessageResult;
import org.apache.rocketmq.store.AppendMessageStatus;
import org.apache.rocketmq.store.CommitLog;
import org.apache.rocketmq.store.PutMessageContext;
import org.apache.rocketmq.store.PutMessageLock;

/**
 * Whether the commit log takes messages. RocketMQ looks at the broker's role, and decides whether a
 * put waits for copies, before the put queues for the log's lock. So one that waits there would be
 * appended after the role has changed, and perhaps acknowledged without a copy. This stands where
 * RocketMQ writes the message, under that lock, and lets through what was admitted in this epoch.
 */
final class WriteFence implements AppendMessageCallback {
  private final AppendMessageCallback rocketmq;
  private final PutMessageLock lock;
  private volatile long epoch; // set under the lock; 0: closed
  // Of a thread's put that is under way.
  private final ThreadLocal<Long> admittedIn = ThreadLocal.withInitial(() -> 0L);

  /** Closed at first. RocketMQ has no public way to put something there. */
  WriteFence(CommitLog log) throws HaException {
    try {
      Field locks = CommitLog.class.getDeclaredField("putMessageLock");
      locks.setAccessible(true);
      lock = (PutMessageLock) locks.get(log);
      Field callback = CommitLog.class.getDeclaredField("appendMessageCallback");
      callback.setAccessible(true);
      rocketmq = (AppendMessageCallback) callback.get(log);
      callback.set(log, this);
    } catch (ReflectiveOperationException | RuntimeException e) {
      throw new HaException(
          Native.UNSUPPORTED,
          "ha_plugin: haPlugin.replicas does not work with this RocketMQ, whose commit log cannot be"
              + " closed to messages: " + e);
    }
  }

  /** When this returns with 0, nothing is being appended and nothing will be. */
  void set(long now) {
    alone(() -> epoch = now);
  }

  /** A put begins on this thread. False: the log is closed. */
  boolean admit() {
    long now = epoch;
    admittedIn.set(now);
    return now != 0;
  }

  /** The epoch in which this thread's put was admitted, and its message appended. */
  long admittedIn() {
    return admittedIn.get();
  }

  /** While `change` runs, no put touches the log or its files. */
  void alone(Runnable change) {
    lock.lock();
    try {
      change.run();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public AppendMessageResult doAppend(
      long begin, ByteBuffer to, int room, MessageExtBrokerInner message, PutMessageContext context) {
    return pass()
        ? rocketmq.doAppend(begin, to, room, message, context)
        : new AppendMessageResult(AppendMessageStatus.UNKNOWN_ERROR);
  }

  @Override
  public AppendMessageResult doAppend(
      long begin, ByteBuffer to, int room, MessageExtBatch messages, PutMessageContext context) {
    return pass()
        ? rocketmq.doAppend(begin, to, room, messages, context)
        : new AppendMessageResult(AppendMessageStatus.UNKNOWN_ERROR);
  }

  private boolean pass() {
    return epoch != 0 && admittedIn.get() == epoch;
  }
}
