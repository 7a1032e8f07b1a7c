// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.store.ha.HAConnectionState;

/** A reading of the plugin's state. snapshot() of jni/native.cc writes it in this order. */
final class Snapshot {
  static final class Replica {
    int state;
    long ackOffset;
    long startOffset;
    long bytesPerSecond;
    boolean inSync;
    String address;
  }

  private static final int MOST_REPLICAS = 128;
  private static final int HEAD = 6 * 8 + 256;
  private static final int EACH = 5 * 8 + 64;

  // A direct buffer is dear to make, and a put may ask.
  private static final ThreadLocal<ByteBuffer> ROOM =
      ThreadLocal.withInitial(
          () ->
              ByteBuffer.allocateDirect(HEAD + MOST_REPLICAS * EACH)
                  .order(ByteOrder.nativeOrder()));

  long listenPort;
  int clientState;
  long clientBytesPerSecond;
  long clientLastReadMs;
  long clientLastWriteMs;
  int inSyncCount;
  String masterAddress;
  final List<Replica> replicas = new ArrayList<>();

  static Snapshot of(long handle) {
    ByteBuffer from = ROOM.get();
    from.clear();
    int count = Native.snapshot(handle, from);
    Snapshot one = new Snapshot();
    one.listenPort = from.getLong();
    one.clientState = (int) from.getLong();
    one.clientBytesPerSecond = from.getLong();
    one.clientLastReadMs = from.getLong();
    one.clientLastWriteMs = from.getLong();
    one.inSyncCount = (int) from.getLong();
    one.masterAddress = text(from, 256);
    for (int i = 0; i < count; ++i) {
      Replica replica = new Replica();
      replica.state = (int) from.getLong();
      replica.ackOffset = from.getLong();
      replica.startOffset = from.getLong();
      replica.bytesPerSecond = from.getLong();
      replica.inSync = from.getLong() != 0;
      replica.address = text(from, 64);
      one.replicas.add(replica);
    }
    return one;
  }

  /** The plugin's numbers are RocketMQ's ordinals. */
  static HAConnectionState state(int number) {
    HAConnectionState[] all = HAConnectionState.values();
    return number >= 0 && number < all.length ? all[number] : HAConnectionState.SHUTDOWN;
  }

  private static String text(ByteBuffer from, int size) {
    byte[] bytes = new byte[size];
    from.get(bytes);
    int length = 0;
    while (length < size && bytes[length] != 0) {
      ++length;
    }
    return new String(bytes, 0, length, StandardCharsets.UTF_8);
  }
}
