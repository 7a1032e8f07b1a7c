// SPDX-License-Identifier: Apache-2.0
#include "checking_host/node.h"

#include <cstring>
#include <vector>

namespace ha::check {
namespace {

ha_role_change change_to(std::int32_t role, const std::string& master) {
  ha_role_change change{};
  change.struct_size = sizeof(change);
  change.role = role;
  change.master_address = master.empty() ? nullptr : master.c_str();
  return change;
}

}  // namespace

void Node::expect(const char* call, std::int32_t got, std::int32_t wanted, const ha_error* error) {
  misuses_.require(
      got == wanted, "wrong_status",
      std::string(call) + " returned " + std::to_string(got) + ", not " + std::to_string(wanted));
  if (got >= 0 || error == nullptr) return;
  misuses_.require(
      std::memchr(error->text, '\0', sizeof(error->text)) != nullptr && error->text[0] != '\0',
      "error_without_text", std::string(call) + " failed and left no words in ha_error.text");
  misuses_.require(error->status == got, "error_status",
                   std::string(call) + " returned " + std::to_string(got) + " and wrote " +
                       std::to_string(error->status) + " into ha_error.status");
}

bool Node::create() {
  log_.enter(Phase::kInCreate);
  const ha_option option = {"listen", "127.0.0.1:0"};
  ha_create_params params{};
  params.struct_size = sizeof(params);
  params.option_stride = sizeof(option);
  params.options = &option;
  params.option_count = 1;
  params.host_ctx = binding_.ctx;
  ha_error error = detail::empty_error();
  std::int32_t status = api_.create(&binding_.api, &params, &instance_, &error);
  if (status == HA_INVALID) {  // fakes have no options
    params.option_count = 0;
    error = detail::empty_error();
    status = api_.create(&binding_.api, &params, &instance_, &error);
  }
  expect("create", status, HA_OK, &error);
  if (instance_ == nullptr) return false;
  log_.enter(Phase::kCreated);
  check_created();
  return true;
}

void Node::check_created() {
  ha_error error = detail::empty_error();
  const ha_role_change change = change_to(HA_ROLE_NONE, "");
  expect("set_role before start", api_.set_role(instance_, &change, &error), HA_STATE, &error);
  error = detail::empty_error();
  expect("set_master_address before start",
         api_.set_master_address(instance_, "127.0.0.1:1", &error), HA_STATE, &error);
  expect("check_acks before start", api_.check_acks(instance_, 1, HA_DURABILITY_DEFAULT),
         HA_NOT_MASTER, nullptr);
  WatchedWait& wait = waits_.emplace_back(misuses_);
  expect("wait_replicated before start", wait.begin(api_, instance_, 1, 1, std::chrono::seconds(1)),
         HA_NOT_MASTER, nullptr);
  check_texts("before start");
}

bool Node::start(std::int32_t role, const std::string& master) {
  log_.on_next_role([this] {
    ha_error error = detail::empty_error();
    expect("stop on a plugin thread", api_.stop(instance_, 0, &error), HA_STATE, &error);
  });
  log_.enter(Phase::kStarted);
  ++roles_asked_;
  ha_error error = detail::empty_error();
  const ha_role_change change = change_to(role, master);
  const std::int32_t status = api_.start(instance_, &change, &error);
  expect("start", status, HA_OK, &error);
  if (status != HA_OK) return false;
  check_started(role);
  return true;
}

void Node::check_started(std::int32_t role) {
  const bool told = log_.expect_roles(roles_asked_, patience_);
  misuses_.require(told, "role_never_reported",
                   "no role_changed followed an accepted start or set_role in " +
                       std::to_string(patience_.count()) + " ms");
  if (told) {
    const auto last = log_.roles().back();
    misuses_.require(last.status != HA_OK || last.role == role, "wrong_role",
                     "role " + std::to_string(role) + " was asked for, role_changed told " +
                         std::to_string(last.role));
  }
  ha_error error = detail::empty_error();
  const ha_role_change change = change_to(role, "");
  expect("second start", api_.start(instance_, &change, &error), HA_STATE, &error);
  if (role != HA_ROLE_SLAVE) {
    error = detail::empty_error();
    expect("set_master_address on a master",
           api_.set_master_address(instance_, "127.0.0.1:1", &error), HA_STATE, &error);
  }
  error = detail::empty_error();
  expect("set_option of an unknown key", api_.set_option(instance_, "no_such_option", "1", &error),
         HA_INVALID, &error);
  check_texts("while started");
  check_short_snapshot();
}

void Node::set_role(std::int32_t role, const std::string& master) {
  ++roles_asked_;
  ha_error error = detail::empty_error();
  const ha_role_change change = change_to(role, master);
  expect("set_role", api_.set_role(instance_, &change, &error), HA_OK, &error);
  check_started(role);
}

WatchedWait& Node::produce(const std::string& line, std::int32_t acks,
                           std::chrono::seconds timeout) {
  const std::int64_t end = log_.produce_here(line);
  api_.notify_appended(instance_, end);
  WatchedWait& wait = waits_.emplace_back(misuses_);
  last_answer_ = wait.begin(api_, instance_, end, acks, timeout);
  return wait;
}

void Node::stop_and_destroy() {
  if (instance_ == nullptr) return;
  ha_error error = detail::empty_error();
  const std::int32_t status = api_.stop(instance_, 0, &error);
  log_.enter(Phase::kStopped);
  if (status != HA_TIMEOUT) expect("stop", status, HA_OK, &error);
  for (WatchedWait& wait : waits_) wait.check_completed();
  log_.check_nothing_is_left();
  check_stopped();
  api_.destroy(instance_);
  instance_ = nullptr;
}

void Node::check_stopped() {
  ha_error error = detail::empty_error();
  expect("second stop", api_.stop(instance_, 0, &error), HA_OK, &error);
  error = detail::empty_error();
  const ha_role_change change = change_to(HA_ROLE_NONE, "");
  expect("start after stop", api_.start(instance_, &change, &error), HA_STATE, &error);
  expect("check_acks after stop", api_.check_acks(instance_, 1, HA_DURABILITY_DEFAULT), HA_SHUTDOWN,
         nullptr);
  WatchedWait& wait = waits_.emplace_back(misuses_);
  expect("wait_replicated after stop", wait.begin(api_, instance_, 1, 1, std::chrono::seconds(1)),
         HA_SHUTDOWN, nullptr);
  api_.notify_appended(instance_, log_.end());
  check_texts("after stop");
}

void Node::check_texts(const char* when) {
  const auto sink = [](void* user, const char*, std::int64_t size) noexcept -> std::int32_t {
    *static_cast<std::int64_t*>(user) += size;
    return 0;
  };
  for (const auto fn : {api_.status_json, api_.metrics_text}) {
    std::int64_t size = 0;
    const std::int32_t status = fn(instance_, sink, &size);
    misuses_.require(status == HA_OK && size > 0, "no_text",
                     std::string("status_json or metrics_text gave nothing ") + when);
  }
  const auto full = [](void*, const char*, std::int64_t) noexcept -> std::int32_t { return 1; };
  misuses_.require(api_.status_json(instance_, full, nullptr) == HA_IO, "sink_refusal",
                   "a sink that refuses must end status_json with HA_IO");
  for (std::int32_t status = -64; status <= HA_DONE; ++status) {
    misuses_.require(api_.status_text(status) != nullptr, "null_text",
                     "status_text(" + std::to_string(status) + ") is NULL");
  }
}

void Node::check_short_snapshot() {
  // A host of an older version: what lies behind its struct is not the plugin's.
  constexpr unsigned char kCanary = 0xA5;
  constexpr std::size_t kOld = offsetof(ha_snapshot, role);
  std::vector<unsigned char> memory(sizeof(ha_snapshot), kCanary);
  std::memset(memory.data(), 0, kOld);
  auto* old = reinterpret_cast<ha_snapshot*>(memory.data());
  old->struct_size = kOld;
  expect("snapshot with a shorter struct", api_.snapshot(instance_, old), HA_OK, nullptr);
  bool touched = false;
  for (std::size_t i = kOld; i < memory.size(); ++i) touched = touched || memory[i] != kCanary;
  misuses_.require(!touched, "snapshot_overrun",
                   "snapshot wrote beyond the struct_size that the host gave");
}

std::string Node::address() const {
  ha_snapshot now{};
  now.struct_size = sizeof(now);
  return api_.snapshot(instance_, &now) == HA_OK ? now.listen_address : "";
}

}  // namespace ha::check
