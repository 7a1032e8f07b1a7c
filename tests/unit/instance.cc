// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/instance.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <chrono>
#include <cstdlib>
#include <thread>

extern "C" const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api* host,
                                                   ha_error* error) noexcept;

namespace ha::testing {
namespace {

std::int32_t append_text(void* user, const char* text, std::int64_t size) noexcept {
  static_cast<std::string*>(user)->append(text, static_cast<std::size_t>(size));
  return 0;
}

ha_role_change change_to(std::int32_t role, const std::string& master) {
  ha_role_change change{};
  change.struct_size = sizeof(change);
  change.role = role;
  change.master_address = master.c_str();
  return change;
}

}  // namespace

Instance::Instance(MemoryHost& host, Options options) : host_(host) {
  // Most tests speak for RocketMQ brokers, byte by byte.
  options.insert(options.begin(), {{"listen", "127.0.0.1:0"}, {"wire", "rocketmq"}});
  std::vector<ha_option> table;
  for (const auto& [key, value] : options) table.push_back({key.c_str(), value.c_str()});
  ha_create_params params{};
  params.struct_size = sizeof(params);
  params.option_stride = sizeof(ha_option);
  params.options = table.data();
  params.option_count = static_cast<std::int64_t>(table.size());
  params.host_ctx = &host;
  api_ = ha_plugin_entry_v1(host.api(), fresh_error());
  EXPECT_NE(api_, nullptr) << error_.text;
  if (api_ != nullptr) {
    EXPECT_EQ(api_->create(host.api(), &params, &instance_, fresh_error()), HA_OK) << error_.text;
  }
}

Instance::~Instance() {
  if (api_ != nullptr) api_->destroy(instance_);
  EXPECT_EQ(host_.lent(), 0) << "pins, descriptors or reservations are still out";
  EXPECT_EQ(host_.threads(), 0) << "threads that did not say that they stop";
  EXPECT_TRUE(host_.misuse().empty()) << host_.misuse().front();
}

ha_error* Instance::fresh_error() {
  error_ = {};
  error_.struct_size = sizeof(error_);
  return &error_;
}

std::int32_t Instance::start(std::int32_t role, const std::string& master) {
  const ha_role_change change = change_to(role, master);
  return api_->start(instance_, &change, fresh_error());
}

void Instance::start_and_hold(std::int32_t role, const std::string& master) {
  ASSERT_EQ(start(role, master), HA_OK) << error_.text;
  ASSERT_TRUE(host_.wait_for_role(role));
}

void Instance::start_forced_master() {
  start_and_hold(HA_ROLE_NONE, "");
  ASSERT_EQ(set_role(HA_ROLE_MASTER, "", HA_ROLE_CHANGE_FORCE), HA_OK) << error_.text;
  ASSERT_TRUE(host_.wait_for_role(HA_ROLE_MASTER, 2));
}

std::int32_t Instance::set_role(std::int32_t role, const std::string& master, std::uint32_t flags,
                                std::int64_t number) {
  ha_role_change change = change_to(role, master);
  change.flags = flags;
  change.number = number;
  return api_->set_role(instance_, &change, fresh_error());
}

Peer Instance::join(std::int64_t reported, std::size_t joined) {
  Peer slave = Peer::to(port());
  EXPECT_TRUE(slave.report(reported));
  EXPECT_TRUE(host_.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE, joined));
  return slave;
}

Peer Instance::follow(Listener& master, std::int64_t report) {
  start_slave(master.address());
  Peer peer = master.accept();
  EXPECT_EQ(peer.read_report(), report);
  return peer;
}

std::int32_t Instance::set_master_address(const char* address) {
  return api_->set_master_address(instance_, address, fresh_error());
}

std::int32_t Instance::set_option(const std::string& key, const std::string& value) {
  return api_->set_option(instance_, key.c_str(), value.c_str(), fresh_error());
}

std::int32_t Instance::stop(std::int64_t timeout_ms) {
  return api_->stop(instance_, timeout_ms, fresh_error());
}

std::int32_t Instance::check_acks(std::int32_t acks, std::int32_t durability) {
  return api_->check_acks(instance_, acks, durability);
}

SnapshotSeen Instance::snapshot() const {
  SnapshotSeen seen;
  seen.replicas.resize(256);
  seen.total.struct_size = sizeof(seen.total);
  seen.total.replica_stride = sizeof(ha_replica_status);
  seen.total.replicas = seen.replicas.data();
  seen.total.replica_capacity = 256;
  EXPECT_EQ(api_->snapshot(instance_, &seen.total), HA_OK);
  seen.replicas.resize(static_cast<std::size_t>(seen.total.replica_count));
  return seen;
}

boost::json::value Instance::status() const {
  std::string text;
  EXPECT_EQ(api_->status_json(instance_, append_text, &text), HA_OK);
  return boost::json::parse(text);
}

std::string Instance::metrics() const {
  std::string text;
  EXPECT_EQ(api_->metrics_text(instance_, append_text, &text), HA_OK);
  return text;
}

double Instance::sample(const std::string& name) const {
  const std::string text = "\n" + metrics();
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

::testing::AssertionResult Instance::only_connection_is(const std::string& address) const {
  const SnapshotSeen now = snapshot();
  if (now.replicas.size() != 1 || now.replicas[0].address != address) {
    return ::testing::AssertionFailure()
           << now.replicas.size() << " replicas, not one at " << address;
  }
  for (const ReplicaSeen& seen : host_.replicas()) {
    if (seen.event == HA_REPLICA_LEFT) {
      return ::testing::AssertionFailure() << seen.id << " left, for reason " << seen.reason;
    }
  }
  return ::testing::AssertionSuccess();
}

// For what nothing announces: a look costs little, and the pause between two is no part of what is
// tested.
bool Instance::eventually(const std::function<bool()>& met) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!met()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::int32_t WaitLog::wait(Instance& instance, std::int64_t end, std::int32_t acks,
                           std::int64_t timeout_ms, std::int32_t durability, std::int64_t epoch) {
  ha_wait_request request{};
  request.epoch = epoch;
  request.durability = durability;
  request.struct_size = sizeof(request);
  request.acks = acks;
  request.end = end;
  request.timeout_ns = timeout_ms * 1'000'000;
  request.fn = callback;
  request.user = this;
  return instance.api().wait_replicated(instance.get(), &request);
}

void WaitLog::callback(void* user, std::int32_t status, std::int64_t end) noexcept {
  auto& log = *static_cast<WaitLog*>(user);
  if (log.hook_) log.hook_();
  const std::lock_guard lock(log.mutex_);
  log.ended_.push_back({status, end});
  log.changed_.notify_all();
}

bool WaitLog::wait_for(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return ended_.size() >= count; });
}

std::int32_t WaitLog::first_status() {
  EXPECT_TRUE(wait_for(1));
  const std::lock_guard lock(mutex_);
  return ended_.empty() ? HA_INTERNAL : ended_[0].status;
}

std::vector<WaitLog::Ended> WaitLog::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

std::int32_t wait_result(Instance& instance, std::int64_t end, std::int32_t acks,
                         std::int64_t timeout_ms, std::int32_t durability) {
  WaitLog waits;
  const std::int32_t status = waits.wait(instance, end, acks, timeout_ms, durability);
  return status == HA_OK ? waits.first_status() : status;
}

}  // namespace ha::testing
