// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.broker.transaction.queue.DefaultTransactionalMessageCheckListener;
import org.apache.rocketmq.store.MessageStore;

/**
 * Gives the HA service its broker. Of the classes that RocketMQ finds by name, this listener is the
 * only one that is handed the BrokerController. Otherwise it does what RocketMQ's own does.
 */
public final class CheckListener extends DefaultTransactionalMessageCheckListener {
  private static final Map<MessageStore, BrokerController> BROKERS =
      Collections.synchronizedMap(new WeakHashMap<>());

  @Override
  public void setBrokerController(BrokerController broker) {
    super.setBrokerController(broker);
    BROKERS.put(broker.getMessageStore(), broker);
  }

  /** null for a store alone. */
  static BrokerController brokerOf(MessageStore store) {
    return BROKERS.get(store);
  }
}
