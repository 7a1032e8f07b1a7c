// SPDX-License-Identifier: Apache-2.0
#include "http/fake_broker.h"

#include "ha/plugin.h"

namespace stub::test {

void FakeBroker::set_result(std::int32_t status, std::string text, std::int64_t stored_of_items) {
  const std::lock_guard lock(mutex_);
  status_ = status;
  text_ = std::move(text);
  stored_ = stored_of_items;
}

void FakeBroker::hold() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void FakeBroker::release(std::size_t index, std::int32_t status) {
  Held held;
  {
    const std::lock_guard lock(mutex_);
    held = std::move(held_.at(index));
    held_[index].done = nullptr;
  }
  held.result.status = status;
  held.done(held.result);
}

bool FakeBroker::await_held(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return held_.size() >= count; });
}

std::size_t FakeBroker::held() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

bool FakeBroker::await_waiting(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return waits_.size() == count; });
}

std::vector<ProduceRequest> FakeBroker::produced() const {
  const std::lock_guard lock(mutex_);
  return produced_;
}

void FakeBroker::block_promote(bool blocked) {
  const std::lock_guard lock(mutex_);
  promote_blocked_ = blocked;
  changed_.notify_all();
}

bool FakeBroker::await_promoting() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return promoting_; });
}

void FakeBroker::set_not_ready(std::string reason) {
  const std::lock_guard lock(mutex_);
  not_ready_ = std::move(reason);
}

std::string FakeBroker::followed() const {
  const std::lock_guard lock(mutex_);
  return followed_;
}

void FakeBroker::stop(std::int64_t) {
  std::vector<Held> held;
  {
    const std::lock_guard lock(mutex_);
    held.swap(held_);
  }
  for (auto& one : held) {
    one.result.status = HA_SHUTDOWN;
    one.result.text = "stopped";
    if (one.done) one.done(one.result);
  }
}

void FakeBroker::produce_all(std::vector<Produce> asked) {
  for (auto& one : asked) produce_one(std::move(one.request), std::move(one.done));
}

void FakeBroker::produce_one(ProduceRequest request, std::function<void(ProduceResult)> done) {
  ProduceResult result;
  std::vector<std::function<void()>> wakes;
  {
    const std::lock_guard lock(mutex_);
    produced_.push_back(request);
    const auto items = static_cast<std::int64_t>(request.items.size());
    result.status = status_;
    result.text = text_;
    result.stored = stored_ < 0 ? items : std::min(stored_, items);
    auto& topic = topics_[request.topic];
    for (std::int64_t i = 0; i < result.stored; ++i) {
      Message message;
      message.offset = end_;
      message.queue = request.queue.value_or(0);
      message.queue_offset = end(request.topic, message.queue);
      end_ += 100;
      message.key = request.items[static_cast<std::size_t>(i)].key;
      message.body = request.items[static_cast<std::size_t>(i)].body;
      if (i == 0) result.first_offset = message.offset;
      result.end_offset = message.offset + 100;
      topic.push_back(std::move(message));
    }
    for (auto it = waits_.begin(); it != waits_.end();) {
      if (end(it->second.topic, it->second.queue) > it->second.cursor) {
        wakes.push_back(std::move(it->second.wake));
        it = waits_.erase(it);
      } else {
        ++it;
      }
    }
    if (holding_) {
      held_.push_back({std::move(done), result});
      done = nullptr;
    }
    changed_.notify_all();
  }
  for (const auto& wake : wakes) wake();
  if (done) done(result);
}

void FakeBroker::trim(std::int64_t min) {
  const std::lock_guard lock(mutex_);
  min_ = min;
}

std::int64_t FakeBroker::end(const std::string& topic, std::optional<int> queue) const {
  const auto found = topics_.find(topic);
  std::int64_t out = 0;
  if (found == topics_.end()) return out;
  for (const auto& message : found->second) {
    if (!queue || message.queue == *queue)
      out = queue ? message.queue_offset + 1 : message.offset + 100;
  }
  return out;
}

Result<ConsumeResult> FakeBroker::consume(const ConsumeQuery& query) {
  const std::lock_guard lock(mutex_);
  ConsumeResult out;
  out.end = query.queue ? end(query.topic, query.queue) : end_;
  out.first = query.queue ? out.end : min_;
  bool all = true;
  for (const auto& message : topics_[query.topic]) {
    if ((query.queue && message.queue != *query.queue) || message.offset < min_) continue;
    const std::int64_t cursor = cursor_of(message, query.queue);
    out.first = std::min(out.first, cursor);
    if (cursor < query.from.value_or(0)) continue;
    all = static_cast<std::int64_t>(out.messages.size()) < query.max;
    if (all) out.messages.push_back(message);
  }
  out.next = std::max(query.from.value_or(out.first), all ? out.end : out.first);
  if (!all) out.next = cursor_of(out.messages.back(), query.queue) + (query.queue ? 1 : 100);
  if (query.from && *query.from < out.first) out.skipped = {*query.from, out.first};
  return out;
}

std::uint64_t FakeBroker::wait_for_messages(const std::string& topic, std::optional<int> queue,
                                            std::int64_t cursor, std::function<void()> wake) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = next_wait_++;
    if (end(topic, queue) <= cursor) {
      waits_[id] = {topic, queue, cursor, std::move(wake)};
      wake = nullptr;
      changed_.notify_all();
    }
  }
  if (wake) wake();
  return id;
}

void FakeBroker::cancel_wait(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  waits_.erase(id);
  changed_.notify_all();
}

Result<std::int64_t> FakeBroker::group_offset(const std::string& group, const std::string& topic,
                                              int queue) {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(group + "/" + topic + "/" + std::to_string(queue));
  return found == groups_.end() ? std::int64_t{-1} : found->second;
}

Result<std::monostate> FakeBroker::set_group_offset(const std::string& group,
                                                    const std::string& topic, int queue,
                                                    std::int64_t next) {
  const std::lock_guard lock(mutex_);
  groups_[group + "/" + topic + "/" + std::to_string(queue)] = next;
  return std::monostate{};
}

Result<std::int64_t> FakeBroker::delete_group_offsets(const std::string& group,
                                                      const std::optional<std::string>& topic) {
  const std::lock_guard lock(mutex_);
  const std::string from = group + "/" + (topic ? *topic + "/" : "");
  return static_cast<std::int64_t>(
      std::erase_if(groups_, [&](const auto& one) { return one.first.starts_with(from); }));
}

Result<std::monostate> FakeBroker::promote(bool force) {
  std::unique_lock lock(mutex_);
  forced_ = force;
  promoting_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !promote_blocked_; });
  promoting_ = false;
  role_ = Role::kMaster;
  return std::monostate{};
}

Result<std::monostate> FakeBroker::demote() {
  const std::lock_guard lock(mutex_);
  role_ = Role::kSlave;
  return std::monostate{};
}

Result<std::monostate> FakeBroker::set_option(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  if (option_refusal_.status != 0) return option_refusal_;
  options_[key] = value;
  return std::monostate{};
}

void FakeBroker::refuse_options(std::int32_t status, std::string text) {
  const std::lock_guard lock(mutex_);
  option_refusal_ = {status, 0, std::move(text)};
}

std::map<std::string, std::string> FakeBroker::options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

bool FakeBroker::forced() const {
  const std::lock_guard lock(mutex_);
  return forced_;
}

Result<std::monostate> FakeBroker::follow(const std::string& master_address) {
  const std::lock_guard lock(mutex_);
  followed_ = master_address;
  role_ = Role::kSlave;
  return std::monostate{};
}

std::string FakeBroker::status_json() { return "{\"role\":\"master\"}"; }
std::string FakeBroker::metrics_text() { return "# TYPE ha_role gauge\nha_role 1\n"; }

std::string FakeBroker::not_ready_reason() {
  const std::lock_guard lock(mutex_);
  return not_ready_;
}

void FakeBroker::set_standing(Standing standing) {
  const std::lock_guard lock(mutex_);
  standing_ = std::move(standing);
}

void FakeBroker::set_master_place(std::optional<MasterPlace> place) {
  const std::lock_guard lock(mutex_);
  place_ = std::move(place);
}

Standing FakeBroker::standing() {
  const std::lock_guard lock(mutex_);
  return standing_;
}

std::optional<MasterPlace> FakeBroker::master_place() {
  const std::lock_guard lock(mutex_);
  return place_;
}

Role FakeBroker::role() const {
  const std::lock_guard lock(mutex_);
  return role_;
}

}  // namespace stub::test
