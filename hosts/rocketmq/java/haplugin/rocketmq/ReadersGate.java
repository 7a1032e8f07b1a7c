// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
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
  private static final int FILE_SIZE = 16;
  // RocketMQ's thread tries again every millisecond, and logs that, until it is stopped.
  private static final long PAUSE_AT_END_MS = 200;

  private final DefaultMessageStore store;
  // All under this.
  private boolean closed;
  private boolean stopped;
  private boolean cut; // since the last record came here
  private long confirmed;
  private long passed; // the end of the last record that went on to the queues
  private MappedByteBuffer file;

  ReadersGate(DefaultMessageStore store) {
    this.store = store;
  }

  /** Readers see no more than they could when this was last called, until confirm says so. */
  void close(File directory) throws IOException {
    long shown = store.getReputFromOffset();
    synchronized (this) {
      long known = open(new File(directory, "ha_readers"));
      passed = known < 0 ? shown : Math.min(shown, Math.max(known, store.getMinPhyOffset()));
      confirmed = passed;
      closed = true;
      keep();
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

  /** The log's bytes above the bound are others from now on. */
  synchronized void cut() {
    cut = true;
    notifyAll();
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
    keep();
  }

  // Survives the end of this process at any moment. After a power failure it may be older: then
  // readers see less until the plugin has confirmed it again.
  private void keep() {
    if (file != null) {
      file.putLong(8, passed);
    }
  }

  private long open(File path) throws IOException {
    try (RandomAccessFile opened = new RandomAccessFile(path, "rw")) {
      opened.setLength(FILE_SIZE);
      file = opened.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, FILE_SIZE);
    }
    if (file.getLong(0) == MAGIC) {
      return file.getLong(8);
    }
    file.putLong(0, MAGIC);
    return -1;
  }

  private void takeBack(long from) throws IOException {
    try {
      store.truncateDirtyLogicFiles(from);
      store.recoverTopicQueueTable();
      // RocketMQ has no public way to say where its thread goes on.
      Field field = DefaultMessageStore.class.getDeclaredField("reputMessageService");
      field.setAccessible(true);
      Object service = field.get(store);
      Method method = service.getClass().getMethod("setReputFromOffset", long.class);
      method.setAccessible(true);
      method.invoke(service, from);
    } catch (Exception e) {
      throw new HaException(
          Native.INTERNAL,
          "ha_plugin: this RocketMQ does not let messages from " + from
              + " on be hidden from consumers until they are confirmed: " + e);
    }
  }
}
