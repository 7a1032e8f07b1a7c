// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/log_hash.h"

#include <algorithm>
#include <span>
#include <vector>

#include "ha_plugin/wire/native.h"

namespace ha {

using core::Offset;

namespace {

constexpr std::int64_t kReadBytes = 64 * 1024;

}  // namespace

std::optional<std::uint64_t> hash_log(const Host& host, Offset begin, Offset end) {
  wire::native::Hasher hasher;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min(end - begin, kReadBytes)));
  for (Offset at = begin; at < end;) {
    const std::int64_t want = std::min(end - at, kReadBytes);
    std::int64_t got = 0;
    const core::Status status = host.read(at, piece.data(), want, got);
    if (status != core::Status::kOk || got < 1 || got > want) return std::nullopt;
    hasher.add(std::span(piece).first(static_cast<std::size_t>(got)));
    at = at + got;
  }
  return hasher.value();
}

}  // namespace ha
