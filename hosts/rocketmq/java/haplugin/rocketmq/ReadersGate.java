// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import org.apache.rocketmq.store.CommitLogDispatcher;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.DispatchRequest;

/**
 * Shows consumers no message before the plugin says that it is confirmed. RocketMQ's thread hands
 * each record of the log to this dispatcher first, and to its queues after that: it waits here.
 *
 * <p>How far readers can have seen is kept in a file, since RocketMQ's recovery puts the whole log
 * into the queues when the broker starts. What it put there beyond that is taken out again before a
 * client can connect.
 */
final class ReadersGate implements CommitLogDispatcher {
  /** Ends RocketMQ's turn; its thread reads the log again from where it was. */
  private static final class ReadAgain extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ReadAgain(String message) {
      super(message, null, false, false);
    }
  }

  private static final long MAGIC = 0x4841524541445231L; // "HAREADR1"
  // RocketMQ's thread tries again every millisecond, and logs that, until it is stopped.
  private static final long PAUSE_AT_END_MS = 200;

  private final DefaultMessageStore store;
  // All under this.
  private boolean closed;
  private boolean stopped;
  private boolean cut; // since the last record came here
  private long confirmed;
  private long passed; // the end of the last record that went on to the queues
  private StateFile file; // one number: passed
  private Object reput; // RocketMQ's thread
  private Method setReput;

  ReadersGate(DefaultMessageStore store) {
    this.store = store;
  }

  /** Readers see no more than they could when this was last called, until confirm says so. */
  void close(File directory) throws HaException {
    long shown = store.getReputFromOffset();
    findReput();
    synchronized (this) {
      file = new StateFile(new File(directory, "ha_readers"), MAGIC, 1);
      // Without the file this log comes from elsewhere, and its readers have seen all of it.
      passed =
          file.found() ? Math.min(shown, Math.max(file.get(0), store.getMinPhyOffset())) : shown;
      confirmed = passed;
      closed = true;
      file.set(0, passed);
    }
    if (passed < shown) {
      takeBack(passed);
    }
  }

  /** Of what is, or may be, in the queues; -1 without a bound. */
  synchronized long bound() {
    return closed ? Math.max(confirmed, passed) : -1;
  }

  synchronized void confirm(long offset) {
    if (offset > confirmed) {
      confirmed = offset;
      notifyAll();
    }
  }

  /**
   * The log was cut to that end, or is about to grow from there. RocketMQ's thread may be past it: it
   * skips the blank at a file's end without calling a dispatcher.
   */
  synchronized void endsAt(long end, boolean wasCut) {
    if (closed && store.getReputFromOffset() > end) {
      setReput(passed);
    }
    if (wasCut) {
      cut = true;
      notifyAll();
    }
  }

  synchronized void stop() {
    stopped = true;
    notifyAll();
  }

  @Override
  public synchronized void dispatch(DispatchRequest record) {
    if (!closed) {
      return;
    }
    int size = record.getBufferSize() == -1 ? record.getMsgSize() : record.getBufferSize();
    long end = record.getCommitLogOffset() + size;
    try {
      while (end > confirmed && !cut && !stopped) {
        wait();
      }
      if (cut) {
        // This record was read before the cut, or may have been.
        cut = false;
        throw new ReadAgain("ha_plugin: the log was cut; its messages are read again");
      }
      if (end > confirmed) {
        wait(PAUSE_AT_END_MS);
        throw new ReadAgain("ha_plugin: this broker stops; messages from "
            + record.getCommitLogOffset() + " on are not confirmed");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ReadAgain("ha_plugin: interrupted");
    }
    passed = end;
    file.set(0, passed); // older after a power failure: readers see less until it is confirmed again
  }

  /** Removes what the queues hold from that offset on. RocketMQ's thread then reads it again. */
  void takeBack(long from) throws HaException {
    findReput();
    try {
      store.truncateDirtyLogicFiles(from);
    } catch (Exception e) { // in 5.2 and later RocksDBException, which 5.1 does not have
      throw new HaException(
          Native.IO,
          "ha_plugin: messages from " + from + " on cannot be taken out of the queues again until"
              + " they are confirmed: " + e);
    }
    store.recoverTopicQueueTable();
    setReput(from);
  }

  /** RocketMQ has no public way to say where its thread goes on. */
  private void findReput() throws HaException {
    try {
      Field field = DefaultMessageStore.class.getDeclaredField("reputMessageService");
      field.setAccessible(true);
      reput = field.get(store);
      setReput = reput.getClass().getMethod("setReputFromOffset", long.class);
      setReput.setAccessible(true);
    } catch (ReflectiveOperationException | RuntimeException e) {
      throw new HaException(
          Native.UNSUPPORTED,
          "ha_plugin: this RocketMQ does not let messages be taken out of its queues again: " + e);
    }
  }

  private void setReput(long offset) {
    try {
      setReput.invoke(reput, offset);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
