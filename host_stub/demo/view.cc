// SPDX-License-Identifier: Apache-2.0
#include "demo/view.h"

#include <fmt/format.h>

namespace stub::demo {
namespace {

constexpr std::chrono::milliseconds kRefresh{250};
// A master that takes longer is dead or dying; the next one is asked soon.
constexpr std::chrono::milliseconds kStatusPatience{500};
constexpr int kBarWidth = 10;  // so that all of it fits 80 columns

}  // namespace

View::View(const Feeder& feeder, bool quiet)
    : feeder_(feeder),
      quiet_(quiet),
      progress_(stderr,
                quiet ? cli::Progress::Elsewhere::kSilent : cli::Progress::Elsewhere::kPlainLines),
      thread_([this] { run(); }) {}

View::~View() { finish(); }

void View::finish() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  progress_.clear();
}

void View::set_master(std::string url) {
  const std::lock_guard lock(mutex_);
  master_ = std::move(url);
}

void View::say(const std::string& text) {
  if (quiet_) return;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::lock_guard lock(mutex_);
  progress_.note(fmt::format("{:5.1f} s  {}", seconds, text));
}

std::string View::ask_lag(const std::string& url) const {
  if (url.empty()) return "no master";
  auto client = cli::BrokerClient::open(url);
  if (std::holds_alternative<Error>(client)) return "";
  const auto status = std::get<cli::BrokerClient>(client).status(kStatusPatience);
  if (std::holds_alternative<Error>(status)) return "master does not answer";
  std::string out;
  for (const auto& replica : std::get<cli::NodeStatus>(status).replicas) {
    out += (out.empty() ? "lag " : ", ") + cli::bytes_text(replica.lag_bytes);
  }
  return out.empty() ? "no replica" : out;
}

std::string View::line(const std::string& lag) {
  const auto now = std::chrono::steady_clock::now();
  const auto at = feeder_.progress();
  const double seconds = std::chrono::duration<double>(now - last_time_).count();
  if (seconds > 0.2) {
    const double latest = static_cast<double>(at.settled - last_settled_) / seconds;
    rate_ = rate_ == 0 ? latest : (rate_ + latest) / 2;
    last_settled_ = at.settled;
    last_time_ = now;
  }
  return fmt::format(
      "{} {}/{}  {}/s  p50 {} p99 {}  {}",
      cli::bar(static_cast<double>(at.settled) / static_cast<double>(at.total), kBarWidth),
      cli::grouped(at.settled), cli::grouped(at.total),
      cli::grouped(static_cast<std::int64_t>(rate_)), cli::duration_text(at.p50_us),
      cli::duration_text(at.p99_us), lag);
}

void View::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kRefresh, [this] { return finished_; })) {
    const auto at = feeder_.progress();
    const bool sending = at.settled > 0 && at.settled < at.total;
    if (quiet_ || !sending || !progress_.due()) continue;
    const auto master = master_;
    lock.unlock();
    const auto lag = ask_lag(master);
    lock.lock();
    if (!finished_) progress_.show(line(lag));
  }
}

}  // namespace stub::demo
