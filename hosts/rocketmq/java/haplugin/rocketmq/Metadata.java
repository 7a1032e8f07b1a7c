// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.common.ConfigManager;
import org.apache.rocketmq.common.constant.LoggerName;
import org.apache.rocketmq.logging.org.slf4j.Logger;
import org.apache.rocketmq.logging.org.slf4j.LoggerFactory;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;

/**
 * What a master keeps beside its log: topics, consumer groups, their offsets and whether they pop,
 * and how far delayed messages were delivered. RocketMQ's slaves fetch that once a minute. With this
 * class they have it within a second. RocketMQ goes on to fetch it: both bring the same master's.
 *
 * <p>Threads: one at a time.
 */
final class Metadata {
  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);
  // HA_METADATA_MAX_BYTES of ha/ext/metadata.h.
  private static final int MOST_BYTES = 4 << 20;

  private final BrokerController broker;
  private byte[] last = {};
  private long lastEnd; // of the log, when last was read
  private boolean sent = true;

  Metadata(BrokerController broker) {
    this.broker = broker;
  }

  /**
   * As master: looks whether something changed and sends it. A delivered or committed message is at
   * the log's end, and a slave must have it before it is told. So what changed waits until the log is
   * confirmed up to there.
   *
   * @param confirmed -1: nothing says how far
   */
  void give(Plugin plugin, long confirmed) {
    byte[] now = read();
    if (!Arrays.equals(now, last)) {
      last = now;
      lastEnd = broker.getMessageStore().getMaxPhyOffset(); // after read
      sent = now.length > MOST_BYTES;
      if (sent) {
        LOG.warn(
            "ha_plugin: topics, groups and offsets are {} bytes, more than {}: slaves have them from"
                + " RocketMQ alone, once a minute",
            now.length, MOST_BYTES);
      }
    }
    if (!sent && (confirmed < 0 || confirmed >= lastEnd)) {
      plugin.setMetadata(last);
      sent = true;
    }
  }

  /** As slave: forgets what it gave as master. */
  void drop(Plugin plugin) {
    last = new byte[0];
    sent = true;
    plugin.setMetadata(last);
  }

  /** As slave: what the master gave. */
  void take(byte[] state) {
    @SuppressWarnings("unchecked")
    Map<String, String> texts =
        RemotingSerializable.fromJson(new String(state, StandardCharsets.UTF_8), Map.class);
    managers()
        .forEach(
            (name, manager) -> {
              String text = texts.get(name);
              if (text != null && !text.equals(manager.encode())) {
                manager.decode(text);
                manager.persist();
              }
            });
  }

  private byte[] read() {
    Map<String, String> texts = new LinkedHashMap<>();
    managers().forEach((name, manager) -> texts.put(name, manager.encode()));
    return RemotingSerializable.toJson(texts, false).getBytes(StandardCharsets.UTF_8);
  }

  private Map<String, ConfigManager> managers() {
    Map<String, ConfigManager> all = new LinkedHashMap<>();
    all.put("topics", broker.getTopicConfigManager());
    all.put("groups", broker.getSubscriptionGroupManager());
    all.put("offsets", broker.getConsumerOffsetManager());
    all.put("delays", broker.getScheduleMessageService());
    all.put("modes", broker.getQueryAssignmentProcessor().getMessageRequestModeManager());
    return all;
  }
}
