// SPDX-License-Identifier: Apache-2.0
#include "broker/newest_epoch.h"

#include <spdlog/spdlog.h>

#include <charconv>
#include <string_view>

#include "broker/side_file.h"
#include "ha/plugin.h"
#include "store/file.h"

namespace stub {
namespace {

// As the plugin bounds epochs: a greater one is a stranger's, or a damaged file's, and would make
// every epoch to come stale.
constexpr std::int64_t kMaxEpoch = std::int64_t{1} << 62;

// One line, so that a file that was cut short is not read as a lower number.
std::string parse(std::string_view text, std::int64_t& out) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  const bool line = error == std::errc() && std::string_view(at, end) == "\n";
  if (line && out > kMaxEpoch)
    return "has epoch " + std::to_string(out) + ", and none is above " + std::to_string(kMaxEpoch);
  return line && out > 0 ? "" : "is not one line with an epoch";
}

}  // namespace

Result<std::unique_ptr<NewestEpoch>> NewestEpoch::open(const std::string& store_dir) {
  auto out = std::make_unique<NewestEpoch>(store_dir);
  std::int64_t newest = 0;
  auto failed = read_side_file(out->path_, "every epoch is taken until the plugin gives one",
                               [&](std::string_view text) {
                                 std::string wrong = parse(text, newest);
                                 if (!wrong.empty()) newest = 0;
                                 return wrong;
                               });
  if (failed) return std::move(*failed);
  out->newest_ = newest;
  return out;
}

std::optional<Error> NewestEpoch::check(std::int64_t epoch) {
  // Every frame comes through here, so the usual case takes no lock.
  if (epoch == 0 || epoch == newest_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const std::int64_t newest = newest_;
  if (epoch < newest || epoch < 0)
    return make_error(HA_EPOCH, "epoch " + std::to_string(epoch) +
                                    " is stale: this log has seen epoch " + std::to_string(newest) +
                                    " (if this store belongs to another set now, stop the broker "
                                    "and remove '" +
                                    path_ + "')");
  if (epoch == newest) return std::nullopt;
  if (epoch > kMaxEpoch)
    return make_error(HA_EPOCH, "epoch " + std::to_string(epoch) + " cannot be: none is above " +
                                    std::to_string(kMaxEpoch));
  newest_ = epoch;
  // A full disk must not hide from readers what enough nodes hold. The plugin keeps its promises in
  // a file of its own, so what is lost is the second check, and only after a restart.
  if (const auto failed = store::replace_file(path_, std::to_string(epoch) + "\n"))
    spdlog::error("{}; after a restart this host may take bytes of an epoch below {}", failed->text,
                  epoch);
  return std::nullopt;
}

}  // namespace stub
