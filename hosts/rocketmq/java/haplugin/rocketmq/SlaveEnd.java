// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.UUID;
import java.util.function.ToLongFunction;
import org.apache.rocketmq.common.MixAll;

/**
 * Where a slave's log ended when its process was killed. What a slave is sent may end inside a
 * record, and RocketMQ's recovery takes such a record for a whole one when only its properties are
 * cut: no checksum covers them.
 *
 * <p>The number counts only if nothing else can have written to the log since: the machine is up
 * since then, and the last process that ran on this store is the one that wrote it. RocketMQ keeps
 * that process' id in the file "abort" until an orderly stop.
 */
final class SlaveEnd {
  private static final long MAGIC = 0x4841534C454E4432L; // "HASLEND2"
  private static final int END = 0;
  private static final int BOOT = 1; // in which END was written
  private static final int PROCESS = 2; // that wrote END
  private static final long UNKNOWN = -1;

  private final StateFile file;
  private final long boot = number("/proc/sys/kernel/random/boot_id", SlaveEnd::firstHalf);
  private final long process = MixAll.getPID();
  private final long before; // END of the killed process

  /** @param store its root, where RocketMQ's "abort" lies */
  SlaveEnd(File store) throws HaException {
    file = new StateFile(new File(store, "ha_slave_end"), MAGIC, 3);
    long last = number(new File(store, "abort").getPath(), Long::parseLong);
    boolean counts =
        file.found()
            && boot != UNKNOWN
            && file.get(BOOT) == boot
            && last != UNKNOWN
            && file.get(PROCESS) == last;
    before = counts ? file.get(END) : UNKNOWN;
  }

  /** Where the log ended when the process before this one was killed; -1: not known. */
  long before() {
    return before;
  }

  void set(long end) {
    file.set(END, end);
    file.set(BOOT, boot);
    file.set(PROCESS, process);
  }

  /** RocketMQ writes to the log itself, or nobody. */
  void forget() {
    set(UNKNOWN);
  }

  private static long number(String path, ToLongFunction<String> read) {
    try {
      byte[] text = Files.readAllBytes(Paths.get(path));
      return read.applyAsLong(new String(text, StandardCharsets.US_ASCII).trim());
    } catch (IOException | RuntimeException e) {
      return UNKNOWN;
    }
  }

  private static long firstHalf(String uuid) {
    return UUID.fromString(uuid).getMostSignificantBits();
  }
}
