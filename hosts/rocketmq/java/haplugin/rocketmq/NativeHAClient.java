// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import org.apache.rocketmq.store.ha.HAClient;
import org.apache.rocketmq.store.ha.HAConnectionState;

/** RocketMQ's view of the plugin's link to its master. The plugin itself connects and reconnects. */
final class NativeHAClient implements HAClient {
  private final NativeHAService service;

  NativeHAClient(NativeHAService service) {
    this.service = service;
  }

  @Override
  public void start() {}

  @Override
  public void shutdown() {}

  @Override
  public void wakeup() {}

  @Override
  public void updateMasterAddress(String address) {}

  @Override
  public void updateHaMasterAddress(String address) {
    service.updateHaMasterAddress(address);
  }

  @Override
  public String getMasterAddress() {
    return getHaMasterAddress();
  }

  @Override
  public String getHaMasterAddress() {
    return service.masterAddress();
  }

  @Override
  public long getLastReadTimestamp() {
    Snapshot now = service.snapshot();
    return now == null ? 0 : now.clientLastReadMs;
  }

  @Override
  public long getLastWriteTimestamp() {
    Snapshot now = service.snapshot();
    return now == null ? 0 : now.clientLastWriteMs;
  }

  @Override
  public HAConnectionState getCurrentState() {
    Snapshot now = service.snapshot();
    return now == null ? HAConnectionState.SHUTDOWN : Snapshot.state(now.clientState);
  }

  @Override
  public void changeCurrentState(HAConnectionState state) {}

  @Override
  public void closeMaster() {}

  @Override
  public long getTransferredByteInSecond() {
    Snapshot now = service.snapshot();
    return now == null ? 0 : now.clientBytesPerSecond;
  }
}
