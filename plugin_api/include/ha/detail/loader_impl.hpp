// SPDX-License-Identifier: Apache-2.0
// The bodies behind ha/loader.hpp; include that.
#pragma once

namespace ha {

namespace detail {

// Through the last member that the first version of the table requires. A shorter table belongs to
// no version of this major.
inline constexpr std::size_t kLeastPluginTable =
    offsetof(ha_plugin_api, status_text) + sizeof(ha_plugin_api::status_text);

// Texts end in NUL on their way to the plugin, which would see one with a NUL inside cut short.
inline Result<void> refuse_nul_in(const std::string& text, const std::string& what) {
  if (text.find('\0') == std::string::npos) return {};
  return Error{
      HA_INVALID, 0,
      what + " has a NUL byte at position " + std::to_string(text.find('\0')) + ": leave it out"};
}

inline Result<void> refuse_nul_in_option(const std::string& key, const std::string& value) {
  if (auto wrong = refuse_nul_in(key, "the name of an option"); !wrong) return wrong;
  return refuse_nul_in(value, "option '" + key + "': its value");
}

// How far to look for an entry of another major, for the error text only.
inline constexpr unsigned kMostMajor = 32;

}  // namespace detail

inline Result<boost::dll::shared_library> Plugin::open(const std::filesystem::path& path) {
  if (path.empty()) {
    return Error{HA_INVALID, 0, "plugin path is empty: give the path of a libha_plugin.so"};
  }
  // Boost.DLL keeps the system's words (which library is missing, which symbol) only in what it
  // throws.
  try {
    return boost::dll::shared_library(
        path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::exception& e) {
    return Error{HA_IO, 0, "plugin '" + path.string() + "' cannot be loaded: " + e.what()};
  }
}

inline Error Plugin::no_entry(const boost::dll::shared_library& library, const std::string& path) {
  std::string others;
  for (unsigned major = 0; major <= detail::kMostMajor; ++major) {
    if (major != HA_ABI_MAJOR && library.has("ha_plugin_entry_v" + std::to_string(major))) {
      others += (others.empty() ? "" : ", ") + std::to_string(major);
    }
  }
  const std::string wanted = "plugin '" + path + "' does not export " HA_ENTRY_NAME +
                             " (major version " + std::to_string(HA_ABI_MAJOR) +
                             " of the interface, which this host speaks); ";
  if (others.empty()) {
    return {HA_VERSION, 0,
            wanted + "it has no entry of any other major version up to " +
                std::to_string(detail::kMostMajor) + ", so it is not a replication plugin"};
  }
  return {HA_VERSION, 0,
          wanted + "it speaks major version " + others +
              "; use a plugin built for this host, or a host built for that plugin"};
}

inline const char* Plugin::missing_member(const ha_plugin_api& api) {
#define HA_REQUIRE(member) \
  if (api.member == nullptr) return #member
  HA_REQUIRE(name);
  HA_REQUIRE(version);
  HA_REQUIRE(create);
  HA_REQUIRE(start);
  HA_REQUIRE(stop);
  HA_REQUIRE(destroy);
  HA_REQUIRE(notify_appended);
  HA_REQUIRE(check_acks);
  HA_REQUIRE(wait_replicated);
  HA_REQUIRE(set_role);
  HA_REQUIRE(set_master_address);
  HA_REQUIRE(set_option);
  HA_REQUIRE(snapshot);
  HA_REQUIRE(status_json);
  HA_REQUIRE(metrics_text);
  HA_REQUIRE(status_text);
#undef HA_REQUIRE
  return nullptr;
}

inline Result<Plugin> Plugin::load(const std::filesystem::path& path, const HostBinding& host) {
  auto library = open(path);
  if (!library) return library.error();
  const std::string shown = path.string();
  if (!library->has(HA_ENTRY_NAME)) return no_entry(*library, shown);

  auto& entry = library->get<std::remove_pointer_t<ha_plugin_entry_fn>>(HA_ENTRY_NAME);
  ha_error error = detail::empty_error();
  const ha_plugin_api* table = entry(&host.api, &error);
  if (table == nullptr) {
    const std::int32_t status = error.status < 0 ? error.status : HA_VERSION;
    const std::string why = error.text[0] == '\0' ? "without saying why" : error.text;
    return Error{status, error.os_errno, "plugin '" + shown + "' refused this host: " + why};
  }
  if (table->struct_size < detail::kLeastPluginTable) {
    return Error{
        HA_VERSION, 0,
        "plugin '" + shown + "' has a function table of " + std::to_string(table->struct_size) +
            " bytes; major version " + std::to_string(HA_ABI_MAJOR) + " has at least " +
            std::to_string(detail::kLeastPluginTable) + ": it was built from a broken header"};
  }
  auto loaded = std::make_shared<Loaded>();
  std::memcpy(&loaded->api, table, std::min<std::size_t>(sizeof(loaded->api), table->struct_size));
  if (const char* missing = missing_member(loaded->api)) {
    return Error{HA_VERSION, 0,
                 "plugin '" + shown + "' lacks the required function table member '" + missing +
                     "': ask its maker for a complete one"};
  }
  loaded->path = shown;
  loaded->library = std::move(*library);
  return Plugin(std::move(loaded));
}

inline Result<Instance> Instance::create(const Plugin& plugin, const HostBinding& host,
                                         const std::vector<Option>& options) {
  std::vector<ha_option> list;
  list.reserve(options.size());
  for (const Option& option : options) {
    if (auto wrong = detail::refuse_nul_in_option(option.key, option.value); !wrong)
      return wrong.error();
    list.push_back({option.key.c_str(), option.value.c_str()});
  }

  ha_create_params params{};
  params.struct_size = sizeof(params);
  params.option_stride = sizeof(ha_option);
  params.options = list.data();
  params.option_count = static_cast<std::int64_t>(list.size());
  params.host_ctx = host.ctx;

  auto table = std::make_unique<const ha_host_api>(host.api);
  ha_error error = detail::empty_error();
  ha_instance* made = nullptr;
  const std::int32_t status = plugin.api().create(table.get(), &params, &made, &error);
  if (status < 0) return detail::to_error(status, error, "create");
  if (made == nullptr) {
    return Error{HA_INTERNAL, 0, "plugin '" + plugin.path() + "': create said OK but made nothing"};
  }
  return Instance(plugin, std::move(table), Handle(made, Destroy{&plugin.api()}));
}

inline Result<void> Instance::change(decltype(ha_plugin_api::start) ha_plugin_api::*fn,
                                     const RoleRequest& role, const char* name) {
  if (auto wrong = detail::refuse_nul_in(role.master_address, "the master's address"); !wrong) {
    return wrong;
  }
  ha_role_change change{};
  change.struct_size = sizeof(change);
  change.role = role.role;
  change.epoch = role.epoch;
  change.flags = role.force ? HA_ROLE_CHANGE_FORCE : 0;
  change.number = role.number;
  change.master_address = role.master_address.empty() ? nullptr : role.master_address.c_str();
  return call(name, [&](ha_error* e) { return (api().*fn)(handle(), &change, e); });
}

inline Result<void> Instance::set_master_address(const std::string& address) {
  if (auto wrong = detail::refuse_nul_in(address, "the master's address"); !wrong) return wrong;
  return call("set_master_address",
              [&](ha_error* e) { return api().set_master_address(handle(), address.c_str(), e); });
}

inline Result<void> Instance::set_option(const std::string& key, const std::string& value) {
  if (auto wrong = detail::refuse_nul_in_option(key, value); !wrong) return wrong;
  return call("set_option", [&](ha_error* e) {
    return api().set_option(handle(), key.c_str(), value.c_str(), e);
  });
}

inline Result<std::string> Instance::text(decltype(ha_plugin_api::status_json) ha_plugin_api::*fn,
                                          const char* name) const {
  std::string out;
  const auto sink = [](void* user, const char* piece, std::int64_t size) noexcept -> std::int32_t {
    try {
      static_cast<std::string*>(user)->append(piece, static_cast<std::size_t>(size));
      return 0;
    } catch (...) {
      return 1;
    }
  };
  const std::int32_t status = (api().*fn)(handle(), sink, &out);
  if (status < 0) return detail::to_error(status, detail::empty_error(), name);
  return out;
}

inline Result<Snapshot> Instance::snapshot() const {
  Snapshot all;
  // Replicas may join between two readings; room for a few more makes a third one rare.
  constexpr std::size_t kSpare = 8;
  for (;;) {
    all.replicas.assign(all.replicas.size() + kSpare, ha_replica_status{});
    all.values = {};
    all.values.struct_size = sizeof(all.values);
    all.values.replica_stride = sizeof(ha_replica_status);
    all.values.replicas = all.replicas.data();
    all.values.replica_capacity = static_cast<std::int64_t>(all.replicas.size());
    const std::int32_t status = api().snapshot(handle(), &all.values);
    if (status < 0) return detail::to_error(status, detail::empty_error(), "snapshot");
    const auto count =
        static_cast<std::size_t>(std::max<std::int64_t>(all.values.replica_count, 0));
    const bool complete = count <= all.replicas.size();
    all.replicas.resize(count);
    if (complete) break;
  }
  all.values.replicas = nullptr;
  return all;
}

template <class Fn>
std::int32_t Instance::wait(const WaitRequest& request, Fn&& fn) noexcept {
  using Callback = std::decay_t<Fn>;
  static_assert(std::is_nothrow_constructible_v<Callback, Fn&&>,
                "give wait() a callback whose move (or copy) does not throw");
  std::unique_ptr<Callback> callback(new (std::nothrow) Callback(std::forward<Fn>(fn)));
  if (callback == nullptr) return HA_NO_MEMORY;

  ha_wait_request raw{};
  raw.struct_size = sizeof(raw);
  raw.acks = request.acks;
  raw.end = request.end;
  raw.epoch = request.epoch;
  raw.timeout_ns = request.timeout.count();
  raw.durability = request.durability;
  raw.fn = [](void* user, std::int32_t status, std::int64_t end) noexcept {
    const std::unique_ptr<Callback> own(static_cast<Callback*>(user));
    (*own)(status, end);
  };
  raw.user = callback.get();
  // From here on the callback may run at any moment: who owns it is decided by the answer alone.
  Callback* const given = callback.release();
  const std::int32_t status = api().wait_replicated(handle(), &raw);
  if (status != HA_OK) delete given;
  return status;
}

inline std::future<std::int32_t> Instance::wait_future(const WaitRequest& request) {
  auto promise = std::make_shared<std::promise<std::int32_t>>();
  auto future = promise->get_future();
  const std::int32_t status =
      wait(request, [promise](std::int32_t result, std::int64_t) { promise->set_value(result); });
  if (status != HA_OK) promise->set_value(status == HA_DONE ? HA_OK : status);
  return future;
}

inline std::int32_t Instance::wait_blocking(const WaitRequest& request) noexcept {
  struct Latch {
    std::mutex mutex;
    std::condition_variable open;
    bool done = false;
    std::int32_t status = HA_INTERNAL;
  } latch;
  const std::int32_t status = wait(request, [&latch](std::int32_t result, std::int64_t) {
    // Notified under the lock: the waiter's stack frame goes as soon as it can lock.
    const std::lock_guard lock(latch.mutex);
    latch.status = result;
    latch.done = true;
    latch.open.notify_one();
  });
  if (status != HA_OK) return status == HA_DONE ? HA_OK : status;
  std::unique_lock lock(latch.mutex);
  // No timeout of its own: the plugin ends every accepted wait by its deadline.
  latch.open.wait(lock, [&latch] { return latch.done; });
  return latch.status;
}

}  // namespace ha
