// SPDX-License-Identifier: Apache-2.0
// The disk fills up, on either side, and is given room again.
#include <gtest/gtest.h>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/privilege.h"
#include "tests/system/small_disk.h"

namespace ha::system {
namespace {

constexpr std::int64_t kDisk = 24 << 20;
constexpr std::int64_t kSegment = 1 << 20;

class DiskFull : public Cluster {
 protected:
  void SetUp() override { HA_NEED(why_no_mounts(), "HA_REQUIRE_ROOT"); }
  std::filesystem::path make_folder(const std::string& name) {
    std::filesystem::create_directory(folder_ / name);
    return folder_ / name;
  }
};

TEST_F(DiskFull, MasterTellsTheProducerAndHarmsNothing) {
  const SmallDisk disk(make_folder("disk"), kDisk);
  Node& master = add({.name = "master", .segment_size = kSegment, .store = disk.path() / "store"});
  ASSERT_EQ(master.produce("T", "before", "1").status, 200);
  disk.fill();
  // More than the segments that lie ready can take.
  const std::string lines = numbered_lines("l", 16'000, 1000);
  const Produced produced = produce_file(master, "T", "1", write_file(folder_ / "lines", lines));
  EXPECT_NE(produced.exit_code, 0);
  EXPECT_GT(produced.failed, 0);
  EXPECT_NE(produced.errors.find("No space left"), std::string::npos) << produced.errors;
  // Longer than what the last segment may have left.
  const HttpResponse refused = master.produce("T", std::string(4000, 'x'), "1");
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(text_at(refused.document(), "error/message").find("No space left"), std::string::npos)
      << refused.body;
  EXPECT_EQ(number_at(refused.document(), "stored"), 0);
  const HttpResponse not_ready = master.http().get("/readyz");
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_NE(not_ready.body.find("No space left"), std::string::npos) << not_ready.body;
  const std::string held = consume_all(master, "T");
  EXPECT_GT(split_lines(held).size(), static_cast<std::size_t>(produced.acked));
  EXPECT_TRUE(("before\n" + lines).starts_with(held)) << "it holds something else than was sent";

  disk.free();
  wait_until("it is ready before anybody tries",
             [&] { return master.http().get("/readyz").status == 200; });
  wait_until("there is room again",
             [&] { return master.produce("T", "after", "1").status == 200; });
  EXPECT_EQ(consume_all(master, "T"), held + "after\n");
  EXPECT_EQ(master.terminate(), 0);
  EXPECT_EQ(verify(master.store()), "");
  master.start();
  EXPECT_EQ(consume_all(master, "T"), held + "after\n");
}

TEST_F(DiskFull, SlaveSaysSoAndItsMastersProducersGetTheirTimeout) {
  const SmallDisk disk(make_folder("disk"), kDisk);
  Node& master = add({.name = "master", .segment_size = kSegment});
  Node& slave = add({.name = "slave",
                     .role = "slave",
                     .master = master.ha(),
                     .segment_size = kSegment,
                     .options = {"reconnect_max_ms=200"},
                     .store = disk.path() / "store"});
  master.wait_for_replicas(1);
  ASSERT_EQ(master.produce("T", "before", "2").status, 200);
  disk.fill();
  const auto file = write_file(folder_ / "lines", numbered_lines("l", 16'000, 1000));
  EXPECT_EQ(produce_file(master, "T", "1", file).exit_code, 0) << "the master has room";
  slave.wait_for("says that its host failed", [](const json::value& now) {
    return text_at(now, "ha/client/last_reason") == "host_error";
  });
  EXPECT_NE(slave.log_text().find("No space left"), std::string::npos);
  HttpResponse not_ready;
  wait_until("the slave is not ready", [&] {
    not_ready = slave.http().get("/readyz");
    return not_ready.status == 503;
  });
  EXPECT_NE(not_ready.body.find("No space left"), std::string::npos) << not_ready.body;
  const std::string answer =
      text_at(master.produce("T", "one copy", "2", "&timeout_ms=300").document(), "status");
  EXPECT_TRUE(answer == "FLUSH_SLAVE_TIMEOUT" || answer == "SLAVE_NOT_AVAILABLE") << answer;
  const std::string held = consume_all(slave, "T");
  EXPECT_TRUE(consume_all(master, "T").starts_with(held));

  disk.free();
  slave.wait_for_end_of(master);
  wait_until("the slave is ready", [&] { return slave.http().get("/readyz").status == 200; });
  EXPECT_EQ(master.produce("T", "after", "2").status, 200);
  EXPECT_EQ(consume_all(slave, "T"), consume_all(master, "T"));
  EXPECT_EQ(slave.terminate(), 0);
  EXPECT_EQ(verify(slave.store()), "");
  EXPECT_EQ(compare_logs(master.store(), slave.store(), 0, master.log_end(), kSegment), "");
}

}  // namespace
}  // namespace ha::system
