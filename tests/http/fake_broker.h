// SPDX-License-Identifier: Apache-2.0
// A broker in memory, for tests of what stands before it: it keeps what is produced (each message
// takes 100 bytes of its log), answers as it is told to, and can hold answers back.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "broker/broker.h"

namespace stub::test {

class FakeBroker : public Broker {
 public:
  static constexpr std::chrono::seconds kPatience{20};  // for conditions; far above what they take

  // What produce answers from now on. stored_of_items: -1 = all of them.
  void set_result(std::int32_t status, std::string text, std::int64_t stored_of_items = -1);
  // Appends from now on, but keeps the answers until release.
  void hold();
  // Answers the held request with that index (0 = the oldest ever held). Requires await_held first.
  void release(std::size_t index, std::int32_t status = 0);
  bool await_held(std::size_t count);  // so many have been held
  std::size_t held() const;

  // Messages below that log offset are held no more.
  void trim(std::int64_t min);

  bool await_waiting(std::size_t count);  // so many wait_for_messages are open
  std::vector<ProduceRequest> produced() const;
  void block_promote(bool blocked);
  bool await_promoting();
  void set_not_ready(std::string reason);
  // What standing and master_place answer; a master that refuses nothing until then.
  void set_standing(Standing standing);
  void set_master_place(std::optional<MasterPlace> place);
  std::string followed() const;
  // What set_option answers from now on.
  void refuse_options(std::int32_t status, std::string text);
  std::map<std::string, std::string> options() const;  // as they were set

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
  Result<std::monostate> demote() override;
  Result<std::monostate> set_option(const std::string& key, const std::string& value) override;
  bool forced() const;
  Result<std::monostate> follow(const std::string& master_address) override;
  std::string status_json() override;
  std::string metrics_text() override;
  std::string not_ready_reason() override;
  Standing standing() override;
  std::optional<MasterPlace> master_place() override;
  Role role() const override;
  std::string ha_address() const override { return "127.0.0.1:10912"; }
  std::string metrics_address() const override { return ""; }

 private:
  struct Held {
    std::function<void(ProduceResult)> done;
    ProduceResult result;
  };
  struct Wait {
    std::string topic;
    std::optional<int> queue;
    std::int64_t cursor;
    std::function<void()> wake;
  };
  // A message's cursor, as the query counts.
  static std::int64_t cursor_of(const Message& message, std::optional<int> queue) {
    return queue ? message.queue_offset : message.offset;
  }
  void produce_one(ProduceRequest request, std::function<void(ProduceResult)> done);
  std::int64_t end(const std::string& topic, std::optional<int> queue) const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::vector<Message>> topics_;
  std::int64_t min_ = 0;
  std::int64_t end_ = 0;
  std::vector<ProduceRequest> produced_;
  std::vector<Held> held_;
  std::map<std::uint64_t, Wait> waits_;
  std::map<std::string, std::int64_t> groups_;
  std::uint64_t next_wait_ = 1;
  std::int32_t status_ = 0;
  std::string text_;
  std::int64_t stored_ = -1;
  bool holding_ = false;
  bool promote_blocked_ = false;
  bool promoting_ = false;
  bool forced_ = false;
  std::string not_ready_;
  Standing standing_{.role = Role::kMaster};
  std::optional<MasterPlace> place_;
  std::string followed_;
  Error option_refusal_{0, 0, ""};
  std::map<std::string, std::string> options_;
  Role role_ = Role::kMaster;
};

}  // namespace stub::test
