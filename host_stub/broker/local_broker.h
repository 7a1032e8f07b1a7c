// SPDX-License-Identifier: Apache-2.0
// The Broker over this node's own store and plugin.
//
// How a message goes: checked, encoded, appended under the log's append lock (which also fences:
// the log is writable only while this node is master), then, where the flush policy is sync, made
// durable by the flusher together with its neighbours, then waited for by the plugin. No thread
// waits in between: each step calls the next.
//
// Locks: control_mutex_ serialises the plugin's [control] calls; role_mutex_ guards the role's
// report. Neither is held while the log's append lock is taken by a producer.
//
// Lifecycle: open builds from the log upwards; stop tears down from the plugin downwards. The
// objects live until the destructor, so that a late call finds a stopped one and not a dead one.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "broker/group_offsets.h"
#include "broker/log_hooks.h"
#include "broker/master_board.h"
#include "broker/newest_epoch.h"
#include "broker/queue_offsets.h"
#include "broker/scheduler.h"
#include "ha/loader.hpp"
#include "store/commit_log.h"
#include "store/index.h"

namespace stub {

// Topics are never removed, and each costs memory on every replica.
inline constexpr std::size_t kMaxTopics = 10'000;
inline constexpr std::size_t kMaxKeyBytes = 1024;
inline constexpr std::int64_t kMaxConsumeMessages = 10'000;
// Taking a role closes connections and may cut the log with an fsync; longer means it hangs.
inline constexpr std::chrono::seconds kRoleChangeTimeout{30};

class LocalBroker final : public Broker {
 public:
  explicit LocalBroker(BrokerOptions options);
  ~LocalBroker() override;

  std::optional<Error> open_all();

  void stop(std::int64_t timeout_ms) override;
  void produce_all(std::vector<Produce> asked) override;
  Result<ConsumeResult> consume(const ConsumeQuery& query) override;
  std::uint64_t wait_for_messages(const std::string& topic, std::optional<int> queue,
                                  std::int64_t cursor, std::function<void()> wake) override;
  void cancel_wait(std::uint64_t id) override;
  Result<std::int64_t> group_offset(const std::string& group, const std::string& topic,
                                    int queue) override;
  Result<std::monostate> set_group_offset(const std::string& group, const std::string& topic,
                                          int queue, std::int64_t next) override;
  Result<std::int64_t> delete_group_offsets(const std::string& group,
                                            const std::optional<std::string>& topic) override;
  Result<std::monostate> promote(bool force) override;
  Result<std::monostate> follow(const std::string& master_address) override;
  Result<std::monostate> demote() override;
  Result<std::monostate> set_option(const std::string& key, const std::string& value) override;
  std::string status_json() override;
  std::string metrics_text() override;
  std::string not_ready_reason() override;
  Standing standing() override;
  std::optional<MasterPlace> master_place() override;
  Role role() const override { return role_.load(); }
  std::string ha_address() const override;
  std::string metrics_address() const override;

 private:
  struct Pending;  // a produce on its way

  // consume.cc
  enum class Read { kDone, kAgain, kCorrupt };
  Read read_range(const ConsumeQuery& query, const store::Index::Range& range, ConsumeResult& out);

  // produce.cc
  std::optional<Error> check_request(const ProduceRequest& request) const;
  Error not_master(const std::string& what = "takes no messages") const;
  store::NewMessage encode(const ProduceRequest& request, const ProduceItem& item,
                           std::int64_t now_ms);
  int choose_queue(const ProduceRequest& request, const ProduceItem& item);
  // nullptr: refused, and told so.
  std::shared_ptr<Pending> accept(const ProduceRequest& request,
                                  std::function<void(ProduceResult)> done);
  void append(std::span<const std::shared_ptr<Pending>> run, std::span<store::NewMessage> messages);
  void flush(const std::shared_ptr<Pending>& pending);
  void replicate(const std::shared_ptr<Pending>& pending);
  std::string wait_text(std::int32_t status, const Pending& pending) const;

  // roles.cc
  void on_role_changed(const ha_role_report& report);
  Result<std::monostate> change_role(const ha::RoleRequest& request, bool starting,
                                     bool until_it_holds = true);
  std::string master_address() const;
  void set_writable(bool writable);
  std::string role_text() const;  // what the plugin said of the last change of role

  bool follows() const;          // a master, and is connected to it
  std::string followed() const;  // the HA address of the master that this slave is connected to

  ha::Snapshot snapshot() const;
  std::string why_not_following() const;

  const BrokerOptions options_;
  QueueOffsets queue_offsets_;
  MasterBoard board_;
  store::Index index_{&queue_offsets_};
  std::unique_ptr<store::CommitLog> log_;
  std::unique_ptr<GroupOffsets> groups_;
  std::unique_ptr<NewestEpoch> epochs_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<LogHooks> hooks_;
  std::optional<ha::Instance> instance_;
  std::atomic<ha::Instance*> notified_{nullptr};  // set once instance_ exists
  std::atomic<std::int32_t> default_durability_{HA_DURABILITY_RECEIVED};  // as the plugin was told
  std::atomic<unsigned> next_queue_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> writable_{false};  // as the log was told; for those who must not lock it

  std::mutex control_mutex_;
  mutable std::mutex role_mutex_;
  std::condition_variable role_reported_;
  std::atomic<Role> role_{Role::kNone};
  std::int32_t wanted_role_ = HA_ROLE_NONE;
  std::string master_address_;
  std::string last_role_text_;
  struct RoleAnswer {
    std::int64_t number = 0;
    std::int32_t status = HA_OK;
    std::string text;
  };
  std::int64_t role_asked_ = 0;         // the number of the newest change that was asked for
  RoleAnswer role_answer_;              // to the newest that was answered; answers come in order
  std::atomic<std::int64_t> epoch_{0};  // of which this node is master; 0 = none, or no set
};

}  // namespace stub
