// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.util.concurrent.ThreadFactory;

/** Threads of one name that do not keep the JVM alive. */
final class DaemonThreads implements ThreadFactory {
  private final String name;

  DaemonThreads(String name) {
    this.name = name;
  }

  @Override
  public Thread newThread(Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }
}
