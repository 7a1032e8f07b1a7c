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
 * Whether the commit log takes messages. RocketMQ looks at the broker's role before a put queues for
 * the log's lock, so one that waits there would still be appended after the role has changed. This
 * stands where RocketMQ writes the message, under that lock.
 */
final class WriteFence implements AppendMessageCallback {
  private final AppendMessageCallback rocketmq;
  private final PutMessageLock lock;
  private long epoch; // under the lock; 0: closed
  // Of the last message that a thread appended.
  private final ThreadLocal<Long> appendedIn = ThreadLocal.withInitial(() -> 0L);

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
    lock.lock();
    try {
      epoch = now;
    } finally {
      lock.unlock();
    }
  }

  /** In which this thread appended its last message. */
  long appendedIn() {
    return appendedIn.get();
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
    appendedIn.set(epoch);
    return epoch != 0;
  }
}
