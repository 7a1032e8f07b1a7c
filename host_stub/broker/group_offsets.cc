// SPDX-License-Identifier: Apache-2.0
#include "broker/group_offsets.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <utility>

#include "broker/names.h"
#include "broker/side_file.h"
#include "ha/plugin.h"
#include "store/file.h"
#include "store/quoted.h"

namespace stub {
namespace {

namespace json = boost::json;

// After a file could not be written.
constexpr std::chrono::seconds kRetryPause{5};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// {0:12} -> {"0":12}: fastjson writes integer keys as they are, which is no JSON.
std::string quote_number_keys(std::string_view text) {
  std::string out;
  bool in_string = false;
  char before = '\0';  // the last character that is no white space
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < text.size())
        out += text[++i];
      else if (c == '"')
        in_string = false;
      continue;
    }
    if (is_digit(c) && (before == '{' || before == ',')) {
      std::size_t end = i;
      while (end < text.size() && is_digit(text[end])) ++end;
      std::size_t after = end;
      while (after < text.size() && (text[after] == ' ' || text[after] == '\n')) ++after;
      const bool key = after < text.size() && text[after] == ':';
      if (key) out += '"';
      out += text.substr(i, end - i);
      if (key) out += '"';
      i = end - 1;
    } else {
      in_string = c == '"';
      out += c;
    }
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') before = c;
  }
  return out;
}

// An offset counts with the most digits that it can have: an update never grows the table.
constexpr std::size_t kOffsetBytes = 19;

constexpr std::int64_t kEmptyBytes = std::string_view(R"({"offsetTable":{}})").size();

std::int64_t queue_bytes(int queue) {
  return static_cast<std::int64_t>(std::to_string(queue).size() + kOffsetBytes +
                                   std::string_view(R"(,"":)").size());
}

std::int64_t pair_bytes(const std::string& topic, const std::string& group) {
  return static_cast<std::int64_t>(topic.size() + group.size() +
                                   std::string_view(R"(,"@":{})").size());
}

std::int64_t text_bytes(const std::string& topic, const std::string& group,
                        const std::map<int, std::int64_t>& queues) {
  std::int64_t bytes = pair_bytes(topic, group);
  for (const auto& [queue, next] : queues) bytes += queue_bytes(queue);
  return bytes;
}

}  // namespace

// What of a table is left out, and why: how many, and the first in words.
struct GroupOffsets::Drops {
  std::size_t count = 0;
  std::string first;

  void add(std::string why) {
    if (++count == 1) first = std::move(why);
  }
  std::string text() const {
    if (count == 0) return "";
    return "left out " + std::to_string(count) +
           (count == 1 ? " entry: " : " entries, the first: ") + first;
  }
};

Result<std::unique_ptr<GroupOffsets>> GroupOffsets::open(const std::string& store_dir,
                                                         QueueEnd end) {
  const std::string directory = store_dir + "/config";
  if (auto error = store::make_directory(directory)) return std::move(*error);
  std::unique_ptr<GroupOffsets> out(
      new GroupOffsets(directory + "/consumerOffset.json", std::move(end)));
  auto failed = out->file_.read(
      "every consumer group starts again",
      [&](std::string_view text) { return out->take_file(text); },
      "the commits in it do not count, so their groups read some messages again",
      [&](std::string_view text) { return out->take_change(text); });
  if (failed) return std::move(*failed);
  return out;
}

GroupOffsets::GroupOffsets(std::string path, QueueEnd end)
    : end_(std::move(end)), file_(std::move(path)), bytes_(kEmptyBytes) {}

std::string GroupOffsets::take_file(std::string_view text) {
  Parsed parsed = parse(text);
  if (!parsed.wrong.empty()) return parsed.wrong;
  if (!parsed.dropped.empty()) spdlog::warn("'{}': {}", file_.path(), parsed.dropped);
  set_table_locked(std::move(parsed.table));
  pending_ = std::move(parsed.pending);
  // The file of another broker may name what its table does not have.
  for (const auto& [pair, queues] : pending_) {
    for (const auto& [queue, next] : queues) {
      if (growth_locked(pair, queue) > 0) put_locked(pair, queue, next, false);
    }
  }
  return "";
}

// A line of the journal: what it says was checked before it was written.
std::string GroupOffsets::take_change(std::string_view text) {
  const Parsed change = parse(text);
  if (!change.wrong.empty()) return change.wrong;
  if (!change.dropped.empty()) return change.dropped;
  for (const auto& [pair, queues] : change.table) {
    for (const auto& [queue, next] : queues)
      put_locked(pair, queue, next, change.pending.contains(pair));
  }
  erase_locked(change.removed);
  return "";
}

GroupOffsets::~GroupOffsets() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (saver_.joinable()) saver_.join();
  const std::lock_guard file_lock(file_mutex_);
  if (!file_.has_journal()) return;
  if (const auto error = write_all()) spdlog::error("consumer offsets: {}", error->text);
}

GroupOffsets::Parsed GroupOffsets::parse(std::string_view text) {
  Parsed out;
  json::error_code failed;
  const auto parsed = json::parse(quote_number_keys(text), failed);
  if (failed || !parsed.is_object()) {
    out.wrong = "is not a JSON object" + (failed ? ": " + failed.message() : "");
    return out;
  }
  const auto* table = parsed.get_object().if_contains("offsetTable");
  if (table == nullptr || !table->is_object()) {
    out.wrong = "has no object 'offsetTable'";
    return out;
  }
  Drops drops;
  out.table = table_of(table->get_object(), drops);
  const auto other_table = [&](const char* name) {
    const auto* other = parsed.get_object().if_contains(name);
    return other != nullptr && other->is_object() ? table_of(other->get_object(), drops) : Table();
  };
  out.pending = other_table("pendingOffsets");
  out.removed = other_table("removedOffsets");
  out.dropped = drops.text();
  return out;
}

GroupOffsets::Table GroupOffsets::table_of(const boost::json::object& offsets, Drops& drops) {
  Table out;
  for (const auto& [name, queues] : offsets) {
    const std::size_t at = std::min(name.find('@'), name.size());
    Pair pair{name.substr(0, at), name.substr(std::min(at + 1, name.size()))};
    auto wrong = check_topic_name(pair.topic);
    if (!wrong) wrong = check_group_name(pair.group);
    if (!wrong && !queues.is_object())
      wrong = make_error(HA_INVALID, in_quotes(name) + " is not an object of queues");
    if (wrong) {
      drops.add(wrong->text);
      continue;
    }
    for (const auto& [queue, next] : queues.get_object()) {
      int number = -1;
      const auto* end = queue.data() + queue.size();
      const bool good = std::from_chars(queue.data(), end, number).ptr == end && number >= 0 &&
                        next.is_int64() && next.get_int64() >= 0;
      if (good)
        out[pair][number] = next.get_int64();
      else
        drops.add(in_quotes(name) + ", queue " + in_quotes(queue) + ": " +
                  in_quotes(serialize(next)) +
                  " is not an offset of a queue, or that is not a queue");
    }
  }
  return out;
}

std::string GroupOffsets::text() const {
  const std::lock_guard lock(mutex_);
  return encode(table_);
}

std::optional<Error> GroupOffsets::replace(std::string_view text) {
  Parsed parsed = parse(text);
  if (!parsed.wrong.empty())
    return make_error(HA_CORRUPT, "the other node's table of offsets " + parsed.wrong);
  const std::lock_guard lock(mutex_);
  // It may come every second: what is dropped each time is said once.
  if (parsed.dropped != std::exchange(dropped_, parsed.dropped) && !parsed.dropped.empty())
    spdlog::warn("the other node's table of offsets: {}", parsed.dropped);
  Table still_pending;
  for (const auto& [pair, queues] : pending_) {
    for (const auto& [queue, next] : queues) {
      std::int64_t& theirs = parsed.table[pair].try_emplace(queue, -1).first->second;
      if (theirs >= next) continue;
      theirs = next;
      still_pending[pair][queue] = next;
    }
  }
  if (still_pending == pending_ && parsed.table == table_) return std::nullopt;
  // A master whose own file was damaged starts from nothing: what stands here may be the last copy.
  if (parsed.table.empty() && !table_.empty()) keep_old_ = true;
  set_table_locked(std::move(parsed.table));
  pending_ = std::move(still_pending);
  changed_locked();
  return std::nullopt;
}

std::string GroupOffsets::pending_text() const {
  const std::lock_guard lock(mutex_);
  return pending_.empty() ? std::string() : encode(pending_);
}

std::optional<Error> GroupOffsets::merge(std::string_view text, bool pending) {
  const Parsed parsed = parse(text);
  if (!parsed.wrong.empty())
    return make_error(HA_CORRUPT, "a slave's table of offsets " + parsed.wrong);
  Drops refused;
  if (!parsed.dropped.empty()) refused.add(parsed.dropped);
  bool any = false;
  const std::lock_guard lock(mutex_);
  for (const auto& [pair, queues] : parsed.table) {
    for (const auto& [queue, next] : queues) {
      const std::string why = merge_locked(pair, queue, next, pending, any);
      if (!why.empty())
        refused.add("group '" + pair.group + "' topic '" + pair.topic + "' queue " +
                    std::to_string(queue) + ": offset " + std::to_string(next) + " " + why);
    }
  }
  // It comes again and again: what is refused each time is said once.
  const std::string words = refused.text();
  if (words != std::exchange(refused_, words) && !words.empty())
    spdlog::warn("a slave's offsets: {}", words);
  if (any) changed_locked();
  return std::nullopt;
}

// "" or why not. any: set when the table has changed.
std::string GroupOffsets::merge_locked(const Pair& pair, int queue, std::int64_t next, bool pending,
                                       bool& any) {
  if (const std::int64_t last = end_(pair.topic, queue); next > last)
    return "is beyond the end, " + std::to_string(last);
  if (growth_locked(pair, queue) == 0) {
    if (table_.at(pair).at(queue) >= next) return "";
  } else if (check_growth_locked(pair, queue)) {
    return "finds the table full";
  }
  put_locked(pair, queue, next, pending);
  any = true;
  return "";
}

void GroupOffsets::take_over() {
  const std::lock_guard lock(mutex_);
  if (pending_.empty()) return;
  spdlog::info("consumer offsets: this node is master now, and keeps what it took in as a slave");
  pending_.clear();
  changed_locked();
}

void GroupOffsets::limit() {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (auto& [pair, queues] : table_) {
    for (auto& [queue, next] : queues) {
      const std::int64_t last = end_(pair.topic, queue);
      if (next <= last) continue;
      spdlog::info("group '{}' topic '{}' queue {}: its offset {} is beyond this log's end, {}",
                   pair.group, pair.topic, queue, next, last);
      next = last;
      any = true;
    }
  }
  if (!any) return;
  for (auto& [pair, queues] : pending_) {
    for (auto& [queue, next] : queues) next = std::min(next, table_[pair][queue]);
  }
  changed_locked();
}

void GroupOffsets::changed_locked() {
  version_.fetch_add(1, std::memory_order_release);
  unsaved_ = true;
  if (!saver_.joinable()) saver_ = std::thread([this] { run(); });
  changed_.notify_all();
}

void GroupOffsets::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || unsaved_; });
      if (!unsaved_) return;
    }
    std::optional<Error> error;
    {
      const std::lock_guard file_lock(file_mutex_);
      error = write_all();
    }
    if (!error) continue;
    spdlog::error("consumer offsets: {}", error->text);
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kRetryPause, [this] { return stopping_; })) return;
  }
}

std::optional<Error> GroupOffsets::write_all() {
  std::string text;
  bool keep_old = false;
  bool unsaved = false;
  {
    const std::lock_guard lock(mutex_);
    unsaved = std::exchange(unsaved_, false);
    keep_old = std::exchange(keep_old_, false);
    text = encode(table_, pending_);
  }
  if (keep_old) {
    const auto kept = file_.set_aside("replaced");
    if (const auto* failed = std::get_if<Error>(&kept))
      spdlog::error("consumer offsets: {}", failed->text);
    else
      spdlog::warn("consumer offsets: the master has none; those of before are in '{}'",
                   std::get<std::string>(kept));
  }
  auto error = file_.replace(text);
  if (error && unsaved) {
    const std::lock_guard lock(mutex_);
    unsaved_ = true;
    changed_.notify_all();
  }
  return error;
}

std::optional<Error> GroupOffsets::write_change(const std::string& change) {
  if (file_.due()) {
    if (auto error = write_all()) return error;
  }
  return file_.append(change);
}

void GroupOffsets::set_table_locked(Table table) {
  table_ = std::move(table);
  bytes_ = kEmptyBytes;
  for (const auto& [pair, queues] : table_) bytes_ += text_bytes(pair.topic, pair.group, queues);
}

void GroupOffsets::put_locked(const Pair& pair, int queue, std::int64_t next, bool pending) {
  bytes_ += growth_locked(pair, queue);
  table_[pair][queue] = next;
  if (pending) pending_[pair][queue] = next;
}

void GroupOffsets::erase_locked(const Table& removed) {
  for (const auto& [pair, queues] : removed) {
    const auto entry = table_.find(pair);
    if (entry == table_.end()) continue;
    bytes_ -= text_bytes(pair.topic, pair.group, entry->second);
    table_.erase(entry);
    pending_.erase(pair);
  }
}

// How many bytes of text() that offset adds; 0: it is there.
std::int64_t GroupOffsets::growth_locked(const Pair& pair, int queue) const {
  const auto entry = table_.find(pair);
  if (entry == table_.end()) return pair_bytes(pair.topic, pair.group) + queue_bytes(queue);
  return entry->second.contains(queue) ? 0 : queue_bytes(queue);
}

std::int64_t GroupOffsets::get(const std::string& group, const std::string& topic,
                               int queue) const {
  const std::lock_guard lock(mutex_);
  const auto entry = table_.find({topic, group});
  if (entry == table_.end()) return -1;
  const auto found = entry->second.find(queue);
  return found == entry->second.end() ? -1 : found->second;
}

Result<std::monostate> GroupOffsets::set(const std::string& group, const std::string& topic,
                                         int queue, std::int64_t next, bool pending) {
  const std::lock_guard file_lock(file_mutex_);
  const Pair pair{topic, group};
  {
    const std::lock_guard lock(mutex_);
    if (auto refused = check_growth_locked(pair, queue)) return std::move(*refused);
  }
  const Table change{{pair, {{queue, next}}}};
  if (auto error = write_change(encode(change, pending ? change : Table())))
    return std::move(*error);
  const std::lock_guard lock(mutex_);
  put_locked(pair, queue, next, pending);  // the table may have been replaced meanwhile
  version_.fetch_add(1, std::memory_order_release);
  return std::monostate{};
}

GroupOffsets::Size GroupOffsets::size() const {
  const std::lock_guard lock(mutex_);
  Size out{static_cast<std::int64_t>(table_.size()), 0, bytes_};
  for (const auto& [pair, queues] : pending_)
    out.pending += static_cast<std::int64_t>(queues.size());
  return out;
}

std::optional<Error> GroupOffsets::check_growth_locked(const Pair& pair, int queue) const {
  const std::int64_t more = growth_locked(pair, queue);
  if (more == 0) return std::nullopt;
  std::string what;
  if (table_.size() + (table_.contains(pair) ? 0 : 1) > kMaxGroupEntries)
    what = std::to_string(kMaxGroupEntries) + " pairs of topic and group";
  else if (bytes_ + more > kMaxGroupBytes)
    what = std::to_string(kMaxGroupBytes) +
           " bytes of consumer groups' offsets, more than which "
           "would not be replicated";
  else
    return std::nullopt;
  return make_error(HA_AGAIN, "this would be more than " + what +
                                  "; delete groups that nobody uses: DELETE /v1/groups/GROUP");
}

Result<std::int64_t> GroupOffsets::remove(const std::string& group,
                                          const std::optional<std::string>& topic) {
  const std::lock_guard file_lock(file_mutex_);
  Table removed;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = topic ? table_.find({*topic, group}) : table_.begin(); at != table_.end();
         ++at) {
      if (at->first.group == group) removed.insert(*at);
      if (topic) break;
    }
  }
  if (removed.empty()) return 0;
  if (auto error = write_change(encode({}, {}, removed))) return std::move(*error);
  const std::lock_guard lock(mutex_);
  erase_locked(removed);
  version_.fetch_add(1, std::memory_order_release);
  std::int64_t offsets = 0;
  for (const auto& [pair, queues] : removed) offsets += static_cast<std::int64_t>(queues.size());
  return offsets;
}

std::string GroupOffsets::encode(const Table& table, const Table& pending, const Table& removed) {
  const auto object_of = [](const Table& from) {
    json::object offsets;
    for (const auto& [pair, queues] : from) {
      json::object object;
      for (const auto& [queue, next] : queues) object[std::to_string(queue)] = next;
      offsets[pair.topic + "@" + pair.group] = std::move(object);
    }
    return offsets;
  };
  json::object out{{"offsetTable", object_of(table)}};
  if (!pending.empty()) out["pendingOffsets"] = object_of(pending);
  if (!removed.empty()) out["removedOffsets"] = object_of(removed);
  return json::serialize(out);
}

}  // namespace stub
