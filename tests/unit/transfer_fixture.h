// SPDX-License-Identifier: Apache-2.0
// A TransferService whose I/O thread is the test's own, on a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "ha_plugin/transfer/transfer_service.h"

namespace ha {

using core::Offset;
using core::Status;
using core::Time;

inline constexpr std::int64_t kLongNs = 3'600'000'000'000;

struct Ended {
  std::uintptr_t id;
  std::int32_t status;
  std::int64_t end;
};

class TransferServiceTest : public ::testing::Test {
 protected:
  struct Ticket {
    TransferServiceTest* test;
    std::uintptr_t id;
  };

  void make(core::AckPolicy policy = {1, 1, 1000, false, 8}, std::int64_t most = 1 << 20) {
    service_ = std::make_unique<TransferService>(metrics_, policy, most, [this] { ++rings_; });
    service_->set_master(true);
  }

  Status wait(std::int64_t end, std::int32_t acks, std::int64_t timeout_ns = kLongNs,
              std::int32_t durability = HA_DURABILITY_DEFAULT) {
    ha_wait_request request{};
    request.struct_size = sizeof(request);
    request.acks = acks;
    request.durability = durability;
    request.end = end;
    request.timeout_ns = timeout_ns;
    request.fn = [](void* user, std::int32_t status, std::int64_t at) noexcept {
      auto* ticket = static_cast<Ticket*>(user);
      ticket->test->ended_.push_back({ticket->id, status, at});
      if (ticket->test->hook_) ticket->test->hook_();
    };
    tickets_.push_back({this, tickets_.size()});
    request.user = &tickets_.back();
    return service_->wait(request, now_);
  }

  void turn(std::int64_t log_end, std::int64_t durable = 0) {
    const Offset risen = service_->turn(now_, Offset(log_end), Offset(durable));
    if (risen != core::kNoOffset) progress_.push_back(risen.bytes());
    service_->run_callbacks(now_);
  }
  std::vector<std::int64_t> ends() const {
    std::vector<std::int64_t> all;
    for (const Ended& e : ended_) all.push_back(e.end);
    return all;
  }

  metrics::HaMetrics metrics_;
  std::unique_ptr<TransferService> service_;
  Time now_ = std::chrono::seconds(100);
  std::int32_t durable_status_ = 99;
  int rings_ = 0;
  std::vector<std::int64_t> progress_;
  std::deque<Ticket> tickets_;
  std::vector<Ended> ended_;
  std::function<void()> hook_;
};

}  // namespace ha
