// SPDX-License-Identifier: Apache-2.0
// How many calls it takes to read a body, and what a connection keeps when it is idle.

#include <malloc.h>

#include "http/count_reads.h"
#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kBody = 1024 * 1024;
// 16 would do for a body that is all there. The kernel may hand it over in smaller parts. Reads of
// 512 bytes would be 2048.
constexpr std::size_t kFewReads = kBody / 4096;

class Reading : public HttpTest {
 protected:
  static std::string chunked(const std::string& body, std::size_t piece) {
    std::string out =
        "POST /v1/topics/t/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += piece) {
      const auto part = body.substr(at, piece);
      char size[32];
      std::snprintf(size, sizeof size, "%zx\r\n", part.size());
      out += size + part + "\r\n";
    }
    return out + "0\r\n\r\n";
  }

  // What the server read to answer one produce request.
  Reads reads_of(const std::string& bytes) {
    auto socket = raw();
    forget_widest();
    const auto before = server_reads();
    socket.send(bytes);
    EXPECT_THAT(socket.read_answer(), HasSubstr("\"stored\":1"));
    return server_reads() - before;
  }
};

TEST_F(Reading, TheServerTakesALongBodyInFewReads) {
  const auto reads = reads_of(request("POST", "/v1/topics/t/messages", std::string(kBody, 'x')));
  EXPECT_GT(reads.bytes, kBody);
  EXPECT_LT(reads.calls, kFewReads);
  EXPECT_EQ(broker_.produced().at(0).items.at(0).body, std::string(kBody, 'x'));
}

TEST_F(Reading, TheServerTakesALongChunkedBodyInFewReads) {
  for (const std::size_t piece : {std::size_t{1000}, std::size_t{100'000}, kBody}) {
    const auto reads = reads_of(chunked(std::string(kBody, 'x'), piece));
    EXPECT_GT(reads.bytes, kBody);
    EXPECT_LT(reads.calls, kFewReads) << piece;
  }
  for (const auto& request : broker_.produced()) {
    EXPECT_EQ(request.items.at(0).body, std::string(kBody, 'x'));
  }
}

TEST_F(Reading, TheServerTakesPipelinedBodiesInFewReads) {
  constexpr std::size_t kRequests = 64;
  std::string all;
  for (std::size_t i = 0; i < kRequests; ++i) {
    all += request("POST", "/v1/topics/t/messages", std::string(kBody / kRequests, 'x'));
  }
  auto socket = raw();
  const auto before = server_reads();
  socket.send(all);
  for (std::size_t i = 0; i < kRequests; ++i) ASSERT_EQ(status_of(socket.read_answer()), 200);
  const auto reads = server_reads() - before;
  EXPECT_EQ(reads.bytes, all.size());
  EXPECT_LT(reads.calls, kFewReads);
}

TEST_F(Reading, TheServerAsksForWhatIsAnnouncedUpToItsBound) {
  const auto widest = [&](std::size_t body) {
    return reads_of(request("POST", "/v1/topics/t/messages", std::string(body, 'x'))).widest;
  };
  EXPECT_EQ(widest(5), 4096u);
  EXPECT_GT(widest(20'000), 15'000u);
  EXPECT_LE(widest(20'000), 20'000u);
  EXPECT_EQ(widest(kBody), 65'536u);
}

TEST_F(Reading, TheClientTakesALongAnswerInFewReads) {
  ProduceRequest big;
  big.topic = "t";
  big.items.push_back({std::string(kBody, 'x'), ""});
  broker_.produce(std::move(big), [](const ProduceResult&) {});
  const auto before = test_reads();
  EXPECT_THAT(call("GET", "/v1/topics/t/messages").body, HasSubstr(std::string(kBody, 'x')));
  const auto reads = test_reads() - before;
  EXPECT_GT(reads.bytes, kBody);
  EXPECT_LT(reads.calls, kFewReads);
}

// Idle after a long body, a long answer, or with a poll that waits: each keeps little.
TEST_F(Reading, AnIdleConnectionKeepsLittleMemory) {
  constexpr std::size_t kConnections = 300;
  constexpr std::int64_t kLittle = 4096;  // the buffer of one that is not idle has as much
  // An entry and an answer of 16 KiB: more than the buffers' small sizes.
  call("POST", "/v1/topics/long/messages", std::string(16'000, 'x'), "text/plain");
  const auto get = request("GET", "/v1/topics/long/messages");
  const auto refuse = request("POST", "/v1/topics/t/messages?none=1", std::string(100'000, 'x'));
  // Once, so that what the broker and the allocator keep for themselves is there.
  const auto use = [&](RawSocket& socket) {
    socket.send(refuse);
    EXPECT_EQ(status_of(socket.read_answer()), 400);
    socket.send(get);
    EXPECT_EQ(status_of(socket.read_answer()), 200);
  };
  auto first = raw();
  use(first);
  const auto in_use = [] {
    const auto now = ::mallinfo2();
    return static_cast<std::int64_t>(now.uordblks + now.hblkhd);
  };
  const std::int64_t before = in_use();
  // A connection that has just been used keeps a buffer for the next request, until it is quiet.
  const auto keeps_little = [&] {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while ((in_use() - before) / static_cast<std::int64_t>(kConnections) >= kLittle) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      EXPECT_EQ(call("GET", "/healthz").status, 200);
    }
    return true;
  };
  std::vector<RawSocket> idle;
  for (std::size_t i = 0; i < kConnections; ++i) use(idle.emplace_back(raw()));
  EXPECT_TRUE(keeps_little());
  for (std::size_t i = 0; i < kConnections; ++i) {
    idle[i].send(request("GET", "/v1/topics/never/messages?wait_ms=60000"));
  }
  ASSERT_TRUE(broker_.await_waiting(kConnections));
  EXPECT_TRUE(keeps_little());
}

}  // namespace
}  // namespace stub::test
