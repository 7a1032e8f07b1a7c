// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/disk.h"

#include <algorithm>

namespace ha::sim {

Bytes make_record(std::uint32_t number, std::int64_t size) {
  Bytes record(static_cast<std::size_t>(size));
  record[0] = static_cast<std::byte>(size >> 8);
  record[1] = static_cast<std::byte>(size & 0xFF);
  for (std::size_t i = 0; i < 4; ++i) record[2 + i] = static_cast<std::byte>(number >> (8 * i));
  for (std::size_t i = 6; i < record.size(); ++i) {
    record[i] = static_cast<std::byte>((number * 2654435761U + i * 40503U) >> 9);
  }
  return record;
}

std::span<const std::byte> Disk::bytes(Offset begin, Offset end) const {
  return std::span(bytes_).subspan(static_cast<std::size_t>(begin.bytes()),
                                   static_cast<std::size_t>(end - begin));
}

Offset Disk::whole_end(Offset below) const {
  return whole_end(std::max(log_.segment_start(below), log_.min), below);
}

Offset Disk::whole_end(Offset from, Offset below) const {
  std::int64_t at = from.bytes();
  const std::int64_t end = below.bytes();
  while (at + 2 <= end) {
    const auto i = static_cast<std::size_t>(at);
    const std::int64_t size =
        (static_cast<std::int64_t>(bytes_[i]) << 8) | static_cast<std::int64_t>(bytes_[i + 1]);
    if (size < kLeastRecord || at + size > end) break;
    at += size;
  }
  return Offset(at);
}

void Disk::append(std::span<const std::byte> bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  log_.end = log_.end + static_cast<std::int64_t>(bytes.size());
}

void Disk::cut(Offset end) {
  bytes_.resize(static_cast<std::size_t>(end.bytes()));
  log_.end = end;
  log_.durable = std::min(log_.durable, end);
  shown_ = std::min(shown_, end);
}

void Disk::restart_at(Offset offset) {
  bytes_.assign(static_cast<std::size_t>(offset.bytes()), std::byte{0});
  log_.min = log_.end = log_.durable = shown_ = offset;
}

void Disk::delete_below(Offset min) {
  log_.min = std::max(log_.min, min);
  shown_ = std::max(shown_, log_.min);
}

void Disk::lose_power(Offset end) {
  bytes_.resize(static_cast<std::size_t>(end.bytes()));
  log_.end = end;
  shown_ = std::min(shown_, end);
}

}  // namespace ha::sim
