// SPDX-License-Identifier: Apache-2.0
// A broker over the fake plugin, and two of them where one copies the other's log by hand.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "broker/broker.h"
#include "fake_plugin.h"
#include "store_fixture.h"

namespace stub {

// The fake's own functions; the library stays loaded as long as this lives.
class Fake {
 public:
  Fake() : library_(::dlopen(FAKE_PLUGIN_PATH, RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(::dlerror());
  }
  ~Fake() { ::dlclose(library_); }
  Fake(const Fake&) = delete;
  Fake& operator=(const Fake&) = delete;

  template <class Fn>
  Fn* get(const char* name) const {
    return reinterpret_cast<Fn*>(::dlsym(library_, name));
  }
  int waits(int index) const { return get<decltype(fake_waits)>("fake_waits")(index); }
  std::int64_t notified(int index) const {
    return get<decltype(fake_notified)>("fake_notified")(index);
  }
  void end_waits(int index, std::int32_t status, std::int64_t end) const {
    get<decltype(fake_end_waits)>("fake_end_waits")(index, status, end);
  }
  std::string option(const char* key) const {  // "(none)" when it was not given
    const char* value = get<decltype(fake_option)>("fake_option")(key);
    return value != nullptr ? value : "(none)";
  }
  void set_client_state(std::int32_t state) const {
    get<decltype(fake_set_client_state)>("fake_set_client_state")(state);
  }
  void refuse_roles(std::int32_t status) const {
    get<decltype(fake_refuse_roles)>("fake_refuse_roles")(status);
  }
  void fence_after_role(bool on) const {
    get<decltype(fake_fence_after_role)>("fake_fence_after_role")(on);
  }
  const ha_host_api& host(int index, void** ctx) const {
    return *get<decltype(fake_host)>("fake_host")(index, ctx);
  }
  // What the plugin does all day: bytes that `from` holds and `to` does not, through their hooks.
  std::int32_t replicate(int from, int to, std::int64_t epoch = 0) const;
  std::int32_t confirm(int index, std::int64_t offset) const {
    void* ctx = nullptr;
    const ha_host_api& api = host(index, &ctx);
    return api.confirm(ctx, 0, offset);
  }

 private:
  void* library_;
};

// What the master's plugin and its slave's do: the state beside the log, from one to the other.
std::int32_t copy_metadata(const Fake& fake, int from, int to);
BrokerOptions broker_options(const std::string& dir, Role role);
std::unique_ptr<Broker> open_broker(const BrokerOptions& options);
ProduceRequest request(const std::string& topic, const std::vector<std::string>& bodies,
                       std::int32_t acks = 1);
ProduceResult produce(Broker& broker, ProduceRequest request);
std::vector<std::string> bodies(Broker& broker, const std::string& topic);
// Waits by wait_for_messages; false when 20 s were not enough.
bool wait_until_holds(Broker& broker, const std::string& topic, std::int64_t messages);

}  // namespace stub
