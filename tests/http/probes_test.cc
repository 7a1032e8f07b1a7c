// SPDX-License-Identifier: Apache-2.0
// /primary, /replica, /readiness, /liveness: who is sent where.

#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

class Probes : public HttpTest {
 protected:
  // Of /primary, /replica, /readiness and /liveness.
  std::vector<int> answers() const {
    std::vector<int> out;
    for (const auto* path : {"/primary", "/replica", "/readiness", "/liveness"}) {
      out.push_back(call("GET", path).status);
      auto socket = raw();
      socket.send(request("HEAD", path, "", "Connection: close\r\n"));
      const auto head = socket.read_all();
      EXPECT_EQ(status_of(head), out.back()) << path;
      EXPECT_EQ(body_of(head), "") << path;
    }
    return out;
  }
};

TEST_F(Probes, TellTheRolesApart) {
  const auto statuses = [](int primary, int replica, int ready) {
    return std::vector<int>{primary, replica, ready, 200};
  };
  broker_.set_standing({.role = Role::kMaster});
  EXPECT_EQ(answers(), statuses(200, 503, 200));
  broker_.set_standing({.role = Role::kMaster, .refuses = "the disk is full"});
  EXPECT_EQ(answers(), statuses(503, 503, 200));
  broker_.set_standing({.role = Role::kSlave, .follows = true});
  EXPECT_EQ(answers(), statuses(503, 200, 200));
  broker_.set_standing({.role = Role::kSlave});
  EXPECT_EQ(answers(), statuses(503, 503, 503));
  broker_.set_standing({.role = Role::kNone});
  EXPECT_EQ(answers(), statuses(503, 503, 503));
}

TEST_F(Probes, SayWhyNot) {
  broker_.set_standing({.role = Role::kMaster, .refuses = "the disk is \"full\" \xFF"});
  EXPECT_EQ(call("GET", "/primary").body,
            "{\"role\":\"master\",\"error\":{\"code\":\"NOT_READY\",\"message\":"
            "\"the disk is \\\"full\\\" \xEF\xBF\xBD\"}}\n");
  broker_.set_standing({.role = Role::kSlave, .follows = true, .lag_bytes = 7});
  EXPECT_EQ(call("GET", "/replica").body, "{\"role\":\"slave\",\"lag_bytes\":7}\n");
}

TEST_F(Probes, LagIsABound) {
  const auto with = [&](const std::string& lag) { return call("GET", "/replica?lag=" + lag); };
  broker_.set_standing({.role = Role::kSlave, .follows = true, .lag_bytes = 1024});
  EXPECT_EQ(with("1024").status, 200);
  EXPECT_EQ(with("1k").status, 200);
  EXPECT_EQ(with("9223372036854775807").status, 200);
  const auto refused = with("1023");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("1024 bytes behind its master, asked for 1023 at most"));
  EXPECT_EQ(with("0").status, 503);
  broker_.set_standing({.role = Role::kSlave, .follows = true, .lag_bytes = 0});
  EXPECT_EQ(with("0").status, 200);
  // Not known is not near.
  broker_.set_standing({.role = Role::kSlave, .follows = true});
  EXPECT_EQ(with("1G").status, 503);
  EXPECT_EQ(call("GET", "/replica").status, 200);
  broker_.set_standing({.role = Role::kSlave, .follows = false, .lag_bytes = 0});
  EXPECT_EQ(with("1G").status, 503);
}

TEST_F(Probes, BadLagsAreNamed) {
  broker_.set_standing({.role = Role::kSlave, .follows = true, .lag_bytes = 0});
  for (const std::string bad : {"", "-1", "%2B1", "1T", "1MB", "k", "1.5M", "01", "1%20", "1%00",
                                "9223372036854775808", "9007199254740992k", "0x10", "NaN"}) {
    const auto answer = call("GET", "/replica?lag=" + bad);
    EXPECT_EQ(answer.status, 400) << bad;
    EXPECT_THAT(answer.body, HasSubstr("query parameter 'lag': ")) << bad;
  }
  EXPECT_EQ(call("GET", "/replica?lagg=1").status, 400);
  EXPECT_EQ(call("GET", "/replica?lag=1&lag=2").status, 400);
  // As the other probes of load balancers, which add what they like.
  EXPECT_EQ(call("GET", "/liveness?x=1").status, 200);
  EXPECT_EQ(call("POST", "/primary").allow, "GET, HEAD");
}

}  // namespace
}  // namespace stub::test
