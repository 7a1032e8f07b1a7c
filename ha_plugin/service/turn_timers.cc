// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/turn_timers.h"

#include <chrono>
#include <utility>

#include "ha_plugin/base/clock.h"

namespace ha {
namespace {

// Rates and lags in seconds are renewed this often; it is also how late a missed notify_appended
// can make a byte.
constexpr auto kTick = std::chrono::seconds(1);

}  // namespace

TurnTimers::TurnTimers(boost::asio::io_context& context, TransferService& transfer,
                       std::function<void()> on_deadline,
                       std::function<void(double seconds)> on_tick)
    : transfer_(transfer),
      on_deadline_(std::move(on_deadline)),
      on_tick_(std::move(on_tick)),
      wait_timer_(context),
      tick_timer_(context) {}

void TurnTimers::start() {
  running_ = true;
  last_tick_ = net::steady_now();
  arm_tick();
}

void TurnTimers::stop() {
  running_ = false;
  wait_due_ = core::kNever;
  wait_timer_.cancel();
  tick_timer_.cancel();
}

// The timer moves only to an earlier time: most waits share one timeout, so each new one ends
// later than those before it.
void TurnTimers::arm_for_waits() {
  const core::Time due = transfer_.next_deadline();
  if (!running_ || due >= wait_due_) return;
  set_wait_due(due);
  wait_timer_.expires_at(net::to_time_point(due));
  wait_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !running_) return;
    set_wait_due(core::kNever);
    on_deadline_();
  });
}

void TurnTimers::set_wait_due(core::Time due) {
  wait_due_ = due;
  transfer_.set_next_turn(due);
}

void TurnTimers::arm_tick() {
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !running_) return;
    arm_tick();
    const core::Time now = net::steady_now();
    const double seconds =
        std::chrono::duration<double>(now - std::exchange(last_tick_, now)).count();
    on_tick_(seconds);
  });
}

}  // namespace ha
