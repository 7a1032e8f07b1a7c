// SPDX-License-Identifier: Apache-2.0
#include "metrics/names.h"

#include <array>
#include <cstddef>
#include <string_view>

#include "ha/plugin.h"
#include "metrics/ha_metrics.h"
#include "plugin_api/lists/numbers.h"

namespace ha::metrics {
namespace {

struct Word {
  std::int32_t number;
  std::array<char, 32> upper{};
  std::array<char, 32> lower{};
};

consteval Word word(std::int32_t number, std::string_view name) {
  Word word{number};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool letter = name[i] >= 'A' && name[i] <= 'Z';
    word.upper.at(i) = name[i];
    word.lower.at(i) = letter ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
  }
  return word;
}

constexpr Word kReasonWords[] = {
#define HA_ROW(name, enumerator, number, kinds) word(number, #name),
    HA_REASONS(HA_ROW)
#undef HA_ROW
};

constexpr Word kStatusWords[] = {
#define HA_ROW(name, enumerator, number) word(number, #name),
    HA_STATUSES(HA_ROW)
#undef HA_ROW
};

#define HA_ROW(name, enumerator, number, kinds) static_assert(HA_REASON_##name == (number));
HA_REASONS(HA_ROW)
#undef HA_ROW
#define HA_ROW(name, enumerator, number) static_assert(HA_##name == (number));
HA_STATUSES(HA_ROW)
#undef HA_ROW

consteval bool count_from_0() {
  for (std::size_t i = 0; i < kReasonSlots; ++i) {
    if (kReasonWords[i].number != static_cast<std::int32_t>(i)) return false;
  }
  return true;
}
static_assert(count_from_0() && std::size(kReasonWords) == kReasonSlots);

const Word* find_status(std::int32_t status) {
  for (const Word& word : kStatusWords) {
    if (word.number == status) return &word;
  }
  return nullptr;
}

}  // namespace

const char* reason_name(std::int32_t reason) noexcept {
  if (reason < 0 || reason >= static_cast<std::int32_t>(kReasonSlots)) return "unknown";
  return kReasonWords[reason].lower.data();
}

const char* event_name(std::int32_t event) noexcept {
  switch (event) {
    case HA_REPLICA_JOINED:
      return "joined";
    case HA_REPLICA_CAUGHT_UP:
      return "caught_up";
    case HA_REPLICA_LEFT:
      return "left";
    case HA_REPLICA_REFUSED:
      return "refused";
    case HA_REPLICA_IN_SYNC:
      return "in_sync";
    case HA_REPLICA_OUT_OF_SYNC:
      return "out_of_sync";
    default:
      return "unknown";
  }
}

const char* state_name(std::int32_t state) noexcept {
  switch (state) {
    case HA_STATE_READY:
      return "ready";
    case HA_STATE_HANDSHAKE:
      return "handshake";
    case HA_STATE_TRANSFER:
      return "transfer";
    case HA_STATE_SUSPEND:
      return "suspend";
    case HA_STATE_SHUTDOWN:
      return "shutdown";
    default:
      return "unknown";
  }
}

const char* role_name(std::int32_t role) noexcept {
  switch (role) {
    case HA_ROLE_NONE:
      return "none";
    case HA_ROLE_MASTER:
      return "master";
    case HA_ROLE_SLAVE:
      return "slave";
    default:
      return "unknown";
  }
}

const char* status_name(std::int32_t status) noexcept {
  const Word* found = find_status(status);
  return found == nullptr ? "UNKNOWN" : found->upper.data();
}

const char* status_label(std::int32_t status) noexcept {
  const Word* found = find_status(status);
  return found == nullptr ? "unknown" : found->lower.data();
}

}  // namespace ha::metrics
