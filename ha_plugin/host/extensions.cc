// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/extensions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "ha_plugin/core/one_line.h"
#include "ha_plugin/host/claims.h"
#include "ha_plugin/host/host.h"

namespace ha::ext {
namespace {

// least: up to where a table must reach to be that extension. A shorter one is not.
template <class Extension>
const Extension* extension(const ha_host_api& api, void* ctx, const char* id,
                           std::size_t least = sizeof(Extension)) {
  if (api.get_extension == nullptr) return nullptr;
  const auto* ext = static_cast<const Extension*>(api.get_extension(ctx, id));
  return ext != nullptr && ext->struct_size >= least ? ext : nullptr;
}

ha_ext_metadata metadata_of(const ha_host_api& api, void* ctx) {
  ha_ext_metadata copy{};
  const auto* given =
      extension<ha_ext_metadata>(api, ctx, HA_EXT_METADATA, offsetof(ha_ext_metadata, pending));
  if (given != nullptr) {
    std::memcpy(&copy, given, std::min<std::size_t>(sizeof(copy), given->struct_size));
  }
  return copy;
}

// A sink that fills a std::string.
template <std::size_t Most>
std::int32_t pour_into(void* user, const char* text, std::int64_t size) noexcept {
  auto& to = *static_cast<std::string*>(user);
  if (size < 0 || to.size() + static_cast<std::size_t>(size) > Most) return 1;
  to.append(text, static_cast<std::size_t>(size));
  return 0;
}

// A sink that remembers that it refused.
struct Poured {
  std::string text;
  bool refused = false;

  static std::int32_t pour(void* user, const char* text, std::int64_t size) noexcept {
    auto& to = *static_cast<Poured*>(user);
    to.refused = to.refused || pour_into<HA_COORDINATOR_MAX_BYTES>(&to.text, text, size) != 0;
    return to.refused ? 1 : 0;
  }
};

}  // namespace

SegmentFd::SegmentFd(const ha_host_api& api, void* ctx)
    : hooks_(extension<ha_ext_segment_fd>(api, ctx, HA_EXT_SEGMENT_FD)), ctx_(ctx) {}

core::Status SegmentFd::acquire(core::Offset offset, std::int64_t size, ha_segment& out) const {
  return known(call_host(hooks_->acquire, ctx_, offset.bytes(), size, &out));
}

AppendReserve::AppendReserve(const Host& host, const ha_host_api& api, void* ctx)
    : host_(host),
      hooks_(extension<ha_ext_append_reserve>(api, ctx, HA_EXT_APPEND_RESERVE)),
      ctx_(ctx) {}

HostResult AppendReserve::reserve(std::int64_t epoch, core::Offset offset, std::int64_t size,
                                  void*& data, std::int64_t& room) const {
  ha_error error = empty_error();
  const std::int32_t status =
      call_host(hooks_->reserve, ctx_, epoch, offset.bytes(), size, &data, &room, &error);
  HostResult result = result_of(status, error, "reserve");
  if (!result.ok() || (data != nullptr && room >= 1)) return result;
  return report_misuse(
      host_, fmt::format("host hook 'reserve' answered OK and lent nothing at {}", offset.bytes()));
}

HostResult AppendReserve::commit(core::Offset offset, std::int64_t size) const {
  ha_error error = empty_error();
  const std::int32_t status = call_host(hooks_->commit, ctx_, size, &error);
  return check_end(host_, result_of(status, error, "commit"), "commit", offset + size);
}

Metadata::Metadata(const ha_host_api& api, void* ctx) : hooks_(metadata_of(api, ctx)), ctx_(ctx) {}

HostResult Metadata::read(std::string& out) const {
  out.clear();
  HostResult result =
      result_of(call_host(hooks_.read, ctx_, pour_into<HA_METADATA_MAX_BYTES>, &out), empty_error(),
                HA_EXT_METADATA " read");
  if (!result.ok()) {
    result.text += fmt::format(" (its state may have {} bytes)", HA_METADATA_MAX_BYTES);
  }
  return result;
}

HostResult Metadata::write(std::span<const std::byte> state) const {
  ha_error error = empty_error();
  const std::int32_t status =
      call_host(hooks_.write, ctx_, state.data(), static_cast<std::int64_t>(state.size()), &error);
  return result_of(status, error, HA_EXT_METADATA " write");
}

HostResult Metadata::pending(std::string& out) const {
  out.clear();
  return result_of(call_host(hooks_.pending, ctx_, pour_into<HA_METADATA_MAX_BYTES>, &out),
                   empty_error(), HA_EXT_METADATA " pending");
}

HostResult Metadata::merge(std::span<const std::byte> pending) const {
  ha_error error = empty_error();
  const std::int32_t status = call_host(hooks_.merge, ctx_, pending.data(),
                                        static_cast<std::int64_t>(pending.size()), &error);
  return result_of(status, error, HA_EXT_METADATA " merge");
}

Retention::Retention(const ha_host_api& api, void* ctx)
    : hooks_(extension<ha_ext_retention>(api, ctx, HA_EXT_RETENTION)), ctx_(ctx) {}

StateStore::StateStore(const ha_host_api& api, void* ctx)
    : hooks_(extension<ha_ext_state_store>(api, ctx, HA_EXT_STATE_STORE)), ctx_(ctx) {}

HostResult StateStore::load(const char* name, std::string& out) const {
  out.clear();
  ha_error error = empty_error();
  const std::int32_t status =
      call_host(hooks_->load, ctx_, name, pour_into<HA_STATE_MAX_BYTES>, &out, &error);
  return result_of(status, error, HA_EXT_STATE_STORE " load");
}

HostResult StateStore::save(const char* name, std::string_view state) const {
  ha_error error = empty_error();
  const std::int32_t status = call_host(hooks_->save, ctx_, name, state.data(),
                                        static_cast<std::int64_t>(state.size()), &error);
  return result_of(status, error, HA_EXT_STATE_STORE " save");
}

Coordinator::Coordinator(const ha_host_api& api, void* ctx)
    : hooks_(extension<ha_ext_coordinator>(api, ctx, HA_EXT_COORDINATOR)), ctx_(ctx) {}

bool Coordinator::present() const {
  return hooks_ != nullptr && hooks_->grant != nullptr && hooks_->renew != nullptr &&
         hooks_->revoke != nullptr && hooks_->read != nullptr && hooks_->compare_and_set != nullptr;
}

HostResult Coordinator::grant(std::int64_t ttl_ms, std::int64_t& lease,
                              std::int64_t& granted_ms) const {
  lease = granted_ms = 0;
  ha_error error = empty_error();
  HostResult result = result_of(call_host(hooks_->grant, ctx_, ttl_ms, &lease, &granted_ms, &error),
                                error, "grant");
  if (!result.ok() || (lease >= 1 && granted_ms >= 1 && granted_ms <= HA_COORDINATOR_MAX_TTL_MS)) {
    return result;
  }
  return misuse(fmt::format(
      "host hook 'grant' answered lease {} for {} ms: they must be 1 or more, and at most {} ms",
      lease, granted_ms, HA_COORDINATOR_MAX_TTL_MS));
}

HostResult Coordinator::renew(std::int64_t lease) const {
  ha_error error = empty_error();
  return result_of(call_host(hooks_->renew, ctx_, lease, &error), error, "renew");
}

HostResult Coordinator::revoke(std::int64_t lease) const {
  ha_error error = empty_error();
  return result_of(call_host(hooks_->revoke, ctx_, lease, &error), error, "revoke");
}

HostResult Coordinator::read(const std::string& key, std::string& value,
                             std::int64_t& lease) const {
  lease = 0;
  Poured poured;
  ha_error error = empty_error();
  HostResult result =
      result_of(call_host(hooks_->read, ctx_, key.c_str(), Poured::pour, &poured, &lease, &error),
                error, "read");
  if (!result.ok()) return result;
  // What does not fit is not believed in part, also if the host answers OK after the sink said no.
  if (poured.refused) {
    return misuse(fmt::format("host hook 'read' poured out more than {} bytes for '{}'",
                              HA_COORDINATOR_MAX_BYTES, key));
  }
  if (core::one_line(poured.text, poured.text.size()) != poured.text) {
    return misuse(fmt::format(
        "host hook 'read' poured out what is not one line of printable UTF-8 for '{}'", key));
  }
  if (lease < 0) {
    return misuse(fmt::format("host hook 'read' answered lease {} for '{}'", lease, key));
  }
  value = std::move(poured.text);
  return result;
}

HostResult Coordinator::compare_and_set(const std::string& key, std::string_view expected,
                                        std::string_view value, std::int64_t lease) const {
  if (value.empty() || value.size() > HA_COORDINATOR_MAX_BYTES) {
    return {core::Status::kInvalid,
            fmt::format("the value for '{}' has {} bytes: it must have 1 to {}", key, value.size(),
                        HA_COORDINATOR_MAX_BYTES)};
  }
  ha_error error = empty_error();
  const std::int32_t status = call_host(hooks_->compare_and_set, ctx_, key.c_str(), expected.data(),
                                        static_cast<std::int64_t>(expected.size()), value.data(),
                                        static_cast<std::int64_t>(value.size()), lease, &error);
  return result_of(status, error, "compare_and_set");
}

ThreadLifecycle::ThreadLifecycle(const ha_host_api& api, void* ctx)
    : hooks_(extension<ha_ext_thread_lifecycle>(api, ctx, HA_EXT_THREAD_LIFECYCLE)), ctx_(ctx) {}

void ThreadLifecycle::started(const char* name) const {
  if (hooks_ != nullptr && hooks_->thread_started != nullptr) {
    call_host(hooks_->thread_started, ctx_, name);
  }
}

void ThreadLifecycle::stopping(const char* name) const {
  if (hooks_ != nullptr && hooks_->thread_stopping != nullptr) {
    call_host(hooks_->thread_stopping, ctx_, name);
  }
}

}  // namespace ha::ext
