// SPDX-License-Identifier: Apache-2.0
#include "broker/local_broker.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "broker/names.h"

namespace stub {
namespace {

Error from_plugin(const ha::Error& error) { return {error.status, error.os_errno, error.text}; }

std::int64_t system_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<ha::Option> all_plugin_options(const BrokerOptions& from) {
  std::vector<ha::Option> out{{"listen", from.ha_listen}};
  if (!from.metrics_listen.empty()) out.push_back({"metrics_listen", from.metrics_listen});
  bool keeps_state = false;
  bool has_place = false;
  for (const auto& [key, value] : from.plugin_options) {
    out.push_back({key, value});
    keeps_state =
        keeps_state || key == "replicas" || (key == "wire" && value == "rocketmq-autoswitch");
    has_place = has_place || key == "state_dir";
  }
  // Its epochs belong to this log: they lie beside it, as RocketMQ's do.
  if (keeps_state && !has_place) out.push_back({"state_dir", from.store_dir});
  return out;
}

bool in_a_set(const BrokerOptions& from) {
  return std::any_of(from.plugin_options.begin(), from.plugin_options.end(),
                     [](const auto& option) { return option.first == "replicas"; });
}

std::string own_id(const BrokerOptions& from) {
  std::string id;
  for (const auto& [key, value] : from.plugin_options) {
    if (key == "replica_id") id = value;
  }
  return id;
}

// The option by which the plugin says what it takes HA_DURABILITY_DEFAULT for.
constexpr const char* kDefaultDurability = "default_durability";

std::optional<Error> check_pair(const std::string& group, const std::string& topic) {
  auto wrong = check_group_name(group);
  return wrong ? wrong : check_topic_name(topic);
}

std::int32_t durability_of(const std::string& value) {
  return value == "durable" ? HA_DURABILITY_DURABLE : HA_DURABILITY_RECEIVED;
}

}  // namespace

Result<std::unique_ptr<Broker>> Broker::open(BrokerOptions options) {
  auto broker = std::make_unique<LocalBroker>(std::move(options));
  if (auto error = broker->open_all()) return std::move(*error);
  return std::unique_ptr<Broker>(std::move(broker));
}

LocalBroker::LocalBroker(BrokerOptions options)
    : options_(std::move(options)),
      queue_offsets_(options_.store_dir),
      board_(options_.client_url, own_id(options_)) {}

std::optional<Error> LocalBroker::open_all() {
  if (options_.store_dir.empty())
    return make_error(HA_INVALID, "no store directory was given (option --store)");
  if (options_.queues_per_topic < 1 || options_.queues_per_topic > 1024)
    return make_error(HA_INVALID, "queues per topic: " + std::to_string(options_.queues_per_topic) +
                                      " is not between 1 and 1024");
  store::LogOptions log_options;
  log_options.store_dir = options_.store_dir;
  log_options.segment_bytes = options_.segment_bytes;
  log_options.flush_interval_ms = options_.flush_interval_ms;
  log_options.retention_bytes = options_.retention_bytes;
  log_options.retention_ms = options_.retention_ms;
  log_options.warning = [](const std::string& text) { spdlog::warn("log: {}", text); };
  log_options.background_error = [](const Error& error) { spdlog::error("log: {}", error.text); };
  log_options.appended = [this](std::int64_t end) {
    if (auto* instance = notified_.load()) instance->notify_appended(end);
  };
  log_options.flushed = [this](std::int64_t end) {
    if (auto* instance = notified_.load()) instance->notify_durable(end);
  };
  auto log = store::CommitLog::open(std::move(log_options), index_);
  if (auto* error = std::get_if<Error>(&log)) return std::move(*error);
  log_ = std::move(std::get<std::unique_ptr<store::CommitLog>>(log));
  if (log_->bounded() && options_.role != Role::kMaster)
    spdlog::info("log: readers see the records below {}, until the plugin confirms more",
                 log_->bounds().confirm);
  auto groups = GroupOffsets::open(options_.store_dir, [this](const std::string& topic, int queue) {
    return index_.next_queue_offset(topic, queue);
  });
  if (auto* error = std::get_if<Error>(&groups)) return std::move(*error);
  groups_ = std::move(std::get<std::unique_ptr<GroupOffsets>>(groups));
  auto epochs = NewestEpoch::open(options_.store_dir);
  if (auto* error = std::get_if<Error>(&epochs)) return std::move(*error);
  epochs_ = std::move(std::get<std::unique_ptr<NewestEpoch>>(epochs));
  for (const auto& [key, value] : options_.plugin_options) {
    if (key == kDefaultDurability) default_durability_ = durability_of(value);
  }
  scheduler_ = std::make_unique<Scheduler>(*log_, index_, system_now_ms);

  hooks_ = std::make_unique<LogHooks>(
      *log_, index_, *groups_, *epochs_, board_, [this] { return followed(); },
      options_.consensus_log, [this](const ha_role_report& r) { on_role_changed(r); });
  const ha::HostBinding binding = ha::bind_host(*hooks_);
  auto plugin = ha::Plugin::load(options_.plugin_path, binding);
  if (!plugin) return from_plugin(plugin.error());
  hooks_->take_names_from(*plugin);
  auto instance = ha::Instance::create(*plugin, binding, all_plugin_options(options_));
  if (!instance) return from_plugin(instance.error());
  instance_.emplace(std::move(*instance));
  notified_ = &*instance_;

  // A node of a set gets its role when enough others are there.
  const auto started = change_role(
      {.role = static_cast<std::int32_t>(options_.role), .master_address = options_.master_address},
      true, !in_a_set(options_));
  if (const auto* error = std::get_if<Error>(&started)) return *error;
  return std::nullopt;
}

Result<std::monostate> LocalBroker::set_option(const std::string& key, const std::string& value) {
  const std::lock_guard control(control_mutex_);
  if (stopping_) return make_error(HA_SHUTDOWN, "this node is stopping; its options stay");
  if (const auto set = instance_->set_option(key, value); !set) {
    Error refused = from_plugin(set.error());
    if (refused.status == HA_STATE) refused.text += " (restart ha_stub serve with it)";
    return refused;
  }
  if (key == kDefaultDurability) default_durability_ = durability_of(value);
  return std::monostate{};
}

LocalBroker::~LocalBroker() { stop(0); }

void LocalBroker::stop(std::int64_t timeout_ms) {
  if (stopping_.exchange(true)) return;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  // No more appends, then what was appended becomes durable while its waiters can still be told.
  if (log_ != nullptr) {
    const std::lock_guard lock(role_mutex_);  // a role report either came before, or sees stopping_
    set_writable(false);
  }
  if (scheduler_ != nullptr) scheduler_->stop();
  if (log_ != nullptr) {
    if (const auto error = log_->flush(log_->bounds().end)) spdlog::error("log: {}", error->text);
  }
  if (instance_) {
    const std::lock_guard control(control_mutex_);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const auto stopped = instance_->stop(std::max(left, std::chrono::milliseconds(0)));
    if (!stopped) spdlog::warn("ha: {}", stopped.error().text);
  }
  // A role report may have started it again before the plugin stopped.
  if (scheduler_ != nullptr) scheduler_->stop();
  index_.waiters().stop();
  if (log_ != nullptr) log_->close();
}

Result<std::int64_t> LocalBroker::group_offset(const std::string& group, const std::string& topic,
                                               int queue) {
  if (auto wrong = check_pair(group, topic)) return std::move(*wrong);
  return groups_->get(group, topic, queue);
}

Result<std::monostate> LocalBroker::set_group_offset(const std::string& group,
                                                     const std::string& topic, int queue,
                                                     std::int64_t next) {
  if (auto wrong = check_pair(group, topic)) return std::move(*wrong);
  const auto refuse = [&](std::int32_t status, const std::string& why) {
    return make_error(status, "group '" + group + "' topic '" + topic + "' queue " +
                                  std::to_string(queue) + ": offset " + std::to_string(next) + why);
  };
  if (next < 0) return refuse(HA_INVALID, " must not be negative");
  const std::int64_t end = index_.end_queue_offset(topic, queue);
  if (next > end)
    return refuse(HA_RANGE, " is beyond the end, " + std::to_string(end) +
                                ": commit the queue offset of the next message to read");
  // While its master is there, that is where a commit belongs: here it would be overwritten within
  // a second. While it is away, the commit is kept and handed up.
  if (follows()) {
    return make_error(HA_NOT_MASTER, "this node is a slave that follows its master, at " +
                                         master_address() + ": commit the offset there");
  }
  return groups_->set(group, topic, queue, next, role() != Role::kMaster);
}

std::string LocalBroker::followed() const {
  const ha::Snapshot now = snapshot();
  return now.values.client_state == HA_STATE_TRANSFER ? now.values.master_address : "";
}

bool LocalBroker::follows() const {
  return role() == Role::kSlave && snapshot().values.client_state == HA_STATE_TRANSFER;
}

Result<std::int64_t> LocalBroker::delete_group_offsets(const std::string& group,
                                                       const std::optional<std::string>& topic) {
  auto wrong = check_group_name(group);
  if (!wrong && topic) wrong = check_topic_name(*topic);
  if (wrong) return std::move(*wrong);
  // What is deleted here could not be told from what the master has and this node does not.
  if (role() != Role::kMaster) return not_master("deletes no offsets");
  return groups_->remove(group, topic);
}

}  // namespace stub
