// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.IOException;

/** The plugin said no; the message is its sentence. */
public final class HaException extends IOException {
  private static final long serialVersionUID = 1L;

  public HaException(String message) {
    super(message);
  }
}
