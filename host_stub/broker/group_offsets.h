// How far each consumer group has read: DIR/config/consumerOffset.json, in RocketMQ's shape
// {"offsetTable":{"topic@group":{"0":12}}}. RocketMQ writes the queue numbers without quotes; both
// are read. The file is replaced as a whole at every change: it is small, and a commit is rare
// beside a read.
//
// Threads: any; one mutex, held while the file is written.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include "store/error.h"

namespace stub {

// topic@group pairs kept. The file is rewritten as a whole, so it must stay small.
inline constexpr std::size_t kMaxGroupEntries = 10'000;

class GroupOffsets {
 public:
  static Result<std::unique_ptr<GroupOffsets>> open(const std::string& store_dir);

  std::int64_t get(const std::string& group, const std::string& topic,
                   int queue) const;  // -1: none
  Result<std::monostate> set(const std::string& group, const std::string& topic, int queue,
                             std::int64_t next);

 private:
  using Table = std::map<std::string, std::map<int, std::int64_t>>;
  explicit GroupOffsets(std::string path) : path_(std::move(path)) {}
  static std::string encode(const Table& table);

  const std::string path_;
  mutable std::mutex mutex_;
  Table table_;
};

}  // namespace stub
