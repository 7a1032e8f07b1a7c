// SPDX-License-Identifier: Apache-2.0
// A host for tests: a log in memory, in small segments, whose every byte follows from its offset,
// so that any two logs can be compared without keeping a copy. It does what the ABI asks of a host,
// fails where a test says so, and remembers what the plugin told it.
//
// Threads: everything may be called from any thread; one mutex guards all but the bytes that are
// lent out, which never move.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ha/ext/append_reserve.h"
#include "ha/ext/coordinator.h"
#include "ha/ext/metadata.h"
#include "ha/ext/retention.h"
#include "ha/ext/segment_fd.h"
#include "ha/ext/state_store.h"
#include "ha/ext/thread_lifecycle.h"
#include "ha/plugin.h"
#include "tests/unit/memory_locks.h"

namespace ha::testing {

// Every wait of a test ends by then: long enough for a busy machine, and never reached when all is
// well.
inline constexpr std::chrono::seconds kPatience{20};

// The byte that stands at an offset in every test log.
std::byte byte_at(std::int64_t offset);
std::vector<std::byte> bytes_at(std::int64_t offset, std::int64_t size);

struct HostFeatures {
  bool pin = true;
  bool segment_fd = false;
  bool append_reserve = false;
  bool truncate = true;
  bool reset = true;
  bool confirm = true;
  bool flush = true;
  bool progress = true;
  bool metadata = false;
  bool hands_up = true;  // with metadata
  bool retention = false;
  bool state_store = false;
  bool lifecycle = true;
  std::uint32_t flags = 0;
  std::int64_t segment_size = 4096;
  std::int64_t reserve_most = INT64_MAX;  // bytes that one reservation lends
  std::int64_t record_size = 1;           // record boundaries are its multiples
};

struct RoleSeen {
  std::int32_t role;
  std::int32_t reason;
  std::int32_t status;
  std::string text;
  std::string thread;  // the name of the thread that told it
  std::int64_t epoch;
  std::int64_t number;
};

struct ReplicaSeen {
  std::int32_t event;
  std::int32_t state;
  std::int32_t reason;
  std::int64_t ack_offset;
  std::string id;
  std::string address;
};

struct LogSeen {
  std::int32_t level;
  std::string text;
};

class MemoryHost {
 public:
  explicit MemoryHost(const HostFeatures& features = {});
  ~MemoryHost();
  MemoryHost(const MemoryHost&) = delete;
  MemoryHost& operator=(const MemoryHost&) = delete;

  const ha_host_api* api() const { return &api_; }
  ha_host_api& table() { return api_; }

  // The log, as the host itself changes it.
  std::int64_t grow(std::int64_t size);  // appends; returns the new end
  void start_at(std::int64_t min);       // an empty log that begins there
  void drop_below(std::int64_t min);     // deletes whole segments
  void set_metadata(const std::string& state);
  std::string metadata() const;
  bool wait_for_metadata(const std::string& state);
  // Of a slave: what it has for its master. Of a master: what its slaves handed up, in order.
  void set_pending(const std::string& state);
  bool wait_for_merged(const std::string& last);
  std::vector<std::string> merged() const;
  void refuse_metadata();                            // it answers CORRUPT from now on
  bool wait_for_hold(std::int64_t offset);           // the newest that the plugin told
  std::string state(const std::string& name) const;  // of the extension state-store
  void set_state(const std::string& name, const std::string& value);
  void set_durable(std::int64_t end);  // nothing is, until a test or a flush says so
  std::int64_t min() const;
  std::int64_t end() const;
  // "" when every byte of [min, end) is what must stand there; else the first that is not.
  std::string first_wrong_byte() const;

  // Faults. The status is what the hook answers as long as it is not HA_OK.
  void fail_append(std::int32_t status, int os_errno = 0);  // append and commit
  void fail_pin(std::int32_t status);
  void fail_read(std::int32_t status);
  void fail_bounds(std::int32_t status);
  std::int64_t bounds_calls() const;
  void fail_truncate(std::int32_t status);
  void fail_confirm(std::int32_t status);
  // That hook answers OK from now on and does nothing, or, of append and commit, stores so many
  // bytes of what it was given. "" = none does.
  void lie(const std::string& hook, std::int64_t stored = 0);
  // What bounds answers instead of the truth; a segment size of 0 = the truth.
  void answer_bounds(const ha_bounds& bounds);
  void cut(std::int64_t end);  // without being asked to
  // Run inside the hook, without the host's lock; for append and truncate before they do anything.
  void on_append(std::function<void(std::int64_t offset, std::int64_t size)> hook);
  void on_truncate(std::function<void(std::int64_t new_end)> hook);
  // Its answer is the flush hook's.
  void on_flush(std::function<std::int32_t(std::int64_t end)> hook);
  void on_replica(std::function<void(const ha_replica_event&)> hook);
  void on_role(std::function<void(const ha_role_report&)> hook);

  // Offers extension coordinator over that service, which hosts may share. Before create.
  void offer(MemoryLocks& locks) { locks_ = &locks; }
  // Stands before its hooks, without the host's lock, and makes the answer: call's or another.
  using Around = std::function<std::int32_t(const std::string& hook,
                                            const std::function<std::int32_t()>& call)>;
  void on_coordinator(Around around);

  // What was seen. The waiting ones return false when patience ends.
  bool wait_for(const std::function<bool()>& met_under_lock);
  bool wait_for_end(std::int64_t end);
  bool wait_for_role(std::int32_t role, std::size_t reports = 1);
  bool wait_for_replica(std::int32_t event, std::int32_t reason, std::size_t count = 1);
  bool wait_for_log(const std::string& part, std::size_t count = 1);
  bool wait_for_confirm(std::int64_t offset);
  std::vector<RoleSeen> roles() const;
  std::vector<ReplicaSeen> replicas() const;
  std::vector<std::int64_t> progress() const;
  std::vector<std::int64_t> confirms() const;  // what the plugin told, in order
  // The epoch that the hook was given last; -1 = it was not called.
  std::int64_t epoch_of(const std::string& hook) const;
  std::size_t count_logs(const std::string& part) const;
  std::size_t count_level(std::int32_t level) const;
  std::int64_t lent() const;   // pins, segments and reservations that are out
  std::int64_t loans() const;  // that ever were
  std::int64_t appends() const;
  std::int64_t threads() const;                       // started and not yet stopping
  std::set<std::string> coordinator_threads() const;  // that called the extension coordinator
  std::vector<std::string> misuse() const;

 private:
  struct Segment {
    std::unique_ptr<std::byte[]> bytes;
    int fd = -1;
  };
  struct Hooks;  // the C functions of the table

  Segment& segment_of(std::int64_t offset);
  std::byte* at(std::int64_t offset);
  void put(std::int64_t offset, const std::byte* data, std::int64_t size);
  std::int32_t append_locked(std::int64_t offset, const void* data, std::int64_t size,
                             ha_error* error);
  bool inside(std::int64_t offset) const { return offset >= min_ && offset < end_; }
  std::int64_t run(std::int64_t offset, std::int64_t size) const;
  void note_misuse(const std::string& text);
  void hear_epoch(const std::string& hook, std::int64_t epoch);
  void run_append_hook(std::int64_t offset, std::int64_t size);

  const HostFeatures features_;
  ha_host_api api_{};
  ha_ext_segment_fd segment_fd_{};
  ha_ext_append_reserve append_reserve_{};
  ha_ext_metadata metadata_ext_{};
  ha_ext_retention retention_ext_{};
  ha_ext_state_store state_store_ext_{};
  ha_ext_thread_lifecycle lifecycle_{};
  ha_ext_coordinator coordinator_ext_{};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, Segment> segments_;
  std::int64_t min_ = 0;
  std::int64_t end_ = 0;
  std::int64_t confirm_ = 0;
  std::int64_t durable_ = 0;
  std::string metadata_;
  std::string pending_;
  std::vector<std::string> merged_;
  std::int64_t held_from_ = -1;
  std::map<std::string, std::string> states_;
  std::uint64_t metadata_version_ = 0;
  std::int32_t metadata_status_ = HA_OK;
  std::int32_t append_status_ = HA_OK;
  int append_errno_ = 0;
  std::int32_t pin_status_ = HA_OK;
  std::int32_t read_status_ = HA_OK;
  std::int32_t bounds_status_ = HA_OK;
  std::int64_t bounds_calls_ = 0;
  std::int32_t truncate_status_ = HA_OK;
  std::int32_t confirm_status_ = HA_OK;
  std::string liar_;
  std::int64_t liar_stores_ = 0;
  ha_bounds told_bounds_{};
  std::function<void(std::int64_t, std::int64_t)> append_hook_;
  std::function<void(std::int64_t)> truncate_hook_;
  std::function<std::int32_t(std::int64_t)> flush_hook_;
  std::function<void(const ha_replica_event&)> replica_hook_;
  std::function<void(const ha_role_report&)> role_hook_;
  std::vector<RoleSeen> roles_;
  std::vector<ReplicaSeen> replicas_;
  std::vector<std::int64_t> progress_;
  std::vector<std::int64_t> confirms_;
  std::map<std::string, std::int64_t> epochs_;  // by hook
  std::int64_t newest_epoch_ = 0;
  std::vector<LogSeen> logs_;
  std::vector<std::string> misuse_;
  std::map<std::uint64_t, std::int64_t> out_;  // token -> offset
  std::uint64_t next_token_ = 1;
  std::int64_t reserved_at_ = -1;
  std::int64_t reserved_room_ = 0;
  std::int64_t loans_ = 0;
  std::int64_t appends_ = 0;
  std::int64_t threads_ = 0;
  MemoryLocks* locks_ = nullptr;
  Around around_;
  std::int64_t coordinating_ = 0;  // calls of the extension coordinator that are under way
  std::set<std::string> coordinator_threads_;
};

}  // namespace ha::testing
