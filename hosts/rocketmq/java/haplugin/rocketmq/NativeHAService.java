// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.apache.rocketmq.common.constant.LoggerName;
import org.apache.rocketmq.logging.org.slf4j.Logger;
import org.apache.rocketmq.logging.org.slf4j.LoggerFactory;
import org.apache.rocketmq.remoting.protocol.body.HARuntimeInfo;
import org.apache.rocketmq.store.CommitLog.GroupCommitRequest;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageStatus;
import org.apache.rocketmq.store.config.BrokerRole;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.ha.HAClient;
import org.apache.rocketmq.store.ha.HAConnection;
import org.apache.rocketmq.store.ha.HAConnectionState;
import org.apache.rocketmq.store.ha.HAConnectionStateNotificationRequest;
import org.apache.rocketmq.store.ha.HAService;
import org.apache.rocketmq.store.ha.WaitNotifyObject;

/**
 * RocketMQ's HA service by libha_plugin.so. The broker finds it by its name in META-INF/service; the
 * roles are those of the broker's configuration.
 *
 * <p>The order at start is RocketMQ's: updateHaMasterAddress may come before init, getHAClient before
 * start, and the store says that it is shut down until start has returned.
 */
public final class NativeHAService implements HAService, StoreBridge.Listener {
  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);
  // As long as RocketMQ's own pre-online check waits.
  private static final long STATE_WAIT_MS = 5000;
  private static final long START_WAIT_S = 60;
  private static final long DRAIN_MS = 3000;

  private final Completions completions = new Completions();
  private final NativeHAClient client = new NativeHAClient(this);
  private final WaitNotifyObject notNeeded = new WaitNotifyObject();
  private final AtomicInteger connectionCount = new AtomicInteger();
  private final AtomicLong pushed = new AtomicLong();
  private final ConcurrentLinkedQueue<StateRequest> stateRequests = new ConcurrentLinkedQueue<>();
  private final ScheduledExecutorService watch =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "ha-states");
            thread.setDaemon(true);
            return thread;
          });

  private DefaultMessageStore store;
  private boolean slave;
  // Held over calls that change something; never by what the plugin's threads call.
  private final Object control = new Object();
  private boolean started; // under control
  private volatile String master = ""; // written under control
  // Read-held over all other calls: the handle lives until they are back.
  private final ReadWriteLock calls = new ReentrantReadWriteLock();
  private volatile long handle;
  private final CompletableFuture<Void> role = new CompletableFuture<>();

  private static final class StateRequest {
    final HAConnectionStateNotificationRequest request;
    final long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(STATE_WAIT_MS);

    StateRequest(HAConnectionStateNotificationRequest request) {
      this.request = request;
    }
  }

  @Override
  public void init(DefaultMessageStore messageStore) throws IOException {
    MessageStoreConfig config = messageStore.getMessageStoreConfig();
    if (config.isTransientStorePoolEnable()) {
      throw new HaException(
          "ha_plugin: transientStorePoolEnable=true keeps messages outside the commit log's files,"
              + " from which the plugin reads: set it to false, or remove ha-rocketmq.jar");
    }
    store = messageStore;
    slave = config.getBrokerRole() == BrokerRole.SLAVE;
    Options options = new Options(store, CheckListener.configurationOf(store));
    String bridge = options.library("libha_rocketmq.so");
    try {
      System.load(bridge);
    } catch (UnsatisfiedLinkError e) {
      throw new HaException(
          "ha_plugin: cannot load '" + bridge + "': " + e.getMessage()
              + "; haPlugin.directory of broker.conf says where the libraries are");
    }
    synchronized (control) {
      handle =
          Native.create(
              new StoreBridge(store, this), options.library("libha_plugin.so"), options.toArray());
    }
    if (!slave) {
      // How to learn of appends that no producer waits for. Here, before the store's thread runs
      // through the list.
      store.getDispatcherList().addFirst(request -> notifyAppended());
    }
    LOG.info("ha_plugin replicates the commit log; RocketMQ's own HA service is not used");
  }

  @Override
  public void start() throws Exception {
    synchronized (control) {
      Native.start(handle, slave ? Native.SLAVE : Native.MASTER, slave ? master : "");
      started = true;
      completions.start(handle);
    }
    try {
      role.get(START_WAIT_S, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new HaException("ha_plugin: " + e.getCause().getMessage());
    } catch (TimeoutException e) {
      throw new HaException(
          "ha_plugin: this broker has no role after " + START_WAIT_S + " s; the log lines of ha_plugin"
              + " in store.log say what it waits for");
    }
    Snapshot now = snapshot();
    if (now != null) {
      store.getMessageStoreConfig().setHaListenPort((int) now.listenPort);
    }
  }

  @Override
  public void shutdown() {
    synchronized (control) {
      long ended = handle;
      handle = 0;
      watch.shutdownNow();
      checkStates();
      if (ended == 0) {
        return;
      }
      calls.writeLock().lock(); // no call is on its way
      calls.writeLock().unlock();
      Native.stop(ended, started ? DRAIN_MS : 0);
      completions.join();
      Native.destroy(ended);
    }
  }

  @Override
  public void updateMasterAddress(String address) {}

  @Override
  public void updateHaMasterAddress(String address) {
    String wanted = address == null ? "" : address;
    synchronized (control) {
      if (wanted.equals(master)) {
        return;
      }
      master = wanted;
      if (!started || !slave || handle == 0) {
        return;
      }
      try {
        Native.setMasterAddress(handle, wanted);
      } catch (HaException e) {
        LOG.error("ha_plugin: master address '{}': {}", wanted, e.getMessage());
      }
    }
  }

  @Override
  public void putRequest(GroupCommitRequest request) {
    int slot = completions.take(request);
    if (slot < 0) {
      request.wakeupCustomer(PutMessageStatus.FLUSH_SLAVE_TIMEOUT);
      return;
    }
    long left = Math.max(1, request.getDeadLine() - System.nanoTime());
    int acks = request.getAckNums() == -1 ? Native.ACKS_ALL_IN_SYNC : request.getAckNums();
    int answer = Native.SHUTDOWN;
    calls.readLock().lock();
    try {
      if (handle != 0) {
        answer = Native.waitReplicated(handle, request.getNextOffset(), acks, left, slot);
      }
    } finally {
      calls.readLock().unlock();
    }
    if (answer != Native.OK) {
      completions.end(slot, answer);
    }
  }

  private void notifyAppended() {
    calls.readLock().lock();
    try {
      if (handle != 0) {
        Native.notifyAppended(handle, store.getMaxPhyOffset());
      }
    } finally {
      calls.readLock().unlock();
    }
  }

  @Override
  public WaitNotifyObject getWaitNotifyObject() {
    return notNeeded;
  }

  @Override
  public int inSyncReplicasNums(long masterPutWhere) {
    Snapshot now = snapshot();
    return now == null ? 1 : Math.max(1, now.inSyncCount);
  }

  @Override
  public AtomicInteger getConnectionCount() {
    Snapshot now = snapshot();
    connectionCount.set(now == null ? 0 : now.replicas.size());
    return connectionCount;
  }

  @Override
  public List<HAConnection> getConnectionList() {
    return Collections.emptyList(); // only RocketMQ's own service asks; its sockets are not Java's
  }

  @Override
  public HAClient getHAClient() {
    return client;
  }

  @Override
  public AtomicLong getPush2SlaveMaxOffset() {
    Snapshot now = snapshot();
    if (now != null) {
      for (Snapshot.Replica replica : now.replicas) {
        pushed.accumulateAndGet(replica.ackOffset, Math::max);
      }
    }
    return pushed;
  }

  @Override
  public boolean isSlaveOK(long masterPutWhere) {
    Snapshot now = snapshot();
    return now != null
        && !now.replicas.isEmpty()
        && masterPutWhere - getPush2SlaveMaxOffset().get()
            < store.getMessageStoreConfig().getHaMaxGapNotInSync();
  }

  @Override
  public HARuntimeInfo getRuntimeInfo(long masterPutWhere) {
    HARuntimeInfo info = new HARuntimeInfo();
    Snapshot now = snapshot();
    info.setMaster(!slave);
    if (now == null) {
      return info;
    }
    if (slave) {
      HARuntimeInfo.HAClientRuntimeInfo own = info.getHaClientRuntimeInfo();
      own.setMasterAddr(now.masterAddress);
      own.setMaxOffset(store.getMaxPhyOffset());
      own.setLastReadTimestamp(now.clientLastReadMs);
      own.setLastWriteTimestamp(now.clientLastWriteMs);
      own.setTransferredByteInSecond(now.clientBytesPerSecond);
      own.setMasterFlushOffset(store.getMasterFlushedOffset());
      return info;
    }
    List<HARuntimeInfo.HAConnectionRuntimeInfo> all = new ArrayList<>();
    int inSync = 0;
    for (Snapshot.Replica replica : now.replicas) {
      HARuntimeInfo.HAConnectionRuntimeInfo one = new HARuntimeInfo.HAConnectionRuntimeInfo();
      one.setAddr(replica.address);
      one.setSlaveAckOffset(replica.ackOffset);
      one.setDiff(masterPutWhere - replica.ackOffset);
      one.setInSync(replica.inSync);
      one.setTransferFromWhere(replica.startOffset);
      one.setTransferredByteInSecond(replica.bytesPerSecond);
      inSync += replica.inSync ? 1 : 0;
      all.add(one);
    }
    info.setInSyncSlaveNums(inSync);
    info.setMasterCommitLogMaxOffset(masterPutWhere);
    info.setHaConnectionInfo(all);
    return info;
  }

  // ---- states that RocketMQ waits for before a broker goes on line ----

  @Override
  public void putGroupConnectionStateRequest(HAConnectionStateNotificationRequest request) {
    stateRequests.add(new StateRequest(request));
    checkStates();
  }

  private synchronized void checkStates() {
    Snapshot now = snapshot();
    for (Iterator<StateRequest> i = stateRequests.iterator(); i.hasNext(); ) {
      StateRequest one = i.next();
      boolean met = now != null && holds(one.request, now);
      if (!met && now != null && System.nanoTime() - one.deadlineNs < 0) {
        continue;
      }
      i.remove();
      one.request.getRequestFuture().complete(met);
    }
    if (!stateRequests.isEmpty()) {
      try {
        watch.schedule(this::checkStates, 50, TimeUnit.MILLISECONDS);
      } catch (RejectedExecutionException e) {
        LOG.debug("ha_plugin: shut down while a state was waited for");
      }
    }
  }

  private boolean holds(HAConnectionStateNotificationRequest request, Snapshot now) {
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

  // ---- from the plugin's threads ----

  @Override
  public void roleChanged(int now, int status, String text) {
    if (status >= 0) {
      role.complete(null);
      return;
    }
    LOG.error("ha_plugin: {}", text);
    role.completeExceptionally(new HaException(text));
  }

  @Override
  public void completed(int slot, int status) {
    completions.end(slot, status);
  }

  // ---- for the client's view ----

  /** null: not there (any more). */
  Snapshot snapshot() {
    calls.readLock().lock();
    try {
      return handle == 0 ? null : Snapshot.of(handle);
    } finally {
      calls.readLock().unlock();
    }
  }

  String masterAddress() {
    return master;
  }
}
