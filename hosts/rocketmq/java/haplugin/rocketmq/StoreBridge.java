// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.rocketmq.common.constant.LoggerName;
import org.apache.rocketmq.logging.org.slf4j.Logger;
import org.apache.rocketmq.logging.org.slf4j.LoggerFactory;
import org.apache.rocketmq.store.CommitLog;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.MappedFileQueue;
import org.apache.rocketmq.store.logfile.MappedFile;

/**
 * What native code asks of the store. The bytes of the log do not pass here: native code opens the
 * commit log's files by name, since RocketMQ may unmap its own mappings under a reader.
 *
 * <p>Threads: the plugin's. bounds and path from several at once; append's methods from one.
 */
final class StoreBridge {
  /** What becomes of events that are not the store's. */
  interface Listener {
    void roleChanged(int role, int status, long epoch, long number, String text);

    void completed(int slot, int status);

    void metadata(byte[] state);
  }

  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);

  private final DefaultMessageStore store;
  private final Listener listener;
  private final ReadersGate gate;
  private final SlaveEnd slaveEnd;
  private final Consumer<Runnable> alone;
  private MappedFile last; // that append writes to

  /** @param alone runs its argument while no put touches the log */
  StoreBridge(
      DefaultMessageStore store,
      ReadersGate gate,
      SlaveEnd slaveEnd,
      Consumer<Runnable> alone,
      Listener listener) {
    this.store = store;
    this.slaveEnd = slaveEnd;
    this.gate = gate;
    this.alone = alone;
    this.listener = listener;
  }

  /** Six longs: min, end, durable, confirm, segment size, an end of a record. */
  void bounds(ByteBuffer into) {
    CommitLog log = store.getCommitLog();
    // In this order: each is read before what it may not exceed, which only grows.
    long dispatched = store.getReputFromOffset();
    long flushed = log.getFlushedWhere();
    long min = Math.max(0, log.getMinOffset()); // -1: no file
    long end = Math.max(min, log.getMaxOffset());
    LongBuffer longs = into.order(ByteOrder.nativeOrder()).asLongBuffer();
    longs.put(0, min);
    longs.put(1, end);
    longs.put(2, Math.max(min, Math.min(end, flushed)));
    // Readers see what is dispatched into the queues, and with a gate may see up to its bound.
    long bound = gate.bound();
    longs.put(3, Math.max(min, Math.min(end, bound < 0 ? dispatched : bound)));
    longs.put(4, store.getMessageStoreConfig().getMappedFileSizeCommitLog());
    longs.put(5, dispatched);
  }

  /** Of the file that holds that offset; null when there is none. */
  String path(long offset) {
    MappedFile file = queue().findMappedFileByOffset(offset, false);
    return file == null ? null : file.getFileName();
  }

  /**
   * The file that bytes at that offset go to, made when the last one is full; returns where in the
   * log it begins. -1: the offset is not the log's end; -2: no file could be made.
   */
  long prepare(long offset) {
    if (offset != Math.max(0, store.getCommitLog().getMaxOffset())) {
      return -1;
    }
    gate.endsAt(offset, false);
    alone.accept(() -> last = queue().getLastMappedFile(offset));
    return last == null ? -2 : last.getFileFromOffset();
  }

  /** The bytes up to that offset are in prepare's file. */
  void commit(long end) {
    last.setWrotePosition((int) (end - last.getFileFromOffset()));
    slaveEnd.set(end);
  }

  /** Forgets what is at and above that offset; native code then wipes it from that file. */
  void truncate(long newEnd) {
    List<File> gone = new ArrayList<>();
    alone.accept(
        () -> {
          for (MappedFile file : queue().getMappedFiles()) {
            if (file.getFileFromOffset() > newEnd) {
              gone.add(new File(file.getFileName()));
            }
          }
          store.getCommitLog().truncateDirtyFiles(newEnd);
        });
    slaveEnd.set(newEnd);
    gate.endsAt(newEnd, true); // after: from here on nothing can be read that was cut
    // RocketMQ leaves a file that somebody reads, and would open it again with its old bytes.
    for (File file : gone) {
      file.delete();
    }
  }

  /** An empty log is to begin there. False: no file could be made. */
  boolean reset(long newMin) {
    MappedFile file = queue().getLastMappedFile(newMin);
    if (file != null && file.getFileFromOffset() != newMin) {
      queue().destroy(); // files without a byte
      file = queue().getLastMappedFile(newMin);
    }
    return file != null && file.getFileFromOffset() == newMin;
  }

  void confirm(long offset) {
    gate.confirm(offset);
  }

  void roleChanged(int role, int status, long epoch, long number, String text) {
    listener.roleChanged(role, status, epoch, number, text);
  }

  void completed(int slot, int status) {
    listener.completed(slot, status);
  }

  /** The master's. On the plugin's I/O thread: must not wait for a disk. */
  void metadata(byte[] state) {
    listener.metadata(state);
  }

  /** Levels of ha/plugin.h. */
  void log(int level, String text) {
    switch (level) {
      case 0:
        LOG.debug("ha_plugin: {}", text);
        break;
      case 1:
        LOG.info("ha_plugin: {}", text);
        break;
      case 2:
        LOG.warn("ha_plugin: {}", text);
        break;
      default:
        LOG.error("ha_plugin: {}", text);
    }
  }

  private MappedFileQueue queue() {
    return store.getCommitLog().getMappedFileQueue();
  }
}
