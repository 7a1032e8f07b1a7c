// SPDX-License-Identifier: Apache-2.0
// The C boundary: the one exported symbol, the table behind it, and the barrier that no exception
// crosses. Arguments are checked here; what they mean is decided behind.
#include <fmt/format.h>

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <system_error>

#include "ha/plugin.h"
#include "ha_plugin/base/fork_guard.h"
#include "ha_plugin/base/version.h"
#include "ha_plugin/guard.h"
#include "ha_plugin/service/ha_service.h"
#include "metrics/names.h"

struct ha_instance {
  ha_instance(const ha_host_api* host, void* ctx, const ha::Settings& settings)
      : service(host, ctx, settings) {}
  ha::ForkGuard fork;
  ha::HaService service;
};

namespace ha {
namespace {

// core spells the ABI's numbers out for itself: they must be the same.
static_assert(static_cast<int>(core::State::kShutdown) == HA_STATE_SHUTDOWN);
static_assert(static_cast<int>(core::Role::kSlave) == HA_ROLE_SLAVE);
static_assert(core::kAcksAllInSync == HA_ACKS_ALL_IN_SYNC && core::kAcksQuorum == HA_ACKS_QUORUM);

// Up to the last member of the first version: a shorter struct is from no version.
template <class T>
bool too_short(const T* s, std::size_t least) {
  return s == nullptr || s->struct_size < least;
}

// Why a [control] call may not go on; OK = it may.
Outcome check_caller(const ha_instance& instance, const char* call) {
  if (instance.fork.in_child()) {
    return {core::Status::kState, std::string(call) +
                                      ": called in a forked child, which has none of the "
                                      "instance's threads; only the process that created the "
                                      "instance may call it"};
  }
  if (!net::on_plugin_thread()) return {};
  return {core::Status::kState, std::string(call) +
                                    ": called from a plugin thread, which would wait for itself; "
                                    "call it from a thread of the host"};
}

Outcome to_role_change(const ha_role_change* change, RoleChange& out) {
  if (too_short(change,
                offsetof(ha_role_change, master_address) + sizeof(change->master_address))) {
    return {core::Status::kInvalid, "role change: NULL, or struct_size is too small"};
  }
  if (change->role < HA_ROLE_NONE || change->role > HA_ROLE_SLAVE) {
    return {core::Status::kInvalid,
            fmt::format("role {} must be one of 0 (none), 1 (master), 2 (slave)", change->role)};
  }
  out.role = static_cast<core::Role>(change->role);
  if (change->epoch < 0 || (change->epoch != 0 && out.role != core::Role::kMaster)) {
    return {core::Status::kInvalid,
            fmt::format("epoch {}: only a master has one; pass 0", change->epoch)};
  }
  out.epoch = change->epoch;
  if (change->struct_size >= offsetof(ha_role_change, flags) + sizeof(change->flags)) {
    if ((change->flags & ~HA_ROLE_CHANGE_FORCE) != 0) {
      return {core::Status::kInvalid,
              fmt::format("flags {}: only HA_ROLE_CHANGE_FORCE is known", change->flags)};
    }
    out.force = (change->flags & HA_ROLE_CHANGE_FORCE) != 0;
  }
  if (change->struct_size >= offsetof(ha_role_change, number) + sizeof(change->number)) {
    out.number = change->number;
    if (out.number < 0) {
      return {core::Status::kInvalid,
              fmt::format("role change: number {} is negative", out.number)};
    }
  }
  const std::string address = change->master_address == nullptr ? "" : change->master_address;
  if (address.empty()) return {};
  if (out.role != core::Role::kSlave) {
    return {core::Status::kInvalid,
            fmt::format("master address '{}': only a slave has one; pass NULL", address)};
  }
  if (std::string wrong = net::parse_address(address, false, out.master); !wrong.empty()) {
    return {core::Status::kInvalid, "master address " + wrong};
  }
  return {};
}

Outcome parse_options(const ha_create_params& params, Settings& settings) {
  const auto* at = reinterpret_cast<const char*>(params.options);
  if (params.option_count < 0 ||
      (params.option_count > 0 && (at == nullptr || params.option_stride < sizeof(ha_option)))) {
    return {core::Status::kInvalid, "create: options, option_count and option_stride do not fit"};
  }
  for (std::int64_t i = 0; i < params.option_count; ++i) {
    ha_option option{};
    std::memcpy(&option, at + i * params.option_stride, sizeof(option));
    if (option.key == nullptr || option.value == nullptr) {
      return {core::Status::kInvalid,
              fmt::format("create: option number {} has no key or no value", i)};
    }
    std::string wrong = apply_option(settings, option.key, option.value);
    if (!wrong.empty()) return {core::Status::kInvalid, std::move(wrong)};
  }
  if (std::string wrong = check_together(settings); !wrong.empty()) {
    return {core::Status::kInvalid, std::move(wrong)};
  }
  if (!settings.request.empty()) {
    return {core::Status::kInvalid,
            fmt::format("option '{}' is for a node that runs: leave it out here, and set it then",
                        settings.request)};
  }
  return {};
}

std::int32_t create(const ha_host_api* host, const ha_create_params* params, ha_instance** out,
                    ha_error* error) noexcept {
  return guarded(error, [&]() -> Outcome {
    if (out == nullptr) return {core::Status::kInvalid, "create: out is NULL"};
    *out = nullptr;
    if (too_short(host, 2 * sizeof(std::uint32_t)) ||
        too_short(params, offsetof(ha_create_params, host_ctx) + sizeof(params->host_ctx))) {
      return {core::Status::kInvalid,
              "create: host or params is NULL, or struct_size is too small"};
    }
    if (const char* missing = Host::missing_member(Host::copy_table(host))) {
      return {core::Status::kVersion, fmt::format("create: host table lacks '{}'", missing)};
    }
    Settings settings;
    if (Outcome bad = parse_options(*params, settings); !bad.ok()) return bad;
    auto made = std::make_unique<ha_instance>(host, params->host_ctx, settings);
    if (Outcome bad = made->service.check_host(); !bad.ok()) return bad;
    *out = made.release();
    return {};
  });
}

std::int32_t start(ha_instance* instance, const ha_role_change* role, ha_error* error) noexcept {
  return guarded(error, [&]() -> Outcome {
    if (instance == nullptr) return {core::Status::kInvalid, "start: instance is NULL"};
    if (Outcome bad = check_caller(*instance, "start"); !bad.ok()) {
      return bad;
    }
    RoleChange change;
    if (Outcome bad = to_role_change(role, change); !bad.ok()) return bad;
    return instance->service.start(change);
  });
}

std::int32_t stop(ha_instance* instance, std::int64_t timeout_ms, ha_error* error) noexcept {
  return guarded(error, [&]() -> Outcome {
    if (instance == nullptr) return {core::Status::kInvalid, "stop: instance is NULL"};
    if (Outcome bad = check_caller(*instance, "stop"); !bad.ok()) {
      return bad;
    }
    if (timeout_ms < 0 || timeout_ms > kMostStopMs) {
      return {core::Status::kInvalid,
              fmt::format("stop: timeout_ms {} is outside 0..{}", timeout_ms, kMostStopMs)};
    }
    return instance->service.stop(timeout_ms);
  });
}

void destroy(ha_instance* instance) noexcept {
  guarded(nullptr, [&]() -> Outcome {
    if (instance == nullptr) return {};
    // A child's copy goes with the child: to free it would be to wait for threads, or locks, that
    // are not there.
    if (instance->fork.in_child()) return {};
    // The thread would have to join itself; better an instance that stays.
    if (Outcome bad = check_caller(*instance, "destroy"); !bad.ok()) {
      instance->service.log_misuse(bad.text);
      return {};
    }
    delete instance;
    return {};
  });
}

void notify_appended(ha_instance* instance, std::int64_t end) noexcept {
  if (instance != nullptr && !instance->fork.in_child()) instance->service.notify_appended(end);
}

void notify_durable(ha_instance* instance, std::int64_t end) noexcept {
  if (instance != nullptr && !instance->fork.in_child()) instance->service.notify_durable(end);
}

std::int32_t check_acks(ha_instance* instance, std::int32_t acks,
                        std::int32_t durability) noexcept {
  return guarded_code([&] {
    if (instance == nullptr) return core::Status::kInvalid;
    if (instance->fork.in_child()) return core::Status::kState;
    return instance->service.check_acks(acks, durability);
  });
}

std::int32_t wait_replicated(ha_instance* instance, const ha_wait_request* request) noexcept {
  return guarded_code([&] {
    if (instance == nullptr ||
        too_short(request, offsetof(ha_wait_request, user) + sizeof(request->user))) {
      return core::Status::kInvalid;
    }
    if (instance->fork.in_child()) return core::Status::kState;
    return instance->service.wait_replicated(*request);
  });
}

std::int32_t set_role(ha_instance* instance, const ha_role_change* change,
                      ha_error* error) noexcept {
  return guarded(error, [&]() -> Outcome {
    if (instance == nullptr) return {core::Status::kInvalid, "set_role: instance is NULL"};
    if (Outcome bad = check_caller(*instance, "set_role"); !bad.ok()) {
      return bad;
    }
    RoleChange to;
    if (Outcome bad = to_role_change(change, to); !bad.ok()) return bad;
    return instance->service.set_role(to);
  });
}

std::int32_t set_master_address(ha_instance* instance, const char* text, ha_error* error) noexcept {
  return guarded(error, [&]() -> Outcome {
    if (instance == nullptr)
      return {core::Status::kInvalid, "set_master_address: instance is NULL"};
    if (Outcome bad = check_caller(*instance, "set_master_address"); !bad.ok()) {
      return bad;
    }
    net::Address address;
    if (text != nullptr && *text != '\0') {
      if (std::string wrong = net::parse_address(text, false, address); !wrong.empty()) {
        return {core::Status::kInvalid, "master address " + wrong};
      }
    }
    return instance->service.set_master_address(address);
  });
}

std::int32_t set_option(ha_instance* instance, const char* key, const char* value,
                        ha_error* error) noexcept {
  return guarded(error, [&]() -> Outcome {
    if (instance == nullptr || key == nullptr || value == nullptr) {
      return {core::Status::kInvalid, "set_option: instance, key or value is NULL"};
    }
    if (Outcome bad = check_caller(*instance, "set_option"); !bad.ok()) {
      return bad;
    }
    return instance->service.set_option(key, value);
  });
}

std::int32_t snapshot(ha_instance* instance, ha_snapshot* out) noexcept {
  return guarded_code([&] {
    if (instance == nullptr ||
        too_short(out, offsetof(ha_snapshot, replica_count) + sizeof(out->replica_count))) {
      return core::Status::kInvalid;
    }
    if (instance->fork.in_child()) return core::Status::kState;
    instance->service.snapshot(*out);
    return core::Status::kOk;
  });
}

core::Status pour(const std::string& text, ha_sink_fn sink, void* user) {
  return sink(user, text.data(), static_cast<std::int64_t>(text.size())) == 0 ? core::Status::kOk
                                                                              : core::Status::kIo;
}

std::int32_t status_json(ha_instance* instance, ha_sink_fn sink, void* user) noexcept {
  return guarded_code([&] {
    if (instance == nullptr || sink == nullptr) return core::Status::kInvalid;
    if (instance->fork.in_child()) return core::Status::kState;
    return pour(instance->service.status_json(), sink, user);
  });
}

std::int32_t metrics_text(ha_instance* instance, ha_sink_fn sink, void* user) noexcept {
  return guarded_code([&] {
    if (instance == nullptr || sink == nullptr) return core::Status::kInvalid;
    if (instance->fork.in_child()) return core::Status::kState;
    return pour(instance->service.metrics_text(), sink, user);
  });
}

const char* status_text(std::int32_t status) noexcept { return metrics::status_name(status); }

const char* reason_text(std::int32_t reason) noexcept { return metrics::reason_name(reason); }

const char* event_text(std::int32_t event) noexcept { return metrics::event_name(event); }

const void* get_extension(ha_instance*, const char*) noexcept { return nullptr; }

const ha_plugin_api kApi = {
    .struct_size = sizeof(ha_plugin_api),
    .abi_minor = HA_ABI_MINOR,
    .name = kPluginName,
    .version = kPluginVersion,
    .create = create,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .notify_appended = notify_appended,
    .notify_durable = notify_durable,
    .check_acks = check_acks,
    .wait_replicated = wait_replicated,
    .set_role = set_role,
    .set_master_address = set_master_address,
    .set_option = set_option,
    .snapshot = snapshot,
    .status_json = status_json,
    .metrics_text = metrics_text,
    .status_text = status_text,
    .get_extension = get_extension,
    .reason_text = reason_text,
    .event_text = event_text,
};

}  // namespace
}  // namespace ha

extern "C" __attribute__((visibility("default"))) const ha_plugin_api* ha_plugin_entry_v1(
    const ha_host_api* host, ha_error* error) noexcept {
  const std::int32_t status = ha::guarded(error, [&]() -> ha::Outcome {
    const std::string versions = fmt::format(
        " (plugin {} speaks ABI {}.{}; the host's table has struct_size {}, this plugin's {})",
        ha::kPluginVersion, HA_ABI_MAJOR, HA_ABI_MINOR,
        host == nullptr ? "none" : std::to_string(host->struct_size), sizeof(ha_host_api));
    if (host == nullptr)
      return {ha::core::Status::kInvalid, "entry: host table is NULL" + versions};
    if (host->struct_size < 2 * sizeof(std::uint32_t)) {
      return {ha::core::Status::kVersion, "entry: host table is too short" + versions};
    }
    if (const char* missing = ha::Host::missing_member(ha::Host::copy_table(host))) {
      return {ha::core::Status::kVersion,
              fmt::format("entry: host table lacks the required member '{}'{}", missing, versions)};
    }
    return {};
  });
  return status == HA_OK ? &ha::kApi : nullptr;
}
