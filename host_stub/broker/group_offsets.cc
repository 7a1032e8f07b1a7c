#include "broker/group_offsets.h"

#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "ha/plugin.h"
#include "store/file.h"

namespace stub {
namespace {

namespace json = boost::json;

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

}  // namespace

Result<std::unique_ptr<GroupOffsets>> GroupOffsets::open(const std::string& store_dir) {
  const std::string directory = store_dir + "/config";
  if (auto error = store::make_directory(directory)) return std::move(*error);
  std::unique_ptr<GroupOffsets> out(new GroupOffsets(directory + "/consumerOffset.json"));
  auto file = store::read_file(out->path_);
  if (auto* error = std::get_if<Error>(&file)) {
    if (error->os_errno == ENOENT) return out;
    return std::move(*error);
  }
  const auto broken = [&](const std::string& what) {
    return make_error(HA_CORRUPT,
                      "'" + out->path_ + "' " + what +
                          "; mend the file, or remove it to let every group start anew");
  };
  json::error_code failed;
  const auto parsed = json::parse(quote_number_keys(std::get<std::string>(file)), failed);
  if (failed || !parsed.is_object()) return broken("is no JSON object: " + failed.message());
  const auto* table = parsed.get_object().if_contains("offsetTable");
  if (table == nullptr || !table->is_object()) return broken("has no object 'offsetTable'");
  for (const auto& [name, queues] : table->get_object()) {
    if (!queues.is_object()) return broken("has no queues under '" + std::string(name) + "'");
    for (const auto& [queue, next] : queues.get_object()) {
      int number = 0;
      const auto end = queue.data() + queue.size();
      if (std::from_chars(queue.data(), end, number).ptr != end || !next.is_int64())
        return broken("has no queue number and offset under '" + std::string(name) + "'");
      out->table_[name][number] = next.get_int64();
    }
  }
  return out;
}

std::int64_t GroupOffsets::get(const std::string& group, const std::string& topic,
                               int queue) const {
  const std::lock_guard lock(mutex_);
  const auto entry = table_.find(topic + "@" + group);
  if (entry == table_.end()) return -1;
  const auto found = entry->second.find(queue);
  return found == entry->second.end() ? -1 : found->second;
}

Result<std::monostate> GroupOffsets::set(const std::string& group, const std::string& topic,
                                         int queue, std::int64_t next) {
  if (next < 0)
    return make_error(HA_INVALID,
                      "group offset " + std::to_string(next) + ": must not be negative");
  const std::lock_guard lock(mutex_);
  Table changed = table_;
  changed[topic + "@" + group][queue] = next;
  if (changed.size() > kMaxGroupEntries)
    return make_error(HA_AGAIN, "'" + path_ + "' holds " + std::to_string(kMaxGroupEntries) +
                                    " pairs of topic and group, the most it may; remove old ones "
                                    "from the file while the broker is down");
  if (auto error = store::replace_file(path_, encode(changed))) return std::move(*error);
  table_ = std::move(changed);
  return std::monostate{};
}

std::string GroupOffsets::encode(const Table& table) {
  json::object offsets;
  for (const auto& [name, queues] : table) {
    json::object object;
    for (const auto& [queue, next] : queues) object[std::to_string(queue)] = next;
    offsets[name] = std::move(object);
  }
  return json::serialize(json::object{{"offsetTable", std::move(offsets)}});
}

}  // namespace stub
