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
 * and how far delayed messages were delivered. RocketMQ's slaves fetch that once a minute; with this they have it within
 * a second. Both go on side by side: what they bring is the same master's.
 *
 * <p>Threads: one at a time.
 */
final class Metadata {
  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);
  // HA_METADATA_MAX_BYTES of ha/ext/metadata.h.
  private static final int MOST_BYTES = 4 << 20;

  private final BrokerController broker;
  private byte[] last = {}; // given out
  private boolean saidTooLong;

  Metadata(BrokerController broker) {
    this.broker = broker;
  }

  /** null: as the last time, or too much. */
  byte[] changed() {
    Map<String, String> texts = new LinkedHashMap<>();
    managers().forEach((name, manager) -> texts.put(name, manager.encode()));
    byte[] now = RemotingSerializable.toJson(texts, false).getBytes(StandardCharsets.UTF_8);
    if (Arrays.equals(now, last)) {
      return null;
    }
    last = now;
    if (now.length > MOST_BYTES) {
      if (!saidTooLong) {
        LOG.warn(
            "ha_plugin: topics, groups and offsets are {} bytes, more than {}: slaves have them from"
                + " RocketMQ alone, once a minute",
            now.length, MOST_BYTES);
      }
      saidTooLong = true;
      return null;
    }
    saidTooLong = false;
    return now;
  }

  /** The next changed gives all. */
  void forget() {
    last = new byte[0];
  }

  /** What the master's changed gave. */
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
