// SPDX-License-Identifier: Apache-2.0
// Starts and stops the installed plugin, from C++.
#include <ha/loader.hpp>
#include <iostream>

class EmptyLog : public ha::HostHooks {
 public:
  std::int32_t bounds(ha_bounds& out) override {
    out = {0, 0, 0, 0, 1 << 20};
    return HA_OK;
  }
  std::int32_t record_floor(std::int64_t offset, std::int64_t& out) override {
    out = offset;
    return offset == 0 ? HA_OK : HA_RANGE;
  }
  std::int32_t read(std::int64_t, std::span<std::byte>, std::int64_t&) override { return HA_RANGE; }
  std::int32_t append(std::int64_t, std::int64_t, std::span<const std::byte>, ha::Error&) override {
    return HA_IO;
  }
  void role_changed(const ha_role_report&) override {}
  void log(std::int32_t, std::string_view text) override { std::cerr << text << "\n"; }
};

int main() {
  EmptyLog log;
  auto plugin = ha::Plugin::load(PLUGIN, ha::bind_host(log));
  if (!plugin) {
    std::cerr << plugin.error().text << "\n";
    return 1;
  }
  auto instance = ha::Instance::create(*plugin, ha::bind_host(log), {{"listen", "127.0.0.1:0"}});
  if (!instance || !instance->start({.role = HA_ROLE_MASTER})) return 1;
  std::cout << plugin->name() << " " << plugin->version() << " listens on "
            << instance->snapshot()->values.listen_address << "\n";
  return instance->stop(std::chrono::milliseconds(0)) ? 0 : 1;
}
