// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.io.File;
import java.net.URISyntaxException;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.config.MessageStoreConfig;

/**
 * The plugin's options: what follows from the broker's own configuration, then haPlugin.KEY of
 * broker.conf, then system properties of the same names. A few keys are this host's own.
 */
final class Options {
  static final String PREFIX = "haPlugin.";

  private final Map<String, String> plugin = new TreeMap<>();
  /** Where the two libraries are. */
  private final String directory;
  /** Where the operator's requests are taken; null: nowhere. */
  final String controlListen;
  /** Of those who may; null: of this machine's own programs. */
  final String controlTokenFile;

  /** @param broker null for a store alone */
  Options(DefaultMessageStore store, BrokerController broker) {
    fromBroker(store.getMessageStoreConfig(), store.getBrokerConfig());
    Properties configuration =
        broker == null ? new Properties() : broker.getConfiguration().getAllConfigs();
    for (Properties from : new Properties[] {configuration, System.getProperties()}) {
      for (String name : from.stringPropertyNames()) {
        if (name.startsWith(PREFIX)) {
          plugin.put(name.substring(PREFIX.length()), from.getProperty(name));
        }
      }
    }
    String given = plugin.remove("directory");
    directory = given == null ? ownDirectory() : given;
    controlListen = plugin.remove("control_listen");
    controlTokenFile = plugin.remove("control_token_file");
    if (isSet()) {
      File own = new File(store.getMessageStoreConfig().getStorePathRootDir(), "ha");
      if (plugin.putIfAbsent("state_dir", own.getPath()) == null) {
        own.mkdirs();
      }
    }
  }

  /** Is this broker one of a set (option replicas)? */
  boolean isSet() {
    return !plugin.getOrDefault("replicas", "").isEmpty();
  }

  /** A wire that shows readers only what is confirmed, which this host does for sets alone. */
  boolean isLearner() {
    return "rocketmq-autoswitch".equals(plugin.get("wire"));
  }

  /** Of a set: where this broker keeps what must outlive it. */
  File stateDirectory() {
    return new File(plugin.get("state_dir"));
  }

  private void fromBroker(MessageStoreConfig store, BrokerConfig broker) {
    plugin.put("listen", "0.0.0.0:" + store.getHaListenPort());
    plugin.put("wire", "auto");
    // The plugin wants to hear at least two heartbeats before it takes a peer for gone.
    int housekeeping = store.getHaHousekeepingInterval();
    int heartbeat = Math.min(store.getHaSendHeartbeatInterval(), (housekeeping - 1) / 2);
    plugin.put("housekeeping_ms", Integer.toString(housekeeping));
    plugin.put("heartbeat_ms", Integer.toString(heartbeat));
    // RocketMQ 5 waits for a copy until the time is over.
    plugin.put("missing_copies", "block");
    plugin.put("max_pending_waits", Integer.toString(Completions.SLOTS));
    // With this many under way, the threads that go on with them need the CPU more.
    plugin.put("busy_poll_max_waits", "16");
    plugin.put("in_sync_replicas", Integer.toString(store.getInSyncReplicas()));
    plugin.put("min_in_sync_replicas", Integer.toString(store.getMinInSyncReplicas()));
    plugin.put("auto_in_sync_replicas", Boolean.toString(store.isEnableAutoInSyncReplicas()));
    plugin.put("max_gap_not_in_sync_bytes", Integer.toString(store.getHaMaxGapNotInSync()));
    if (store.isHaFlowControlEnable()) {
      plugin.put("max_transfer_bytes_per_s", Long.toString(store.getMaxHaTransferByteInSecond()));
    }
    plugin.put("replica_id", broker.getBrokerName() + "-" + broker.getBrokerId());
    plugin.put("cluster_id", broker.getBrokerName());
  }

  /** Key, value, key, value, ... */
  String[] toArray() {
    String[] all = new String[2 * plugin.size()];
    int i = 0;
    for (Map.Entry<String, String> one : plugin.entrySet()) {
      all[i++] = one.getKey();
      all[i++] = one.getValue();
    }
    return all;
  }

  /** The path of a library: in the directory given, or beside the jar. */
  String inDirectory(String name) {
    return new File(directory, name).getAbsolutePath();
  }

  private static String ownDirectory() {
    try {
      File jar = new File(Options.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return jar.getParent();
    } catch (URISyntaxException | RuntimeException e) {
      return ".";
    }
  }
}
