// SPDX-License-Identifier: Apache-2.0
// What makes the I/O thread turn when nothing happens: the next wait's deadline, and the second.
//
// Threads: the I/O thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "ha_plugin/core/types.h"
#include "ha_plugin/transfer/transfer_service.h"

namespace ha {

class TurnTimers {
 public:
  // on_tick hears how many seconds have passed.
  TurnTimers(boost::asio::io_context& context, TransferService& transfer,
             std::function<void()> on_deadline, std::function<void(double seconds)> on_tick);

  void start();
  void stop();
  // After each turn.
  void arm_for_waits();

 private:
  void set_wait_due(core::Time due);
  void arm_tick();

  TransferService& transfer_;
  const std::function<void()> on_deadline_;
  const std::function<void(double)> on_tick_;
  boost::asio::steady_timer wait_timer_;
  boost::asio::steady_timer tick_timer_;
  core::Time wait_due_ = core::kNever;
  core::Time last_tick_{};
  bool running_ = false;
};

}  // namespace ha
