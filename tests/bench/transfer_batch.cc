// How large should a frame be? Drains a cached log from a master plugin to a reader that discards,
// over loopback, at several values of transfer_batch_bytes; rounds interleaved, medians printed.
//
//   ha_bench_transfer_batch [MIB] [ROUNDS]
//
// The answer is the default of option transfer_batch_bytes; README.md beside this file has the
// figures.
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ha/plugin.h"

extern "C" const ha_plugin_api* ha_plugin_entry_v1(const ha_host_api*, ha_error*) noexcept;

namespace {

constexpr std::int64_t kSegment = std::int64_t{1} << 30;

struct Log {
  char* bytes = nullptr;
  std::int64_t size = 0;
  std::atomic<bool> is_master{false};
};

ha_host_api host_table() {
  ha_host_api api{};
  api.struct_size = sizeof(api);
  api.bounds = [](void* ctx, ha_bounds* out) noexcept -> std::int32_t {
    const auto& log = *static_cast<Log*>(ctx);
    *out = {0, log.size, log.size, log.size, kSegment};
    return HA_OK;
  };
  api.record_floor = [](void*, std::int64_t offset, std::int64_t* out) noexcept -> std::int32_t {
    *out = offset;
    return HA_OK;
  };
  api.read = [](void*, std::int64_t, void*, std::int64_t, std::int64_t*) noexcept -> std::int32_t {
    return HA_RANGE;
  };
  api.pin = [](void* ctx, std::int64_t offset, std::int64_t size,
               ha_span* out) noexcept -> std::int32_t {
    const auto& log = *static_cast<Log*>(ctx);
    *out = {log.bytes + offset, std::min(size, log.size - offset), 0};
    return HA_OK;
  };
  api.unpin = [](void*, const ha_span*) noexcept {};
  api.append = [](void*, std::int64_t, std::int64_t, const void*, std::int64_t,
                  ha_error*) noexcept -> std::int32_t { return HA_UNSUPPORTED; };
  api.role_changed = [](void* ctx, const ha_role_report* report) noexcept {
    static_cast<Log*>(ctx)->is_master = report->role == HA_ROLE_MASTER;
    static_cast<Log*>(ctx)->is_master.notify_all();
  };
  api.log = [](void*, std::int32_t level, const char* text, std::int64_t size) noexcept {
    if (level >= HA_LOG_ERROR) std::fprintf(stderr, "%.*s\n", static_cast<int>(size), text);
  };
  return api;
}

double drain(Log& log, const std::string& batch) {
  const ha_host_api host = host_table();
  ha_error error{};
  error.struct_size = sizeof(error);
  const ha_plugin_api* api = ha_plugin_entry_v1(&host, &error);
  const ha_option options[] = {{"listen", "127.0.0.1:0"},
                               {"bootstrap", "earliest"},
                               {"transfer_batch_bytes", batch.c_str()}};
  ha_create_params params{};
  params.struct_size = sizeof(params);
  params.option_stride = sizeof(ha_option);
  params.options = options;
  params.option_count = 3;
  params.host_ctx = &log;
  ha_instance* instance = nullptr;
  ha_role_change role{};
  role.struct_size = sizeof(role);
  role.role = HA_ROLE_MASTER;
  log.is_master = false;
  if (api == nullptr || api->create(&host, &params, &instance, &error) != HA_OK ||
      api->start(instance, &role, &error) != HA_OK) {
    std::fprintf(stderr, "%s\n", error.text);
    std::exit(1);
  }
  log.is_master.wait(false);
  ha_snapshot snapshot{};
  snapshot.struct_size = sizeof(snapshot);
  api->snapshot(instance, &snapshot);

  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<std::uint16_t>(snapshot.listen_port));
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) std::exit(1);
  static std::vector<char> buffer(std::size_t{1} << 20);
  const auto begin = std::chrono::steady_clock::now();
  const char zero[8] = {};
  if (::send(fd, zero, sizeof(zero), MSG_NOSIGNAL) != sizeof(zero)) std::exit(1);
  std::int64_t got = 0;
  while (got < log.size) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) std::exit(1);
    got += n;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ::close(fd);
  api->stop(instance, 0, &error);
  api->destroy(instance);
  return static_cast<double>(log.size) / took.count() / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t mib = argc > 1 ? std::atoll(argv[1]) : 512;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  Log log;
  log.size = mib << 20;
  void* memory = ::mmap(nullptr, static_cast<std::size_t>(log.size), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return 1;
  log.bytes = static_cast<char*>(memory);
  std::memset(memory, 'x', static_cast<std::size_t>(log.size));

  const std::vector<std::int64_t> sizes = {8192,   16384,  32768,   65536,  131072,
                                           262144, 524288, 1048576, 4194292};
  std::map<std::int64_t, std::vector<double>> rates;
  for (int round = 0; round < rounds; ++round) {
    for (const std::int64_t size : sizes) {
      rates[size].push_back(drain(log, std::to_string(size)));
    }
  }
  std::printf("%-22s %10s %10s %10s\n", "transfer_batch_bytes", "min GB/s", "median", "max");
  for (auto& [size, all] : rates) {
    std::sort(all.begin(), all.end());
    std::printf("%-22lld %10.2f %10.2f %10.2f\n", static_cast<long long>(size), all.front(),
                all[all.size() / 2], all.back());
  }
  return 0;
}
