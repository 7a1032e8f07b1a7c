// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.UUID;

/**
 * Where a slave's log ended when its process was killed. What a slave is sent may end inside a
 * record, and RocketMQ's recovery takes such a record for a whole one when only its properties are
 * cut: no checksum covers them. After a power failure the number may be older than the log, and is
 * not used.
 */
final class SlaveEnd {
  private static final long MAGIC = 0x4841534C454E4431L; // "HASLEND1"
  private static final int END = 0;
  private static final int BOOT = 1; // in which END was written
  private static final long UNKNOWN = -1;
  // More than a write and a record take. Beyond that another slave's software went on with the log.
  private static final long MOST_BEYOND = 16 << 20;

  private final StateFile file;
  private final long boot = bootId();

  SlaveEnd(File directory) throws HaException {
    file = new StateFile(new File(directory, "ha_slave_end"), MAGIC, 2);
    if (!file.found()) {
      file.set(END, UNKNOWN);
    }
  }

  /** What a log that ends there, by RocketMQ's recovery, holds for certain; -1: all of it. */
  long certain(long recovered) {
    long end = file.get(BOOT) == boot ? file.get(END) : UNKNOWN;
    return end < recovered && recovered - end <= MOST_BEYOND ? end : UNKNOWN;
  }

  void set(long end) {
    file.set(END, end);
    file.set(BOOT, boot);
  }

  /** RocketMQ writes to the log itself, or nobody. */
  void forget() {
    set(UNKNOWN);
  }

  private static long bootId() {
    try {
      byte[] text = Files.readAllBytes(Paths.get("/proc/sys/kernel/random/boot_id"));
      return UUID.fromString(new String(text, StandardCharsets.US_ASCII).trim())
          .getMostSignificantBits();
    } catch (IOException | RuntimeException e) {
      return 0; // as good as a boot that never ends
    }
  }
}
