// SPDX-License-Identifier: Apache-2.0
// Coordinator over a host that answers as a test wants it: well, wrongly, or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ha/ext/coordinator.h"
#include "ha_plugin/coordinator/host.h"

namespace ha {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr const char* kLeader = "/ha/prod/leader";
constexpr const char* kControl = "/ha/prod/control";

// What the hooks answer, and what they were asked.
struct Script {
  std::int32_t status = HA_OK;
  std::string words = {};  // in the ha_error
  std::int64_t lease = 7;
  std::int64_t granted_ms = 3000;
  struct Value {
    std::vector<std::string> pieces = {};
    std::int64_t lease = 0;
  };
  std::map<std::string, Value> values = {};
  std::vector<std::string> asked = {};

  std::int32_t answer(ha_error* error, const std::string& question) {
    asked.push_back(question);
    std::snprintf(error->text, sizeof(error->text), "%s", words.c_str());
    return status;
  }
};

Script& script(void* ctx) { return *static_cast<Script*>(ctx); }
std::string text(const void* data, std::int64_t size) {
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

ha_ext_coordinator table = {
    sizeof(ha_ext_coordinator),
    0,
    [](void* ctx, std::int64_t ttl_ms, std::int64_t* lease, std::int64_t* granted_ms,
       ha_error* error) noexcept {
      *lease = script(ctx).lease;
      *granted_ms = script(ctx).granted_ms;
      return script(ctx).answer(error, "grant " + std::to_string(ttl_ms));
    },
    [](void* ctx, std::int64_t lease, ha_error* error) noexcept {
      return script(ctx).answer(error, "renew " + std::to_string(lease));
    },
    [](void* ctx, std::int64_t lease, ha_error* error) noexcept {
      return script(ctx).answer(error, "revoke " + std::to_string(lease));
    },
    [](void* ctx, const char* key, ha_sink_fn sink, void* user, std::int64_t* lease,
       ha_error* error) noexcept {
      const Script::Value value = script(ctx).values[key];
      *lease = value.lease;
      // What the sink says is not looked at: the plugin must not rely on it.
      for (const std::string& piece : value.pieces) {
        sink(user, piece.data(), static_cast<std::int64_t>(piece.size()));
      }
      return script(ctx).answer(error, std::string("read ") + key);
    },
    [](void* ctx, const char* key, const void* expected, std::int64_t expected_size,
       const void* value, std::int64_t size, std::int64_t lease, ha_error* error) noexcept {
      return script(ctx).answer(error, std::string("set ") + key + " from '" +
                                           text(expected, expected_size) + "' to '" +
                                           text(value, size) + "' under " + std::to_string(lease));
    }};

ha_host_api api_with(const ha_ext_coordinator* offered) {
  static const ha_ext_coordinator* given = nullptr;
  given = offered;
  ha_host_api api{};
  api.struct_size = sizeof(api);
  api.get_extension = [](void*, const char* id) noexcept -> const void* {
    return std::string(id) == HA_EXT_COORDINATOR ? given : nullptr;
  };
  return api;
}

class HostCoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorAnswer read(std::vector<std::string> pieces, std::int64_t lease = 7) {
    script_.values[kLeader] = {std::move(pieces), lease};
    return coordinator_.read(keys_);
  }
  // Answers with that status and asks for everything that can be asked for.
  std::vector<Said> all_said(std::int32_t status) {
    script_.status = HA_OK;
    EXPECT_TRUE(read({"a"}).yes());
    script_.status = status;
    Lease lease{7, milliseconds(3000)};
    CoordinatorKeys keys;
    return {coordinator_.grant(milliseconds(3000), lease).said,
            coordinator_.renew(lease).said,
            coordinator_.revoke(lease).said,
            coordinator_.read(keys).said,
            coordinator_.take(lease, keys_.leader.revision).said,
            coordinator_.set_control("{}", 0).said};
  }

  Script script_;
  std::vector<Said> counted_;
  const ext::Coordinator hooks_{api_with(&table), &script_};
  HostCoordinator coordinator_{hooks_, "/ha/prod/", "b",
                               [this](Said said) { counted_.push_back(said); }};
  CoordinatorKeys keys_;
};

TEST_F(HostCoordinatorTest, AnIncompleteTableDoesNotCount) {
  EXPECT_TRUE(hooks_.present());
  EXPECT_FALSE(ext::Coordinator(api_with(nullptr), &script_).present());
  ha_ext_coordinator other = table;
  other.struct_size -= 1;
  EXPECT_FALSE(ext::Coordinator(api_with(&other), &script_).present());
  other = table;
  other.compare_and_set = nullptr;
  EXPECT_FALSE(ext::Coordinator(api_with(&other), &script_).present());
}

TEST_F(HostCoordinatorTest, OkMeansYesAndConflictMeansNo) {
  const auto all = [](Said said) { return std::vector<Said>(6, said); };
  EXPECT_EQ(all_said(HA_OK), all(Said::kYes));
  EXPECT_EQ(all_said(HA_CONFLICT), all(Said::kNo));
  for (const std::int32_t status : {HA_DONE, 2, INT32_MAX, HA_TIMEOUT, HA_INTERNAL, -999}) {
    EXPECT_EQ(all_said(status), all(Said::kUnknown)) << status;
  }
  EXPECT_EQ(counted_.size(), 8U * 7U) << "each question is counted";
}

TEST_F(HostCoordinatorTest, AsksForWhatItIsAskedFor) {
  Lease lease;
  EXPECT_TRUE(coordinator_.grant(milliseconds(2500), lease).yes());
  EXPECT_EQ(lease.id, 7);
  EXPECT_EQ(lease.ttl, milliseconds(3000)) << "as granted";
  EXPECT_TRUE(read({"a"}).yes());
  EXPECT_TRUE(coordinator_.take(lease, keys_.leader.revision).yes());
  EXPECT_TRUE(coordinator_.take(lease, 0).yes());
  EXPECT_TRUE(coordinator_.renew(lease).yes());
  EXPECT_TRUE(coordinator_.set_control("{}", 0).yes());
  EXPECT_TRUE(coordinator_.revoke(lease).yes());
  EXPECT_EQ(script_.asked,
            (std::vector<std::string>{"grant 2500", std::string("read ") + kLeader,
                                      std::string("read ") + kControl, "read /ha/prod/set",
                                      "set /ha/prod/leader from 'a' to 'b' under 7",
                                      "set /ha/prod/leader from '' to 'b' under 7", "renew 7",
                                      "set /ha/prod/control from '' to '{}' under 0", "revoke 7"}));
}

TEST_F(HostCoordinatorTest, ALeaseThatCannotBeIsNotBelieved) {
  Lease lease{1, milliseconds(1)};
  const auto lies = [&](std::int64_t id, std::int64_t granted_ms) {
    script_.lease = id;
    script_.granted_ms = granted_ms;
    const CoordinatorAnswer answer = coordinator_.grant(milliseconds(3000), lease);
    EXPECT_THAT(answer.text, HasSubstr("host hook 'grant' answered lease"));
    return answer.said == Said::kUnknown && lease.id == 1;
  };
  EXPECT_TRUE(lies(0, 3000));
  EXPECT_TRUE(lies(-1, 3000));
  EXPECT_TRUE(lies(7, 0));
  EXPECT_TRUE(lies(7, -3000));
  EXPECT_TRUE(lies(7, HA_COORDINATOR_MAX_TTL_MS + 1));
  EXPECT_TRUE(lies(7, INT64_MAX));
  EXPECT_TRUE(lies(INT64_MIN, INT64_MIN));
  script_.lease = INT64_MAX;
  script_.granted_ms = HA_COORDINATOR_MAX_TTL_MS;
  EXPECT_TRUE(coordinator_.grant(milliseconds(3000), lease).yes());
  EXPECT_EQ(lease.id, INT64_MAX);
}

TEST_F(HostCoordinatorTest, AValueThatCannotBeIsNotBelieved) {
  ASSERT_TRUE(read({"a"}).yes());
  const std::string most(HA_COORDINATOR_MAX_BYTES, 'x');
  for (const auto& pieces : std::vector<std::vector<std::string>>{{std::string("a\0b", 3)},
                                                                  {std::string("a\0", 2)},
                                                                  {"two\nlines"},
                                                                  {"\xff\xfe"},
                                                                  {"\xc3"},
                                                                  {most + "x"},
                                                                  {most, "x"},
                                                                  {"x", most, "", "x"}}) {
    const CoordinatorAnswer answer = read(pieces);
    EXPECT_EQ(answer.said, Said::kUnknown) << pieces.front().substr(0, 20);
    EXPECT_THAT(answer.text, HasSubstr("host hook 'read' poured out"));
    EXPECT_EQ(keys_.leader.value, "a") << "nothing is read in part";
  }
  EXPECT_EQ(read({"a"}, -1).said, Said::kUnknown);
  EXPECT_TRUE(read({"\xc3", "\xa4"}).yes()) << "a character in two pieces";
  EXPECT_TRUE(read({most}).yes());
  EXPECT_EQ(keys_.leader.value, most);
}

TEST_F(HostCoordinatorTest, AControlKeyThatCannotBeReadHidesTheLeader) {
  ASSERT_TRUE(read({"a"}).yes());
  script_.values[kControl] = {{"\xff"}, 0};
  EXPECT_EQ(read({"c"}).said, Said::kUnknown);
  EXPECT_EQ(keys_.leader.value, "a");
}

TEST_F(HostCoordinatorTest, ItsWordsAreMadeFitToBeShown) {
  script_.status = HA_TIMEOUT;
  script_.words = "no\nanswer \x1b[31m\xff";
  const CoordinatorAnswer answer = coordinator_.renew({7, milliseconds(1)});
  EXPECT_EQ(answer.text, "host hook 'renew' answered TIMEOUT: no?answer ?[31m?");
}

TEST_F(HostCoordinatorTest, ARevisionHoldsAsLongAsTheValue) {
  ASSERT_TRUE(read({}).yes());
  EXPECT_EQ(keys_.leader.revision, 0);
  ASSERT_TRUE(read({"a"}).yes());
  const std::int64_t first = keys_.leader.revision;
  EXPECT_GT(first, 0);
  EXPECT_EQ(keys_.leader.lease, 7);
  ASSERT_TRUE(read({"a"}).yes());
  EXPECT_EQ(keys_.leader.revision, first);
  ASSERT_TRUE(read({"a"}, 8).yes());
  EXPECT_GT(keys_.leader.revision, first) << "another lease";
  ASSERT_TRUE(read({"c"}, 8).yes());
  const std::int64_t last = keys_.leader.revision;
  EXPECT_GT(last, first);

  script_.asked.clear();
  EXPECT_EQ(coordinator_.take({7, milliseconds(1)}, first).said, Said::kNo);
  EXPECT_EQ(coordinator_.take({0, milliseconds(1)}, last).said, Said::kNo) << "without a lease";
  EXPECT_TRUE(script_.asked.empty());
  EXPECT_TRUE(coordinator_.take({7, milliseconds(1)}, last).yes());
  EXPECT_EQ(script_.asked, std::vector<std::string>{"set /ha/prod/leader from 'c' to 'b' under 7"});
  ASSERT_TRUE(read({}).yes());
  ASSERT_TRUE(read({"c"}, 8).yes());
  EXPECT_GT(keys_.leader.revision, last) << "it was gone";
}

TEST_F(HostCoordinatorTest, ALongValueIsNotSent) {
  const std::string most(HA_COORDINATOR_MAX_BYTES, 'x');
  EXPECT_TRUE(coordinator_.set_control(most, 0).yes());
  script_.asked.clear();
  const CoordinatorAnswer answer = coordinator_.set_control(most + "x", 0);
  EXPECT_EQ(answer.said, Said::kUnknown);
  EXPECT_THAT(answer.text, HasSubstr("65537 bytes"));
  EXPECT_TRUE(script_.asked.empty());
}

TEST_F(HostCoordinatorTest, CancelledItAsksForNothing) {
  coordinator_.cancel();
  Lease lease{7, milliseconds(1)};
  EXPECT_EQ(coordinator_.renew(lease).said, Said::kUnknown);
  EXPECT_EQ(coordinator_.read(keys_).said, Said::kUnknown);
  EXPECT_TRUE(script_.asked.empty());
}

}  // namespace
}  // namespace ha
