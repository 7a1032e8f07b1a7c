// SPDX-License-Identifier: Apache-2.0
// A start that uses digests must know what one that reads the whole log knows.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <random>

#include "file_calls.h"
#include "store/verify.h"
#include "store_fixture.h"

namespace stub::store {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSegment = 4 * kTestSegment;
constexpr std::int64_t kPiece = kTestSegment;

std::string digest_dir(const std::string& dir) { return dir + "/log_digests"; }
std::string digest_path(const std::string& dir, std::int64_t begin) {
  return digest_dir(dir) + "/" + Segment::file_name(begin);
}

std::vector<std::int64_t> digests(const std::string& dir) {
  std::vector<std::int64_t> out;
  if (fs::exists(digest_dir(dir)))
    for (const auto& entry : fs::directory_iterator(digest_dir(dir)))
      out.push_back(std::stoll(entry.path().filename().string()));
  std::sort(out.begin(), out.end());
  return out;
}

LogOptions small_pieces(const std::string& dir) {
  auto options = test_options(dir, kSegment);
  options.digest_bytes = kPiece;
  return options;
}

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
std::string contents(Index& index) {
  std::string out;
  const auto add = [&out](std::int64_t value) { out += std::to_string(value) + " "; };
  const auto numbers = [&](const auto& values) {
    for (const auto value : values) add(value);
    out += "; ";
  };
  auto topics = index.topics();
  topics.push_back({std::string(kScheduleTopic), 0, 0});
  for (const auto& topic : topics) {
    out += "\n" + topic.topic + " ";
    add(topic.messages);
    add(topic.queues);
    for (int queue = -1; queue < 5; ++queue) {
      const auto of = queue < 0 ? std::nullopt : std::optional(queue);
      const auto range = index.range(topic.topic, of, 0, 1'000'000);
      numbers(range.offsets);
      numbers(range.queue_offsets);
      add(range.first);
      add(range.end);
      add(range.renumbered ? 1 : 0);
      if (!of) continue;
      add(index.next_queue_offset(topic.topic, queue));
      add(index.end_queue_offset(topic.topic, queue));
    }
  }
  out += "\nschedule ";
  add(static_cast<std::int64_t>(index.schedule().pending()));
  add(index.schedule().lowest_offset());
  while (const auto due = index.schedule().next()) {
    add(due->deliver_at_ms);
    add(due->offset);
    index.schedule().forget(due->offset);
  }
  const auto counters = index.counters_from(0);
  add(counters.min);
  add(counters.end);
  for (const auto& [topic, queues] : counters.next)
    for (const auto& [queue, next] : queues) add(next);
  return out;
}

struct Opened {
  std::string text;
  std::size_t walked = 0;
  std::size_t digested = 0;
  std::vector<std::string> warnings;  // about digests
  std::string error;
};

// What a start of a copy of the store finds.
Opened start(const std::string& dir, bool with_digests) {
  const TempDir copy;
  copy_store(dir, copy.path());
  if (!with_digests) fs::remove_all(digest_dir(copy.path()));
  Opened out;
  Counted observer;
  auto options = small_pieces(copy.path());
  options.warning = [&](const std::string& text) {
    if (text.find("log_digests") != std::string::npos) out.warnings.push_back(text);
  };
  auto opened = CommitLog::open(options, observer);
  if (const auto* error = std::get_if<Error>(&opened)) {
    out.error = error->text;
    return out;
  }
  auto& log = std::get<std::unique_ptr<CommitLog>>(opened);
  out.text = contents(observer.index);
  log->confirm_all();
  out.text += contents(observer.index);
  out.walked = observer.walked;
  out.digested = observer.digested;
  return out;
}

void expect_equal_to_a_walk(const std::string& dir) {
  const TempDir now;  // the store may be open
  copy_store(dir, now.path());
  const Opened quick = start(now.path(), true);
  const Opened slow = start(now.path(), false);
  EXPECT_EQ(quick.error, slow.error);
  EXPECT_EQ(quick.text, slow.text);
  EXPECT_EQ(slow.digested, 0u);
  EXPECT_EQ(quick.walked + quick.digested, slow.walked);
}

// A message of any kind that a log may hold.
std::string any_record(std::mt19937& random, std::int64_t at, std::int64_t before, bool scheduled) {
  const auto below = [&](int n) { return std::uniform_int_distribution<>(0, n - 1)(random); };
  std::string topic = "topic-" + std::to_string(below(4));
  Properties properties;
  if (scheduled && below(8) == 0) {
    topic = kScheduleTopic;
    properties = {{kRealTopic, "topic-1"}, {kDeliverAt, std::to_string(below(1000))}};
  } else if (below(8) == 0) {
    properties = {{"KEYS", "k"}, {kSourceOffset, std::to_string(before)}};
  }
  auto record = encode_record(
      topic, below(3), std::string(static_cast<std::size_t>(below(700)), 'x'), properties, 1);
  // Numbers that go on, are left out, start again, or are nonsense.
  const std::int64_t numbers[] = {at / 300, at / 300, at / 300 + 50, 3, -7};
  place_record(record.data(), numbers[below(5)], at, 1000 + at);
  if (below(10) == 0) record[39] = static_cast<char>(below(4) << 2);  // of a transaction
  return record;
}

// Raw bytes of a master's log that a slave can take.
std::string any_log(std::mt19937& random, std::int64_t bytes, std::int64_t from = 0,
                    bool scheduled = true) {
  std::string out;
  std::int64_t before = from;
  while (static_cast<std::int64_t>(out.size()) < bytes) {
    const auto at = from + static_cast<std::int64_t>(out.size());
    const std::string record = any_record(random, at, before, scheduled);
    const std::int64_t left = kSegment - at % kSegment;
    if (static_cast<std::int64_t>(record.size()) + kBlankBytes <= left) {
      if (random() % 3 == 0) before = at;
      out += record;
      continue;
    }
    std::string blank(static_cast<std::size_t>(left), '\0');
    store32(blank.data(), static_cast<std::uint32_t>(left));
    store32(blank.data() + 4, kBlankMagic);
    out += blank;
  }
  return out;
}

// Takes bytes in as they come from a master, durable and confirmed now and then, until the digests
// are there that can be.
void grow(Store& store, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, 1500);
    ASSERT_FALSE(store.log->append_raw(store.log->bounds().end, piece));
    bytes.remove_prefix(piece.size());
  }
  ASSERT_FALSE(store.log->confirm(store.log->bounds().whole_end));
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
}

bool digested_up_to(const std::string& dir, std::int64_t begin) {
  return eventually([&] {
    const auto there = digests(dir);
    return !there.empty() && there.back() >= begin;
  });
}

TEST(Digest, SaysWhatWasPutInAndNothingElseIsOne) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    const std::string log = any_log(random, 5000, 7 * kSegment);
    DigestBuilder builder(7 * kSegment);
    std::vector<RecordView> records;
    std::vector<ScheduleNote> notes;
    for (std::size_t at = 0; at < 5000;) {
      const auto size = load32(log.data() + at);
      RecordView record;
      ASSERT_TRUE(decode_record(std::string_view(log).substr(at, size), record));
      builder.add(record);
      records.push_back(record);
      if (const auto note = schedule_note(record); note && record.for_consumers())
        notes.push_back(*note);
      at += size;
    }
    const std::int64_t end = records.back().offset + records.back().size;
    const std::string content = builder.finish(end, kSegment, 77);
    Digest read;
    ASSERT_TRUE(parse_digest(content, read));
    EXPECT_EQ(read.begin, 7 * kSegment);
    EXPECT_EQ(read.end, end);
    EXPECT_EQ(read.segment_bytes, kSegment);
    EXPECT_EQ(read.edges, 77u);
    EXPECT_EQ(read.notes, notes);
    ASSERT_EQ(read.records.size(), records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      const auto& got = read.records[i];
      EXPECT_EQ(got.offset, records[i].offset);
      EXPECT_EQ(got.end, records[i].offset + records[i].size);
      ASSERT_EQ(got.queue != Digest::kNoQueue, records[i].for_consumers());
      if (got.queue == Digest::kNoQueue) continue;
      EXPECT_EQ(got.queue_offset, records[i].queue_offset);
      EXPECT_EQ(read.queues[got.queue].topic, records[i].topic);
      EXPECT_EQ(read.queues[got.queue].number, records[i].queue);
    }
    for (std::size_t at = 0; at < content.size(); ++at) {
      EXPECT_FALSE(parse_digest(std::string_view(content).substr(0, at), read)) << at;
      std::string wrong = content;
      wrong[at] = static_cast<char>(wrong[at] ^ 1 << at % 8);
      EXPECT_FALSE(parse_digest(wrong, read)) << at;
      // With a checksum that is right: anything but a read beyond its end.
      store32(wrong.data() + 4, add_to_sum(0, std::string_view(wrong).substr(8)));
      parse_digest(wrong, read);
    }
  }
}

TEST(Digest, AStartWithThemKnowsWhatAWalkKnows) {
  for (unsigned seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const bool trims = seed % 3 == 1;
    const TempDir dir;
    auto options = small_pieces(dir.path());
    if (trims) options.retention_bytes = 3 * kSegment;
    for (int times = 0; times < 4; ++times) {
      Store store;
      store.open_or_die(options);
      grow(store, any_log(random, kSegment + static_cast<std::int64_t>(random() % 5000),
                          store.log->bounds().end, !trims));
      store.log->apply_retention();
      store.close();
      expect_equal_to_a_walk(dir.path());
    }
    Store store;
    options.retention_bytes = 0;
    store.open_or_die(options);
    EXPECT_EQ(store.log->bounds().min > 0, trims);
    const Opened quick = start(dir.path(), true);
    EXPECT_GT(quick.digested, 3 * quick.walked);
    EXPECT_TRUE(quick.warnings.empty());
    // Records that are not durable, not confirmed, not whole.
    const std::int64_t end = store.log->bounds().end;
    const std::string more = any_log(random, 3000, end);
    ASSERT_FALSE(store.log->append_raw(end, std::string_view(more).substr(0, 2500)));
    expect_equal_to_a_walk(dir.path());
  }
}

TEST(Digest, AnOldStoreGetsThemAtItsFirstStart) {
  const TempDir dir;
  std::mt19937 random(1);
  {
    Store store;
    auto options = small_pieces(dir.path());
    options.digest_bytes = 2 * kSegment;  // none
    store.open_or_die(options);
    grow(store, any_log(random, 5 * kSegment));
  }
  EXPECT_FALSE(fs::exists(digest_dir(dir.path())));
  Store store;
  store.open_or_die(small_pieces(dir.path()));
  EXPECT_EQ(digests(dir.path()).size(), 20u);
  store.close();
  const Opened quick = start(dir.path(), true);
  EXPECT_GT(quick.digested, 10 * quick.walked);
  expect_equal_to_a_walk(dir.path());
}

// A store with digests, on the way down: closed.
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

TEST(Digest, OneThatIsNotRightIsReplacedByAWalk) {
  Digested store;
  const std::string path = digest_path(store.dir.path(), kSegment);
  const std::string whole = slurp(path);
  Digest digest;
  ASSERT_TRUE(parse_digest(whole, digest));
  const auto other = [&](std::size_t at, std::uint64_t value) {
    std::string out = whole;
    store64(out.data() + at, value);
    store32(out.data() + 4, add_to_sum(0, std::string_view(out).substr(8)));
    return out;
  };
  const auto all = start(store.dir.path(), true).walked;
  const std::string wrong[] = {"",
                               whole.substr(0, whole.size() / 2),
                               whole + "x",
                               std::string(5000, '\xAA'),
                               std::string(1 << 20, '\0'),
                               other(24, 8 * kSegment),
                               other(16, static_cast<std::uint64_t>(kSegment)),
                               other(16, static_cast<std::uint64_t>(9 * kSegment)),
                               slurp(digest_path(store.dir.path(), 0)),
                               slurp(digest_path(store.dir.path(), digest.end))};
  for (const auto& content : wrong) {
    ASSERT_FALSE(replace_file(path, content));
    const Opened quick = start(store.dir.path(), true);
    EXPECT_EQ(quick.walked, all + digest.records.size()) << content.size();
    EXPECT_TRUE(quick.warnings.empty());
    expect_equal_to_a_walk(store.dir.path());
  }
  // The start has made it anew.
  Store opened;
  opened.open_or_die(small_pieces(store.dir.path()));
  EXPECT_EQ(slurp(path), whole);
}

TEST(Digest, AStartRemovesThoseThatItDoesNotUse) {
  Digested made;
  const auto used = digests(made.dir.path());
  for (const std::int64_t begin : {std::int64_t{100}, made.end, 50 * kSegment})
    fs::copy(digest_path(made.dir.path(), kSegment), digest_path(made.dir.path(), begin));
  Store store;
  store.open_or_die(small_pieces(made.dir.path()));
  const auto left = digests(made.dir.path());
  EXPECT_TRUE(std::includes(left.begin(), left.end(), used.begin(), used.end()));
  for (const std::int64_t begin : {std::int64_t{100}, made.end, 50 * kSegment})
    EXPECT_FALSE(fs::exists(digest_path(made.dir.path(), begin))) << begin;
}

TEST(Digest, WhatCannotBeReadIsOneWarning) {
  Digested store;
  for (const std::int64_t begin : {std::int64_t{0}, kSegment}) {
    const std::string path = digest_path(store.dir.path(), begin);
    fs::remove(path);
    fs::create_directories(path + "/in the way");
  }
  const Opened quick = start(store.dir.path(), true);
  EXPECT_EQ(quick.error, "");
  EXPECT_EQ(quick.warnings.size(), 1u);
  expect_equal_to_a_walk(store.dir.path());
}

TEST(Digest, WhatCannotBeWrittenIsOneWarning) {
  const TempDir dir;
  std::mt19937 random(2);
  std::vector<std::string> warnings;
  Store store;
  auto options = small_pieces(dir.path());
  options.warning = [&](const std::string& text) { warnings.push_back(text); };
  store.open_or_die(options);
  std::atomic<int> tries{0};
  {
    // The log itself writes by other calls.
    const test::FileCalls calls([&](const std::string& name) {
      if (name != "half a write" && name != "write") return 0;
      ++tries;
      return ENOSPC;
    });
    grow(store, any_log(random, 2 * kSegment));
    ASSERT_TRUE(eventually([&] { return tries >= 8; }));
    EXPECT_FALSE(store.log->failed());
  }
  store.close();
  EXPECT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(digests(dir.path()).empty());
  expect_equal_to_a_walk(dir.path());
}

TEST(Digest, SpeakOfNothingThatASafeCutMayTake) {
  const TempDir dir;
  std::mt19937 random(4);
  Store store;
  store.open_or_die(small_pieces(dir.path()));
  grow(store, any_log(random, kSegment));
  const std::int64_t confirmed = store.log->bounds().confirm;
  const std::string more = any_log(random, 3 * kSegment, confirmed);
  ASSERT_FALSE(store.log->append_raw(confirmed, more));
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  store.close();
  Store again;
  again.open_or_die(small_pieces(dir.path()));
  const auto there = digests(dir.path());
  ASSERT_GE(there.size(), 3u);
  for (const std::int64_t begin : there) {
    Digest digest;
    ASSERT_TRUE(parse_digest(slurp(digest_path(dir.path(), begin)), digest));
    EXPECT_LE(digest.end, confirmed);
  }
  ASSERT_FALSE(again.log->truncate(confirmed, false));
  EXPECT_EQ(digests(dir.path()), there);
}

// Where queues stand, as of the middle of the log: records below it bring lower numbers.
TEST(Digest, CountersComeInWhereTheWalkHasThem) {
  Digested made;
  struct Stored final : QueueCounterStore {
    std::optional<QueueCounters> load(std::int64_t) override {
      QueueCounters out;
      out.min = out.end = kSegment + 2 * kPiece;
      out.next["topic-1"] = {{0, 5000}, {9, 7}};
      out.next["of old"] = {{2, 3}};
      return out;
    }
    std::optional<Error> save(const QueueCounters&) override { return std::nullopt; }
    void forget() override {}
  };
  // Counters are loaded by a log that has lost its beginning.
  std::string text[2];
  for (const bool with_digests : {false, true}) {
    const TempDir copy;
    copy_store(made.dir.path(), copy.path());
    if (!with_digests) fs::remove_all(digest_dir(copy.path()));
    Stored stored;
    Index index(&stored);
    auto options = small_pieces(copy.path());
    {
      Counted trims;
      options.retention_bytes = 3 * kSegment;
      auto opened = CommitLog::open(options, trims);
      auto& log = std::get<std::unique_ptr<CommitLog>>(opened);
      trims.index.schedule().reset();
      log->apply_retention();
      ASSERT_EQ(log->bounds().min, kSegment);
    }
    if (!with_digests) fs::remove_all(digest_dir(copy.path()));
    auto opened = CommitLog::open(options, index);
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<CommitLog>>(opened));
    EXPECT_GT(index.next_queue_offset("topic-1", 0), 5000);
    text[with_digests ? 1 : 0] = contents(index);
  }
  EXPECT_EQ(text[0], text[1]);
}

TEST(Digest, ACutTakesThoseAboveItAndTheLogGoesOnWithOthers) {
  Digested made;
  const std::string& dir = made.dir.path();
  Store store;
  store.open_or_die(small_pieces(dir));
  const std::int64_t cut = kSegment + kPiece + 500;
  ASSERT_FALSE(store.log->truncate(cut, true));
  ASSERT_FALSE(store.log->truncate(store.log->bounds().whole_end, true));
  for (const std::int64_t begin : digests(dir)) EXPECT_LT(begin, cut - kPiece + 1000);
  expect_equal_to_a_walk(dir);
  grow(store, any_log(made.random, 2 * kSegment, store.log->bounds().end));
  ASSERT_TRUE(digested_up_to(dir, 2 * kSegment));
  EXPECT_GT(start(dir, true).digested, 2 * start(dir, true).walked);
  expect_equal_to_a_walk(dir);
}

// A slave is cut and follows another master; it is killed at any step.
TEST(Digest, NoKillDuringACutLeavesOneOfBytesThatWent) {
  for (const bool reset : {false, true}) {
    Digested made;
    std::deque<TempDir> killed;  // the store at each step
    Store store;
    store.open_or_die(small_pieces(made.dir.path()));
    {
      const test::FileCalls calls([&](const std::string&) {
        copy_store(made.dir.path(), killed.emplace_back().path());
        return 0;
      });
      const auto error =
          reset ? store.log->reset(kSegment) : store.log->truncate(kPiece + 700, true);
      ASSERT_FALSE(error) << error->text;
    }
    EXPECT_GE(killed.size(), 10u);
    EXPECT_LE(digests(made.dir.path()).size(), 1u);
    for (const auto& dir : killed) {
      expect_equal_to_a_walk(dir.path());
      // The master that it follows then has the same log up to there, and other bytes above.
      Store next;
      next.open_or_die(small_pieces(dir.path()));
      ASSERT_FALSE(next.log->truncate(next.log->bounds().whole_end, true));
      const std::int64_t end = next.log->bounds().end;
      grow(next, any_log(made.random, 4 * kSegment - end % kSegment, end));
      expect_equal_to_a_walk(dir.path());
    }
  }
}

// If one comes back nevertheless (a removal that was not yet durable), its ends are compared.
TEST(Digest, OneOfOtherBytesIsNotBelieved) {
  Digested made;
  const std::string& dir = made.dir.path();
  const TempDir old;
  copy_store(dir, old.path());
  Store store;
  store.open_or_die(small_pieces(dir));
  ASSERT_FALSE(store.log->reset(0));
  std::mt19937 random(77);
  grow(store, any_log(random, 3 * kSegment + 6000));
  ASSERT_TRUE(digested_up_to(dir, 3 * kSegment));
  store.close();
  fs::remove_all(digest_dir(dir));
  fs::copy(digest_dir(old.path()), digest_dir(dir));
  ASSERT_GT(digests(dir).size(), 10u);
  EXPECT_EQ(start(dir, true).digested, 0u);
  expect_equal_to_a_walk(dir);
}

// As when somebody copies another node's log over this one's, with the same beginning.
TEST(Digest, OneOfALogThatPartsLaterIsNotBelieved) {
  const TempDir ours, theirs;
  for (const auto* dir : {&ours, &theirs}) {
    Store store;
    auto options = small_pieces(dir->path());
    options.now_ms = [] { return 1000; };
    store.open_or_die(options);
    // The first record is the same, and so is all of the bodies.
    for (int i = 0; i < 40; ++i) {
      const int queue = dir == &theirs && i > 0 ? 1 : 0;
      ASSERT_FALSE(store.put("t", std::string(700, 'x'), queue).error);
    }
    ASSERT_FALSE(store.log->flush(store.log->bounds().end));
    ASSERT_TRUE(digested_up_to(dir->path(), kPiece));
  }
  ASSERT_EQ(digests(ours.path()).front(), 0);
  fs::copy(digest_path(ours.path(), 0), digest_path(theirs.path(), 0),
           fs::copy_options::overwrite_existing);
  expect_equal_to_a_walk(theirs.path());
}

TEST(Digest, OneThatMustGoAndCannotIsAnErrorOfTheOpen) {
  Digested made;
  const std::string& dir = made.dir.path();
  const std::string stale = digest_path(dir, 50 * kSegment);
  fs::copy(digest_path(dir, kSegment), stale);
  Store store;
  std::optional<Error> error;
  {
    const test::FileCalls calls([](const std::string& name) { return name == "unlink" ? EIO : 0; });
    error = store.open(small_pieces(dir));
  }
  ASSERT_TRUE(error);
  EXPECT_NE(error->text.find(stale), std::string::npos) << error->text;
  store.open_or_die(small_pieces(dir));
  EXPECT_FALSE(fs::exists(stale));
}

// A start may have removed one and been killed before the directory was on the disk.
TEST(Digest, AStartMakesTheRemovalsOfAnEarlierOneDurable) {
  const TempDir dir;
  fs::create_directory(digest_dir(dir.path()));
  LogDigests starting(dir.path(), kSegment, kPiece, [](const std::string&) {});
  int synced = 0;
  const test::FileCalls calls([&](const std::string& name) {
    synced += name == "fsync" ? 1 : 0;
    return 0;
  });
  starting.begin_at(0);
  EXPECT_FALSE(starting.remove_rest());
  EXPECT_EQ(synced, 1);
}

TEST(Digest, RetentionTriesAgainToRemoveOne) {
  const TempDir dir;
  fs::create_directory(digest_dir(dir.path()));
  Digested made;
  Store store;
  store.open_or_die(small_pieces(made.dir.path()));
  LogDigests digests_of(made.dir.path(), kSegment, kPiece, [](const std::string&) {});
  digests_of.begin_at(0);
  const auto there = digests(made.dir.path());
  Digest out;
  for (const std::int64_t begin : there) {
    const auto segment = Segment::open(made.dir.path() + "/commitlog", begin - begin % kSegment,
                                       Segment::Access::kReadOnly);
    ASSERT_TRUE(
        digests_of.read(*std::get<std::shared_ptr<Segment>>(segment), begin, kNoLimit, out));
  }
  {
    const test::FileCalls calls([](const std::string& name) { return name == "unlink" ? EIO : 0; });
    EXPECT_TRUE(digests_of.keep(kSegment, kNoLimit));
  }
  EXPECT_EQ(digests(made.dir.path()), there);
  EXPECT_FALSE(digests_of.keep(kSegment, kNoLimit));
  EXPECT_EQ(digests(made.dir.path()).front(), kSegment);
}

TEST(Digest, RetentionTakesTheSegmentsOwn) {
  const TempDir dir;
  std::mt19937 random(6);
  Store store;
  auto options = small_pieces(dir.path());
  store.open_or_die(options);
  grow(store, any_log(random, 4 * kSegment, 0, false));
  ASSERT_TRUE(digested_up_to(dir.path(), 4 * kSegment - kPiece));
  store.close();
  options.retention_bytes = 2 * kSegment;
  store.open_or_die(options);
  store.log->apply_retention();
  ASSERT_GT(store.log->bounds().min, 0);
  EXPECT_EQ(digests(dir.path()).front(), store.log->bounds().min);
  expect_equal_to_a_walk(dir.path());
}

TEST(Digest, WithoutAMarkThatKnowsThemNoneIsBelieved) {
  Digested made;
  const std::string& dir = made.dir.path();
  const std::size_t some = start(dir, true).digested;
  ASSERT_GT(some, 0u);
  const std::string mark = slurp(dir + "/commit_mark");
  // "HAM3": whoever wrote that may have cut the log and left the digests.
  std::string older = mark;
  for (std::size_t at = 0; at < older.size(); at += older.size() / 2) {
    std::string slot = older.substr(at, 80);
    store32(slot.data(), 0x48414D33);
    store32(slot.data() + 4, add_to_sum(0, std::string_view(slot).substr(8)));
    older.replace(at, 80, slot);
  }
  ASSERT_FALSE(replace_file(dir + "/commit_mark", older));
  EXPECT_EQ(start(dir, true).digested, 0u);
  ASSERT_FALSE(replace_file(dir + "/commit_mark", mark));
  EXPECT_EQ(start(dir, true).digested, some);
  // RocketMQ had the store open.
  const std::string lock = slurp(dir + "/lock");
  ASSERT_FALSE(replace_file(dir + "/lock", "lock"));
  EXPECT_EQ(start(dir, true).digested, 0u);
  ASSERT_FALSE(replace_file(dir + "/lock", lock));
  EXPECT_EQ(start(dir, true).digested, some);
  fs::remove(dir + "/commit_mark");
  EXPECT_EQ(start(dir, true).digested, 0u);
}

TEST(Digest, VerifyReadsTheRecordsAndNoDigest) {
  Digested made;
  const std::string& dir = made.dir.path();
  patch(segment_path(dir, kSegment), kPiece / 2 + 4000, "damage");
  const Opened quick = start(dir, true);
  EXPECT_EQ(quick.error, "");
  EXPECT_GT(quick.digested, 0u);
  auto looked = verify(dir);
  ASSERT_TRUE(std::holds_alternative<VerifyReport>(looked));
  const auto& fault = std::get<VerifyReport>(looked).fault;
  ASSERT_TRUE(fault);
  EXPECT_GE(fault->offset, kSegment);
  EXPECT_LT(fault->offset, kSegment + kPiece / 2 + 4000);
}

TEST(Digest, SegmentsSmallerThanAPieceHaveNone) {
  const TempDir dir;
  Store store;
  auto options = test_options(dir.path());
  options.digest_bytes = 2 * kTestSegment;
  store.open_or_die(options);
  for (int i = 0; i < 20; ++i) store.put("t", std::string(1000, 'x'));
  ASSERT_FALSE(store.log->flush(store.log->bounds().end));
  store.close();
  store.open_or_die(options);
  EXPECT_EQ(store.index.count("t", std::nullopt), 40);  // the index was told twice
  EXPECT_FALSE(fs::exists(digest_dir(dir.path())));
}

}  // namespace
}  // namespace stub::store
