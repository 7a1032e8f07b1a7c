// SPDX-License-Identifier: Apache-2.0
// The host's extensions, one class for each header of ha/ext/. Host hands them out.
//
// A host may lack any of them: ask present() first. Only ThreadLifecycle needs no question, since
// there is nothing to do without it.
//
// Threads: as the hooks themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ha/ext/append_reserve.h"
#include "ha/ext/coordinator.h"
#include "ha/ext/metadata.h"
#include "ha/ext/retention.h"
#include "ha/ext/segment_fd.h"
#include "ha/ext/state_store.h"
#include "ha/ext/thread_lifecycle.h"
#include "ha/plugin.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/host/host_call.h"
#include "ha_plugin/host/host_result.h"

namespace ha {
class Host;
}

namespace ha::ext {

// The log's own files, for sendfile.
class SegmentFd {
 public:
  SegmentFd(const ha_host_api& api, void* ctx);

  bool present() const { return hooks_ != nullptr; }
  core::Status acquire(core::Offset offset, std::int64_t size, ha_segment& out) const;
  void release(const ha_segment& segment) const { call_host(hooks_->release, ctx_, &segment); }

 private:
  const ha_ext_segment_fd* hooks_;
  void* ctx_;
};

// Memory of the log to receive into.
class AppendReserve {
 public:
  // host: whose log is looked at after a commit.
  AppendReserve(const Host& host, const ha_host_api& api, void* ctx);

  bool present() const { return hooks_ != nullptr; }
  // epoch: of the master on whose word it is done; 0 = no epochs are kept.
  HostResult reserve(std::int64_t epoch, core::Offset offset, std::int64_t size, void*& data,
                     std::int64_t& room) const;
  // offset: the log's end, where the memory was reserved.
  HostResult commit(core::Offset offset, std::int64_t size) const;
  void drop() const { call_host(hooks_->drop, ctx_); }

 private:
  const Host& host_;
  const ha_ext_append_reserve* hooks_;
  void* ctx_;
};

// State beside the log, which slaves are given.
class Metadata {
 public:
  Metadata(const ha_host_api& api, void* ctx);

  bool present() const { return hooks_.version != nullptr; }
  std::uint64_t version() const { return call_host(hooks_.version, ctx_); }
  // IO when it is larger than HA_METADATA_MAX_BYTES.
  HostResult read(std::string& out) const;
  HostResult write(std::span<const std::byte> state) const;

  // Does the host take in what its master must hear of, and merge what its slaves did?
  bool hands_up() const { return hooks_.pending != nullptr && hooks_.merge != nullptr; }
  HostResult pending(std::string& out) const;
  HostResult merge(std::span<const std::byte> pending) const;

 private:
  ha_ext_metadata hooks_;  // has grown: a copy, without what the host lacks
  void* ctx_;
};

// Which bytes of the log replicas still need.
class Retention {
 public:
  Retention(const ha_host_api& api, void* ctx);

  bool present() const { return hooks_ != nullptr; }
  // Bytes from there on are wanted; HA_RETENTION_NOTHING = none.
  void hold(core::Offset from) const { call_host(hooks_->hold, ctx_, from.bytes()); }

 private:
  const ha_ext_retention* hooks_;
  void* ctx_;
};

// The plugin's small state, where the host keeps it instead of files.
class StateStore {
 public:
  StateStore(const ha_host_api& api, void* ctx);

  bool present() const { return hooks_ != nullptr; }
  // Leaves out empty when nothing was saved under that name.
  HostResult load(const char* name, std::string& out) const;
  HostResult save(const char* name, std::string_view state) const;

 private:
  const ha_ext_state_store* hooks_;
  void* ctx_;
};

// The host's own lock service, for option coordinator=host. What it may answer, and what an answer
// means, stands in ha/ext/coordinator.h; one that cannot be right is a misuse.
class Coordinator {
 public:
  Coordinator(const ha_host_api& api, void* ctx);

  bool present() const;
  HostResult grant(std::int64_t ttl_ms, std::int64_t& lease, std::int64_t& granted_ms) const;
  HostResult renew(std::int64_t lease) const;
  HostResult revoke(std::int64_t lease) const;
  // Leaves the value empty when the key is absent.
  HostResult read(const std::string& key, std::string& value, std::int64_t& lease) const;
  // expected "": the key is absent.
  HostResult compare_and_set(const std::string& key, std::string_view expected,
                             std::string_view value, std::int64_t lease) const;

 private:
  const ha_ext_coordinator* hooks_;
  void* ctx_;
};

// Word of the plugin's threads, for a host whose runtime must know of each.
class ThreadLifecycle {
 public:
  ThreadLifecycle(const ha_host_api& api, void* ctx);

  void started(const char* name) const;
  void stopping(const char* name) const;

 private:
  const ha_ext_thread_lifecycle* hooks_;
  void* ctx_;
};

}  // namespace ha::ext
