// SPDX-License-Identifier: Apache-2.0
#include "digest_fixture.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

namespace stub::store {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

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

std::string any_log(std::mt19937& random, std::int64_t bytes, std::int64_t from, bool scheduled) {
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

}  // namespace stub::store
