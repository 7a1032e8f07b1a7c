// SPDX-License-Identifier: Apache-2.0
package interop;

import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.remoting.protocol.body.HARuntimeInfo;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.PutMessageStatus;
import org.apache.rocketmq.store.config.BrokerRole;
import org.apache.rocketmq.store.config.FlushDiskType;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.ha.HAConnectionState;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/**
 * A master's and a slave's store in one JVM, without brokers, and what RocketMQ expects of their HA
 * services. For RocketMQ 5. The argument is a folder.
 *
 * <p>Prints "checks", then a line for each check: "ok NAME", or "FAILED NAME: why".
 */
public class StoreDriver {
    private static final long WAIT_S = 30;

    private final Path folder;
    private boolean failed;

    private interface Check {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        System.out.println("checks");
        StoreDriver driver = new StoreDriver(Paths.get(args[0]));
        driver.run();
        System.exit(driver.failed ? 1 : 0);
    }

    private StoreDriver(Path folder) {
        this.folder = folder;
    }

    private void run() throws Exception {
        check("a service that was not started can be shut down",
            () -> store("unused", 2, BrokerRole.SLAVE).getHaService().shutdown());

        DefaultMessageStore master = store("master", 0, BrokerRole.SYNC_MASTER);
        load(master);
        check("the real listen port is written back", () -> {
            int port = master.getMessageStoreConfig().getHaListenPort();
            expect(port > 0, "port " + port);
        });
        String address = "127.0.0.1:" + master.getMessageStoreConfig().getHaListenPort();

        DefaultMessageStore slave = store("slave", 1, BrokerRole.SLAVE);
        check("an address from before the start is used", () -> {
            slave.updateHaMasterAddress(address);
            load(slave);
            await("TRANSFER", () -> state(slave) == HAConnectionState.TRANSFER);
            await("one connection", () -> connections(master) == 1);
            expect(slave.getHaService().getHAClient().getHaMasterAddress().equals(address),
                slave.getHaService().getHAClient().getHaMasterAddress());
        });
        check("the same address again does not reconnect", () -> {
            String before = slaveAddress(master);
            slave.updateHaMasterAddress(address);
            expectStatus(put(master, "same address"), PutMessageStatus.PUT_OK);
            expect(slaveAddress(master).equals(before), before + " became " + slaveAddress(master));
        });
        check("an acknowledged message is on the slave at once", () -> {
            for (int i = 0; i < 100; i++) {
                String body = "message " + i;
                PutMessageResult result = put(master, body);
                expectStatus(result, PutMessageStatus.PUT_OK);
                MessageExt found =
                    slave.lookMessageByOffset(result.getAppendMessageResult().getWroteOffset());
                expect(found != null, body + " is not there");
                expect(body.equals(new String(found.getBody(), StandardCharsets.UTF_8)),
                    "another message is there");
            }
        });
        check("both report the connection", () -> {
            HARuntimeInfo of = master.getHARuntimeInfo();
            expect(of.isMaster() && of.getInSyncSlaveNums() == 1, "in sync: " + of.getInSyncSlaveNums());
            expect(!slave.getHARuntimeInfo().isMaster(), "the slave says that it is master");
            expect(master.getHaService().isSlaveOK(master.getMaxPhyOffset()), "the slave is not ok");
        });

        check("the connection goes with the slave", () -> {
            slave.shutdown();
            await("no connection", () -> connections(master) == 0);
            expect(state(slave) == HAConnectionState.SHUTDOWN, "state " + state(slave));
        });
        check("a put without a slave ends for want of time", () ->
            expectStatus(put(master, "alone"), PutMessageStatus.FLUSH_SLAVE_TIMEOUT));
        check("a second shutdown does no harm", () -> {
            slave.shutdown();
            slave.getHaService().shutdown();
            master.shutdown();
            master.shutdown();
            master.getHaService().shutdown();
            expect(connections(master) == 0, connections(master) + " connections");
        });
        check("a store that was shut down can be destroyed", () -> {
            slave.destroy();
            master.destroy();
            for (String name : Arrays.asList("slave", "master")) {
                expect(files(name).isEmpty(), name + " still has " + files(name));
            }
        });
    }

    // ---- stores ----

    private DefaultMessageStore store(String name, long id, BrokerRole role) throws Exception {
        MessageStoreConfig config = new MessageStoreConfig();
        config.setBrokerRole(role);
        config.setStorePathRootDir(folder.resolve(name).toString());
        config.setStorePathCommitLog(folder.resolve(name).resolve("commitlog").toString());
        config.setMappedFileSizeCommitLog(1 << 20);
        config.setMaxHashSlotNum(10000);
        config.setMaxIndexNum(40000);
        config.setFlushDiskType(FlushDiskType.ASYNC_FLUSH);
        config.setHaListenPort(0);
        config.setTotalReplicas(2);
        config.setInSyncReplicas(2);
        config.setSlaveTimeout(2000);
        config.setTimerWheelEnable(false);
        BrokerConfig broker = new BrokerConfig();
        broker.setBrokerName("stores");
        broker.setBrokerId(id);
        return new DefaultMessageStore(config, new BrokerStatsManager("stores", true),
            (topic, queue, offset, tags, time, filter, properties) -> { }, broker,
            new ConcurrentHashMap<>());
    }

    private static void load(DefaultMessageStore store) throws Exception {
        expect(store.load(), "the store does not load");
        store.start();
    }

    private static PutMessageResult put(DefaultMessageStore store, String body) {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic("T");
        message.setKeys(body);
        message.setQueueId(0);
        message.setBody(body.getBytes(StandardCharsets.UTF_8));
        message.setBornTimestamp(System.currentTimeMillis());
        message.setBornHost(new InetSocketAddress("127.0.0.1", 1));
        message.setStoreHost(new InetSocketAddress("127.0.0.1", 2));
        return store.putMessage(message);
    }

    private static int connections(DefaultMessageStore master) {
        return master.getHaService().getConnectionCount().get();
    }

    private static HAConnectionState state(DefaultMessageStore slave) {
        return slave.getHaService().getHAClient().getCurrentState();
    }

    private static String slaveAddress(DefaultMessageStore master) {
        return master.getHARuntimeInfo().getHaConnectionInfo().get(0).getAddr();
    }

    private List<String> files(String store) throws Exception {
        Path log = folder.resolve(store).resolve("commitlog");
        if (!Files.exists(log)) return Arrays.asList();
        try (Stream<Path> all = Files.list(log)) {
            return all.map(one -> one.getFileName().toString()).collect(Collectors.toList());
        }
    }

    // ---- checks ----

    private void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable why) {
            failed = true;
            System.out.println("FAILED " + name + ": " + why);
        }
    }

    private static void expect(boolean holds, String otherwise) {
        if (!holds) throw new IllegalStateException(otherwise);
    }

    private static void expectStatus(PutMessageResult result, PutMessageStatus wanted) {
        expect(result.getPutMessageStatus() == wanted, "the put ended " + result.getPutMessageStatus());
    }

    private static void await(String what, BooleanSupplier holds) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);
        while (!holds.getAsBoolean()) {
            expect(System.nanoTime() < end, "no " + what + " in " + WAIT_S + " s");
            Thread.sleep(5);
        }
    }
}
