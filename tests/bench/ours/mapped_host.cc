// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ours/mapped_host.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/bench/common/bench.h"

namespace ha::bench {
namespace {

// RocketMQ's segment size; frames end at its multiples.
constexpr std::int64_t kSegment = kGiB;

}  // namespace

MappedHost::MappedHost(std::int64_t capacity, bool prefault) : capacity_(capacity) {
  bytes_ = bench_map(capacity, prefault ? 1 : 0, &file_);
}

MappedHost::~MappedHost() {
  ::munmap(bytes_, static_cast<std::size_t>(capacity_));
  ::close(file_);
}

void MappedHost::wait_for_role(std::int32_t role) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return role_ == role; });
}

std::int32_t MappedHost::bounds(ha_bounds& out) {
  const std::int64_t end = this->end();
  out = {0, end, end, end, kSegment};
  return HA_OK;
}

std::int32_t MappedHost::record_floor(std::int64_t offset, std::int64_t& out) {
  out = offset;
  return HA_OK;
}

std::int64_t MappedHost::readable(std::int64_t offset, std::int64_t size) const {
  return std::min({size, end() - offset, kSegment - offset % kSegment});
}

std::int32_t MappedHost::read(std::int64_t offset, std::span<std::byte> buffer, std::int64_t& got) {
  got = readable(offset, static_cast<std::int64_t>(buffer.size()));
  if (got <= 0) return HA_RANGE;
  std::memcpy(buffer.data(), bytes_ + offset, static_cast<std::size_t>(got));
  return HA_OK;
}

std::int32_t MappedHost::append(std::int64_t, std::int64_t offset, std::span<const std::byte> data,
                                Error& error) {
  const auto size = static_cast<std::int64_t>(data.size());
  if (offset != end()) return HA_RANGE;
  if (offset + size > capacity_) {
    error.text = "the bench's log is full at " + std::to_string(capacity_) + " bytes";
    return HA_IO;
  }
  std::memcpy(bytes_ + offset, data.data(), data.size());
  set_end(offset + size);
  if (grown) grown(offset + size);
  return HA_OK;
}

std::int32_t MappedHost::truncate(std::int64_t, std::int64_t new_end, std::uint32_t, Error&) {
  set_end(new_end);
  return HA_OK;
}

void MappedHost::role_changed(const ha_role_report& report) {
  const std::lock_guard lock(mutex_);
  role_ = report.role;
  changed_.notify_all();
}

void MappedHost::log(std::int32_t level, std::string_view text) {
  if (level < HA_LOG_ERROR) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

std::int32_t MappedHost::pin(std::int64_t offset, std::int64_t size, ha_span& out) {
  const std::int64_t there = readable(offset, size);
  if (there <= 0) return HA_RANGE;
  out = {bytes_ + offset, there, 0};
  return HA_OK;
}

std::int32_t MappedHost::acquire_segment(std::int64_t offset, std::int64_t size, ha_segment& out) {
  const std::int64_t there = readable(offset, size);
  if (there <= 0) return HA_RANGE;
  out = {file_, 0, offset, there, 0};
  return HA_OK;
}

std::int32_t MappedHost::reserve(std::int64_t, std::int64_t offset, std::int64_t size, void*& data,
                                 std::int64_t& room, Error& error) {
  if (offset != end()) return HA_RANGE;
  room = std::min({size, capacity_ - offset, kSegment - offset % kSegment});
  if (room <= 0) {
    error.text = "the bench's log is full at " + std::to_string(capacity_) + " bytes";
    return HA_IO;
  }
  data = bytes_ + offset;
  return HA_OK;
}

std::int32_t MappedHost::commit_reserved(std::int64_t size, Error&) {
  const std::int64_t end = this->end() + size;
  set_end(end);
  if (grown) grown(end);
  return HA_OK;
}

std::string plugin_path() {
  char self[4096];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof(self));
  if (n <= 0) bench_die("/proc/self/exe");
  const std::string path(self, static_cast<std::size_t>(n));
  return path.substr(0, path.rfind('/')) + "/libha_plugin.so";
}

std::vector<Option> plugin_options(int argc, char** argv) {
  std::vector<Option> options;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--option") != 0) continue;
    const std::string text = argv[i + 1];
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) bench_die("--option: '%s' is not KEY=VALUE", text.c_str());
    options.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return options;
}

std::vector<Option> without_heartbeats(std::vector<Option> options) {
  options.push_back({"heartbeat_ms", "60000"});
  options.push_back({"housekeeping_ms", "200000"});
  return options;
}

Instance start(MappedHost& host, const RoleRequest& role, std::vector<Option> options,
               const Shown& shown) {
  HostBinding binding = bind_host(host);
  if (!shown.pin) {
    binding.api.pin = nullptr;
    binding.api.unpin = nullptr;
  }
  if (!shown.reserve) {
    binding.api.get_extension = [](void* ctx, const char* id) noexcept -> const void* {
      if (std::string_view(id) == HA_EXT_APPEND_RESERVE) return nullptr;
      return detail::find_extension<MappedHost>(ctx, id);
    };
  }
  options.insert(
      options.begin(),
      {{"listen", "127.0.0.1:0"}, {"bootstrap", "earliest"}, {"connections_per_address", "0"}});
  auto plugin = Plugin::load(plugin_path(), binding);
  if (!plugin) bench_die("%s", plugin.error().text.c_str());
  auto instance = Instance::create(*plugin, binding, options);
  if (!instance) {
    std::fprintf(stderr, "%s\n", instance.error().text.c_str());
    std::exit(instance.error().status == HA_INVALID ? kUnknownOption : 1);
  }
  if (auto started = instance->start(role); !started) bench_die("%s", started.error().text.c_str());
  host.wait_for_role(role.role);
  return std::move(*instance);
}

int listen_port(const Instance& instance) {
  const auto snapshot = instance.snapshot();
  if (!snapshot) bench_die("%s", snapshot.error().text.c_str());
  return static_cast<int>(snapshot->values.listen_port);
}

}  // namespace ha::bench
