// SPDX-License-Identifier: Apache-2.0
// ha/loader.hpp - load a replication plugin and run it, from C++20 (header only, over Boost.DLL).
//
//   MyLog log;                                             // derives from ha::HostHooks
//   auto plugin = ha::Plugin::load("/usr/lib/libha_plugin.so", ha::bind_host(log));
//   if (!plugin) die(plugin.error().text);
//   auto instance = ha::Instance::create(*plugin, ha::bind_host(log), {{"listen",
//   "0.0.0.0:10912"}}); if (!instance) die(instance.error().text); instance->start({.role =
//   HA_ROLE_MASTER});
//   ...                                                    // append to the log, then
//   instance->notify_appended(end);
//   instance->wait({.end = end, .acks = 2}, [](std::int32_t status, std::int64_t end) { ... });
//
// Errors: Result<T> (see error.hpp); calls that a broker makes per message return a bare HA_* code.
// Nothing here throws but std::bad_alloc, and wait() and the other per-message calls not even that.
// Threads: as the C functions of the same names (plugin.h): calls tagged [control] must be
// serialised by the caller, the others may run at once. Load and create are [control] too.
// Lifetime: an Instance keeps its library loaded and its copy of the host table alive; the library
// goes when the last Plugin and Instance go.
#pragma once

#ifndef BOOST_DLL_USE_STD_FS
#define BOOST_DLL_USE_STD_FS
#endif

#include <boost/dll/shared_library.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ha/error.hpp"
#include "ha/host_hooks.hpp"
#include "ha/plugin.h"

namespace ha {

// A loaded library and its table of functions. Copies share the library.
class Plugin {
 public:
  // Loads exactly this file (no search path; "x.so" means "./x.so"), calls its entry and checks
  // what comes back. The host's table is only looked at.
  static Result<Plugin> load(const std::filesystem::path& path, const HostBinding& host);

  // A private copy of the plugin's table: members that this plugin lacks are NULL.
  const ha_plugin_api& api() const { return loaded_->api; }
  const std::string& path() const { return loaded_->path; }
  std::string_view name() const { return api().name; }
  std::string_view version() const { return api().version; }

  // The code's name. One that this header does not know is told with its number and what it stands
  // for: a newer plugin may return it.
  std::string status_text(std::int32_t status) const {
    const char* name = api().status_text(status);
    std::string text = name == nullptr ? "" : name;
    if (status <= HA_DONE && status >= HA_IN_SYNC_REPLICAS_NOT_ENOUGH && !text.empty()) return text;
    return (text.empty() ? "" : text + " ") + "(status " + std::to_string(status) +
           (status < 0 ? ", taken as INTERNAL)" : ", taken as OK)");
  }

  // The name of a HA_REASON_*, of a HA_REPLICA_* event; the number where the plugin has no names.
  std::string reason_text(std::int32_t reason) const {
    return api().reason_text == nullptr ? "reason " + std::to_string(reason)
                                        : api().reason_text(reason);
  }
  std::string event_text(std::int32_t event) const {
    return api().event_text == nullptr ? "event " + std::to_string(event) : api().event_text(event);
  }

 private:
  struct Loaded {
    boost::dll::shared_library library;
    std::string path;
    ha_plugin_api api{};
  };

  explicit Plugin(std::shared_ptr<const Loaded> loaded) : loaded_(std::move(loaded)) {}

  static Result<boost::dll::shared_library> open(const std::filesystem::path& path);
  static Error no_entry(const boost::dll::shared_library& library, const std::string& path);
  static const char* missing_member(const ha_plugin_api& api);

  std::shared_ptr<const Loaded> loaded_;
};

struct Option {
  std::string key;
  std::string value;
};

struct RoleRequest {
  std::int32_t role = HA_ROLE_NONE;
  std::string master_address = {};  // a slave's; empty = wait for set_master_address
  std::int64_t epoch = 0;
  bool force = false;       // HA_ROLE_CHANGE_FORCE
  std::int64_t number = 0;  // ha_role_report.number of the answer
};

struct WaitRequest {
  std::int64_t end = 0;  // wait until [0, end) is copied
  std::int32_t acks = HA_ACKS_DEFAULT;
  std::chrono::nanoseconds timeout = std::chrono::seconds(3);
  std::int32_t durability = HA_DURABILITY_DEFAULT;
  std::int64_t epoch = 0;
};

struct Snapshot {
  ha_snapshot values{};  // values.replicas is NULL: they are below
  std::vector<ha_replica_status> replicas;
};

// One created instance; destroying it stops it. Movable, so that it can be returned and stored.
class Instance {
 public:
  // The hooks behind host must live until this is destroyed; the binding itself need not.
  static Result<Instance> create(const Plugin& plugin, const HostBinding& host,
                                 const std::vector<Option>& options);

  Instance(Instance&&) noexcept = default;
  // In the order of destruction: the old instance must go before its table and its library.
  Instance& operator=(Instance&& other) noexcept {
    handle_ = std::move(other.handle_);
    host_ = std::move(other.host_);
    plugin_ = std::move(other.plugin_);
    return *this;
  }

  const Plugin& plugin() const { return plugin_; }
  ha_instance* handle() const { return handle_.get(); }

  Result<void> start(const RoleRequest& role) {
    return change(&ha_plugin_api::start, role, "start");
  }
  Result<void> set_role(const RoleRequest& role) {
    return change(&ha_plugin_api::set_role, role, "set_role");
  }
  // drain bounds how long pending waits may go on. HA_TIMEOUT: stopped, but waits were cut short.
  Result<void> stop(std::chrono::milliseconds drain) {
    return call("stop", [&](ha_error* e) { return api().stop(handle(), drain.count(), e); });
  }
  // "" stops following.
  Result<void> set_master_address(const std::string& address);
  Result<void> set_option(const std::string& key, const std::string& value);

  void notify_appended(std::int64_t end) noexcept { api().notify_appended(handle(), end); }
  // UNSUPPORTED where the plugin has no durable acks.
  std::int32_t notify_durable(std::int64_t end) noexcept {
    if (api().notify_durable == nullptr) return HA_UNSUPPORTED;
    api().notify_durable(handle(), end);
    return HA_OK;
  }
  std::int32_t check_acks(std::int32_t acks,
                          std::int32_t durability = HA_DURABILITY_DEFAULT) noexcept {
    return api().check_acks(handle(), acks, durability);
  }

  // OK = fn(status, end) runs exactly once, later, on a plugin thread; it must not block, and an
  // exception that leaves it ends the process, as one that leaves a thread does. DONE or an error =
  // it never runs. NO_MEMORY when there is none for the callback.
  template <class Fn>
  std::int32_t wait(const WaitRequest& request, Fn&& fn) noexcept;

  // Ready with OK once the copies exist (also when they did at once), else with the error. Its
  // get() must not be called on a plugin thread: that thread would have to fulfil it.
  std::future<std::int32_t> wait_future(const WaitRequest& request);

  // Blocks until the copies exist or request.timeout has passed; OK or the error. Not on a plugin
  // thread, and not under a lock that a hook of the host takes.
  std::int32_t wait_blocking(const WaitRequest& request) noexcept;

  Result<Snapshot> snapshot() const;
  Result<std::string> status_json() const {
    return text(&ha_plugin_api::status_json, "status_json");
  }
  Result<std::string> metrics_text() const {
    return text(&ha_plugin_api::metrics_text, "metrics_text");
  }
  // The C table of that id, or NULL.
  const void* get_extension(const char* id) const {
    return api().get_extension == nullptr ? nullptr : api().get_extension(handle(), id);
  }

 private:
  struct Destroy {
    const ha_plugin_api* api;
    void operator()(ha_instance* instance) const { api->destroy(instance); }
  };
  using Handle = std::unique_ptr<ha_instance, Destroy>;

  Instance(Plugin plugin, std::unique_ptr<const ha_host_api> host, Handle handle)
      : plugin_(std::move(plugin)), host_(std::move(host)), handle_(std::move(handle)) {}

  const ha_plugin_api& api() const { return plugin_.api(); }

  template <class Fn>
  Result<void> call(const char* name, Fn&& fn) const {
    ha_error error = detail::empty_error();
    const std::int32_t status = fn(&error);
    if (status < 0) return detail::to_error(status, error, name);
    return {};
  }
  Result<void> change(decltype(ha_plugin_api::start) ha_plugin_api::*fn, const RoleRequest& role,
                      const char* name);
  Result<std::string> text(decltype(ha_plugin_api::status_json) ha_plugin_api::*fn,
                           const char* name) const;

  // In this order: the instance goes first, then the table it used, then the library.
  Plugin plugin_;
  std::unique_ptr<const ha_host_api> host_;
  Handle handle_;
};

}  // namespace ha

#include "ha/detail/loader_impl.hpp"
