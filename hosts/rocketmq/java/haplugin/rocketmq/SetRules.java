// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import java.util.Properties;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.broker.transaction.AbstractTransactionalMessageCheckListener;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.store.config.BrokerRole;

/** What a broker of a set must, and must not, be configured with. */
final class SetRules {
  private SetRules() {}

  // Property, the only value that goes with a set, why.
  private static final String[][] ONLY = {
    {"enableSlaveActingMaster", "false", "says itself who acts as the master"},
    {"enableBuildConsumeQueueConcurrently", "false", "shows messages that are not confirmed"},
    {"storeType", "default", "was not tried with a set"},
    {"rocksdbCQDoubleWriteEnable", "false", "was not tried with a set"},
    {"transRocksDBEnable", "false", "was not tried with a set"},
    {"timerRocksDBEnable", "false", "was not tried with a set"},
    {"indexRocksDBEnable", "false", "was not tried with a set"},
    {"writeWithoutMmap", "false", "writes to the log even when it is closed to messages"},
  };

  /** @param broker null for a store alone */
  static void check(BrokerController broker) throws HaException {
    if (broker == null) {
      throw new HaException(
          "ha_plugin: haPlugin.replicas needs the broker, and another jar's class stands in"
              + " META-INF/service/" + AbstractTransactionalMessageCheckListener.class.getName()
              + ": put ha-rocketmq.jar before that jar on the class path");
    }
    BrokerRole role = broker.getMessageStoreConfig().getBrokerRole();
    long id = broker.getBrokerConfig().getBrokerId();
    if (role != BrokerRole.SLAVE || id == MixAll.MASTER_ID) {
      throw new HaException(
          "ha_plugin: with haPlugin.replicas a broker starts as a slave, and is made the master while"
              + " it runs: set brokerRole=SLAVE and a brokerId of its own from 1 on, here they are "
              + role + " and " + id
              + " (mqadmin updateBrokerConfig writes what a master runs with into its file)");
    }
    Properties all = broker.getConfiguration().getAllConfigs();
    for (String[] rule : ONLY) {
      String value = all.getProperty(rule[0], rule[1]);
      if (!value.equals(rule[1])) {
        throw new HaException(
            "ha_plugin: " + rule[0] + "=" + value + " " + rule[2] + ", and does not go with"
                + " haPlugin.replicas: set it to " + rule[1]);
      }
    }
  }
}
