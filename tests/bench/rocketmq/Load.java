// SPDX-License-Identifier: Apache-2.0
package bench;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.DoubleSupplier;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.PutMessageStatus;

/**
 * Puts that wait for the slave: producers on threads of their own that wait for each message, in the
 * callbacks of the one before, or with a window of messages on their way. The same loads as
 * ours/put.cc, with the same names in the answer.
 */
final class Load {
    private static final int MOST_SAMPLES = 1 << 22;

    private final DefaultMessageStore store;
    private final int producers;
    private final int window;
    private final boolean callbacks;
    private final byte[] body;
    private final long from;
    private final long end;
    private final long[] samples = new long[MOST_SAMPLES];
    private final AtomicInteger sampleCount = new AtomicInteger();
    private final AtomicLong all = new AtomicLong();

    Load(DefaultMessageStore store, Map<String, String> args) {
        this.store = store;
        producers = Integer.parseInt(args.get("producers"));
        window = Integer.parseInt(args.get("window"));
        callbacks = args.get("mode").equals("callbacks");
        body = new byte[Integer.parseInt(args.get("body"))];
        from = System.nanoTime() + (long) (Double.parseDouble(args.get("warmup")) * 1e9);
        end = from + (long) (Double.parseDouble(args.get("seconds")) * 1e9);
    }

    String run(DoubleSupplier cpu) throws Exception {
        CountDownLatch done = new CountDownLatch(producers);
        for (int i = 0; i < producers; i++) {
            int queue = i % 4;
            if (callbacks) {
                next(queue, done);
            } else {
                new Thread(() -> {
                    if (window == 0) oneAfterTheOther(queue);
                    else pipelined(queue);
                    done.countDown();
                }).start();
            }
        }
        Thread.sleep(Math.max(0, (from - System.nanoTime()) / 1_000_000));
        double cpuBefore = cpu.getAsDouble();
        done.await();
        return result(cpu.getAsDouble() - cpuBefore);
    }

    private void check(PutMessageResult result) {
        if (result.getPutMessageStatus() != PutMessageStatus.PUT_OK) {
            System.err.println("a message failed: " + result.getPutMessageStatus());
            Runtime.getRuntime().halt(1);
        }
        all.incrementAndGet();
    }

    private void note(long start) {
        long now = System.nanoTime();
        if (start < from || now > end) return;
        int at = sampleCount.getAndIncrement();
        if (at < MOST_SAMPLES) samples[at] = now - start;
    }

    private void oneAfterTheOther(int queue) {
        for (long start = System.nanoTime(); start < end; start = System.nanoTime()) {
            check(store.putMessage(Node.message(body, queue)));
            note(start);
        }
    }

    private void next(int queue, CountDownLatch done) {
        long start = System.nanoTime();
        if (start >= end) {
            done.countDown();
            return;
        }
        store.asyncPutMessage(Node.message(body, queue)).thenAccept(result -> {
            check(result);
            note(start);
            next(queue, done);
        });
    }

    private void pipelined(int queue) {
        Semaphore room = new Semaphore(window);
        for (;;) {
            room.acquireUninterruptibly();
            long start = System.nanoTime();
            if (start >= end) break;
            store.asyncPutMessage(Node.message(body, queue)).thenAccept(result -> {
                check(result);
                note(start);
                room.release();
            });
        }
        room.acquireUninterruptibly(window - 1);
    }

    private String result(double cpuSeconds) {
        int count = Math.min(sampleCount.get(), MOST_SAMPLES);
        if (count == 0) return "{\"error\":\"nothing was measured\"}";
        Arrays.sort(samples, 0, count);
        double seconds = (end - from) / 1e9;
        StringBuilder out = new StringBuilder("{");
        out.append("\"per_s\":").append(sampleCount.get() / seconds);
        out.append(",\"mb_per_s\":").append(sampleCount.get() / seconds * body.length / 1e6);
        out.append(",\"all\":").append(all.get());
        out.append(",\"master_cpu_us_per_message\":").append(cpuSeconds * 1e6 / sampleCount.get());
        String[] names = {"p10", "p25", "p50", "p75", "p90", "p95", "p99", "p999", "max"};
        double[] shares = {.1, .25, .5, .75, .9, .95, .99, .999, 1};
        for (int i = 0; i < names.length; i++) {
            out.append(",\"").append(names[i]).append("_us\":")
                .append(samples[(int) ((count - 1) * shares[i])] / 1e3);
        }
        return out.append("}").toString();
    }
}
