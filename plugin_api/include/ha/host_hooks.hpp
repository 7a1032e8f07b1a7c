// SPDX-License-Identifier: Apache-2.0
// ha/host_hooks.hpp - the host's half of the contract as a C++ class.
//
// Derive from HostHooks, override what your log can do, and give bind_host(object) to Plugin::load
// and Instance::create. A hook that the class does not override is absent (NULL) in the C table, so
// "optional" needs no flags to keep in step; the required ones are pure virtual. What each hook
// must do, on which thread, stands in plugin.h beside its member of the same name.
//
// Errors: hooks answer with HA_* codes; those with an Error& may add words and os_errno. An
// exception that leaves a hook becomes HA_INTERNAL (std::bad_alloc: HA_NO_MEMORY) in one place,
// with its what() as the text; from a hook without a status it becomes a line in log. Lifetime: the
// object must outlive every Instance that it was bound to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "ha/error.hpp"
#include "ha/ext/append_reserve.h"
#include "ha/ext/coordinator.h"
#include "ha/ext/metadata.h"
#include "ha/ext/retention.h"
#include "ha/ext/segment_fd.h"
#include "ha/ext/state_store.h"
#include "ha/ext/thread_lifecycle.h"
#include "ha/plugin.h"

namespace ha {

class HostHooks {
 public:
  virtual ~HostHooks() = default;

  // HA_HOST_*; read once, by bind_host.
  virtual std::uint32_t flags() const { return 0; }

  // Required.
  virtual std::int32_t bounds(ha_bounds& out) = 0;
  virtual std::int32_t record_floor(std::int64_t offset, std::int64_t& out) = 0;
  virtual std::int32_t read(std::int64_t offset, std::span<std::byte> buffer,
                            std::int64_t& got) = 0;
  virtual std::int32_t append(std::int64_t epoch, std::int64_t offset,
                              std::span<const std::byte> data, Error& error) = 0;
  virtual void role_changed(const ha_role_report& report) = 0;
  virtual void log(std::int32_t level, std::string_view text) = 0;

  // Optional; pin and unpin together or not at all.
  virtual std::int32_t pin(std::int64_t, std::int64_t, ha_span&) { return HA_UNSUPPORTED; }
  virtual void unpin(const ha_span&) {}
  virtual std::int32_t truncate(std::int64_t, std::int64_t, std::uint32_t, Error&) {
    return HA_UNSUPPORTED;
  }
  virtual std::int32_t reset(std::int64_t, std::int64_t, Error&) { return HA_UNSUPPORTED; }
  virtual std::int32_t flush(std::int64_t, Error&) { return HA_UNSUPPORTED; }
  virtual std::int32_t confirm(std::int64_t, std::int64_t) { return HA_UNSUPPORTED; }
  virtual void replica_changed(const ha_replica_event&) {}
  virtual void progress(std::int64_t) {}

  // Extension ha.host.segment-fd/1; both or neither.
  virtual std::int32_t acquire_segment(std::int64_t, std::int64_t, ha_segment&) {
    return HA_UNSUPPORTED;
  }
  virtual void release_segment(const ha_segment&) {}

  // Extension ha.host.append-reserve/1; all three or none.
  virtual std::int32_t reserve(std::int64_t, std::int64_t, std::int64_t, void*&, std::int64_t&,
                               Error&) {
    return HA_UNSUPPORTED;
  }
  virtual std::int32_t commit_reserved(std::int64_t, Error&) { return HA_UNSUPPORTED; }
  virtual void drop_reserved() {}

  // Extension ha.host.thread-lifecycle/1; both or neither.
  virtual void thread_started(const char*) {}
  virtual void thread_stopping(const char*) {}

  // Extension ha.host.metadata/1; all three or none. read_metadata gives the whole state.
  virtual std::uint64_t metadata_version() { return 0; }
  virtual std::string read_metadata() { return {}; }
  virtual std::int32_t write_metadata(std::string_view, Error&) { return HA_UNSUPPORTED; }
  // Of the same extension; both or neither. pending_metadata gives nothing when nothing is pending.
  virtual std::string pending_metadata() { return {}; }
  virtual std::int32_t merge_metadata(std::string_view, Error&) { return HA_UNSUPPORTED; }

  // Extension ha.host.retention/1.
  virtual void hold_retention(std::int64_t) {}

  // Extension ha.host.state-store/1; both or neither. load_state leaves the string empty when
  // nothing was saved under that name.
  virtual std::int32_t load_state(std::string_view, std::string&, Error&) { return HA_UNSUPPORTED; }
  virtual std::int32_t save_state(std::string_view, std::string_view, Error&) {
    return HA_UNSUPPORTED;
  }

  // Extension ha.host.coordinator/1; all five or none. An empty value stands for an absent key.
  virtual std::int32_t grant_lease(std::int64_t, std::int64_t&, std::int64_t&, Error&) {
    return HA_UNSUPPORTED;
  }
  virtual std::int32_t renew_lease(std::int64_t, Error&) { return HA_UNSUPPORTED; }
  virtual std::int32_t revoke_lease(std::int64_t, Error&) { return HA_UNSUPPORTED; }
  virtual std::int32_t read_key(std::string_view, std::string&, std::int64_t&, Error&) {
    return HA_UNSUPPORTED;
  }
  virtual std::int32_t compare_and_set(std::string_view, std::string_view, std::string_view,
                                       std::int64_t, Error&) {
    return HA_UNSUPPORTED;
  }

  // Extensions that this header does not know: the C table of that id, or NULL.
  virtual const void* other_extension(std::string_view) { return nullptr; }

 protected:
  HostHooks() = default;
  HostHooks(const HostHooks&) = default;
  HostHooks& operator=(const HostHooks&) = default;
};

// A C table and the context it is called with.
struct HostBinding {
  ha_host_api api{};
  void* ctx = nullptr;
};

namespace detail {

inline void give(ha_error* to, std::int32_t status, const Error& from) {
  if (to == nullptr || to->struct_size < sizeof(ha_error)) return;
  to->status = status;
  to->os_errno = from.os_errno;
  const std::size_t n = std::min(from.text.size(), sizeof(to->text) - 1);
  std::memcpy(to->text, from.text.data(), n);
  to->text[n] = '\0';
}

// The one guard: no exception of the host's crosses into the plugin. fn(Error&) returns a status.
template <class Fn>
std::int32_t guard(ha_error* out, const char* hook, Fn&& fn) noexcept {
  try {
    Error error;
    try {
      const std::int32_t status = fn(error);
      if (status < 0) give(out, status, error);
      return status;
    } catch (const std::bad_alloc&) {
      give(out, HA_NO_MEMORY, {HA_NO_MEMORY, 0, std::string("host hook ") + hook + ": no memory"});
      return HA_NO_MEMORY;
    } catch (const std::exception& e) {
      give(out, HA_INTERNAL, {HA_INTERNAL, 0, std::string("host hook ") + hook + ": " + e.what()});
      return HA_INTERNAL;
    } catch (...) {
      give(out, HA_INTERNAL, {HA_INTERNAL, 0, std::string("host hook ") + hook + " threw"});
      return HA_INTERNAL;
    }
  } catch (...) {  // no memory even for the words
    return HA_NO_MEMORY;
  }
}

inline HostHooks& hooks(void* ctx) { return *static_cast<HostHooks*>(ctx); }

template <class Fn>
void guard_void(void* ctx, const char* hook, Fn&& fn) noexcept {
  ha_error error = empty_error();
  const std::int32_t status = guard(&error, hook, [&](Error&) {
    fn();
    return HA_OK;
  });
  if (status == HA_OK) return;
  guard(nullptr, "log", [&](Error&) {
    hooks(ctx).log(HA_LOG_ERROR, error.text);
    return HA_OK;
  });
}

// &T::f has the type of the class that declares it: HostHooks' own means "not overridden".
#define HA_OVERRIDES(T, hook) \
  (!std::is_same_v<decltype(&T::hook), decltype(&::ha::HostHooks::hook)>)

inline void bind_required(ha_host_api& api) {
  api.bounds = [](void* ctx, ha_bounds* out) noexcept {
    return guard(nullptr, "bounds", [&](Error&) { return hooks(ctx).bounds(*out); });
  };
  api.record_floor = [](void* ctx, std::int64_t offset, std::int64_t* out) noexcept {
    return guard(nullptr, "record_floor",
                 [&](Error&) { return hooks(ctx).record_floor(offset, *out); });
  };
  api.read = [](void* ctx, std::int64_t offset, void* buffer, std::int64_t size,
                std::int64_t* got) noexcept {
    return guard(nullptr, "read", [&](Error&) {
      return hooks(ctx).read(
          offset, {static_cast<std::byte*>(buffer), static_cast<std::size_t>(size)}, *got);
    });
  };
  api.append = [](void* ctx, std::int64_t epoch, std::int64_t offset, const void* data,
                  std::int64_t size, ha_error* out) noexcept {
    return guard(out, "append", [&](Error& error) {
      return hooks(ctx).append(
          epoch, offset, {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)},
          error);
    });
  };
  api.role_changed = [](void* ctx, const ha_role_report* report) noexcept {
    guard_void(ctx, "role_changed", [&] {
      // The report of an older plugin is shorter. What it lacks is 0; struct_size stays.
      ha_role_report copy{};
      std::memcpy(&copy, report, std::min<std::size_t>(sizeof(copy), report->struct_size));
      hooks(ctx).role_changed(copy);
    });
  };
  api.log = [](void* ctx, std::int32_t level, const char* text, std::int64_t size) noexcept {
    guard(nullptr, "log", [&](Error&) {
      hooks(ctx).log(level, {text, static_cast<std::size_t>(size)});
      return HA_OK;
    });
  };
}

template <class T>
void bind_optional(ha_host_api& api) {
  if constexpr (HA_OVERRIDES(T, pin)) {
    api.pin = [](void* ctx, std::int64_t offset, std::int64_t size, ha_span* out) noexcept {
      return guard(nullptr, "pin", [&](Error&) { return hooks(ctx).pin(offset, size, *out); });
    };
    api.unpin = [](void* ctx, const ha_span* span) noexcept {
      guard_void(ctx, "unpin", [&] { hooks(ctx).unpin(*span); });
    };
  }
  if constexpr (HA_OVERRIDES(T, truncate)) {
    api.truncate = [](void* ctx, std::int64_t epoch, std::int64_t new_end, std::uint32_t flags,
                      ha_error* out) noexcept {
      return guard(out, "truncate",
                   [&](Error& error) { return hooks(ctx).truncate(epoch, new_end, flags, error); });
    };
  }
  if constexpr (HA_OVERRIDES(T, reset)) {
    api.reset = [](void* ctx, std::int64_t epoch, std::int64_t new_min, ha_error* out) noexcept {
      return guard(out, "reset",
                   [&](Error& error) { return hooks(ctx).reset(epoch, new_min, error); });
    };
  }
  if constexpr (HA_OVERRIDES(T, flush)) {
    api.flush = [](void* ctx, std::int64_t end, ha_error* out) noexcept {
      return guard(out, "flush", [&](Error& error) { return hooks(ctx).flush(end, error); });
    };
  }
  if constexpr (HA_OVERRIDES(T, confirm)) {
    api.confirm = [](void* ctx, std::int64_t epoch, std::int64_t offset) noexcept {
      return guard(nullptr, "confirm", [&](Error&) { return hooks(ctx).confirm(epoch, offset); });
    };
  }
  if constexpr (HA_OVERRIDES(T, replica_changed)) {
    api.replica_changed = [](void* ctx, const ha_replica_event* event) noexcept {
      guard_void(ctx, "replica_changed", [&] { hooks(ctx).replica_changed(*event); });
    };
  }
  if constexpr (HA_OVERRIDES(T, progress)) {
    api.progress = [](void* ctx, std::int64_t offset) noexcept {
      guard_void(ctx, "progress", [&] { hooks(ctx).progress(offset); });
    };
  }
}

inline constexpr ha_ext_segment_fd kSegmentFd = {
    sizeof(ha_ext_segment_fd), 0,
    [](void* ctx, std::int64_t offset, std::int64_t size, ha_segment* out) noexcept {
      return guard(nullptr, "acquire",
                   [&](Error&) { return hooks(ctx).acquire_segment(offset, size, *out); });
    },
    [](void* ctx, const ha_segment* segment) noexcept {
      guard_void(ctx, "release", [&] { hooks(ctx).release_segment(*segment); });
    }};

inline constexpr ha_ext_append_reserve kAppendReserve = {
    sizeof(ha_ext_append_reserve), 0,
    [](void* ctx, std::int64_t epoch, std::int64_t offset, std::int64_t size, void** data,
       std::int64_t* room, ha_error* out) noexcept {
      return guard(out, "reserve", [&](Error& error) {
        return hooks(ctx).reserve(epoch, offset, size, *data, *room, error);
      });
    },
    [](void* ctx, std::int64_t size, ha_error* out) noexcept {
      return guard(out, "commit",
                   [&](Error& error) { return hooks(ctx).commit_reserved(size, error); });
    },
    [](void* ctx) noexcept { guard_void(ctx, "drop", [&] { hooks(ctx).drop_reserved(); }); }};

inline constexpr ha_ext_thread_lifecycle kThreadLifecycle = {
    sizeof(ha_ext_thread_lifecycle), 0,
    [](void* ctx, const char* name) noexcept {
      guard_void(ctx, "thread_started", [&] { hooks(ctx).thread_started(name); });
    },
    [](void* ctx, const char* name) noexcept {
      guard_void(ctx, "thread_stopping", [&] { hooks(ctx).thread_stopping(name); });
    }};

inline constexpr ha_ext_metadata kMetadataWithPending = {
    sizeof(ha_ext_metadata),
    0,
    [](void* ctx) noexcept {
      std::uint64_t version = 0;
      guard_void(ctx, "version", [&] { version = hooks(ctx).metadata_version(); });
      return version;
    },
    [](void* ctx, ha_sink_fn sink, void* user) noexcept {
      return guard(nullptr, "read", [&](Error&) {
        const std::string state = hooks(ctx).read_metadata();
        return sink(user, state.data(), static_cast<std::int64_t>(state.size())) == 0 ? HA_OK
                                                                                      : HA_IO;
      });
    },
    [](void* ctx, const void* data, std::int64_t size, ha_error* out) noexcept {
      return guard(out, "write", [&](Error& error) {
        return hooks(ctx).write_metadata(
            {static_cast<const char*>(data), static_cast<std::size_t>(size)}, error);
      });
    },
    [](void* ctx, ha_sink_fn sink, void* user) noexcept {
      return guard(nullptr, "pending", [&](Error&) {
        const std::string state = hooks(ctx).pending_metadata();
        if (state.empty()) return HA_OK;
        return sink(user, state.data(), static_cast<std::int64_t>(state.size())) == 0 ? HA_OK
                                                                                      : HA_IO;
      });
    },
    [](void* ctx, const void* data, std::int64_t size, ha_error* out) noexcept {
      return guard(out, "merge", [&](Error& error) {
        return hooks(ctx).merge_metadata(
            {static_cast<const char*>(data), static_cast<std::size_t>(size)}, error);
      });
    }};

inline constexpr ha_ext_metadata kMetadata = {sizeof(ha_ext_metadata),
                                              0,
                                              kMetadataWithPending.version,
                                              kMetadataWithPending.read,
                                              kMetadataWithPending.write,
                                              nullptr,
                                              nullptr};

inline constexpr ha_ext_retention kRetention = {
    sizeof(ha_ext_retention), 0, [](void* ctx, std::int64_t offset) noexcept {
      guard_void(ctx, "hold", [&] { hooks(ctx).hold_retention(offset); });
    }};

inline constexpr ha_ext_state_store kStateStore = {
    sizeof(ha_ext_state_store), 0,
    [](void* ctx, const char* name, ha_sink_fn sink, void* user, ha_error* out) noexcept {
      return guard(out, "load", [&](Error& error) {
        std::string state;
        const std::int32_t status = hooks(ctx).load_state(name, state, error);
        if (status < 0 || state.empty()) return status;
        return sink(user, state.data(), static_cast<std::int64_t>(state.size())) == 0 ? HA_OK
                                                                                      : HA_IO;
      });
    },
    [](void* ctx, const char* name, const void* data, std::int64_t size, ha_error* out) noexcept {
      return guard(out, "save", [&](Error& error) {
        return hooks(ctx).save_state(
            name, {static_cast<const char*>(data), static_cast<std::size_t>(size)}, error);
      });
    }};

inline std::string_view text_of(const void* data, std::int64_t size) {
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

inline constexpr ha_ext_coordinator kCoordinator = {
    sizeof(ha_ext_coordinator),
    0,
    [](void* ctx, std::int64_t ttl_ms, std::int64_t* lease, std::int64_t* granted_ms,
       ha_error* out) noexcept {
      return guard(out, "grant", [&](Error& error) {
        return hooks(ctx).grant_lease(ttl_ms, *lease, *granted_ms, error);
      });
    },
    [](void* ctx, std::int64_t lease, ha_error* out) noexcept {
      return guard(out, "renew",
                   [&](Error& error) { return hooks(ctx).renew_lease(lease, error); });
    },
    [](void* ctx, std::int64_t lease, ha_error* out) noexcept {
      return guard(out, "revoke",
                   [&](Error& error) { return hooks(ctx).revoke_lease(lease, error); });
    },
    [](void* ctx, const char* key, ha_sink_fn sink, void* user, std::int64_t* lease,
       ha_error* out) noexcept {
      return guard(out, "read", [&](Error& error) {
        std::string value;
        const std::int32_t status = hooks(ctx).read_key(key, value, *lease, error);
        if (status != HA_OK || value.empty()) return status;
        return sink(user, value.data(), static_cast<std::int64_t>(value.size())) == 0 ? HA_OK
                                                                                      : HA_IO;
      });
    },
    [](void* ctx, const char* key, const void* expected, std::int64_t expected_size,
       const void* value, std::int64_t size, std::int64_t lease, ha_error* out) noexcept {
      return guard(out, "compare_and_set", [&](Error& error) {
        return hooks(ctx).compare_and_set(key, text_of(expected, expected_size),
                                          text_of(value, size), lease, error);
      });
    }};

template <class T>
const void* find_extension(void* ctx, const char* id) noexcept {
  const std::string_view wanted = id;
  if (HA_OVERRIDES(T, acquire_segment) && wanted == HA_EXT_SEGMENT_FD) return &kSegmentFd;
  if (HA_OVERRIDES(T, reserve) && wanted == HA_EXT_APPEND_RESERVE) return &kAppendReserve;
  if (HA_OVERRIDES(T, thread_started) && wanted == HA_EXT_THREAD_LIFECYCLE) {
    return &kThreadLifecycle;
  }
  if (HA_OVERRIDES(T, write_metadata) && wanted == HA_EXT_METADATA) {
    return HA_OVERRIDES(T, merge_metadata) ? &kMetadataWithPending : &kMetadata;
  }
  if (HA_OVERRIDES(T, hold_retention) && wanted == HA_EXT_RETENTION) return &kRetention;
  if (HA_OVERRIDES(T, save_state) && wanted == HA_EXT_STATE_STORE) return &kStateStore;
  if (HA_OVERRIDES(T, grant_lease) && wanted == HA_EXT_COORDINATOR) return &kCoordinator;
  const void* found = nullptr;
  guard_void(ctx, "get_extension", [&] { found = hooks(ctx).other_extension(wanted); });
  return found;
}

}  // namespace detail

// T is the class that overrides the hooks; they must be accessible (public) in it.
template <class T>
HostBinding bind_host(T& host) {
  static_assert(std::is_base_of_v<HostHooks, T>, "derive the host from ha::HostHooks");
  static_assert(HA_OVERRIDES(T, pin) == HA_OVERRIDES(T, unpin),
                "override pin and unpin, or neither");
  static_assert(HA_OVERRIDES(T, acquire_segment) == HA_OVERRIDES(T, release_segment),
                "override acquire_segment and release_segment, or neither");
  static_assert(HA_OVERRIDES(T, reserve) == HA_OVERRIDES(T, commit_reserved) &&
                    HA_OVERRIDES(T, reserve) == HA_OVERRIDES(T, drop_reserved),
                "override reserve, commit_reserved and drop_reserved, or none of them");
  static_assert(HA_OVERRIDES(T, thread_started) == HA_OVERRIDES(T, thread_stopping),
                "override thread_started and thread_stopping, or neither");
  static_assert(HA_OVERRIDES(T, write_metadata) == HA_OVERRIDES(T, read_metadata) &&
                    HA_OVERRIDES(T, write_metadata) == HA_OVERRIDES(T, metadata_version),
                "override metadata_version, read_metadata and write_metadata, or none of them");
  static_assert(HA_OVERRIDES(T, merge_metadata) == HA_OVERRIDES(T, pending_metadata),
                "override pending_metadata and merge_metadata, or neither");
  static_assert(HA_OVERRIDES(T, save_state) == HA_OVERRIDES(T, load_state),
                "override load_state and save_state, or neither");
  static_assert(HA_OVERRIDES(T, grant_lease) == HA_OVERRIDES(T, renew_lease) &&
                    HA_OVERRIDES(T, grant_lease) == HA_OVERRIDES(T, revoke_lease) &&
                    HA_OVERRIDES(T, grant_lease) == HA_OVERRIDES(T, read_key) &&
                    HA_OVERRIDES(T, grant_lease) == HA_OVERRIDES(T, compare_and_set),
                "override grant_lease, renew_lease, revoke_lease, read_key and compare_and_set, or "
                "none of them");
  HostBinding binding;
  binding.api.struct_size = sizeof(ha_host_api);
  binding.api.flags = host.flags();
  detail::bind_required(binding.api);
  detail::bind_optional<T>(binding.api);
  binding.api.get_extension = detail::find_extension<T>;
  binding.ctx = static_cast<HostHooks*>(&host);
  return binding;
}

#undef HA_OVERRIDES

}  // namespace ha
