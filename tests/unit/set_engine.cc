// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/set_engine.h"

#include <gtest/gtest.h>

#include <vector>

#include "ha_plugin/coordinator/etcd.h"
#include "ha_plugin/coordinator/host.h"
#include "tests/unit/etcd_process.h"
#include "tests/unit/memory_locks.h"

namespace ha::testing {
namespace {

using std::chrono::milliseconds;

class EtcdEngine final : public SetEngine {
 public:
  std::string start() override {
    const auto answers = [this] {
      CoordinatorKeys keys;
      return Etcd(options_of(""), resolver_).read(keys).yes();
    };
    return etcd_.start(answers) ? "" : "etcd does not start: " + etcd_.log();
  }
  void offer_to(MemoryHost&) override {}
  Options options() const override {
    return {{"coordinator", "etcd:http://127.0.0.1:" + std::to_string(etcd_.port())},
            {"coordinator_ttl_ms", "2000"}};
  }
  Coordinator& connect(const std::string& id) override {
    connections_.push_back(std::make_unique<Etcd>(options_of(id), resolver_));
    return *connections_.back();
  }
  void put_by_hand(const std::string& key, const std::string& value) override {
    HttpClient client({{"127.0.0.1", etcd_.port()}}, nullptr, resolver_);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    bool fresh = false;
    ASSERT_EQ(client.open(deadline, fresh), "");
    const HttpAnswer answer = client.ask("/v3/kv/put",
                                         R"({"key":")" + etcd::to_base64("/ha/prod/" + key) +
                                             R"(","value":")" + etcd::to_base64(value) + "\"}",
                                         "", deadline);
    ASSERT_EQ(answer.status, 200U) << answer.failure << answer.body;
  }
  void kill() override { etcd_.kill(); }

 private:
  EtcdOptions options_of(const std::string& id) const {
    EtcdOptions made;
    made.endpoints = {{"127.0.0.1", etcd_.port()}};
    made.cluster = "prod";
    made.id = id;
    made.request_limit = milliseconds(10'000);
    return made;
  }

  EtcdProcess etcd_;
  net::Resolver resolver_;
  std::vector<std::unique_ptr<Etcd>> connections_;
};

class HostEngine final : public SetEngine {
 public:
  std::string start() override { return ""; }
  void offer_to(MemoryHost& host) override { host.offer(locks_); }
  Options options() const override {
    return {{"coordinator", "host"}, {"coordinator_ttl_ms", "2000"}};
  }
  Coordinator& connect(const std::string& id) override {
    connections_.push_back(std::make_unique<Connection>(locks_, id));
    return connections_.back()->coordinator;
  }
  void put_by_hand(const std::string& key, const std::string& value) override {
    locks_.put("/ha/prod/" + key, value);
  }
  void kill() override { locks_.go_away(); }

 private:
  struct Connection {
    Connection(MemoryLocks& locks, const std::string& id)
        : hooks((host.offer(locks), *host.api()), &host), coordinator(hooks, "/ha/prod/", id) {}
    MemoryHost host;
    ext::Coordinator hooks;
    HostCoordinator coordinator;
  };

  MemoryLocks locks_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace

std::unique_ptr<SetEngine> make_set_engine(const std::string& kind) {
  if (kind == "host") return std::make_unique<HostEngine>();
  return std::make_unique<EtcdEngine>();
}

}  // namespace ha::testing
