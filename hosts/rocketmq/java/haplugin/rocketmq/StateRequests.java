// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.util.Iterator;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.store.ha.HAConnectionState;
import org.apache.rocketmq.store.ha.HAConnectionStateNotificationRequest;

/** States of connections that RocketMQ waits for before a broker goes on line. */
final class StateRequests {
  // As long as RocketMQ's own check waits.
  private static final long WAIT_MS = 5000;

  private static final class Waiting {
    final HAConnectionStateNotificationRequest request;
    final long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WAIT_MS);

    Waiting(HAConnectionStateNotificationRequest request) {
      this.request = request;
    }
  }

  private final ConcurrentLinkedQueue<Waiting> all = new ConcurrentLinkedQueue<>();

  void add(HAConnectionStateNotificationRequest request) {
    all.add(new Waiting(request));
  }

  /**
   * Answers those whose state is there, or whose time is over.
   *
   * @param now null: the plugin has stopped, which ends them all
   * @return are some left?
   */
  synchronized boolean check(boolean slave, Snapshot now) {
    for (Iterator<Waiting> i = all.iterator(); i.hasNext(); ) {
      Waiting one = i.next();
      boolean met = now != null && holds(one.request, slave, now);
      if (!met && now != null && System.nanoTime() - one.deadlineNs < 0) {
        continue;
      }
      i.remove();
      one.request.getRequestFuture().complete(met);
    }
    return !all.isEmpty();
  }

  private static boolean holds(
      HAConnectionStateNotificationRequest request, boolean slave, Snapshot now) {
    if (slave) {
      return Snapshot.state(now.clientState) == request.getExpectState();
    }
    boolean found = false;
    for (Snapshot.Replica replica : now.replicas) {
      if (hostOf(replica.address).equals(hostOf(request.getRemoteAddr()))) {
        found = true;
        if (Snapshot.state(replica.state) == request.getExpectState()) {
          return true;
        }
      }
    }
    return !found && request.getExpectState() == HAConnectionState.SHUTDOWN;
  }

  private static String hostOf(String address) {
    String text = address.startsWith("/") ? address.substring(1) : address;
    int colon = text.lastIndexOf(':');
    return colon < 0 ? text : text.substring(0, colon);
  }
}
