// SPDX-License-Identifier: Apache-2.0
// A child has the instance's memory and none of its threads.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "tests/unit/instance.h"
#include "tests/unit/peer.h"

namespace ha::testing {
namespace {

// Runs in a child, which must end by itself: a call that hangs there is killed by its alarm. The
// child's exit code.
int in_child(const std::function<int()>& run) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(static_cast<unsigned>(kPatience.count()));
    ::_exit(run());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// How many of the calls answered anything but STATE.
int wrong_answers(const ha_plugin_api& api, ha_instance* instance) {
  ha_error error{};
  error.struct_size = sizeof(error);
  ha_role_change change{};
  change.struct_size = sizeof(change);
  ha_wait_request wait{};
  wait.struct_size = sizeof(wait);
  wait.acks = 2;
  wait.timeout_ns = 1'000'000'000;
  wait.fn = [](void*, std::int32_t, std::int64_t) noexcept {};
  ha_snapshot snapshot{};
  snapshot.struct_size = sizeof(snapshot);
  const auto sink = [](void*, const char*, std::int64_t) noexcept -> std::int32_t { return 0; };
  int wrong = 0;
  for (const std::int32_t status :
       {api.start(instance, &change, &error), api.stop(instance, 1000, &error),
        api.set_role(instance, &change, &error), api.set_master_address(instance, "h:1", &error),
        api.set_option(instance, "busy_poll_us", "0", &error), api.check_acks(instance, 1, 0),
        api.wait_replicated(instance, &wait), api.snapshot(instance, &snapshot),
        api.status_json(instance, sink, nullptr), api.metrics_text(instance, sink, nullptr)}) {
    wrong += status == HA_STATE ? 0 : 1;
  }
  wrong += std::string(error.text).find("forked child") == std::string::npos ? 1 : 0;
  api.notify_appended(instance, 1);
  api.notify_durable(instance, 1);
  api.destroy(instance);
  return wrong;
}

TEST(Fork, AChildIsRefusedAtOnceAndTheParentGoesOn) {
  MemoryHost host;
  Instance node(host);
  EXPECT_EQ(in_child([&] { return wrong_answers(node.api(), node.get()); }), 0) << "created";
  node.start_master();
  EXPECT_EQ(in_child([&] { return wrong_answers(node.api(), node.get()); }), 0) << "started";
  Peer peer = Peer::to(node.port());
  ASSERT_TRUE(peer.report(0));
  EXPECT_TRUE(host.wait_for_replica(HA_REPLICA_JOINED, HA_REASON_NONE));
  EXPECT_EQ(node.stop(), HA_OK);
  EXPECT_EQ(in_child([&] { return wrong_answers(node.api(), node.get()); }), 0) << "stopped";
}

TEST(Fork, AChildMayHaveAnInstanceOfItsOwn) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer starts no thread in a forked child";
#endif
  MemoryHost host;
  Instance node(host);
  node.start_master();
  EXPECT_EQ(in_child([] {
              MemoryHost own;
              Instance child(own);
              if (child.start(HA_ROLE_MASTER) != HA_OK) return 1;
              if (!own.wait_for_role(HA_ROLE_MASTER)) return 2;
              return child.stop() == HA_OK ? 0 : 3;
            }),
            0);
}

}  // namespace
}  // namespace ha::testing
