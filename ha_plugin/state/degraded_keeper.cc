// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/degraded_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "ha_plugin/base/clock.h"

namespace ha {

namespace json = boost::json;
using core::DegradedRange;
using core::Offset;

namespace {

constexpr std::int64_t kDegradedFormat = 1;
constexpr const char* kDegradedFile = "ha_degraded.json";

// Each try blocks the I/O thread for a disk that says no.
constexpr auto kPause = std::chrono::seconds(1);

}  // namespace

DegradedKeeper::DegradedKeeper(const Host& host, const Settings& settings,
                               metrics::HaMetrics& metrics)
    : host_(host), settings_(settings), metrics_(metrics), store_(settings.state_dir, &host) {}

std::string DegradedKeeper::load(Offset log_end) {
  if (settings_.state_dir.empty()) return "";
  std::string content;
  if (std::string failed = store_.load(kDegradedFile, content); !failed.empty()) return failed;
  if (content.empty()) return "";
  DegradedState state;
  if (const std::string wrong = parse_degraded(content, state); !wrong.empty()) {
    return fmt::format("'{}' is damaged: {}", store_.path(kDegradedFile), wrong);
  }
  journal_ = core::DegradedJournal(state.ranges, log_end, state.told, net::unix_now_ms());
  if (journal_.ranges() != state.ranges) {
    host_.log(HA_LOG_ERROR, fmt::format("lost: this node had acknowledged, with too few copies, up "
                                        "to at most {}; its log ends at {}",
                                        last_lost()->to.bytes(), log_end.bytes()));
    save(journal_);
  }
  publish();
  return "";
}

bool DegradedKeeper::allow(Offset held, Offset end, core::Time now) {
  if (!unsaved_ && journal_.covers(held, end)) return true;
  const bool begins = !open();
  if (!commit(journal_.extended(held, end, net::unix_now_ms()), now)) return false;
  if (begins) {
    host_.log(
        HA_LOG_ERROR,
        fmt::format("degraded: copies are missing, and waits are answered anyway from {} on "
                    "(option 'missing_copies': 'degrade'); what is acknowledged is kept in {}",
                    journal_.open()->from.bytes(), store_.path(kDegradedFile)));
  }
  return true;
}

void DegradedKeeper::look(Offset reached, bool keep_up, core::Time now) {
  auto next =
      journal_.healed(reached, keep_up, now, std::chrono::milliseconds(settings_.degraded_hold_ms),
                      net::unix_now_ms());
  if (next && commit(std::move(*next), now)) say_healed();
}

void DegradedKeeper::retry(core::Time now) {
  if (unsaved_) commit(journal_, now);
}

void DegradedKeeper::say_healed() const {
  host_.warn("degraded no more: what was acknowledged below policy is held by enough nodes");
}

std::optional<DegradedRange> DegradedKeeper::to_tell() const {
  return open() ? std::optional(*journal_.open()) : std::nullopt;
}

void DegradedKeeper::heard(const std::optional<DegradedRange>& told) {
  adopt(journal_.heard(told));
}

void DegradedKeeper::confirmed(Offset confirm) {
  auto next = journal_.confirmed(confirm, net::unix_now_ms());
  if (!next) return;
  adopt(std::move(*next));
  say_healed();
}

bool DegradedKeeper::cut(Offset new_end) {
  const auto lost_before = last_lost();
  adopt(journal_.cut(new_end, net::unix_now_ms()));
  const auto lost = last_lost();
  if (lost == lost_before) return !unsaved_;
  host_.log(HA_LOG_ERROR, fmt::format("lost: this node had acknowledged, with too few copies, what "
                                      "is being cut off its log, from {} to at most {}",
                                      lost->lost_from.bytes(), lost->to.bytes()));
  return !unsaved_;
}

void DegradedKeeper::begin(Offset end) {
  core::DegradedJournal next = journal_.begun(end, net::unix_now_ms());
  const bool same = is_as(next);
  const auto lost_before = last_lost();
  adopt(std::move(next));
  if (same) return;
  const std::string what = "the master before had acknowledged, with too few copies, ";
  if (const auto lost = last_lost(); lost && lost != lost_before) {
    host_.log(HA_LOG_ERROR, fmt::format("lost: {}up to at most {}; this log ends at {}", what,
                                        lost->to.bytes(), end.bytes()));
  } else if (open()) {
    host_.warn(
        fmt::format("{}up to at most {}; all of that is here", what, journal_.open()->to.bytes()));
  }
}

bool DegradedKeeper::is_as(const core::DegradedJournal& journal) const {
  return journal.ranges() == journal_.ranges() && journal.told() == journal_.told();
}

std::optional<DegradedRange> DegradedKeeper::last_lost() const {
  const auto& all = journal_.ranges();
  const auto at = std::find_if(all.rbegin(), all.rend(), [](const auto& r) { return r.lost(); });
  return at == all.rend() ? std::nullopt : std::optional(*at);
}

// For what holds only once it is on disk.
bool DegradedKeeper::commit(core::DegradedJournal next, core::Time now) {
  if (unsaved_ && now < try_again_) return false;
  if (!save(next)) {
    try_again_ = now + kPause;
    return false;
  }
  journal_ = std::move(next);
  publish();
  return true;
}

// For what holds whether it is on disk or not.
void DegradedKeeper::adopt(core::DegradedJournal next) {
  const bool same = is_as(next);
  journal_ = std::move(next);
  if (same) return;
  save(journal_);
  publish();
}

bool DegradedKeeper::save(const core::DegradedJournal& next) {
  if (settings_.state_dir.empty()) return true;
  std::string failed = store_.save(kDegradedFile, format_degraded({next.ranges(), next.told()}));
  if (!failed.empty() && !unsaved_) {
    host_.log(HA_LOG_ERROR,
              "the journal of degraded answers cannot be written, so none is "
              "given: " +
                  failed);
  }
  unsaved_ = !failed.empty();
  return !unsaved_;
}

void DegradedKeeper::publish() {
  ++serial_;
  std::vector<metrics::DegradedRange> ranges;
  for (const DegradedRange& r : journal_.ranges()) {
    ranges.push_back({r.from.bytes(), r.to.bytes(), r.since_ms, r.healed_ms, r.lost_from.bytes()});
  }
  metrics_.degraded_ranges.set(std::move(ranges));
  metrics_.degraded_since_ms.set(open() ? journal_.open()->since_ms : 0);
}

namespace {

json::object to_json(const DegradedRange& r) {
  json::object object{{"from", r.from.bytes()},
                      {"to", r.to.bytes()},
                      {"since_ms", r.since_ms},
                      {"healed_ms", r.healed_ms}};
  if (r.lost()) object["lost_from"] = r.lost_from.bytes();
  return object;
}

// Throws what Boost.JSON throws where a member is missing or of another kind.
DegradedRange from_json(const json::object& r) {
  DegradedRange range{Offset(r.at("from").as_int64()), Offset(r.at("to").as_int64()),
                      r.at("since_ms").as_int64(), r.at("healed_ms").as_int64()};
  if (r.contains("lost_from")) range.lost_from = Offset(r.at("lost_from").as_int64());
  return range;
}

}  // namespace

std::string format_degraded(const DegradedState& state) {
  json::array all;
  for (const DegradedRange& r : state.ranges) all.push_back(to_json(r));
  json::object object{{"format", kDegradedFormat}, {"ranges", std::move(all)}};
  if (state.told) object["told"] = to_json(*state.told);
  return json::serialize(object) + "\n";
}

std::string parse_degraded(std::string_view content, DegradedState& out) {
  out = {};
  try {
    const json::object object =
        json::parse(json::string_view(content.data(), content.size())).as_object();
    if (const std::int64_t format = object.at("format").as_int64(); format != kDegradedFormat) {
      return fmt::format("its format is {}; this version reads {}", format, kDegradedFormat);
    }
    for (const json::value& value : object.at("ranges").as_array()) {
      out.ranges.push_back(from_json(value.as_object()));
    }
    if (object.contains("told")) out.told = from_json(object.at("told").as_object());
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace ha
