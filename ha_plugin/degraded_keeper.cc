#include "ha_plugin/degraded_keeper.h"

#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "ha_plugin/durable_file.h"
#include "ha_plugin/net/clock.h"

namespace ha {

namespace json = boost::json;
using core::DegradedRange;
using core::Offset;

namespace {

constexpr std::int64_t kFormat = 1;

// Each try blocks the I/O thread for a disk that says no.
constexpr auto kPause = std::chrono::seconds(1);

std::string text(Offset offset) { return std::to_string(offset.bytes()); }

}  // namespace

DegradedKeeper::DegradedKeeper(const Host& host, const Settings& settings,
                               metrics::HaMetrics& metrics)
    : host_(host),
      settings_(settings),
      metrics_(metrics),
      path_(settings.state_dir + "/ha_degraded.json") {}

std::string DegradedKeeper::load(Offset log_end) {
  if (settings_.state_dir.empty()) return "";
  std::string content;
  bool missing = false;
  if (std::string failed = read_file(path_, content, missing); !failed.empty()) return failed;
  if (missing) return "";
  std::vector<DegradedRange> ranges;
  if (const std::string wrong = parse_degraded(content, ranges); !wrong.empty()) {
    return "'" + path_ + "' is damaged: " + wrong;
  }
  journal_ = core::DegradedJournal(std::move(ranges), log_end);
  publish();
  return "";
}

bool DegradedKeeper::allow(Offset reached, Offset end, core::Time now) {
  if (journal_.covers(end)) return true;
  if (failed_ && now < try_again_) return false;
  const bool begins = !open();
  if (!save(journal_.extended(reached, end, net::unix_now_ms()))) {
    try_again_ = now + kPause;
    return false;
  }
  if (begins) {
    host_.log(HA_LOG_ERROR,
              "degraded: copies are missing, and waits are answered all the same from " +
                  text(journal_.open()->from) +
                  " on (option 'missing_copies': 'degrade'); what is "
                  "acknowledged is kept in " +
                  path_);
  }
  return true;
}

void DegradedKeeper::held(Offset reached, core::Time now) {
  auto next = journal_.healed(reached, now, std::chrono::milliseconds(settings_.degraded_hold_ms),
                              net::unix_now_ms());
  if (!next || !save(std::move(*next))) return;
  const DegradedRange& range = journal_.ranges().back();
  host_.warn("degraded no more: what was acknowledged below policy, " + text(range.from) + " to " +
             text(range.to) + ", is held by enough nodes");
}

bool DegradedKeeper::save(core::DegradedJournal next) {
  std::string failed = replace_file(settings_.state_dir, path_, format_degraded(next.ranges()));
  if (!failed.empty()) {
    if (!std::exchange(failed_, true)) {
      host_.log(HA_LOG_ERROR,
                "the journal of degraded answers cannot be written, so none is "
                "given: " +
                    failed);
    }
    return false;
  }
  failed_ = false;
  journal_ = std::move(next);
  publish();
  return true;
}

void DegradedKeeper::publish() {
  std::vector<metrics::DegradedRange> ranges;
  for (const DegradedRange& r : journal_.ranges()) {
    ranges.push_back({r.from.bytes(), r.to.bytes(), r.since_ms, r.healed_ms});
  }
  metrics_.degraded_ranges.set(std::move(ranges));
  metrics_.degraded_since_ms.set(open() ? journal_.open()->since_ms : 0);
}

std::string format_degraded(const std::vector<DegradedRange>& ranges) {
  json::array all;
  for (const DegradedRange& r : ranges) {
    all.push_back(json::object{{"from", r.from.bytes()},
                               {"to", r.to.bytes()},
                               {"since_ms", r.since_ms},
                               {"healed_ms", r.healed_ms}});
  }
  return json::serialize(json::object{{"format", kFormat}, {"ranges", std::move(all)}}) + "\n";
}

std::string parse_degraded(std::string_view content, std::vector<DegradedRange>& out) {
  out.clear();
  try {
    const json::object object =
        json::parse(json::string_view(content.data(), content.size())).as_object();
    if (const std::int64_t format = object.at("format").as_int64(); format != kFormat) {
      return "its format is " + std::to_string(format) + "; this version reads " +
             std::to_string(kFormat);
    }
    for (const json::value& value : object.at("ranges").as_array()) {
      const json::object& r = value.as_object();
      out.push_back({Offset(r.at("from").as_int64()), Offset(r.at("to").as_int64()),
                     r.at("since_ms").as_int64(), r.at("healed_ms").as_int64()});
    }
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace ha
