// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.IOException;

/** The plugin said no; the message is its sentence. */
public final class HaException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int status;

  /** @param status HA_* of ha/plugin.h */
  public HaException(int status, String message) {
    super(message);
    this.status = status;
  }

  public HaException(String message) {
    this(Native.INVALID, message);
  }

  int status() {
    return status;
  }
}
