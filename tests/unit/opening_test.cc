// SPDX-License-Identifier: Apache-2.0
// What a connection's first 8 bytes are taken for.
#include "ha_plugin/net/master/opening.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "ha_plugin/wire/native.h"
#include "tests/unit/core/printing.h"

namespace ha::net {
namespace {

using std::chrono::seconds;

constexpr core::Time kStart = seconds(100);

std::vector<std::byte> native_opening() {
  const auto bytes = wire::native::opening();
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

core::Reason refused(const Settings& settings, const std::vector<std::byte>& first) {
  Opening opening(settings, kStart);
  std::span<const std::byte> bytes(first);
  const Opening::Heard heard = opening.take(bytes);
  const auto* refusal = std::get_if<core::Refusal>(&heard);
  return refusal == nullptr ? core::Reason::kNone : refusal->reason;
}

TEST(Opening, IsOverWithTheEighthByteAndTakesNoMore) {
  const Settings settings;
  Opening opening(settings, kStart);
  std::vector<std::byte> sent = native_opening();
  sent.push_back(std::byte{1});
  std::span<const std::byte> first = std::span(sent).first(7);
  EXPECT_TRUE(std::holds_alternative<Opening::Nothing>(opening.take(first)));
  EXPECT_TRUE(first.empty());
  EXPECT_FALSE(opening.over());
  std::span<const std::byte> rest = std::span(sent).subspan(7);
  EXPECT_TRUE(std::holds_alternative<Opening::Native>(opening.take(rest)));
  EXPECT_TRUE(opening.over());
  EXPECT_EQ(rest.size(), 1U);
}

TEST(Opening, ARocketmqSlavesFirstBytesAreItsReport) {
  const Settings settings;
  Opening opening(settings, kStart);
  const std::vector<std::byte> sent = bytes_of({0, 0, 0, 0, 0, 0, 0x10, 0});
  std::span<const std::byte> bytes(sent);
  const Opening::Heard heard = opening.take(bytes);
  const auto* rocketmq = std::get_if<Opening::Rocketmq>(&heard);
  ASSERT_NE(rocketmq, nullptr);
  EXPECT_TRUE(std::ranges::equal(rocketmq->report, sent));
}

// An offset of -1 is no report to a RocketMQ master, which goes on to listen.
TEST(Opening, WithoutTheNativeWireItsOpeningIsPassedOver) {
  Settings settings;
  settings.accept.native = false;
  Opening opening(settings, kStart);
  std::vector<std::byte> sent = native_opening();
  sent.resize(16);
  std::span<const std::byte> bytes(sent);
  EXPECT_TRUE(std::holds_alternative<Opening::Rocketmq>(opening.take(bytes)));
  EXPECT_TRUE(bytes.empty());
}

TEST(Opening, RefusesWhatIsNotServedHere) {
  const std::vector<std::byte> report(8);
  Settings settings;
  EXPECT_EQ(refused(settings, report), core::Reason::kNone);
  EXPECT_EQ(refused(settings, bytes_of({0x16, 3, 1, 2, 0, 1, 0, 1})), core::Reason::kTls);
  settings.replicas.nodes = {{"a", {"127.0.0.1", 1}}};
  EXPECT_EQ(refused(settings, report), core::Reason::kUnknownReplica);
  EXPECT_EQ(refused(settings, native_opening()), core::Reason::kNone);
  settings.accept.rocketmq = false;
  EXPECT_EQ(refused(settings, report), core::Reason::kNotAllowed);
}

TEST(Opening, InASetStrangersHaveTwoSecondsToSayWhatTheySpeak) {
  Settings settings;
  EXPECT_EQ(Opening(settings, kStart).due(), core::kNever);
  settings.replicas.nodes = {{"a", {"127.0.0.1", 1}}};
  Opening opening(settings, kStart);
  std::vector<std::byte> sent = native_opening();
  std::span<const std::byte> some(sent.data(), 7);
  opening.take(some);
  EXPECT_TRUE(opening.check_silence(kStart + seconds(2) - core::Time(1)).ok());
  EXPECT_EQ(opening.check_silence(kStart + seconds(2)).reason, core::Reason::kFirstReportTimeout);
  std::span<const std::byte> last(sent.data(), 1);
  opening.take(last);
  EXPECT_EQ(opening.due(), core::kNever);
}

// A RocketMQ slave is silent for 5 s, but its TLS proxy is not.
TEST(Opening, TlsMustBeginSoonAndInASetEndSoon) {
  Settings settings;
  settings.tls = TlsMode::kRequire;
  Opening opening(settings, kStart);
  EXPECT_EQ(opening.due(), kStart + seconds(2));
  opening.begin_inside_tls();
  EXPECT_EQ(opening.due(), core::kNever);
  settings.replicas.nodes = {{"a", {"127.0.0.1", 1}}};
  EXPECT_EQ(opening.due(), kStart + seconds(5));
}

}  // namespace
}  // namespace ha::net
