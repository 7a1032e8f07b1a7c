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

std::size_t text_bytes(const std::string& topic, const std::string& group,
                       const std::map<int, std::int64_t>& queues) {
  std::size_t bytes = topic.size() + group.size() + std::string_view(R"(,"@":{})").size();
  for (const auto& [queue, next] : queues)
    bytes += std::to_string(queue).size() + kOffsetBytes + std::string_view(R"(,"":)").size();
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
  auto failed = read_side_file(out->path_, "every consumer group starts again",
                               [&](std::string_view text) { return out->take_file(text); });
  if (failed) return std::move(*failed);
  return out;
}

std::string GroupOffsets::take_file(std::string_view text) {
  Parsed parsed = parse(text);
  if (!parsed.wrong.empty()) return parsed.wrong;
  if (!parsed.dropped.empty()) spdlog::warn("'{}': {}", path_, parsed.dropped);
  table_ = std::move(parsed.table);
  pending_ = std::move(parsed.pending);
  // The file of another broker may name what its table does not have.
  for (const auto& [pair, queues] : pending_) {
    for (const auto& [queue, next] : queues) table_[pair].try_emplace(queue, next);
  }
  return "";
}

GroupOffsets::~GroupOffsets() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (saver_.joinable()) saver_.join();
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
  const auto* pending = parsed.get_object().if_contains("pendingOffsets");
  if (pending != nullptr && pending->is_object())
    out.pending = table_of(pending->get_object(), drops);
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
  table_ = std::move(parsed.table);
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
  std::int64_t bytes = size_of(table_).bytes;
  for (const auto& [pair, queues] : parsed.table) {
    for (const auto& [queue, next] : queues) {
      const std::string why = merge_locked(pair, queue, next, pending, bytes, any);
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

// "" or why not. bytes: of the table, at most. any: set when the table has changed.
std::string GroupOffsets::merge_locked(const Pair& pair, int queue, std::int64_t next, bool pending,
                                       std::int64_t& bytes, bool& any) {
  if (const std::int64_t last = end_(pair.topic, queue); next > last)
    return "is beyond the end, " + std::to_string(last);
  const auto entry = table_.find(pair);
  const bool known = entry != table_.end() && entry->second.contains(queue);
  if (known && entry->second.at(queue) >= next) return "";
  if (!known) {
    // Counted as a pair of its own: too much rather than too little, and without a look at all.
    const auto more =
        static_cast<std::int64_t>(text_bytes(pair.topic, pair.group, {{queue, next}}));
    if (entry == table_.end() && table_.size() >= kMaxGroupEntries) return "finds the table full";
    if (bytes + more > kMaxGroupBytes) return "finds the table full";
    bytes += more;
  }
  table_[pair][queue] = next;
  if (pending) pending_[pair][queue] = next;
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
    const std::lock_guard file_lock(file_mutex_);
    std::string text;
    bool keep_old = false;
    {
      const std::lock_guard lock(mutex_);
      unsaved_ = false;
      keep_old = std::exchange(keep_old_, false);
      text = encode(table_, pending_);
    }
    if (keep_old) {
      const auto kept = store::move_aside(path_, "replaced");
      if (const auto* failed = std::get_if<Error>(&kept))
        spdlog::error("consumer offsets: {}", failed->text);
      else
        spdlog::warn("consumer offsets: the master has none; those of before are in '{}'",
                     std::get<std::string>(kept));
    }
    const auto error = store::replace_file(path_, text);
    if (!error) continue;
    spdlog::error("consumer offsets: {}", error->text);
    std::unique_lock lock(mutex_);
    unsaved_ = true;
    if (changed_.wait_for(lock, kRetryPause, [this] { return stopping_; })) return;
  }
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
  Table changed;
  Table changed_pending;
  {
    const std::lock_guard lock(mutex_);
    changed = table_;
    changed_pending = pending_;
  }
  const bool grows = !changed.contains(pair) || !changed[pair].contains(queue);
  changed[pair][queue] = next;
  if (pending) changed_pending[pair][queue] = next;
  if (grows) {
    if (auto refused = check_growth(changed)) return std::move(*refused);
  }
  if (auto error = store::replace_file(path_, encode(changed, changed_pending)))
    return std::move(*error);
  const std::lock_guard lock(mutex_);
  table_[pair][queue] = next;  // the table may have been replaced meanwhile
  if (pending) pending_[pair][queue] = next;
  version_.fetch_add(1, std::memory_order_release);
  return std::monostate{};
}

GroupOffsets::Size GroupOffsets::size_of(const Table& table) {
  std::size_t bytes = std::string_view(R"({"offsetTable":{}})").size();
  for (const auto& [pair, queues] : table) bytes += text_bytes(pair.topic, pair.group, queues);
  return {static_cast<std::int64_t>(table.size()), 0, static_cast<std::int64_t>(bytes)};
}

GroupOffsets::Size GroupOffsets::size() const {
  const std::lock_guard lock(mutex_);
  Size out = size_of(table_);
  for (const auto& [pair, queues] : pending_)
    out.pending += static_cast<std::int64_t>(queues.size());
  return out;
}

std::optional<Error> GroupOffsets::check_growth(const Table& grown) {
  const Size size = size_of(grown);
  std::string what;
  if (grown.size() > kMaxGroupEntries)
    what = std::to_string(kMaxGroupEntries) + " pairs of topic and group";
  else if (size.bytes > kMaxGroupBytes)
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
  const auto from = [&](Table& table) {
    std::int64_t removed = 0;
    std::erase_if(table, [&](const auto& entry) {
      const auto& [pair, queues] = entry;
      const bool goes = pair.group == group && (!topic || pair.topic == *topic);
      if (goes) removed += static_cast<std::int64_t>(queues.size());
      return goes;
    });
    return removed;
  };
  Table changed;
  Table changed_pending;
  {
    const std::lock_guard lock(mutex_);
    changed = table_;
    changed_pending = pending_;
  }
  const std::int64_t removed = from(changed);
  from(changed_pending);
  if (removed == 0) return removed;
  if (auto error = store::replace_file(path_, encode(changed, changed_pending)))
    return std::move(*error);
  const std::lock_guard lock(mutex_);
  from(table_);
  from(pending_);
  version_.fetch_add(1, std::memory_order_release);
  return removed;
}

std::string GroupOffsets::encode(const Table& table, const Table& pending) {
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
  return json::serialize(out);
}

}  // namespace stub
