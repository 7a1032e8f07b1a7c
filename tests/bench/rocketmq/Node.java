// SPDX-License-Identifier: Apache-2.0
package bench;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageStatus;
import org.apache.rocketmq.store.config.BrokerRole;
import org.apache.rocketmq.store.config.FlushDiskType;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.ha.DefaultHAClient;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/**
 * RocketMQ's message store and its HA service, with nothing of a broker around them: one role in one
 * JVM, driven over standard input, one command a line, one JSON object a line back. Times are
 * CLOCK_MONOTONIC in nanoseconds, so those of two processes on one machine compare.
 *
 * <pre>
 * Node role=SYNC_MASTER|ASYNC_MASTER|SLAVE store=DIR ha=PORT [master=PORT] segment=BYTES
 *      batch=BYTES flush=SYNC|ASYNC warm=true|false started=true|false
 * fill bytes= body=            appends until the log has so many bytes, without waiting for copies
 * put producers= window= mode=threads|callbacks seconds= warmup= body=
 * send count= idle_ms=         one message after each pause: when each was handed in
 * follow to= | follow count=   until the log ends there: when it first grew, and when it was there;
 *                              or when it grew, so many times. Before that, with start=true, it starts
 *                              a node made with started=false; with reconnect=true it drops the slave's
 *                              connection to its master
 * prime seconds=               puts until one is answered well, and the next segment is made
 * reach to=                    until the log ends there
 * connections                  of slaves
 * clean                        deletes all segments but the last
 * threads                      of this process
 * end                          of the log
 * cpu                          user and system seconds of this process
 * </pre>
 */
public final class Node {
    private final DefaultMessageStore store;
    private final String master;

    private Node(Map<String, String> args) throws Exception {
        MessageStoreConfig config = new MessageStoreConfig();
        config.setStorePathRootDir(args.get("store"));
        config.setStorePathCommitLog(args.get("store") + "/commitlog");
        config.setBrokerRole(BrokerRole.valueOf(args.get("role")));
        config.setFlushDiskType(FlushDiskType.valueOf(args.get("flush") + "_FLUSH"));
        config.setHaListenPort(Integer.parseInt(args.get("ha")));
        config.setHaTransferBatchSize(Integer.parseInt(args.get("batch")));
        config.setMappedFileSizeCommitLog(Integer.parseInt(args.get("segment")));
        config.setWarmMapedFileEnable(Boolean.parseBoolean(args.get("warm")));
        config.setTotalReplicas(2);
        config.setInSyncReplicas(2);
        config.setMinInSyncReplicas(1);
        config.setDiskMaxUsedSpaceRatio(99);
        // A disk may stall for longer than the 3 s after which a put fails.
        config.setSlaveTimeout(60_000);
        config.setSyncFlushTimeout(60_000);
        // A process that is stopped while others are measured must keep its connection.
        config.setHaHousekeepingInterval(3_600_000);
        BrokerConfig broker = new BrokerConfig();
        broker.setBrokerName("bench");
        broker.setBrokerId(config.getBrokerRole() == BrokerRole.SLAVE ? 1 : 0);
        store = new DefaultMessageStore(config, new BrokerStatsManager("bench", true),
            (topic, queue, offset, tags, time, filter, properties) -> { }, broker,
            new ConcurrentHashMap<>());
        // Known to nobody otherwise, and then a put waits for no copy.
        store.setAliveReplicaNumInGroup(2);
        master = args.get("master");
        if (!store.load()) throw new IllegalStateException("the store does not load");
        if (Boolean.parseBoolean(args.get("started"))) start();
    }

    private long start() throws Exception {
        long now = System.nanoTime();
        store.start();
        if (master != null) store.updateHaMasterAddress("127.0.0.1:" + master);
        return now;
    }

    static MessageExtBrokerInner message(byte[] body, int queue) {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic("bench");
        message.setBody(body);
        message.setQueueId(queue);
        message.setBornTimestamp(System.currentTimeMillis());
        InetSocketAddress host = new InetSocketAddress("127.0.0.1", 10911);
        message.setBornHost(host);
        message.setStoreHost(host);
        MessageAccessor.setProperties(message, new HashMap<>());
        message.setPropertiesString("");
        return message;
    }

    private static double cpuSeconds() {
        return ((com.sun.management.OperatingSystemMXBean)
            ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    private String fill(long bytes, int body) {
        while (store.getMaxPhyOffset() < bytes) {
            store.putMessage(message(new byte[body], 0));
        }
        return "{\"end\":" + store.getMaxPhyOffset() + "}";
    }

    /** Warming a segment takes seconds, and until then puts fail. */
    private String prime(int seconds) throws Exception {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        while (store.putMessage(message(new byte[1], 0)).getPutMessageStatus()
            != PutMessageStatus.PUT_OK) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("no put was answered well");
            }
        }
        Path log = Paths.get(store.getMessageStoreConfig().getStorePathCommitLog());
        while (segments(log) < 2 && System.nanoTime() < deadline) LockSupport.parkNanos(10_000_000);
        return "{\"end\":" + store.getMaxPhyOffset() + "}";
    }

    private static long segments(Path log) throws Exception {
        try (Stream<Path> files = Files.list(log)) {
            return files.count();
        }
    }

    private String send(int count, long idleMs) {
        StringBuilder times = new StringBuilder("{\"times\":[");
        for (int i = 0; i < count; i++) {
            LockSupport.parkNanos(idleMs * 1_000_000);
            times.append(i == 0 ? "" : ",").append(System.nanoTime());
            store.putMessage(message(new byte[1024], 0));
        }
        return times.append("]}").toString();
    }

    private long begin(Map<String, String> args) throws Exception {
        if (args.containsKey("start")) return start();
        long now = System.nanoTime();
        if (args.containsKey("reconnect")) {
            ((DefaultHAClient) store.getHaService().getHAClient()).closeMaster();
        }
        return now;
    }

    /** Looks every 100 us: spinning would take the CPU that the slave needs. */
    private String followTo(long end, Map<String, String> args) throws Exception {
        long before = store.getMaxPhyOffset();
        begin(args);
        while (store.getMaxPhyOffset() == before) LockSupport.parkNanos(100_000);
        long first = System.nanoTime();
        long from = store.getMaxPhyOffset();
        double cpu = cpuSeconds();
        say("{\"first\":" + first + "}");
        while (store.getMaxPhyOffset() < end) LockSupport.parkNanos(100_000);
        long last = System.nanoTime();
        return "{\"from\":" + from + ",\"first\":" + first + ",\"last\":" + last + ",\"cpu\":"
            + (cpuSeconds() - cpu) + "}";
    }

    /** Spins: what is measured is an otherwise idle machine. */
    private String followGrowth(int count, Map<String, String> args) throws Exception {
        StringBuilder times = new StringBuilder("{\"times\":[");
        long end = store.getMaxPhyOffset();
        say("{\"at\":" + begin(args) + "}");
        for (int i = 0; i < count; i++) {
            while (store.getMaxPhyOffset() == end) Thread.onSpinWait();
            times.append(i == 0 ? "" : ",").append(System.nanoTime());
            end = store.getMaxPhyOffset();
        }
        return times.append("]}").toString();
    }

    private String answer(String verb, Map<String, String> args) throws Exception {
        switch (verb) {
            case "fill":
                return fill(Long.parseLong(args.get("bytes")), Integer.parseInt(args.get("body")));
            case "put":
                return new Load(store, args).run(Node::cpuSeconds);
            case "send":
                return send(Integer.parseInt(args.get("count")), Long.parseLong(args.get("idle_ms")));
            case "follow":
                return args.containsKey("to") ? followTo(Long.parseLong(args.get("to")), args)
                    : followGrowth(Integer.parseInt(args.get("count")), args);
            case "prime":
                return prime(Integer.parseInt(args.get("seconds")));
            case "reach":
                while (store.getMaxPhyOffset() < Long.parseLong(args.get("to"))) {
                    LockSupport.parkNanos(1_000_000);
                }
                return "{\"end\":" + store.getMaxPhyOffset() + "}";
            case "connections":
                return "{\"connections\":" + store.getHaService().getConnectionCount().get() + "}";
            case "clean":
                return "{\"deleted\":" + store.getCommitLog().deleteExpiredFile(0, 0, 0, true, 100) + "}";
            case "threads":
                return "{\"threads\":" + ManagementFactory.getThreadMXBean().getThreadCount() + "}";
            case "end":
                return "{\"end\":" + store.getMaxPhyOffset() + "}";
            case "cpu":
                return "{\"cpu\":" + cpuSeconds() + "}";
            default:
                throw new IllegalArgumentException("no verb '" + verb + "'");
        }
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static Map<String, String> parse(String[] words, int from) {
        Map<String, String> args = new HashMap<>();
        for (int i = from; i < words.length; i++) {
            int equals = words[i].indexOf('=');
            args.put(words[i].substring(0, equals), words[i].substring(equals + 1));
        }
        return args;
    }

    public static void main(String[] argv) throws Exception {
        Node node = new Node(parse(argv, 0));
        say("{\"ready\":true}");
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.trim().split(" ");
            say(node.answer(words[0], parse(words, 1)));
        }
        Runtime.getRuntime().halt(0); // the store is thrown away
    }
}
