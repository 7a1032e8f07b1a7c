// SPDX-License-Identifier: Apache-2.0
// Logs of all kinds of records with their digests, and what a start makes of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "store_fixture.h"

namespace stub::store {

inline constexpr std::int64_t kSegment = 4 * kTestSegment;
inline constexpr std::int64_t kPiece = kTestSegment;

std::string digest_dir(const std::string& dir);
std::string digest_path(const std::string& dir, std::int64_t begin);
// Where the pieces begin that have one.
std::vector<std::int64_t> digests(const std::string& dir);
// Waits for that one, or one beyond it.
bool digested_up_to(const std::string& dir, std::int64_t begin);

LogOptions small_pieces(const std::string& dir);

// An index that counts how it learned of the records.
struct Counted : LogObserver {
  Index index;
  std::size_t walked = 0;
  std::size_t digested = 0;

  void on_begin(std::int64_t min) override { index.on_begin(min); }
  void on_record(const RecordView& record) override {
    ++walked;
    index.on_record(record);
  }
  void on_digest(const Digest& digest) override {
    digested += digest.records.size();
    index.on_digest(digest);
  }
  void on_confirm(std::int64_t limit) override { index.on_confirm(limit); }
  void on_truncate(std::int64_t end, const RecordLookup& look) override {
    index.on_truncate(end, look);
  }
  void on_trim(std::int64_t min) override { index.on_trim(min); }
  void on_reset(std::int64_t min) override { index.on_reset(min); }
  std::int64_t next_queue_offset(std::string_view topic, std::int32_t queue) override {
    return index.next_queue_offset(topic, queue);
  }
};
// All that the index says.
std::string contents(Index& index);

struct Opened {
  std::string text;
  std::size_t walked = 0;
  std::size_t digested = 0;
  std::vector<std::string> warnings;  // about digests
  std::string error;
};
// What a start of a copy of the store finds.
Opened start(const std::string& dir, bool with_digests);
void expect_equal_to_a_walk(const std::string& dir);

// Raw bytes of a master's log that a slave can take.
std::string any_log(std::mt19937& random, std::int64_t bytes, std::int64_t from = 0,
                    bool scheduled = true);
// Takes bytes in as they come from a master; then all are durable and confirmed.
void grow(Store& store, std::string_view bytes);

// A closed store with digests.
struct Digested {
  TempDir dir;
  std::mt19937 random{5};
  std::int64_t end = 0;

  Digested() {
    Store store;
    store.open_or_die(small_pieces(dir.path()));
    grow(store, any_log(random, 3 * kSegment + 6000));
    end = store.log->bounds().end;
    EXPECT_TRUE(digested_up_to(dir.path(), 3 * kSegment));
  }
};

}  // namespace stub::store
