// SPDX-License-Identifier: Apache-2.0
package interop;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.MQVersion;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyRemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Real RocketMQ clients, driven over standard input: one command a line, `verb key=value ...`, and one
 * answer a line, `ok ...` or `error ...`. One JVM serves a whole test.
 *
 * <pre>
 * produce namesrv= topic= prefix= from= count= max= threads= manifest= poll= [timeout=] [delay=LEVEL]
 *         [half=true: committed only when the broker asks what became of it]
 *         [only=STATUS: the manifest has messages with that one alone]
 * consume namesrv= topic= group= count= manifest= seconds= [pop=true: the broker hands out the queues]
 *         [by=key: a message that comes twice counts once]
 * call    addr= code= [body=] [any other key=value is a field of the request]
 * hold    addr= code= ...      as call, repeated every 5 s over one connection, until release
 * release
 * </pre>
 *
 * A manifest has a line for each message, `queue queueOffset key size crc32`, in no order.
 */
public class Driver {
    /** Random numbers of neighbouring seeds begin alike. */
    private static final long SPREAD = 0x9E3779B97F4A7C15L;

    private final BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    private final Map<String, DefaultMQProducer> producers = new HashMap<>();
    private final NettyRemotingClient remoting = newRemoting();
    private NettyRemotingClient held;
    private Thread holder;

    public static void main(String[] args) throws Exception {
        System.setProperty(RemotingCommand.REMOTING_VERSION_KEY,
            Integer.toString(MQVersion.CURRENT_VERSION));
        new Driver().run();
        System.exit(0);
    }

    private static NettyRemotingClient newRemoting() {
        NettyRemotingClient client = new NettyRemotingClient(new NettyClientConfig());
        client.start();
        return client;
    }

    private void run() throws Exception {
        answer("ok ready");
        for (String line; (line = in.readLine()) != null; ) {
            Map<String, String> args = new HashMap<>();
            String[] words = line.trim().split(" ");
            for (int i = 1; i < words.length; i++) {
                int equals = words[i].indexOf('=');
                args.put(words[i].substring(0, equals), words[i].substring(equals + 1));
            }
            try {
                answer("ok " + execute(words[0], args));
            } catch (Exception e) {
                answer("error " + e);
            }
        }
    }

    private static void answer(String text) {
        System.out.println(text.replace('\n', ' ').trim());
        System.out.flush();
    }

    private String execute(String verb, Map<String, String> args) throws Exception {
        switch (verb) {
            case "produce": return produce(args);
            case "consume": return consume(args);
            case "call": return call(remoting, args);
            case "hold": return hold(args);
            case "release": return release();
            default: throw new IllegalArgumentException("no verb " + verb);
        }
    }

    // ---- produce ----

    private static TransactionMQProducer commitsLater(String group) {
        TransactionMQProducer producer = new TransactionMQProducer(group);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object none) {
                return LocalTransactionState.UNKNOW;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return LocalTransactionState.COMMIT_MESSAGE;
            }
        });
        return producer;
    }

    private DefaultMQProducer producer(String namesrv, boolean half, int poll) throws Exception {
        DefaultMQProducer producer = producers.get(namesrv + half);
        if (producer == null) {
            String group = "interop-producer-" + producers.size();
            producer = half ? commitsLater(group) : new DefaultMQProducer(group);
            producer.setHeartbeatBrokerInterval(1000); // a new master asks only whom it knows
            producer.setNamesrvAddr(namesrv);
            producer.setInstanceName("producer-" + producers.size());
            producer.setVipChannelEnabled(false);
            producer.setRetryTimesWhenSendFailed(0);
            producer.setPollNameServerInterval(poll);
            producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
            producer.start();
            producers.put(namesrv + half, producer);
        }
        return producer;
    }

    /** Mostly small, now and then up to max: log-uniform over a skewed random number. */
    private static byte[] body(Random random, int max) {
        double skew = Math.pow(random.nextDouble(), 8);
        byte[] body = new byte[(int) Math.min(max, Math.floor(Math.pow(max, skew)))];
        random.nextBytes(body);
        return body;
    }

    private String produce(Map<String, String> args) throws Exception {
        boolean half = args.containsKey("half");
        int delay = Integer.parseInt(args.getOrDefault("delay", "0"));
        DefaultMQProducer producer = producer(args.get("namesrv"), half,
            Integer.parseInt(args.get("poll")));
        int from = Integer.parseInt(args.get("from"));
        int count = Integer.parseInt(args.get("count"));
        int max = Integer.parseInt(args.get("max"));
        int threads = Integer.parseInt(args.getOrDefault("threads", "4"));
        long timeout = Long.parseLong(args.getOrDefault("timeout", "20000"));
        AtomicInteger next = new AtomicInteger(from);
        Map<String, Integer> outcomes = Collections.synchronizedMap(new TreeMap<>());
        List<String> lines = Collections.synchronizedList(new java.util.ArrayList<>());
        Thread[] workers = new Thread[threads];
        for (int t = 0; t < threads; t++) {
            workers[t] = new Thread(() -> {
                for (int i; (i = next.getAndIncrement()) < from + count; ) {
                    String key = args.get("prefix") + "-" + i;
                    byte[] body = body(new Random(key.hashCode() * SPREAD), max);
                    String outcome;
                    try {
                        Message message = new Message(args.get("topic"), "", key, body);
                        if (delay > 0) message.setDelayTimeLevel(delay);
                        SendResult result = half ? producer.sendMessageInTransaction(message, null)
                            : producer.send(message, timeout);
                        outcome = result.getSendStatus().toString();
                        if (args.getOrDefault("only", outcome).equals(outcome)) {
                            lines.add(line(result.getMessageQueue().getQueueId(), result.getQueueOffset(), key,
                                body));
                        }
                    } catch (Exception e) {
                        outcome = failure(e);
                    }
                    outcomes.merge(outcome, 1, Integer::sum);
                }
            });
            workers[t].start();
        }
        for (Thread worker : workers) worker.join();
        write(args.get("manifest"), lines);
        StringBuilder text = new StringBuilder();
        outcomes.forEach((outcome, n) -> text.append(outcome).append('=').append(n).append(' '));
        return text.toString();
    }

    /** An exception as one word: class, and the broker's or client's code where it has one. */
    private static String failure(Exception e) {
        try {
            return e.getClass().getSimpleName() + "/" + e.getClass().getMethod("getResponseCode").invoke(e) + "/"
                + String.valueOf(e.getMessage()).replaceAll("[^A-Za-z0-9]+", "_");
        } catch (ReflectiveOperationException none) {
            return e.getClass().getSimpleName() + "/" + String.valueOf(e.getMessage()).replaceAll("[^A-Za-z0-9]+", "_");
        }
    }

    private static String line(int queue, long offset, String key, byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return queue + " " + offset + " " + key + " " + body.length + " " + crc.getValue();
    }

    private static void write(String path, Iterable<String> lines) throws Exception {
        if (path == null) return;
        Path file = Paths.get(path);
        try (BufferedWriter out = Files.newBufferedWriter(file, java.nio.file.StandardOpenOption.CREATE,
            java.nio.file.StandardOpenOption.APPEND)) {
            for (String line : lines) {
                out.write(line);
                out.write('\n');
            }
        }
    }

    // ---- consume ----

    private String consume(Map<String, String> args) throws Exception {
        int count = Integer.parseInt(args.get("count"));
        boolean byKey = args.containsKey("by");
        CountDownLatch enough = new CountDownLatch(count);
        Map<String, String> seen = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(args.get("group"));
        consumer.setNamesrvAddr(args.get("namesrv"));
        consumer.setInstanceName("consumer-" + System.nanoTime());
        consumer.setVipChannelEnabled(false);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeMessageBatchMaxSize(32);
        consumer.subscribe(args.get("topic"), "*");
        if (args.containsKey("pop")) { // 4.5 has no such thing
            consumer.getClass().getMethod("setClientRebalance", boolean.class).invoke(consumer, false);
        }
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt m : messages) {
                String text = line(m.getQueueId(), m.getQueueOffset(), m.getKeys(), m.getBody());
                String which = byKey ? m.getKeys() : m.getQueueId() + "/" + m.getQueueOffset();
                if (seen.put(which, text) == null) enough.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        enough.await(Long.parseLong(args.get("seconds")), TimeUnit.SECONDS);
        consumer.shutdown();
        write(args.get("manifest"), seen.values());
        return "messages=" + seen.size();
    }

    // ---- raw requests ----

    private static String call(NettyRemotingClient client, Map<String, String> args) throws Exception {
        HashMap<String, String> fields = new HashMap<>(args);
        String addr = fields.remove("addr");
        int code = Integer.parseInt(fields.remove("code"));
        String body = fields.remove("body");
        RemotingCommand request = RemotingCommand.createRequestCommand(code, null);
        if (body != null) {
            request.setBody(body.getBytes(StandardCharsets.UTF_8));
            fields.put("bodyCrc32", Integer.toString(crc32(request.getBody())));
        }
        request.setExtFields(fields);
        RemotingCommand response = client.invokeSync(addr, request, 10000);
        return "code=" + response.getCode() + " fields=" + response.getExtFields() + " remark="
            + response.getRemark() + " body=" + (response.getBody() == null ? ""
            : new String(response.getBody(), StandardCharsets.UTF_8));
    }

    /** As RocketMQ's UtilAll.crc32: without the sign. */
    private static int crc32(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return (int) (crc.getValue() & 0x7FFFFFFF);
    }

    private String hold(Map<String, String> args) throws Exception {
        release();
        held = newRemoting();
        final NettyRemotingClient client = held;
        String first = call(client, args);
        holder = new Thread(() -> {
            try {
                while (true) {
                    Thread.sleep(5000);
                    call(client, args);
                }
            } catch (Exception released) {
                // release() ends it
            }
        });
        holder.setDaemon(true);
        holder.start();
        return first;
    }

    private String release() {
        if (holder == null) return "";
        holder.interrupt();
        held.shutdown();
        holder = null;
        return "released";
    }
}
