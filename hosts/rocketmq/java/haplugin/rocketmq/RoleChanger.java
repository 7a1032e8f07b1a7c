// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.constant.LoggerName;
import org.apache.rocketmq.logging.org.slf4j.Logger;
import org.apache.rocketmq.logging.org.slf4j.LoggerFactory;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.config.BrokerRole;

/**
 * Makes a running broker of a set its master, or a slave again: whether it takes messages, which id
 * it has at the name servers, and what only a master runs (delayed and transactional messages).
 *
 * <p>Name servers ignore a registration for an id whose other owner has a higher state version. The
 * plugin's epoch is that version, so a master of old cannot take the route back.
 */
final class RoleChanger {
  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);
  private static final long SHORTEST_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(1);
  private static final long LONGEST_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(50);

  private final BrokerController broker;
  private final DefaultMessageStore store;
  private final long slaveId;
  private final Executor worker;
  private final WriteFence fence;
  private int changes; // under this
  private boolean served; // under this: known as the master outside
  private volatile boolean leads; // the plugin's word: this broker is the master
  private volatile boolean takesMessages;
  private volatile long epoch; // the plugin's, as master
  private volatile String failure = "";
  // In their order, delayed and transactional messages begin and end.
  private final ExecutorService services =
      Executors.newSingleThreadExecutor(new DaemonThreads("ha-services"));

  /** @param worker runs one task at a time; a new master holds it up until its log is confirmed */
  RoleChanger(BrokerController broker, DefaultMessageStore store, Executor worker)
      throws HaException {
    this.worker = worker;
    this.broker = broker;
    this.store = store;
    slaveId = broker.getBrokerConfig().getBrokerId();
    fence = new WriteFence(store.getCommitLog());
  }

  WriteFence fence() {
    return fence;
  }

  /** The master by the plugin's word. */
  boolean leads() {
    return leads;
  }

  boolean takesMessages() {
    return takesMessages;
  }

  /** Why the last promotion failed; "" when it did not. */
  String failure() {
    return failure;
  }

  /** Closes the log to messages. That of a master opens again when it has taken over. */
  synchronized void changed(boolean master, long newEpoch) {
    close();
    leads = master;
    epoch = newEpoch;
    int change = ++changes;
    if (master) {
      worker.execute(() -> takeOver(change));
    } else if (served) {
      served = false;
      worker.execute(() -> announce(false));
    }
  }

  /** When this returns, no message is being appended and none will be. */
  synchronized void close() {
    takesMessages = false;
    fence.set(0);
    store.getMessageStoreConfig().setBrokerRole(BrokerRole.SLAVE);
    broker.getBrokerConfig().setBrokerId(slaveId);
  }

  /** It does not change after all. */
  synchronized void reopen() {
    changed(leads, epoch);
  }

  synchronized void stop() {
    ++changes;
    services.shutdown();
  }

  /**
   * What RocketMQ's own copying from a master may have undone: an answer that was on its way when
   * this broker became the master.
   */
  void stay() {
    if (!takesMessages) {
      return;
    }
    if (broker.getSlaveSynchronize().getMasterAddr() != null) {
      broker.getSlaveSynchronize().setMasterAddr(null);
    }
    if (broker.getTopicConfigManager().getDataVersion().getStateVersion()
        != store.getStateMachineVersion()) {
      register();
    }
  }

  private void takeOver(int change) {
    try {
      failure = "";
      if (!allIsInQueues(change)) {
        return;
      }
      store.recoverTopicQueueTable();
      broker.getSlaveSynchronize().setMasterAddr(null);
      synchronized (this) {
        if (change != changes) {
          return;
        }
        store.setStateMachineVersion(epoch);
        broker.getBrokerConfig().setBrokerId(MixAll.MASTER_ID);
        store.getMessageStoreConfig().setBrokerRole(BrokerRole.SYNC_MASTER);
        fence.set(epoch); // last: what it admits sees the rest
        takesMessages = true;
        served = true;
      }
      LOG.info("ha_plugin: this broker takes messages, in epoch {}", epoch);
      announce(true);
    } catch (RuntimeException | Error e) {
      failure = "this broker is the master and cannot take messages: " + e;
      LOG.error("ha_plugin: {}", failure, e);
    }
  }

  // A put takes its place in its queue from the queues, so they must hold the whole log.
  private boolean allIsInQueues(int change) {
    long pause = SHORTEST_PAUSE_NS;
    while (store.isShutdown() // its start has not returned
        || store.getReputFromOffset() != store.getCommitLog().getMaxOffset()) {
      synchronized (this) {
        if (change != changes) {
          return false;
        }
      }
      LockSupport.parkNanos(pause);
      if (pause < LONGEST_PAUSE_NS && 2 * pause >= LONGEST_PAUSE_NS) {
        LOG.warn(
            "ha_plugin: this broker is the master and takes no messages yet: enough slaves must first"
                + " confirm its log from {} to {}",
            store.getReputFromOffset(), store.getCommitLog().getMaxOffset());
      }
      pause = Math.min(2 * pause, LONGEST_PAUSE_NS);
    }
    return true;
  }

  // The route first: RocketMQ may take a minute until the services of a deposed master have ended.
  private void announce(boolean master) {
    register();
    services.execute(() -> broker.changeSpecialServiceStatus(master));
  }

  private void register() {
    try {
      broker.getTopicConfigManager().getDataVersion().nextVersion(store.getStateMachineVersion());
      broker.registerBrokerAll(true, false, true);
    } catch (RuntimeException e) {
      LOG.error("ha_plugin: the name servers may not know this broker's role yet", e);
    }
  }
}
