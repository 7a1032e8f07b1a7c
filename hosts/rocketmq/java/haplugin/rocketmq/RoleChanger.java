// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.util.concurrent.Executor;
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
  private volatile boolean leads; // the plugin's word: this broker is the master
  private volatile boolean takesMessages;

  /** @param worker runs one task at a time; a new master holds it up until its log is confirmed */
  RoleChanger(BrokerController broker, DefaultMessageStore store, Executor worker)
      throws HaException {
    this.worker = worker;
    this.broker = broker;
    this.store = store;
    slaveId = broker.getBrokerConfig().getBrokerId();
    fence = new WriteFence(store.getCommitLog());
  }

  /** In which epoch this thread's last message was appended. */
  long appendedIn() {
    return fence.appendedIn();
  }

  /** Master by the plugin's word, and messages are still refused. */
  boolean isWaiting() {
    return leads && !takesMessages;
  }

  /** When this returns and the role is not master, nothing is appended any more. */
  synchronized void changed(boolean master, long newEpoch) {
    int change = ++changes;
    leads = master;
    if (!master) {
      boolean took = takesMessages;
      takesMessages = false;
      fence.set(0);
      store.getMessageStoreConfig().setBrokerRole(BrokerRole.SLAVE);
      broker.getBrokerConfig().setBrokerId(slaveId);
      if (took) {
        worker.execute(() -> announce(false));
      }
      return;
    }
    worker.execute(() -> takeOver(change, newEpoch));
  }

  synchronized void stop() {
    ++changes;
  }

  private void takeOver(int change, long newEpoch) {
    // A put takes its place in its queue from the queues, so they must hold the whole log.
    long pause = SHORTEST_PAUSE_NS;
    while (store.getReputFromOffset() < store.getCommitLog().getMaxOffset()) {
      synchronized (this) {
        if (change != changes) {
          return;
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
    store.recoverTopicQueueTable();
    broker.getSlaveSynchronize().setMasterAddr(null);
    synchronized (this) {
      if (change != changes) {
        return;
      }
      store.setStateMachineVersion(newEpoch);
      fence.set(newEpoch);
      takesMessages = true;
      broker.getBrokerConfig().setBrokerId(MixAll.MASTER_ID);
      store.getMessageStoreConfig().setBrokerRole(BrokerRole.SYNC_MASTER);
    }
    LOG.info("ha_plugin: this broker takes messages, in epoch {}", newEpoch);
    announce(true);
  }

  private void announce(boolean master) {
    try {
      broker.changeSpecialServiceStatus(master);
      broker.getTopicConfigManager().getDataVersion().nextVersion(store.getStateMachineVersion());
      broker.registerBrokerAll(true, false, true);
    } catch (RuntimeException e) {
      LOG.error("ha_plugin: the name servers may not know this broker's role yet", e);
    }
  }
}
