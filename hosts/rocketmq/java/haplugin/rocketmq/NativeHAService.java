// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.common.constant.LoggerName;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.logging.org.slf4j.Logger;
import org.apache.rocketmq.logging.org.slf4j.LoggerFactory;
import org.apache.rocketmq.remoting.protocol.body.HARuntimeInfo;
import org.apache.rocketmq.store.CommitLog.GroupCommitRequest;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.PutMessageStatus;
import org.apache.rocketmq.store.config.BrokerRole;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.ha.HAClient;
import org.apache.rocketmq.store.ha.HAConnection;
import org.apache.rocketmq.store.ha.HAConnectionState;
import org.apache.rocketmq.store.ha.HAConnectionStateNotificationRequest;
import org.apache.rocketmq.store.ha.HAService;
import org.apache.rocketmq.store.ha.WaitNotifyObject;
import org.apache.rocketmq.store.hook.PutMessageHook;

/**
 * RocketMQ's HA service by libha_plugin.so. The broker finds it by its name in META-INF/service. The
 * role is that of the broker's configuration; in a set (option replicas) it changes while the broker
 * runs.
 *
 * <p>The order at start is RocketMQ's: updateHaMasterAddress may come before init, getHAClient before
 * start, and the store says that it is shut down until start has returned.
 */
public final class NativeHAService implements HAService, StoreBridge.Listener {
  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);
  private static final long START_WAIT_S = 60;
  private static final long DRAIN_MS = 3000;
  // Taking a role closes connections and may cut the log; longer means it hangs.
  private static final long ROLE_WAIT_S = 30;
  private static final int ASKS_US = 2;
  private static final int ALL_IN_SYNC = -1; // RocketMQ's, of GroupCommitRequest
  private static final long NOT_READY_AFTER_MS = 10000;
  // The plugin asks once a second whether there is something new.
  private static final long METADATA_MS = 500;

  private final Completions completions = new Completions();
  private final NativeHAClient client = new NativeHAClient(this);
  private final WaitNotifyObject notNeeded = new WaitNotifyObject();
  private final AtomicInteger connectionCount = new AtomicInteger();
  private final AtomicLong pushed = new AtomicLong();
  private final StateRequests stateRequests = new StateRequests();
  private final ScheduledExecutorService worker =
      Executors.newSingleThreadScheduledExecutor(new DaemonThreads("ha-worker"));

  private DefaultMessageStore store;
  private Options options;
  private ReadersGate gate;
  private SlaveEnd slaveEnd;
  private RoleChanger roles; // null: not one of a set
  private Metadata metadata; // on the worker; null: a store alone
  private final AtomicReference<byte[]> received = new AtomicReference<>();
  private ControlDoor door;
  private volatile boolean slave;
  // Held over calls that change something; never by what the plugin's threads call.
  private final Object control = new Object();
  private boolean started; // under control
  private volatile String master = ""; // written under control
  private final Plugin plugin = new Plugin();
  // Changes of role that were asked for, by number; that of start is 0.
  private final Map<Long, CompletableFuture<Void>> asked = new ConcurrentHashMap<>();
  private final AtomicLong numbers = new AtomicLong();
  private volatile String roleText = "";

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
    BrokerController broker = CheckListener.brokerOf(store);
    options = new Options(store, broker);
    if (options.isLearner()) {
      throw new HaException(
          "ha_plugin: haPlugin.wire=rocketmq-autoswitch is not for a broker, whose consumers would see"
              + " what is not confirmed: set it to auto, or follow that group with ha_stub");
    }
    if (options.isSet()) {
      SetRules.check(broker);
      roles = new RoleChanger(broker, store, this::later);
      // RocketMQ asks us only if a put wants more copies than the master's own. How many it waits for
      // is the plugin's default_copies.
      config.setInSyncReplicas(Math.max(config.getInSyncReplicas(), ASKS_US));
    }
    gate = new ReadersGate(store);
    slaveEnd = new SlaveEnd(new File(config.getStorePathRootDir()));
    metadata = broker == null ? null : new Metadata(broker);
    String bridge = options.inDirectory("libha_rocketmq.so");
    try {
      System.load(bridge);
    } catch (UnsatisfiedLinkError e) {
      throw new HaException(
          "ha_plugin: cannot load '" + bridge + "': " + e.getMessage()
              + "; haPlugin.directory of broker.conf says where the libraries are");
    }
    synchronized (control) {
      Consumer<Runnable> alone = roles == null ? Runnable::run : roles.fence()::alone;
      plugin.set(
          Native.create(
              new StoreBridge(store, gate, slaveEnd, alone, this),
              options.inDirectory("libha_plugin.so"),
              options.toArray()));
    }
    // Here, before the store's thread runs through the list.
    store.getDispatcherList().addFirst(gate);
    // How to learn of appends that no producer waits for.
    store.getDispatcherList().addFirst(request -> notifyAppended());
    store.getPutMessageHookList().add(new BeforePut());
    LOG.info("ha_plugin replicates the commit log; RocketMQ's own HA service is not used");
  }

  @Override
  public void start() throws Exception {
    CompletableFuture<Void> role = new CompletableFuture<>();
    asked.put(0L, role);
    if (options.isSet()) {
      gate.close(options.stateDirectory());
    }
    dropTornRecord();
    synchronized (control) {
      String first = slave && roles == null ? master : ""; // a set finds its master itself
      Native.start(plugin.running(), slave ? Native.SLAVE : Native.MASTER, first);
      started = true;
      completions.start(plugin.running());
    }
    await(role, START_WAIT_S, "of its start");
    Snapshot now = snapshot();
    if (now != null) {
      store.getMessageStoreConfig().setHaListenPort((int) now.listenPort);
    }
    if (metadata != null) {
      worker.scheduleWithFixedDelay(
          this::giveMetadata, METADATA_MS, METADATA_MS, TimeUnit.MILLISECONDS);
    }
    if (options.controlListen != null) {
      door = new ControlDoor(this, options.controlListen, options.controlTokenFile);
    }
  }

  private void dropTornRecord() throws HaException {
    long found = store.getMaxPhyOffset();
    long written = slaveEnd.before();
    if (written >= Math.max(0, store.getMinPhyOffset()) && written < found) {
      long end = Native.cutToRecord(plugin.running(), written);
      if (store.getReputFromOffset() > end) {
        gate.takeBack(end);
      }
      LOG.warn(
          "ha_plugin: this broker was killed when its log ended at {}, and RocketMQ found an end at {}:"
              + " a record was not whole. The log was cut to {}; the master sends the rest again",
          written, found, end);
    }
    if (slave) {
      slaveEnd.set(store.getMaxPhyOffset());
    }
  }

  private void await(CompletableFuture<Void> role, long seconds, String what) throws HaException {
    try {
      role.get(seconds, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof HaException
          ? (HaException) e.getCause()
          : new HaException(Native.INTERNAL, "ha_plugin: " + e.getCause());
    } catch (TimeoutException e) {
      throw new HaException(
          Native.TIMEOUT,
          "ha_plugin: this broker has not taken the role " + what + " after " + seconds
              + " s; the log lines of ha_plugin in store.log say what it waits for");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HaException(Native.SHUTDOWN, "ha_plugin: interrupted");
    }
  }

  @Override
  public void shutdown() {
    if (door != null) {
      door.stop();
    }
    if (roles != null) {
      roles.stop();
    }
    if (gate != null) {
      gate.stop();
    }
    synchronized (control) {
      worker.shutdownNow();
      long ended = plugin.end();
      checkStates();
      if (ended == 0) {
        return;
      }
      Native.stop(ended, started ? DRAIN_MS : 0);
      completions.join();
      if (slave && started) {
        leaveWholeRecords(ended);
      }
      Native.destroy(ended);
    }
  }

  // With a part of a record at the end RocketMQ would take its next start for one after a crash.
  private void leaveWholeRecords(long ended) {
    try {
      long end = store.getCommitLog().getMaxOffset();
      if (end > 0) {
        Native.cutToRecord(ended, end);
      }
      slaveEnd.forget();
    } catch (HaException e) {
      LOG.warn("ha_plugin: {}", e.getMessage());
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
      if (!started || !slave || roles != null) {
        return;
      }
      try {
        Native.setMasterAddress(plugin.running(), wanted);
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
    int acks = roles == null ? request.getAckNums() : Native.ACKS_DEFAULT;
    if (request.getAckNums() == ALL_IN_SYNC) {
      acks = Native.ACKS_ALL_IN_SYNC;
    }
    long epoch = roles == null ? 0 : roles.fence().admittedIn(); // on the put's own thread
    int answer = plugin.waitReplicated(request.getNextOffset(), acks, epoch, left, slot);
    if (answer != Native.OK) {
      completions.end(slot, answer);
    }
  }

  /** Refuses a put that would not be told the truth, while nothing of it is stored. */
  private final class BeforePut implements PutMessageHook {
    @Override
    public String hookName() {
      return "ha_plugin";
    }

    @Override
    public PutMessageResult executeBeforePutMessage(MessageExt message) {
      MessageStoreConfig config = store.getMessageStoreConfig();
      if (roles != null && (!roles.fence().admit() || !asksUs(config))) {
        return new PutMessageResult(PutMessageStatus.SERVICE_NOT_AVAILABLE, null);
      }
      int acks = roles == null ? config.getInSyncReplicas() : Native.ACKS_DEFAULT;
      return config.getBrokerRole() == BrokerRole.SYNC_MASTER
              && plugin.checkAcks(acks) == Native.IN_SYNC_REPLICAS_NOT_ENOUGH
          ? new PutMessageResult(PutMessageStatus.IN_SYNC_REPLICAS_NOT_ENOUGH, null)
          : null;
    }
  }

  /** Of a master in a set: an administrator may have changed that while it runs. */
  private static boolean asksUs(MessageStoreConfig config) {
    return config.getBrokerRole() == BrokerRole.SYNC_MASTER
        && config.getInSyncReplicas() >= ASKS_US;
  }

  private void notifyAppended() {
    if (!slave) {
      plugin.notifyAppended(store.getMaxPhyOffset());
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

  @Override
  public void putGroupConnectionStateRequest(HAConnectionStateNotificationRequest request) {
    stateRequests.add(request);
    checkStates();
  }

  private void checkStates() {
    if (stateRequests.check(slave, snapshot())) {
      later(() -> worker.schedule(this::checkStates, 50, TimeUnit.MILLISECONDS));
    }
  }

  // ---- from the plugin's threads ----

  @Override
  public void roleChanged(int now, int status, long epoch, long number, String text) {
    roleText = text;
    if (now == Native.MASTER) {
      slaveEnd.forget();
    }
    slave = now != Native.MASTER;
    if (roles != null) {
      roles.changed(now == Native.MASTER, epoch);
      if (slave) {
        later(() -> metadata.drop(plugin));
      }
    }
    CompletableFuture<Void> waiting = asked.remove(number);
    if (status < 0) {
      LOG.error("ha_plugin: {}", text);
    }
    if (waiting == null) {
      return;
    }
    if (status < 0) {
      waiting.completeExceptionally(new HaException(status, text));
    } else {
      waiting.complete(null);
    }
  }

  @Override
  public void completed(int slot, int status) {
    completions.end(slot, status);
  }

  @Override
  public void metadata(byte[] state) {
    if (metadata == null || received.getAndSet(state) != null) {
      return; // one on its way to the worker takes this one
    }
    later(this::takeMetadata);
  }

  private void later(Runnable task) {
    try {
      worker.execute(task);
    } catch (RejectedExecutionException e) {
      LOG.debug("ha_plugin: shut down");
    }
  }

  // On the worker, like changes of role: what an old master said is not taken after a promotion.
  private void takeMetadata() {
    byte[] state = received.getAndSet(null);
    if (state == null || !slave) {
      return;
    }
    try {
      metadata.take(state);
    } catch (RuntimeException e) {
      LOG.warn("ha_plugin: the master's topics, groups and offsets are not taken", e);
    }
  }

  private void giveMetadata() {
    if (slave) {
      return;
    }
    try {
      if (roles != null) {
        roles.stay();
      }
      metadata.give(plugin, gate.bound());
    } catch (RuntimeException e) {
      LOG.warn("ha_plugin: this broker's topics, groups and offsets are not sent", e);
    }
  }

  // ---- for the client's view ----

  /** null: not there (any more). */
  Snapshot snapshot() {
    return plugin.snapshot();
  }

  String masterAddress() {
    if (roles == null) {
      return master;
    }
    Snapshot now = snapshot();
    return now == null ? "" : now.masterAddress;
  }

  // ---- for the operator ----

  String roleName() {
    return slave ? "slave" : "master";
  }

  String roleText() {
    return roleText;
  }

  DefaultMessageStore store() {
    return store;
  }

  /** "" when this broker does what its role asks of it. */
  String notReadyReason() {
    if (roles != null && roles.leads()) {
      return notTakingReason();
    }
    Snapshot now = snapshot();
    if (now == null) {
      return "this broker is stopping";
    }
    // A set may have no master for as long as it likes: a slave then serves what it holds.
    boolean follows =
        !slave
            || now.masterAddress.isEmpty()
            || Snapshot.state(now.clientState) == HAConnectionState.TRANSFER
            || System.currentTimeMillis() - now.clientLastReadMs < NOT_READY_AFTER_MS;
    return follows ? "" : "this slave does not follow its master " + now.masterAddress;
  }

  private String notTakingReason() {
    MessageStoreConfig config = store.getMessageStoreConfig();
    if (!roles.failure().isEmpty()) {
      return roles.failure();
    }
    if (!roles.takesMessages()) {
      return "this broker is the master and takes no messages yet: those from "
          + store.getReputFromOffset() + " to " + store.getMaxPhyOffset()
          + " of its log are not confirmed by enough slaves";
    }
    if (!asksUs(config)) {
      return "this broker takes no messages: it runs with brokerRole=" + config.getBrokerRole()
          + " and inSyncReplicas=" + config.getInSyncReplicas() + ", and a set needs SYNC_MASTER and "
          + ASKS_US + " or more (mqadmin updateBrokerConfig sets them back)";
    }
    return "";
  }

  /** Master or slave; returns when the role holds. An empty master: it is searched for. */
  void changeRole(int role, String wanted, boolean force) throws HaException {
    if (roles == null) {
      throw new HaException(
          Native.STATE,
          "the role of this broker is that of brokerRole in its configuration; only brokers of a set"
              + " (haPlugin.replicas) change it while they run");
    }
    if (role == Native.MASTER && roles.leads()) {
      return;
    }
    long number = numbers.incrementAndGet();
    CompletableFuture<Void> done = new CompletableFuture<>();
    asked.put(number, done);
    try {
      synchronized (control) {
        long instance = plugin.running();
        // The plugin is a slave before it reports that, and writes to the log then.
        roles.close();
        try {
          Native.setRole(instance, role, wanted, force, number);
        } catch (HaException e) {
          roles.reopen();
          throw e;
        }
      }
      await(done, ROLE_WAIT_S, "asked for");
    } finally {
      asked.remove(number);
    }
  }

  void setOption(String key, String value) throws HaException {
    synchronized (control) {
      Native.setOption(plugin.running(), key, value);
    }
  }

  Plugin plugin() {
    return plugin;
  }
}
