// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;

/**
 * A few numbers in a file. They survive the end of this process at any moment. After a power failure
 * they may be older than they were.
 */
final class StateFile {
  private final MappedByteBuffer longs;
  private final boolean found;

  /** @param magic begins the file; one that does not begin so, or is cut, is written over */
  StateFile(File path, long magic, int count) throws HaException {
    int size = 8 * (count + 1);
    try (RandomAccessFile file = new RandomAccessFile(path, "rw")) {
      if (file.length() != size) {
        file.setLength(0);
        file.write(new byte[size]); // on a full disk this fails; a write to a mapped hole ends the JVM
      }
      longs = file.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, size);
    } catch (IOException e) {
      throw new HaException(
          Native.IO, "ha_plugin: cannot keep '" + path + "' (is its folder there?): " + e.getMessage());
    }
    found = longs.getLong(0) == magic;
    longs.putLong(0, magic);
  }

  /** Was it there before, with numbers in it? */
  boolean found() {
    return found;
  }

  long get(int index) {
    return longs.getLong(8 * (index + 1));
  }

  void set(int index, long value) {
    longs.putLong(8 * (index + 1), value);
  }
}
