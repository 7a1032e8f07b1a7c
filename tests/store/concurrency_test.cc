// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store_fixture.h"

namespace stub::store {
namespace {

TEST(Concurrency, ReadersSeeWholeRecordsAndConsistentBoundsWhileRawBytesArrive) {
  const std::string raw = sample_log(400, 300);
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.flush_interval_ms = 1;
  store.open_or_die(options);
  std::atomic<bool> over{false};
  std::atomic<std::int64_t> read{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&, i] {
      const std::string topic = "topic-" + std::to_string(i);
      while (!over) {
        const LogBounds bounds = store.log->bounds();
        ASSERT_LE(bounds.min, bounds.durable);
        ASSERT_LE(bounds.durable, bounds.end);
        ASSERT_LE(bounds.min, bounds.confirm);
        ASSERT_LE(bounds.confirm, bounds.end);
        for (const auto offset :
             store.index.range(topic, std::nullopt, bounds.end / 2, 20).offsets) {
          ASSERT_TRUE(store.log->with_record(offset, [&](const RecordView& r) {
            ASSERT_EQ(r.topic, topic);
            ASSERT_EQ(body_crc(r.body), r.body_crc);
          }));
          ++read;
        }
        Lease lease;
        if (store.log->lend(bounds.end / 2, 100, lease) == HA_OK) {
          ASSERT_EQ(raw.compare(static_cast<std::size_t>(bounds.end / 2),
                                static_cast<std::size_t>(lease.size), lease.data(),
                                static_cast<std::size_t>(lease.size)),
                    0);
          store.log->give_back(lease.token);
        }
      }
    });
  }
  for (std::size_t at = 0; at < raw.size(); at += 777)
    ASSERT_FALSE(store.log->append_raw(static_cast<std::int64_t>(at), raw.substr(at, 777)));
  EXPECT_TRUE(eventually([&] { return read > 1000; }));
  EXPECT_FALSE(store.log->flush(static_cast<std::int64_t>(raw.size())));
  over = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(store.bytes(), raw);
}

TEST(Concurrency, ProducersRetentionAndConsumersShareALog) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.flush_interval_ms = 1;
  options.retention_bytes = 8 * kTestSegment;
  store.open_or_die(options);
  store.log->set_writable(true);
  std::vector<std::thread> producers;
  std::atomic<bool> over{false};
  for (int i = 0; i < 2; ++i) {
    producers.emplace_back([&, i] {
      const std::string topic = "t" + std::to_string(i);
      for (int n = 0; n < 500; ++n) {
        NewMessage message{topic, 0, encode_record(topic, 0, std::string(200, 'x'), {}, 0)};
        const auto put = store.log->append_messages({&message, 1});
        ASSERT_FALSE(put.error);
        if (n % 50 == 0) {
          ASSERT_FALSE(store.log->flush(put.end));
        }
      }
    });
  }
  std::thread reader([&] {
    while (!over)
      for (const auto offset : store.index.range("t0", std::nullopt, 0, 10).offsets)
        store.log->with_record(offset, [&](const RecordView& r) { ASSERT_EQ(r.topic, "t0"); });
  });
  for (auto& producer : producers) producer.join();
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  store.log->apply_retention();
  over = true;
  reader.join();
  EXPECT_GT(store.log->bounds().min, 0);
  EXPECT_EQ(store.index.next_queue_offset("t0", 0), 500);
  EXPECT_EQ(store.index.next_queue_offset("t1", 0), 500);
}

TEST(Concurrency, ACutWaitsForReadersAndFencesWriters) {
  const std::string raw = sample_log(60, 300);
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path()));
  std::atomic<bool> over{false};
  std::thread reader([&] {
    std::string buffer(500, '\0');
    while (!over) {
      const LogBounds bounds = store.log->bounds();
      std::int64_t got = 0;
      const std::int64_t at = bounds.end > 600 ? bounds.end - 600 : 0;
      if (store.log->read(at, buffer.data(), 500, got) != HA_OK) continue;
      // Never bytes that a cut had zeroed while they counted.
      ASSERT_EQ(raw.compare(static_cast<std::size_t>(at), static_cast<std::size_t>(got), buffer, 0,
                            static_cast<std::size_t>(got)),
                0);
    }
  });
  for (int i = 0; i < 60; ++i) {
    const std::int64_t end = store.log->bounds().end;
    ASSERT_FALSE(store.log->append_raw(end, raw.substr(static_cast<std::size_t>(end))));
    ASSERT_FALSE(store.log->truncate(static_cast<std::int64_t>(raw.size()) / 61 * i, true));
  }
  over = true;
  reader.join();
}

}  // namespace
}  // namespace stub::store
