// SPDX-License-Identifier: Apache-2.0
#include "broker/queue_offsets.h"

#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <charconv>
#include <filesystem>

#include "broker/side_file.h"
#include "store/file.h"
#include "store/quoted.h"

namespace stub {
namespace {

namespace json = boost::json;

constexpr std::string_view kHex = "0123456789ABCDEF";

std::string escape(std::string_view topic) {
  std::string out;
  for (const char c : topic) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7F && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? kHex.find(text[i + 1]) : kHex.npos;
    const auto low = i + 2 < text.size() ? kHex.find(text[i + 2]) : kHex.npos;
    if (high == kHex.npos || low == kHex.npos) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return out;
}

// No log is that long, and sums of such numbers are still numbers.
constexpr std::int64_t kMost = std::int64_t{1} << 60;

// A whole number from 0 up.
bool take(const json::object& from, std::string_view name, std::int64_t& out) {
  const auto* value = from.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
      value->get_int64() > kMost)
    return false;
  out = value->get_int64();
  return true;
}

}  // namespace

std::string encode_queue_counters(const store::QueueCounters& counters) {
  json::object next;
  for (const auto& [topic, queues] : counters.next) {
    json::object numbers;
    for (const auto& [queue, number] : queues) numbers[std::to_string(queue)] = number;
    next[escape(topic)] = std::move(numbers);
  }
  return json::serialize(json::object{{"min", counters.min},
                                      {"end", counters.end},
                                      {"unknown", counters.unknown},
                                      {"next", std::move(next)}});
}

std::string parse_queue_counters(std::string_view text, store::QueueCounters& out) {
  json::error_code failed;
  const auto parsed = json::parse({text.data(), text.size()}, failed);
  if (failed || !parsed.is_object()) return "is not a JSON object";
  const auto& top = parsed.get_object();
  if (!take(top, "min", out.min)) return "has no number 'min'";
  if (!take(top, "end", out.end)) return "has no number 'end'";
  if (!take(top, "unknown", out.unknown)) return "has no number 'unknown'";
  const auto* next = top.if_contains("next");
  if (next == nullptr || !next->is_object()) return "has no object 'next'";
  for (const auto& [name, queues] : next->get_object()) {
    const auto topic = unescape({name.data(), name.size()});
    if (!topic || !queues.is_object())
      return "has no topic with queues at " + in_quotes({name.data(), name.size()});
    auto& numbers = out.next[*topic];
    for (const auto& [queue, value] : queues.get_object()) {
      std::int32_t number = 0;
      const auto end = queue.data() + queue.size();
      if (std::from_chars(queue.data(), end, number).ptr != end || queue.empty() ||
          !take(queues.get_object(), {queue.data(), queue.size()}, numbers[number]))
        return "has no queue number and offset under " + in_quotes({name.data(), name.size()});
    }
  }
  return "";
}

std::optional<store::QueueCounters> QueueOffsets::load(std::int64_t log_min) {
  constexpr const char* kWithout =
      "queues without a message in the log go on at a number that none can have reached";
  if (!std::filesystem::exists(path_)) {
    spdlog::warn("'{}' is not there, and the log has lost what lies below {}; {}", path_, log_min,
                 kWithout);
    return std::nullopt;
  }
  store::QueueCounters out;
  bool good = false;
  const auto failed = read_side_file(path_, kWithout, [&](std::string_view text) {
    std::string wrong = parse_queue_counters(text, out);
    good = wrong.empty();
    return wrong;
  });
  if (failed) spdlog::error("queue offsets: {}; {}", failed->text, kWithout);
  if (!good) return std::nullopt;
  if (out.min >= log_min) return out;
  spdlog::warn("'{}' covers the log below {}, and the log has lost what lies below {}; {}", path_,
               out.min, log_min, kWithout);
  return std::nullopt;
}

std::optional<Error> QueueOffsets::save(const store::QueueCounters& counters) {
  if (auto error = store::make_directory(directory_)) return error;
  return store::replace_file(path_, encode_queue_counters(counters));
}

void QueueOffsets::forget() {
  if (const auto error = store::remove_file(path_)) spdlog::error("queue offsets: {}", error->text);
}

}  // namespace stub
