// SPDX-License-Identifier: Apache-2.0
// Nodes that were configured differently, and nodes that share what must be one node's own.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/unit/epoch_set.h"

namespace ha::testing {
namespace {

class DifferentSets : public EpochSet {
 protected:
  // a and c are of one mind: a is master, c follows.
  void start_a_and_c(const Options& more = {}) {
    make(3);
    start(a(), HA_ROLE_MASTER, more);
    start(c(), HA_ROLE_SLAVE, more);
    ASSERT_TRUE(a().host.wait_for_role(HA_ROLE_MASTER));
    ASSERT_TRUE(c().host.wait_for_log("master " + address(a()) + " answered"));
  }
};

// By its own list b would need nobody's promise, and holds nothing of what a and c acknowledged.
TEST_F(DifferentSets, AListThatIsTooShortNeitherFollowsNorIsPromoted) {
  start_a_and_c();
  const std::string whole = replicas_;
  replicas_ = "a@" + address(a()) + ",b@" + address(b());
  follow(b(), address(a()));
  const std::string words =
      "the slave's set is a,b with default_copies 2, the master's is a,b,c with default_copies 2";
  EXPECT_TRUE(b().host.wait_for_log(words)) << "the operator of b reads it";
  EXPECT_TRUE(a().host.wait_for_log(words)) << "so does that of a";
  EXPECT_EQ(b().plugin->snapshot().total.client_reason, HA_REASON_SET_DIFFERS);

  const std::int64_t end = grow(a(), 100);
  ASSERT_TRUE(c().host.wait_for_end(end));
  for (const std::uint32_t flags : {0U, HA_ROLE_CHANGE_FORCE}) {
    const RoleSeen told = refused(b(), flags);
    EXPECT_EQ(told.status, HA_CONFLICT);
    EXPECT_EQ(told.reason, HA_REASON_SET_DIFFERS);
    EXPECT_NE(told.text.find("the candidate's set is a,b with default_copies 2, that of 'a' is "
                             "a,b,c with default_copies 2"),
              std::string::npos)
        << told.text;
  }
  EXPECT_EQ(last_role(a()).role, HA_ROLE_MASTER) << "nobody was disturbed";
  EXPECT_EQ(b().host.end(), 0);

  // Nor does it keep the others from having another master.
  EXPECT_EQ(promote(c()), 2);
  replicas_ = whole;
  b().plugin.reset();
  start(b(), HA_ROLE_SLAVE);
  EXPECT_TRUE(b().host.wait_for_end(end)) << "with the same list it is one of them";
}

// With 3 copies by default one promise is enough to be master: not for nodes that count on 2.
TEST_F(DifferentSets, AnotherNumberOfCopiesMakesTheSetsDiffer) {
  start_a_and_c();
  start(b(), HA_ROLE_MASTER, {{"default_copies", "3"}});
  EXPECT_TRUE(b().host.wait_for_log(
      "the candidate's set is a,b,c with default_copies 3, that of 'a' is a,b,c with "
      "default_copies 2"));
  EXPECT_TRUE(b().host.roles().empty());
}

// The order is of no matter, and by what addresses they know each other is not either.
TEST_F(DifferentSets, OnlyIdsAndCopiesCount) {
  start_a_and_c();
  replicas_ = "c@localhost:" + std::to_string(c().port) + ",b@" + address(b()) +
              ",a@localhost:" + std::to_string(a().port);
  start(b(), HA_ROLE_SLAVE, {{"default_copies", "2"}});
  EXPECT_TRUE(b().host.wait_for_end(grow(a(), 100)));
}

TEST_F(DifferentSets, ANodeThatListsNoSetIsRefusedBySuchThatDo) {
  start_a_and_c();
  MemoryHost host;
  Instance alone(host, native({{"replica_id", "b"}, {"cluster_id", "prod"}}));
  alone.start_slave(address(a()));
  EXPECT_TRUE(host.wait_for_log("the slave's set is none, the master's is a,b,c"));
}

// Two processes that were given the id b: one vote, and the older one hears why it has none.
TEST_F(DifferentSets, TheSameIdTwiceHasOneVote) {
  start_a_and_c();
  start(b(), HA_ROLE_SLAVE);
  ASSERT_TRUE(b().host.wait_for_end(grow(a(), 100)));
  Node twin("b");
  twin.port = Listener().port();
  start(twin, HA_ROLE_SLAVE);
  ASSERT_TRUE(b().host.wait_for_log("a process that was started later"));
  ASSERT_TRUE(twin.host.wait_for_end(a().host.end()));
  EXPECT_EQ(a().plugin->snapshot().replicas.size(), 2U);
}

class StateDirLock : public ::testing::Test {
 protected:
  Options options() const { return {{"state_dir", state_.path()}}; }
  std::string refused(Instance& node) {
    EXPECT_EQ(node.start(HA_ROLE_NONE), HA_IO);
    return node.error().text;
  }
  StateDir state_;
  MemoryHost host_;
};

TEST_F(StateDirLock, OneInstanceAtATimeHasADirectory) {
  MemoryHost other;
  Instance second(other, options());
  {
    Instance first(host_, options());
    ASSERT_EQ(first.start(HA_ROLE_NONE), HA_OK);
    const std::string why = refused(second);
    EXPECT_NE(why.find("option 'state_dir': '" + state_.path() +
                       "' is in use by another instance of this process"),
              std::string::npos)
        << why;
    EXPECT_EQ(first.stop(), HA_OK);
    ASSERT_EQ(second.start(HA_ROLE_NONE), HA_OK) << "a stopped instance holds it no more";
    second.stop();
  }
}

TEST_F(StateDirLock, TheProcessThatHasItIsNamed) {
  int held[2];
  int done[2];
  ASSERT_EQ(::pipe(held), 0);
  ASSERT_EQ(::pipe(done), 0);
  const std::string path = state_.path() + "/ha_state.lock";
  state_.write("ha_state.lock", "");
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(path.c_str(), O_RDWR);
    char text[24];
    const int size = std::snprintf(text, sizeof(text), "%d\n", static_cast<int>(::getpid()));
    const bool ok = ::flock(fd, LOCK_EX) == 0 && ::write(fd, text, size) == size;
    char byte = ok ? 'y' : 'n';
    ::close(done[1]);
    if (::write(held[1], &byte, 1) == 1) [[maybe_unused]]
      const ssize_t n = ::read(done[0], &byte, 1);
    ::_exit(0);
  }
  char byte = 'n';
  ASSERT_EQ(::read(held[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  Instance node(host_, options());
  EXPECT_NE(refused(node).find("in use by process " + std::to_string(child) + ":"),
            std::string::npos)
      << node.error().text;
  ::close(done[1]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(node.start(HA_ROLE_NONE), HA_OK) << "it goes with the process";
  for (const int fd : {held[0], held[1], done[0]}) ::close(fd);
}

TEST_F(StateDirLock, ADirectoryThatCannotBeWrittenIsRefused) {
  Instance node(host_, {{"state_dir", "/proc"}});
  EXPECT_NE(refused(node).find("cannot open '/proc/ha_state.lock'"), std::string::npos)
      << node.error().text;
}

}  // namespace
}  // namespace ha::testing
