// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/host/extensions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

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
